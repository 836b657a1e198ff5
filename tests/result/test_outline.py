"""An outline holds all values of each field, with the place of each."""

from typing import Any

import pytest

from llx_mcp.result.outline import Node, build_outline, walk_nodes, walk_values


def nodes_of(result: Any) -> dict[str, Node]:
    """Return the nodes of a result by their path."""
    return {node.path: node for node in walk_nodes(build_outline(result))}


def test_nodes_are_in_document_order_with_parents_before_children() -> None:
    result = {"b": {"c": 1, "a": [{"z": 1}, {"y": [2]}]}, "a": None}
    assert list(nodes_of(result)) == ["", "b", "b.c", "b.a", "b.a[*]", "b.a[*].z", "b.a[*].y", "b.a[*].y[*]", "a"]


@pytest.mark.parametrize("num_names", [0, 40])
def test_field_has_its_values_its_parents_and_its_gaps(num_names: int) -> None:
    # With many names that few objects have, the objects are read one by one.
    rare: list[Any] = [{f"rare_{index}": index} for index in range(num_names)]
    rows: list[Any] = [{"n": 1, "m": "x"}, 5, {"n": None}, None, {"m": 2.5}, *rare]
    nodes = nodes_of({"rows": rows})
    n, m, elements = nodes["rows[*].n"], nodes["rows[*].m"], nodes["rows[*]"]
    assert (n.values, n.parent_positions, n.nulls, n.absent, n.ordinal) == ([1, None], [0, 2], 1, 1 + num_names, 0)
    assert (m.values, m.parent_positions, m.nulls, m.absent, m.ordinal) == (["x", 2.5], [0, 4], 0, 1 + num_names, 1)
    assert (+m.types, +elements.types) == ({"string": 1, "number": 1}, {"object": 3 + num_names, "integer": 1})
    assert (elements.nulls, elements.parent_positions, elements.indices) == (1, [0] * len(rows), list(range(len(rows))))
    assert (elements.nulls_within, n.nulls_within) == (
        1 + 1 + 2 * (1 + num_names) + num_names * (num_names + 2),
        2 + num_names,
    )
    assert n.path_of(1) == "rows[2].n"


def test_elements_of_several_lists_have_their_own_indices() -> None:
    nodes = nodes_of([{"t": ["a", "b"]}, {"t": None}, {"t": []}, {"t": ["c"]}])
    tags = nodes["[*].t[*]"]
    assert (tags.values, tags.parent_positions, tags.indices) == (["a", "b", "c"], [0, 0, 3], [0, 1, 0])
    assert [tags.path_of(at) for at in range(3)] == ["[0].t[0]", "[0].t[1]", "[3].t[0]"]
    assert nodes["[*].t"].num_elements == 3
    assert nodes["[*].t"].has_scalars is False
    assert (tags.num_elements, tags.has_scalars) == (0, True)


@pytest.mark.parametrize(
    ("values", "is_constant"), [(["x", "x"], True), (["x"], False), (["x", "y"], False), ([None, None], True)]
)
def test_constant_is_one_value_several_times(values: list[Any], is_constant: bool) -> None:
    assert nodes_of([{"n": value} for value in values])["[*].n"].is_constant is is_constant


@pytest.mark.parametrize(
    ("rows", "does_count"),
    [
        ([{"n": 0}, {"n": 1}, {"n": 2}], True),
        ([{"n": 0}, {}, {"n": 2}], True),
        ([{"n": 1}, {"n": 2}], False),
        ([{"n": 0}], False),
        ([{"n": 0}, {"n": True}], False),
        ([{"n": 0}, {"n": 1.0}], False),
        ([{"n": 0}, {"n": 1}, {"n": None}], False),
    ],
)
def test_index_counts_the_elements_of_its_list(rows: list[Any], does_count: bool) -> None:
    assert nodes_of(rows)["[*].n"].counts_elements is does_count


def test_index_is_only_a_field_of_the_elements_themselves() -> None:
    assert nodes_of({"n": 0})["n"].counts_elements is False
    assert nodes_of([{"o": {"n": 0}}, {"o": {"n": 1}}])["[*].o.n"].counts_elements is False


def test_scalars_and_nulls_are_walked_in_document_order() -> None:
    result = {"a": [1, [2, None], {"b": 3}], "c": {}, "d": [{"b": 4}, 5], "e": "x"}
    found = [(node.path_of(position), node.values[position]) for node, position in walk_values(build_outline(result))]
    assert found == [
        ("a[0]", 1), ("a[1][0]", 2), ("a[1][1]", None), ("a[2].b", 3), ("d[0].b", 4), ("d[1]", 5), ("e", "x")
    ]  # fmt: skip


def test_lists_of_the_same_fields_share_a_shape() -> None:
    two, same = [{"a": 1, "b": {"c": 1}}], [{"b": {"c": None}, "a": "x"}, {"a": 1}]
    deeper, other, single = [{"a": 1, "b": {"d": 1}}], [{"a": 1, "b": [1]}], [{"a": 1}]
    nodes = nodes_of({"p": two, "q": same, "r": deeper, "s": other, "t": single, "u": single, "v": other, "w": two})
    shapes = {path: node.shape for path, node in nodes.items() if path in set("pqrstuvw")}
    assert shapes == {"p": 1, "q": 1, "r": None, "s": 2, "t": None, "u": None, "v": 2, "w": 1}
    assert [path for path in "pqrstuvw" if nodes[path].like is not None] == ["q", "v", "w"]
    assert nodes["w"].like is nodes["p"]


@pytest.mark.parametrize(
    ("max_name_chars", "path"), [(None, "name.other[1]"), (5, "name.other[1]"), (4, "name.othe…[1]")]
)
def test_path_may_have_its_long_names_cut(max_name_chars: int | None, path: str) -> None:
    assert nodes_of({"name": {"other": [1, 2]}})["name.other[*]"].path_of(1, max_name_chars) == path
