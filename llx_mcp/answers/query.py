"""A query's rows as an answer within a budget."""

from llx_mcp.answers.budget import Answer, Rows, part_cost, start_answer
from llx_mcp.answers.header import Header, JobRequest
from llx_mcp.answers.markdown import row_line
from llx_mcp.query.engine import MOST_ROWS, Engine
from llx_mcp.result.sanitize import sanitize_json

_FEWEST_CHARS_A_ROW = 4
_MOST_CELL_CHARS = 0.5


def answer_query(engine: Engine, heading: Header, ask: JobRequest, sql: str, *, deadline_seconds: float) -> Answer:
    """Run a query over tables that were built for it; its rows within `ask.max_chars`.

    Raises:
        QueryError: the query cannot be run.
    """
    sheet = start_answer(heading, ask.max_chars)
    found = engine.run(
        sql,
        max_rows=min(ask.max_chars // _FEWEST_CHARS_A_ROW, MOST_ROWS),
        max_chars=int(ask.max_chars * _MOST_CELL_CHARS),
        deadline_seconds=deadline_seconds,
    )
    total = "many" if found.num_rows is None else str(found.num_rows)
    columns = [str(sanitize_json(name)) for name in found.columns]
    if found.num_rows is not None:
        sheet.spend("num_rows", found.num_rows)
    note = f"{{}} of {total} rows; aggregate, select fewer columns, or add LIMIT and OFFSET {{}}"
    room = sheet.room - sheet.notes_cost([note.format(total, MOST_ROWS * 10)])
    rows = Rows(part_cost("rows", {"columns": columns, "rows": []}), columns, iter(sanitize_json(found.rows)), row_line)
    rows.fill(room)
    left = None if found.num_rows is None else found.num_rows - len(rows.rows)
    if rows.rows:
        sheet.spend("rows", rows.table)
    if left != 0:
        sheet.note(note.format("the rest" if left is None else left, len(rows.rows)))
    return sheet.answer()
