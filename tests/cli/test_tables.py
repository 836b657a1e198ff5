"""Tables show every value of an answer, and nothing in a document can control the terminal."""

import io

import pytest
from rich.console import Console

from llx_mcp.answers.outputs import JobOutput
from llx_mcp.cli.tables import _unpack, build_job_table, build_result, show_answer
from llx_mcp.outputs import Output

HOSTILE = "\x1b[31m[bold]x[/bold]\x9b2J\u202e\nnext"


def show(output: Output, width: int) -> str:
    """Return what a terminal of this width gets."""
    target = io.StringIO()
    show_answer(Console(file=target, width=width, force_terminal=True, color_system=None, highlight=False), output, ())
    return target.getvalue()


def build_output(**parts: object) -> JobOutput:
    """Build an answer about a completed job."""
    return JobOutput.model_validate({"job_id": "ext-1", "status": "COMPLETED"} | parts)


@pytest.mark.parametrize("width", [20, 80])
def test_text_of_a_document_cannot_control_the_terminal(width: int) -> None:
    output = build_output(
        result={HOSTILE: HOSTILE, "rows": [{HOSTILE: HOSTILE}], "list": [HOSTILE]},
        outline={"columns": ["path", "example"], "rows": [["a", HOSTILE]]},
        error=HOSTILE,
    )
    shown = show(output, width)
    assert not set("\x9b\u202e") & set(shown)
    assert "\x1b" not in shown
    assert "[bold]x[/bold]" in shown


def test_result_that_is_packed_is_shown_as_the_same_tables() -> None:
    rows = [{"sku": "A", "net": 1.5}, {"sku": "B", "net": None}]
    packed = {"name": "n", "items": {"columns": ["sku", "net"], "rows": [["A", 1.5], ["B", None]]}}
    shown = show(build_output(result_as_tables=packed), 60)
    assert shown == show(build_output(result={"name": "n", "items": rows}), 60)
    assert "items ×2" in shown


def test_cells_show_the_pages_and_the_lowest_confidence_of_their_row() -> None:
    packed = {
        "total": [12.5, 1, 0.93],
        "note": None,
        "tags": [["x", 2, 0.5], ["y", 3, None]],
        "items": {"columns": ["sku", "net"], "rows": [[["A", 1, 0.9], [1.5, 2, 0.7]], [["B", None, None], None]]},
    }
    target = io.StringIO()
    for part in build_result(_unpack(packed, with_cells=True), 60):
        Console(file=target, width=60).print(part)
    assert [line.split() for line in target.getvalue().splitlines() if line.strip(" ─")] == [
        ["field", "value", "page", "confidence"],
        ["total", "12.5", "1", "0.93"],
        ["note"],
        ["tags", '["x","y"]', "2,", "3", "0.5"],
        ["items", "×2"],
        ["sku", "net", "page", "confidence"],
        ["A", "1.5", "1,", "2", "0.7"],
        ["B"],
    ]


@pytest.mark.parametrize(
    ("columns", "rows"),
    [
        (["Item", "Net"], [["A"]]),
        (["Item", "Net"], 2),
        ("Item", [["A"]]),
        ([["Item", 1, 0.9]], [[["A", 1, 0.9]]]),
        (["Item"], [{"Item": "A"}]),
    ],
)
def test_object_of_the_document_that_resembles_a_packed_list_is_shown_as_it_is(columns: object, rows: object) -> None:
    own = {"columns": columns, "rows": rows}
    assert _unpack({"table": own}, with_cells=False) == {"table": own}
    shown = show(build_output(cited_result={"table": own}), 60)
    assert "table.columns" in shown
    assert "Item" in shown


def test_table_that_is_too_wide_becomes_a_list_of_records() -> None:
    rows = [{f"column_{number}": number for number in range(12)}]
    shown = show(build_output(result=rows), 60)
    assert [line for line in shown.splitlines() if line.startswith("column_")] == [
        f"column_{number}: {number}" for number in range(12)
    ]


@pytest.mark.parametrize("width", [30, 60, 120])
def test_ids_of_jobs_are_whole_and_lines_fit(width: int) -> None:
    job_id = "ext-01234567890123456789"
    rows = [{"job": job_id, "document": "dfl-1", "status": "RUNNING", "note": "word " * 30}]
    target = io.StringIO()
    Console(file=target, width=width).print(build_job_table(rows, width))
    lines = target.getvalue().splitlines()
    assert any(job_id in line for line in lines)
    assert max(map(len, lines)) <= width
