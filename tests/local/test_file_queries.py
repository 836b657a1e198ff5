"""Files are filtered and sorted as the official client documents."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.exceptions import HTTPException

from llx_mcp.local.file_queries import filter_files, sort_files, sort_files_by_list
from llx_mcp.local.file_store import StoredFile
from llx_mcp.local.request_models import FileFilter

START = datetime(2026, 1, 1, tzinfo=UTC)
PROJECT = "5a3d1f0e-6c1b-4e0a-9f57-2b6d8c4e1a90"
UUID_2 = "00000000-0000-4000-8000-00000000000b"


def build_file(number: int, name: str, external: str | None, purpose: str | None = "extract") -> StoredFile:
    """Build a file that was uploaded a number of days after the start."""
    uuid = f"00000000-0000-4000-8000-{number:012x}"
    return StoredFile(
        number, f"dfl-{uuid}", uuid, name, external, purpose, PROJECT, "00", START + timedelta(days=number)
    )


# In no order.
FILES = [build_file(2, "b.pdf", "x"), build_file(11, "a.pdf", None, "parse"), build_file(7, "b.pdf", "w", None)]


def read_entries(error: HTTPException) -> list[Any]:
    """Return the entries of a 422, which Starlette types as text."""
    detail: Any = error.detail
    return list(detail)


def numbers(files: Any) -> list[int]:
    return [file.position for file in files]


@pytest.mark.parametrize(
    ("order_by", "expected"),
    [(None, [2, 11, 7]), ("", [2, 11, 7]), ("name", [11, 2, 7]), ("id", [2, 7, 11]), ("created_at", [11, 7, 2])],
)
def test_get_sorts_in_the_documented_direction(order_by: str | None, expected: list[int]) -> None:
    assert numbers(sort_files(FILES, order_by)) == expected


@pytest.mark.parametrize("order_by", ["created_at desc", "name asc", "name,id", "purpose", "Name", " name"])
def test_get_refuses_any_other_order(order_by: str) -> None:
    with pytest.raises(HTTPException) as caught:
        sort_files(FILES, order_by)
    (entry,) = read_entries(caught.value)
    assert (caught.value.status_code, entry["loc"], entry["input"]) == (422, ["query", "order_by"], order_by)
    assert "'created_at' (descending)" in entry["msg"]


@pytest.mark.parametrize(
    ("order_by", "expected"),
    [(None, [2, 11, 7]), ("created_at", [2, 7, 11]), ("created_at desc", [11, 7, 2]), ("last_modified_at", [2, 7, 11]),
     ("name, created_at desc", [11, 7, 2]), ("name desc,id", [2, 7, 11]), ("purpose,", [7, 2, 11]),
     ("name,created_at", [11, 2, 7]), ("name desc, created_at desc", [7, 2, 11]),
     ("external_file_id", [11, 7, 2]), ("id ASC", [2, 7, 11]), ("id DESC", [11, 7, 2])],
)  # fmt: skip
def test_post_sorts_by_a_list_of_fields(order_by: str | None, expected: list[int]) -> None:
    assert numbers(sort_files_by_list(FILES, order_by)) == expected


@pytest.mark.parametrize("order_by", ["size", "name up", "name, size desc"])
def test_post_refuses_unknown_fields_and_directions(order_by: str) -> None:
    with pytest.raises(HTTPException) as caught:
        sort_files_by_list(FILES, order_by)
    assert [entry["loc"] for entry in read_entries(caught.value)] == [["body", "order_by"]]


@pytest.mark.parametrize(
    ("values", "expected"),
    [({}, [2, 11, 7]), ({"file_name": "b.pdf"}, [2, 7]), ({"file_name": "b"}, []), ({"external_file_id": "x"}, [2]),
     ({"file_ids": [UUID_2]}, [11]), ({"file_ids": [f"dfl-{UUID_2.upper()}"]}, [11]), ({"file_ids": []}, []),
     ({"project_id": PROJECT}, [2, 11, 7]), ({"project_id": UUID_2}, []), ({"data_source_id": "d"}, []),
     ({"file_name": "b.pdf", "external_file_id": "w"}, [7])],
)  # fmt: skip
def test_filter_keeps_files_that_match_every_part(values: Any, expected: list[int]) -> None:
    assert numbers(filter_files(FILES, FileFilter(**values))) == expected


def test_every_order_of_the_list_is_total() -> None:
    for field in ("id", "created_at"):
        orders = {tuple(numbers(sort_files(list(each), field))) for each in itertools.permutations(FILES)}
        assert len(orders) == 1
