"""From a value its path, its members and its elements are reached."""

import pytest

from llx_mcp.result.location import Location, root_location
from llx_mcp.result.outline import build_outline

RESULT = {
    "b": 1,
    "rows": [{"n": 1, "tags": ["x"]}, {"m": 2}, {"m": 3, "n": 4, "tags": ["y", "z"]}, 5],
    "a": {"c": None},
}


def at(path: list[str | int]) -> Location:
    """Return the location that is reached by some steps."""
    location = root_location(build_outline(RESULT))
    for step in path:
        found = next(location.elements(range(step, step + 1))) if isinstance(step, int) else location.member(step)
        assert found is not None
        location = found
    return location


@pytest.mark.parametrize(
    ("steps", "path", "parent_path", "value"),
    [
        ([], "", "", RESULT),
        (["b"], "b", "", 1),
        (["rows", 0], "rows[0]", "rows", RESULT["rows"][0]),  # type: ignore[index]
        (["rows", 0, "n"], "rows[0].n", "rows[0]", 1),
        (["rows", 2, "n"], "rows[2].n", "rows[2]", 4),
        (["rows", 1, "m"], "rows[1].m", "rows[1]", 2),
        (["rows", 2, "tags", 1], "rows[2].tags[1]", "rows[2].tags", "z"),
        (["rows", 3], "rows[3]", "rows", 5),
        (["a", "c"], "a.c", "a", None),
    ],
)
def test_value_has_its_own_path_and_that_of_its_parent(
    steps: list[str | int], path: str, parent_path: str, value: object
) -> None:
    location = at(steps)
    assert (location.path, location.parent_path, location.value) == (path, parent_path, value)


def test_member_that_an_object_lacks_is_none() -> None:
    assert at(["rows", 1]).member("n") is None
    assert at(["rows", 0]).member("m") is None
    assert at(["rows", 2]).member("other") is None
    assert at(["rows", 3]).member("n") is None


def test_members_are_in_the_order_of_the_object() -> None:
    assert [member.path for member in at([]).members()] == ["b", "rows", "a"]
    assert [member.path for member in at(["rows", 2]).members()] == ["rows[2].m", "rows[2].n", "rows[2].tags"]


def test_elements_are_those_at_the_indices() -> None:
    assert [element.value for element in at(["rows", 2, "tags"]).elements(range(1, -1, -1))] == ["z", "y"]
    assert [element.value for element in at(["rows", 0, "tags"]).elements(range(1))] == ["x"]
    assert list(at(["b"]).elements(range(1))) == []
