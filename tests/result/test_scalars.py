"""The scalars at a path, and within a value."""

import pytest

from llx_mcp.result.jsonpath import PathError
from llx_mcp.result.scalars import find_scalars
from tests.result.documents import build_document

ROOT = build_document({"a": {"b": 1, "c": [2, None, 3], "e": []}, "d": "4"}, None).root


@pytest.mark.parametrize(
    ("path", "paths"),
    [
        ("$", ["a.b", "a.c[0]", "a.c[2]", "d"]),
        ("a", ["a.b", "a.c[0]", "a.c[2]"]),
        ("a.c[*]", ["a.c[0]", "a.c[1]", "a.c[2]"]),
        ("a.c[1]", ["a.c[1]"]),
        ("a.e", []),
    ],
)
def test_scalars_come_in_document_order_and_nulls_only_where_they_are_named(path: str, paths: list[str]) -> None:
    assert [location.path for location in find_scalars(ROOT, path)] == paths


def test_path_that_matches_nothing_is_explained() -> None:
    with pytest.raises(PathError, match="no x in"):
        list(find_scalars(ROOT, "x"))
