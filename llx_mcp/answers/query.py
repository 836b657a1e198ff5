"""The rows of a query as an answer within a budget."""

from llx_mcp.answers.budget import Answer, AnswerBuilder, TableBuilder
from llx_mcp.answers.header import Header, start_answer
from llx_mcp.answers.markdown import query_line
from llx_mcp.answers.outputs import NextStep, Omission, QueryOutput
from llx_mcp.answers.requests import JobRequest
from llx_mcp.query.engine import MOST_ROWS, Engine
from llx_mcp.result.sanitize import sanitize_json
from llx_mcp.result.sql_tables import FIELDS

_MIN_CHARS_A_ROW = 4
_CELL_SHARE = 0.5


def answer_query(engine: Engine, header: Header, request: JobRequest, sql: str, *, deadline_seconds: float) -> Answer:
    """Run a query over tables that were built for it, and build an answer from its rows.

    Raises:
        QueryError: the query cannot be run.
    """
    builder = start_answer(header, request.max_chars, QueryOutput)
    found = engine.run(
        sql,
        max_rows=min(request.max_chars // _MIN_CHARS_A_ROW, MOST_ROWS),
        max_chars=int(request.max_chars * _CELL_SHARE),
        deadline_seconds=deadline_seconds,
    )
    columns = [str(sanitize_json(name)) for name in found.columns]
    if found.num_rows is not None:
        builder.add("num_rows", found.num_rows)
    if num_cut := engine.tables.num_cut(sql):
        resource = request.resource("result")
        builder.omit(
            Omission(what="ends of texts, lists and names too long for a table", count=num_cut, resource=resource)
        )
    table = TableBuilder("rows", columns, iter(sanitize_json(found.rows)), query_line)
    table.fill(builder.room - builder.omissions_cost(_omission(MOST_ROWS * 100, MOST_ROWS * 100, MOST_ROWS)))
    if table.rows:
        builder.add("rows", table.table)
    if found.num_rows is None or len(table.rows) < found.num_rows:
        left = None if found.num_rows is None else found.num_rows - len(table.rows)
        builder.omit(_omission(left, found.num_rows, len(table.rows)))
    if not table.rows or (FIELDS in sql and len(table.rows) != found.num_rows):
        _suggest_tables(builder, engine, sql)
    return builder.build()


def _suggest_tables(builder: AnswerBuilder, engine: Engine, sql: str) -> None:
    """Name the tables after a query that found nothing, or too much of the table of all values."""
    if tables := engine.tables.suggest(sql):
        builder.add_next_steps(
            [NextStep(text=f"{FIELDS} has only values that are present. Each list is a table: {tables}.")]
        )


def _omission(count: int | None, total: int | None, num_shown: int) -> Omission:
    what = "rows" if total is not None else "the rest of many rows"
    hint = f"aggregate, select fewer columns, or add LIMIT and OFFSET {num_shown}"
    return Omission(what=what, count=count, total=total, hint=hint)
