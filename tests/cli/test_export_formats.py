"""Exports hold the values in every format, and no cell is a formula."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llx_mcp.cli.export_formats import WRITERS, export
from llx_mcp.cli.options import EXPORT_FORMATS
from llx_mcp.local import SAMPLES
from llx_mcp.local.samples import read_sample
from llx_mcp.models import Job
from llx_mcp.result.document import Document
from llx_mcp.result.jsonpath import PathError
from llx_mcp.result.sections import JobSections
from tests.cli.command import run_command
from tests.cli.documents import build_document
from tests.example_jobs import cited
from tests.result.strategies import NAMES, SCALARS

ROWS = [
    {"sku": "A", "net": {"amount": 1.5}, "tags": ["x", "y"], "note": None},
    {"sku": "=1+1", "net": {"amount": 2}, "tags": [], "extra": True},
]
METADATA = [{"sku": cited(0.9, 1, "A 1.50"), "net": {"amount": cited(0.4, 2, "1.50")}}]
FORMULAS = ['=HYPERLINK("http://x")', "+1+cmd", "-1+1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\n@x"]


def export_bytes(document: Document, format_name: str, path: str = "$", *, provenance: bool = False) -> bytes:
    """Export values and return the bytes."""
    target = io.BytesIO()
    export(document, path, format_name, target, provenance=provenance)
    return target.getvalue()


def read_rows(format_name: str, body: bytes) -> list[list[Any]]:
    """Read the header and rows of a table with another library."""
    if format_name == "csv":
        return [list(row) for row in csv.reader(io.StringIO(body.decode(), newline=""))]
    if format_name == "xlsx":
        sheet = openpyxl.load_workbook(io.BytesIO(body)).active
        assert sheet is not None
        return [[cell.value for cell in row] for row in sheet.iter_rows()]
    table = pyarrow.parquet.read_table(io.BytesIO(body))
    return [table.column_names, *([*row.values()] for row in table.to_pylist())]


def test_json_is_the_value() -> None:
    document = build_document({"rows": ROWS})
    assert json.loads(export_bytes(document, "json")) == {"rows": ROWS}
    assert json.loads(export_bytes(document, "json", "rows[*].sku")) == ["A", "=1+1"]


def test_list_in_one_cell_of_a_csv_file_is_named_with_the_path_that_makes_rows_of_it() -> None:
    document = build_document({"bank": "B", "a": {"rows": ROWS}, "tags": ["x", "y"], "one": [{"b": 1}]})
    notes = export(document, "$", "csv", io.BytesIO(), provenance=False).notes
    assert notes == [
        f"a.rows: its {len(ROWS)} elements are one cell. llx-mcp export with --path a.rows writes a row for each, and "
        "xlsx has a sheet for each list."
    ]
    assert export(document, "a.rows", "csv", io.BytesIO(), provenance=False).notes == []
    assert export(document, "$", "json", io.BytesIO(), provenance=False).notes == []


def test_jsonl_has_one_line_per_element() -> None:
    lines = export_bytes(build_document({"rows": ROWS}), "jsonl", "rows").splitlines()
    assert [json.loads(line) for line in lines] == ROWS


@pytest.mark.parametrize(
    ("format_name", "rows"),
    [
        ("csv", [["rows[0]", "A", "1.5", '["x","y"]', "", ""], ["rows[1]", "'=1+1", "2", "[]", "", "true"]]),
        ("xlsx", [["rows[0]", "A", 1.5, '["x","y"]', None, None], ["rows[1]", "=1+1", 2, "[]", None, True]]),
        ("parquet", [["rows[0]", "A", 1.5, '["x","y"]', None, None], ["rows[1]", "=1+1", 2.0, "[]", None, True]]),
    ],
)
def test_table_has_one_row_per_element(format_name: str, rows: list[list[Any]]) -> None:
    header = ["_path", "sku", "net.amount", "tags", "note", "extra"]
    assert read_rows(format_name, export_bytes(build_document({"rows": ROWS}), format_name, "rows")) == [header, *rows]


@pytest.mark.parametrize("format_name", ["csv", "xlsx", "parquet"])
def test_provenance_adds_columns_to_each_column(format_name: str) -> None:
    document = build_document({"rows": ROWS}, {"rows": METADATA})
    header, first, second = read_rows(format_name, export_bytes(document, format_name, "rows", provenance=True))
    assert header[:5] == ["_path", "sku", "sku.confidence", "sku.page", "sku.quote"]
    assert [str(cell) for cell in first[1:5]] == ["A", "0.9", "1", "A 1.50"] or format_name == "parquet"
    assert second[2] in ("", None)


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_a_formula(text: str) -> None:
    document = build_document([{text: text}])
    for row in read_rows("csv", export_bytes(document, "csv")):
        assert row[1] == f"'{text}" or row[1].startswith("['")
    body = export_bytes(document, "xlsx")
    sheet = openpyxl.load_workbook(io.BytesIO(body)).active
    assert sheet is not None
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} == {"s"}


@pytest.mark.parametrize("text", ["-12.5", "+3", "1e5", "plain", "a=b"])
def test_numbers_and_plain_text_are_not_escaped(text: str) -> None:
    assert read_rows("csv", export_bytes(build_document([{"n": text}]), "csv"))[1][1] == text


@given(st.lists(st.dictionaries(NAMES, SCALARS, max_size=4), min_size=1, max_size=5), st.sampled_from(EXPORT_FORMATS))
@settings(max_examples=100, deadline=None)
def test_any_list_is_written_in_every_format(rows: list[dict[str, Any]], format_name: str) -> None:
    body = export_bytes(build_document(rows), format_name)
    if format_name == "json":
        assert json.loads(body) == rows
    elif format_name == "jsonl":
        # splitlines would also split at separators that JSON allows within a value.
        assert [json.loads(line) for line in body.split(b"\n")[:-1]] == rows
    else:
        assert len(read_rows(format_name, body)) == len(rows) + 1


def test_every_format_of_the_command_has_a_writer() -> None:
    assert tuple(WRITERS) == EXPORT_FORMATS


def test_path_without_a_match_is_an_error() -> None:
    with pytest.raises(PathError, match="did you mean rows"):
        export_bytes(build_document({"rows": ROWS}), "csv", "rowz")


def test_suffix_of_the_output_sets_the_format(tmp_path: Path) -> None:
    invoice = SAMPLES[0]
    target = tmp_path / "items.jsonl"
    run = run_command("export", invoice.job_id, "--local", "--path", "line_items", "--output", str(target))
    assert run.stderr.startswith("34 records of ")
    items = json.loads(read_sample(invoice))["extract_result"]["line_items"]
    assert [json.loads(line) for line in target.read_text().splitlines()] == items
    assert [path.name for path in tmp_path.iterdir()] == ["items.jsonl"]


def test_failed_export_keeps_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "items.csv"
    target.write_text("old")
    run = run_command(
        "export", SAMPLES[0].job_id, "--local", "--path", "nothing", "--output", str(target), exit_status=2
    )
    assert "no nothing in $" in run.stderr
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["items.csv"]


def test_real_job_is_written_in_every_format(corpus_job: bytes) -> None:
    document = JobSections(Job.parse(corpus_job).sections).document
    for format_name in EXPORT_FORMATS:
        assert export_bytes(document, format_name, provenance=True)


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        (
            "failed_reason",
            'The job is FAILED and has no result. Reason given by the service: "Page 2 of the document is encrypted '
            'and could not be parsed." The job stays failed. A result needs a new job.',
        ),
        ("running", "The job is PENDING and has no result. To wait: llx-mcp wait {job_id} --local"),
        ("cancelled", "The job is CANCELLED and has no result. The job was cancelled before it ended"),
        ("null_result", "The job is COMPLETED and has no result. The job completed and found no value"),
    ],
)
def test_export_without_a_result_says_why_and_what_to_do(sample: str, words: str) -> None:
    job_id = next(each.job_id for each in SAMPLES if each.name == sample)
    error = run_command("export", job_id, "--local", exit_status=2).stderr
    assert error.startswith(f"llx-mcp: {words.format(job_id=job_id)}")
