"""What is taken along is what is there, in every format, and harmless to whoever opens it."""

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

from llx_mcp.cli.export_formats import FORMATS, export
from llx_mcp.errors import ArgumentError
from llx_mcp.local import SAMPLES
from llx_mcp.local.samples import read_sample
from llx_mcp.models import Job
from llx_mcp.result.document import Document
from llx_mcp.result.jsonpath import PathError
from llx_mcp.result.sections import JobSections
from tests.cli.test_main import llx
from tests.example_jobs import build_job, cited
from tests.generated_jobs import NAMES, SCALARS

ROWS = [
    {"sku": "A", "net": {"amount": 1.5}, "tags": ["x", "y"], "note": None},
    {"sku": "=1+1", "net": {"amount": 2}, "tags": [], "extra": True},
]
TREE = [{"sku": cited(0.9, 1, "A 1.50"), "net": {"amount": cited(0.4, 2, "1.50")}}]
EVIL = ['=HYPERLINK("http://x")', "+1+cmd", "-1+1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\n@x"]


def document_of(result: Any, tree: Any = None) -> Document:
    """A result with its provenance."""
    return JobSections(build_job(result, tree).sections).document


def written(document: Document, form: str, path: str = "$", *, provenance: bool = False) -> bytes:
    """The bytes of an export."""
    target = io.BytesIO()
    export(document, path, form, target, provenance=provenance)
    return target.getvalue()


def rows_of(form: str, body: bytes) -> list[list[Any]]:
    """Header and rows of a table, read by a library of its own."""
    if form == "csv":
        return [list(row) for row in csv.reader(io.StringIO(body.decode(), newline=""))]
    if form == "xlsx":
        sheet = openpyxl.load_workbook(io.BytesIO(body)).active
        assert sheet is not None
        return [[cell.value for cell in row] for row in sheet.iter_rows()]
    table = pyarrow.parquet.read_table(io.BytesIO(body))
    return [table.column_names, *([*row.values()] for row in table.to_pylist())]


def test_json_is_the_value_itself() -> None:
    document = document_of({"rows": ROWS})
    assert json.loads(written(document, "json")) == {"rows": ROWS}
    assert json.loads(written(document, "json", "rows[*].sku")) == ["A", "=1+1"]


def test_json_lines_have_an_element_each() -> None:
    lines = written(document_of({"rows": ROWS}), "jsonl", "rows").splitlines()
    assert [json.loads(line) for line in lines] == ROWS


@pytest.mark.parametrize(
    ("form", "rows"),
    [
        ("csv", [["rows[0]", "A", "1.5", '["x","y"]', "", ""], ["rows[1]", "'=1+1", "2", "[]", "", "true"]]),
        ("xlsx", [["rows[0]", "A", 1.5, '["x","y"]', None, None], ["rows[1]", "=1+1", 2, "[]", None, True]]),
        ("parquet", [["rows[0]", "A", 1.5, '["x","y"]', None, None], ["rows[1]", "=1+1", 2.0, "[]", None, True]]),
    ],
)
def test_a_table_has_a_row_for_each_element(form: str, rows: list[list[Any]]) -> None:
    header = ["_path", "sku", "net.amount", "tags", "note", "extra"]
    assert rows_of(form, written(document_of({"rows": ROWS}), form, "rows")) == [header, *rows]


@pytest.mark.parametrize("form", ["csv", "xlsx", "parquet"])
def test_provenance_stands_beside_each_column(form: str) -> None:
    document = document_of({"rows": ROWS}, {"rows": TREE})
    header, first, second = rows_of(form, written(document, form, "rows", provenance=True))
    assert header[:5] == ["_path", "sku", "sku.confidence", "sku.page", "sku.quote"]
    assert [str(cell) for cell in first[1:5]] == ["A", "0.9", "1", "A 1.50"] or form == "parquet"
    assert second[2] in ("", None)


@pytest.mark.parametrize("text", EVIL)
def test_no_cell_is_a_formula(text: str) -> None:
    document = document_of([{text: text}])
    for row in rows_of("csv", written(document, "csv")):
        assert row[1] == f"'{text}" or row[1].startswith("['")
    body = written(document, "xlsx")
    sheet = openpyxl.load_workbook(io.BytesIO(body)).active
    assert sheet is not None
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} == {"s"}


@pytest.mark.parametrize("text", ["-12.5", "+3", "1e5", "plain", "a=b"])
def test_numbers_and_words_stay_as_they_are(text: str) -> None:
    assert rows_of("csv", written(document_of([{"n": text}]), "csv"))[1][1] == text


@given(st.lists(st.dictionaries(NAMES, SCALARS, max_size=4), min_size=1, max_size=5), st.sampled_from(FORMATS))
@settings(max_examples=100, deadline=None)
def test_any_list_is_written_in_any_format(rows: list[dict[str, Any]], form: str) -> None:
    body = written(document_of(rows), form)
    if form == "json":
        assert json.loads(body) == rows
    elif form == "jsonl":
        # Not splitlines: a value may hold a separator that is no line break in JSON.
        assert [json.loads(line) for line in body.split(b"\n")[:-1]] == rows
    else:
        assert len(rows_of(form, body)) == len(rows) + 1


def test_a_cell_too_large_for_a_workbook_is_told() -> None:
    with pytest.raises(ArgumentError, match="a cell holds 32,767 characters, and one has 40,000"):
        written(document_of([{"a": "x" * 40_000}]), "xlsx")


def test_a_path_that_names_nothing_is_told() -> None:
    with pytest.raises(PathError, match="did you mean rows"):
        written(document_of({"rows": ROWS}), "csv", "rowz")


def test_the_command_writes_a_file_by_the_name_of_its_ending(tmp_path: Path) -> None:
    invoice = SAMPLES[0]
    target = tmp_path / "items.jsonl"
    run = llx("export", invoice.job_id, "--local", "--path", "line_items", "--output", str(target))
    assert run.stderr.startswith("34 records of ")
    items = json.loads(read_sample(invoice))["extract_result"]["line_items"]
    assert [json.loads(line) for line in target.read_text().splitlines()] == items
    assert [path.name for path in tmp_path.iterdir()] == ["items.jsonl"]


def test_the_command_leaves_no_half_file_and_keeps_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "items.csv"
    target.write_text("old")
    run = llx("export", SAMPLES[0].job_id, "--local", "--path", "nothing", "--output", str(target), status=2)
    assert "no nothing in $" in run.stderr
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["items.csv"]


def test_a_real_job_goes_through_every_format(corpus_job: bytes) -> None:
    document = JobSections(Job.parse(corpus_job).sections).document
    for form in FORMATS:
        assert written(document, form, provenance=True)
