"""A workbook has a sheet for each list, and says what did not fit."""

import io
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llx_mcp.cli import workbook
from llx_mcp.cli.export_formats import export
from llx_mcp.cli.workbook import MAX_NAME_CHARS, make_sheet_name
from tests.cli.documents import build_document


def write(result: Any, path: str = "$", *, provenance: bool = False) -> tuple[dict[str, list[list[Any]]], list[str]]:
    """Export values; return the rows of each sheet, and the notes."""
    target = io.BytesIO()
    exported = export(build_document(result), path, "xlsx", target, provenance=provenance)
    book = openpyxl.load_workbook(target)
    assert {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row} <= {"s", "n", "b"}
    return {sheet.title: [[cell.value for cell in row] for row in sheet.iter_rows()] for sheet in book}, exported.notes


RESULT = {
    "bank": "B",
    "accounts": [
        {"iban": "1", "rows": [{"net": 1}, {"net": 2}]},
        {"iban": "2", "rows": [{"net": "=1+1"}]},
        {"iban": "3", "rows": []},
    ],
    "tags": ["x", "y"],
}


def test_each_list_of_objects_has_its_sheet() -> None:
    sheets, notes = write(RESULT)
    assert sheets == {
        "result": [["_path", "bank", "accounts", "tags"], ["$", "B", "3 rows in sheet accounts", '["x","y"]']],
        "accounts": [
            ["_path", "iban", "rows"],
            ["accounts[0]", "1", "2 rows in sheet accounts.rows"],
            ["accounts[1]", "2", "1 row in sheet accounts.rows"],
            ["accounts[2]", "3", "[]"],
        ],
        "accounts.rows": [
            ["_path", "net"],
            ["accounts[0].rows[0]", 1],
            ["accounts[0].rows[1]", 2],
            ["accounts[1].rows[0]", "=1+1"],
        ],
    }
    assert notes == []


def test_path_to_one_list_begins_with_its_elements() -> None:
    sheets, _ = write(RESULT, "accounts[0].rows")
    assert list(sheets) == ["accounts.rows"]
    sheets, _ = write(RESULT, "accounts")
    assert list(sheets) == ["accounts", "accounts.rows"]
    sheets, _ = write([RESULT])
    assert list(sheets) == ["result", "accounts", "accounts.rows"]


@pytest.mark.parametrize("text", ["x" * 40_000, "😀" * 20_000])
def test_long_text_is_cut_with_a_note(text: str) -> None:
    sheets, notes = write({"a": text, "b": "y" * 32_767})
    _, cut, whole = sheets["result"][1]
    note = "… [cut: 40,000 characters in all]"
    assert cut.endswith(note)
    assert text.startswith(cut.removesuffix(note))
    assert 32_765 <= len(cut.encode("utf-16-le")) // 2 <= 32_767
    assert whole == "y" * 32_767
    (line,) = notes
    assert line.startswith("texts cut at 32,767 characters, the most of a cell: 1.")


def test_long_list_of_texts_has_a_sheet_instead_of_a_cut_cell() -> None:
    sheets, notes = write({"words": ["word"] * 10_000})
    assert sheets["result"][1][1] == "10,000 rows in sheet words"
    assert len(sheets["words"]) == 10_001
    assert notes == []


def test_rows_beyond_the_most_of_a_sheet_go_on_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "MAX_ROWS", 3)
    sheets, _ = write({"a": [{"n": n} for n in range(5)]})
    assert {name: [row[1] for row in rows] for name, rows in sheets.items() if name != "result"} == {
        "a": ["n", 0, 1],
        "a_2": ["n", 2, 3],
        "a_3": ["n", 4],
    }


def test_columns_beyond_the_most_of_a_sheet_are_counted() -> None:
    sheets, notes = write({f"c{n}": n for n in range(16_400)})
    assert len(sheets["result"][0]) == 16_384
    assert notes == [
        "columns left out beyond 16,384, the most of a sheet: 17. csv, jsonl and parquet have no such limit."
    ]


def test_provenance_is_in_every_sheet() -> None:
    sheets, _ = write(RESULT, provenance=True)
    assert sheets["accounts.rows"][0] == ["_path", "net", "net.confidence", "net.page", "net.quote"]


@given(st.lists(st.text(max_size=40), max_size=8))
def test_names_of_sheets_are_allowed_and_unique(titles: list[str]) -> None:
    taken = {"history"}
    names = [make_sheet_name(title, taken) for title in titles]
    assert len({name.casefold() for name in names}) == len(names)
    for name in names:
        assert 0 < len(name) <= MAX_NAME_CHARS
        assert not set(name) & set("[]:*?/\\")
        assert name.strip("'") == name
        assert name.casefold() != "history"


def test_long_names_that_begin_alike_stay_unique() -> None:
    taken: set[str] = set()
    assert [make_sheet_name(f"{'x' * 40}{n}", taken) for n in range(2)] == ["x" * 31, f"{'x' * 29}_2"]
    assert make_sheet_name("History", {"history"}) == "History_2"
