"""The rows of a query as an answer within a budget."""

from collections.abc import Sequence

from llx_mcp.answers.budget import Answer, AnswerBuilder, TableBuilder
from llx_mcp.answers.header import Header, start_answer
from llx_mcp.answers.joined import start_joined
from llx_mcp.answers.outputs import NextStep, Omission, QueryOutput
from llx_mcp.answers.requests import JobRequest, JobsRequest
from llx_mcp.answers.row_lines import query_line
from llx_mcp.answers.wait_report import JobRow
from llx_mcp.query.engine import MOST_ROWS, Engine
from llx_mcp.result.sanitize import sanitize_json
from llx_mcp.result.sql_tables import FIELDS

_MIN_CHARS_A_ROW = 4
_CELL_SHARE = 0.5
_CUT = "ends of texts, lists and names too long for a table"


def answer_query(engine: Engine, header: Header, request: JobRequest, sql: str, *, deadline_seconds: float) -> Answer:
    """Run a query over tables that were built for it, and build an answer from its rows.

    Raises:
        QueryError: the query cannot be run.
    """
    builder = start_answer(header, request.max_chars, QueryOutput)
    cut = Omission(what=_CUT, resource=request.resource("result"))
    add_rows(builder, engine, sql, max_chars=request.max_chars, deadline_seconds=deadline_seconds, cut=cut)
    return builder.build()


def answer_joined_query(
    engine: Engine | None, jobs: Sequence[JobRow], request: JobsRequest, sql: str, *, deadline_seconds: float
) -> Answer:
    """Run a query over tables of several jobs, and build an answer from its rows.

    Args:
        engine: the tables, which were built for the query; None where no job has a result.
        jobs: the jobs, with a note where one has no rows in the tables.
        request: the jobs and the budget.
        sql: the query.
        deadline_seconds: how long the query may take.

    Raises:
        QueryError: the query cannot be run.
    """
    builder = start_joined(QueryOutput(), jobs, jobs, request)
    if engine is not None:
        cut = Omission(what=_CUT, hint="read_extract_result with one job_id reads a value whole")
        add_rows(builder, engine, sql, max_chars=request.max_chars, deadline_seconds=deadline_seconds, cut=cut)
    return builder.build()


def add_rows(
    builder: AnswerBuilder, engine: Engine, sql: str, *, max_chars: int, deadline_seconds: float, cut: Omission
) -> None:
    """Run a query, and add its rows to an answer; `cut` says how to see what is too long for a table."""
    found = engine.run(
        sql,
        max_rows=min(max_chars // _MIN_CHARS_A_ROW, MOST_ROWS),
        max_chars=int(max_chars * _CELL_SHARE),
        deadline_seconds=deadline_seconds,
    )
    columns = [str(sanitize_json(name)) for name in found.columns]
    if found.num_rows is not None:
        builder.add("num_rows", found.num_rows)
    if num_cut := engine.tables.num_cut(sql):
        builder.omit(cut.model_copy(update={"count": num_cut}))
    table = TableBuilder("rows", columns, iter(sanitize_json(found.rows)), query_line)
    table.fill(builder.room - builder.omissions_cost(_omission(MOST_ROWS * 100, MOST_ROWS * 100, MOST_ROWS)))
    if table.rows:
        builder.add("rows", table.table)
    if found.num_rows is None or len(table.rows) < found.num_rows:
        left = None if found.num_rows is None else found.num_rows - len(table.rows)
        builder.omit(_omission(left, found.num_rows, len(table.rows)))
    if not table.rows or (FIELDS in sql and len(table.rows) != found.num_rows):
        _suggest_tables(builder, engine, sql)


def _suggest_tables(builder: AnswerBuilder, engine: Engine, sql: str) -> None:
    """Name the tables after a query that found nothing, or too much of the table of all values."""
    if tables := engine.tables.catalog.suggest(sql):
        builder.add_next_steps(
            [NextStep(text=f"{FIELDS} has only values that are present. Each list is a table: {tables}.")]
        )


def _omission(count: int | None, total: int | None, num_shown: int) -> Omission:
    what = "rows" if total is not None else "the rest of many rows"
    hint = f"aggregate, select fewer columns, or add LIMIT and OFFSET {num_shown}"
    return Omission(what=what, count=count, total=total, hint=hint)
