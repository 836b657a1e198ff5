"""A check of a whole result finds what jsonschema finds, and says what it cannot check."""

import json
import socket
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llx_mcp.result.deadline import Deadline
from llx_mcp.result.outline import build_outline
from llx_mcp.result.schema_check import TIME_IS_UP, BrokenRule, SchemaCheck
from llx_mcp.result.schema_parts import INVALID, CannotCheckError
from llx_mcp.result.schema_validator import _refuse_invalid
from tests.result.schemas import NULL, VALUES, Counts, count_plainly, schemas
from tests.result.strategies import VALUES as ANY_VALUES

LONG = Deadline(3_600)
OBJECT = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}

OPTIONS = ", ".join(f'"option {number}"' for number in range(5))


def check(schema: Any, result: Any, deadline: Deadline = LONG) -> SchemaCheck:
    """Check a result; a list has one value of the schema for each element."""
    root = build_outline(result)
    return SchemaCheck(schema, root.element or root, deadline)


def count(found: list[BrokenRule]) -> int:
    """Return how many values break a rule."""
    return sum(len(broken.positions) for broken in found)


def list_broken(found: list[BrokenRule]) -> list[tuple[str, str]]:
    """Return the path of each value with the rule that it breaks, and the absent field."""
    return [
        (broken.node.path_of(position), f"{broken.absent or ''} {broken.rule}".strip())
        for broken in found
        for position in broken.positions
    ]


def counts_of(checked: SchemaCheck) -> Counts:
    """What was found, after everything could be checked."""
    assert not checked.unchecked
    return Counts(count(checked.violations), count(checked.missing))


@given(schemas(), st.lists(st.dictionaries(st.sampled_from(["a", "b", "c", "child"]), VALUES), min_size=1, max_size=4))
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
def test_counts_are_those_of_jsonschema(schema: dict[str, Any], rows: list[Any]) -> None:
    assert counts_of(check(schema, rows)) == count_plainly(schema, rows)


def add_unknown_keywords(part: Any) -> Any:
    """Add keywords that JSON Schema does not define, and some that change nothing, at every depth."""
    if isinstance(part, list):
        return [add_unknown_keywords(item) for item in part]
    if not isinstance(part, dict):
        return part
    extra = {"evaluation_config": {"required": ["zz"]}, "x-order": 1, "minProperties": 0, "maxLength": 10**9}
    is_schema = bool({"type", "anyOf", "$ref"} & part.keys()) and part != NULL
    return {name: add_unknown_keywords(value) for name, value in part.items()} | (extra if is_schema else {})


def test_counts_of_real_jobs_are_those_of_jsonschema_whatever_else_the_schema_says(corpus_job: bytes) -> None:
    wire = json.loads(corpus_job)
    schema, result = wire["configuration"]["data_schema"], wire["extract_result"]
    rows = result if isinstance(result, list) else [result]
    expected = count_plainly(schema, rows)
    assert counts_of(check(schema, rows)) == expected
    assert counts_of(check(add_unknown_keywords(schema), rows)) == expected
    # Every field required, and no field nullable.
    strict = json.loads(json.dumps(schema).replace('"required": [', '"required": ["zz", '))
    assert counts_of(check(add_unknown_keywords(strict), rows)) == count_plainly(strict, rows)


@pytest.mark.parametrize("extra", [{}, {"evaluation_config": {}}, {"minProperties": 0}, {"x-a": 1, "maxProperties": 9}])
def test_absent_required_field_is_found_in_every_row_whatever_else_the_schema_says(extra: dict[str, Any]) -> None:
    checked = check({**OBJECT, **extra}, [{"b": 1}] * 7)
    assert list_broken(checked.missing) == [(f"[{row}]", "a absent") for row in range(7)]
    assert len(checked.missing) == 1


@pytest.mark.parametrize(
    ("part", "is_missing"),
    [
        ({"type": "string"}, True),
        ({"type": ["string", "number"]}, True),
        ({"type": ["string", "null"]}, False),
        ({"type": "null"}, False),
        ({}, False),
        (True, False),
        (False, True),
        ({"anyOf": [{"type": "string"}, NULL]}, False),
        ({"anyOf": [{"type": "string"}, {"type": "number"}]}, True),
        ({"oneOf": [{"type": "string"}, {"type": "null", "title": "None"}]}, False),
        ({"allOf": [{"type": "string"}]}, True),
        ({"enum": ["a", None]}, False),
        ({"enum": ["a"]}, True),
        ({"$ref": "#/$defs/nullable"}, False),
        ({"$ref": "#/$defs/text"}, True),
    ],
)
@pytest.mark.parametrize("extra", [{}, {"patternProperties": {}}])
def test_required_null_is_missing_only_where_the_schema_rejects_it(
    part: Any, is_missing: bool, extra: dict[str, Any]
) -> None:
    definitions = {"nullable": {"type": ["string", "null"]}, "text": {"type": "string"}}
    schema = {"properties": {"a": part}, "required": ["a"], "$defs": definitions, **extra}
    checked = check(schema, {"a": None})
    assert list_broken(checked.missing) == ([("a", "null")] if is_missing else [])
    assert not checked.violations


def test_null_in_a_field_that_is_not_required_is_no_finding() -> None:
    schema = {"properties": {"a": {"type": "string"}, "b": {"type": "array", "items": {"type": "string"}}}}
    assert counts_of(check(schema, {"a": None, "b": [None]})) == (0, 0)


def test_values_that_break_the_same_rule_are_one_entry() -> None:
    schema = {"properties": {"a": {"maximum": 1}}, "patternProperties": {"^x": {"required": ["a"]}}}
    checked = check(schema, [{"a": 2, "x": {}}] * 9)
    assert [(broken.node.path, broken.rule, list(broken.positions)) for broken in checked.violations] == [
        ("[*].a", "breaks maximum 1 of the schema", list(range(9)))
    ]
    assert [(broken.node.path, broken.absent, list(broken.positions)) for broken in checked.missing] == [
        ("[*].x", "a", list(range(9)))
    ]


@pytest.mark.parametrize(
    ("schema", "value", "rule"),
    [
        ({"type": "integer"}, "x", "the schema says integer"),
        ({"type": ["integer", "null"]}, "x", "the schema says integer or null"),
        ({"enum": ["b"]}, "x", 'breaks enum "b" of the schema'),
        ({"enum": ["b", 1, None]}, "x", 'breaks enum "b", 1, null of the schema'),
        ({"enum": [f"option {n}" for n in range(99)]}, "x", f"breaks enum {OPTIONS} and 94 more of the schema"),
        ({"enum": ["b" * 99]}, "x", f'breaks enum "{"b" * 59}… of the schema'),
        ({"pattern": "^a" * 40}, "x", "breaks pattern of the schema"),
        ({"pattern": "^a"}, "x", "breaks pattern ^a of the schema"),
        ({"maximum": 1.5}, 2, "breaks maximum 1.5 of the schema"),
        (False, "x", "the schema allows no value here"),
    ],
)
@pytest.mark.parametrize("extra", [{}, {"patternProperties": {}}])
def test_rule_says_what_is_broken_and_the_path_where(schema: Any, value: Any, rule: str, extra: dict[str, Any]) -> None:
    checked = check({"properties": {"a": {"items": schema}}, **extra}, {"a": [None, value]})
    if schema is False:
        assert [path for path, _ in list_broken(checked.violations)] == ["a"]
        return
    assert list_broken(checked.violations) == [("a[1]", rule)]


def test_additional_field_is_one_violation_of_its_object() -> None:
    schema = {"properties": {"a": {}}, "additionalProperties": False}
    checked = check(schema, [{"a": 1}, {"a": 1, "b": 2, "c": 3}])
    assert list_broken(checked.violations) == [("[1]", "breaks additionalProperties False of the schema")]


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", ["pattern", "patternProperties", "propertyNames"])
def test_pattern_that_backtracks_without_end_takes_no_time(name: str) -> None:
    evil, text = "^(a+)+$", "a" * 60 + "!"
    schema = {
        "pattern": {"properties": {"a": {"$schema": "http://json-schema.org/draft-07/schema#", "pattern": evil}}},
        "patternProperties": {"patternProperties": {evil: False}, "additionalProperties": False},
        "propertyNames": {"propertyNames": {"pattern": evil}},
    }[name]
    assert counts_of(check(schema, {"a": text} if name == "pattern" else {text: 1})) == (1, 0)


@pytest.mark.timeout(30)
def test_pattern_behind_unevaluated_properties_is_not_run_elsewhere() -> None:
    schema = {"unevaluatedProperties": False, "patternProperties": {"^(a+)+$": {}}}
    checked = check(schema, {"a" * 60 + "!": 1})
    assert checked.unchecked == {"the schema has unevaluatedProperties together with patternProperties": 1}


@pytest.mark.parametrize("pattern", ["(?=a)a", r"(a)\1", "(?<!b)a", "[", r"\u0061", "a{2000}", 5])
def test_pattern_that_re2_does_not_run_is_counted_as_not_checked(pattern: Any) -> None:
    schema = {"properties": {"a": {"pattern": pattern, "maxLength": 1}}}
    checked = check(schema, [{"a": "ab"}, {"a": 3}, {"a": "a"}, {"a": None}])
    assert checked.unchecked == {f"RE2 cannot run the pattern {pattern}": 2}
    # The other keywords of the field are checked all the same.
    assert [path for path, _ in list_broken(checked.violations)] == ["[0].a"]


def test_pattern_that_cannot_be_run_does_not_decide_what_depends_on_it() -> None:
    schema = {"properties": {"a": {"not": {"pattern": "(?=a)a"}}, "b": {"oneOf": [{"pattern": "(?=a)"}, {}]}}}
    checked = check(schema, {"a": "b", "b": "b"})
    assert (count(checked.violations), checked.unchecked.total()) == (0, 2)


def test_text_too_long_for_its_pattern_is_not_checked() -> None:
    checked = check({"properties": {"a": {"pattern": "^.{0,1000}$"}}}, {"a": "x" * 100_000})
    assert checked.unchecked == {"the text is too long for its pattern": 1}


def test_half_a_surrogate_pair_matches_like_any_character() -> None:
    assert counts_of(check({"properties": {"a": {"pattern": "^.b$"}}}, [{"a": "\ud800b"}, {"a": "\ud800"}])) == (1, 0)


@pytest.mark.timeout(60)
def test_unique_items_of_a_huge_list_are_found_in_linear_time() -> None:
    items = [{"n": number} for number in range(60_000)]
    schema = {"properties": {"a": {"uniqueItems": True}}}
    assert counts_of(check(schema, [{"a": items}, {"a": [*items, {"n": 5.0}]}])) == (1, 0)
    assert counts_of(check(schema, {"a": [1, True, "1", [1], [True], {"a": 1}, {"a": True}, 0, False, None]})) == (0, 0)
    assert counts_of(check(schema, {"a": [{"a": [1], "b": 2}, {"b": 2.0, "a": [1.0]}]})) == (1, 0)


@pytest.mark.parametrize(
    "part",
    [{"$ref": "#/nowhere"}, {"$ref": "#/$defs/loop/anyOf/0"}, {"type": 5}, {"type": "text"}, {"minimum": "x"},
     {"required": "a"}, {"properties": 3}, {"items": [{}]}, {"allOf": 3}, {"enum": 3}, {"anyOf": [3]},
     {"multipleOf": 0}, {"$ref": 3},
     {"oneOf": [{"$ref": "#/$defs/loop"}, {"$ref": "#/$defs/loop"}]}, {"patternProperties": [1]}],
)  # fmt: skip
def test_values_of_an_invalid_schema_are_counted_as_not_checked(part: Any) -> None:
    loop = {"anyOf": [{"$ref": "#/$defs/loop"}, {"$ref": "#/$defs/loop"}]}
    schema = {"properties": {"a": part, "b": {"type": "string"}}, "$defs": {"loop": loop}}
    checked = check(schema, [{"a": 3, "b": 1}, {"a": {"c": 1}, "b": "x"}, {"a": [1], "b": None}])
    assert checked.unchecked.keys() <= {INVALID, "the schema refers to another document, which is not fetched"}
    assert checked.unchecked.total() >= 1
    assert [path for path, _ in list_broken(checked.violations)] == ["[0].b"]


def test_number_too_large_to_compute_with_is_not_checked() -> None:
    checked = check({"properties": {"a": {"multipleOf": 0.1}}}, [{"a": 10**400}, {"a": 0.05}])
    assert (checked.unchecked, count(checked.violations)) == ({INVALID: 1}, 1)


def test_reference_to_itself_allows_any_value() -> None:
    assert counts_of(check({"$ref": "#", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}, {"a": {}})) == (0, 1)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("keyword", ["$ref", "$dynamicRef"])
@pytest.mark.parametrize("schema_id", [None, "http://127.0.0.1/"])
def test_reference_to_another_document_opens_no_connection(keyword: str, schema_id: str | None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/schema.json"
        schema = {"properties": {"a": {keyword: address}, "b": {"items": {"not": {keyword: address}}}}}
        checked = check(schema | ({"$id": schema_id} if schema_id else {}), {"a": 1, "b": [1]})
        assert checked.unchecked == {"the schema refers to another document, which is not fetched": 2}
        with pytest.raises(BlockingIOError):
            server.accept()


class StepClock:
    """A clock on which each look takes one second."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        """Return the time."""
        self.seconds += 1
        return self.seconds


@given(st.integers(0, 60))
@settings(deadline=None)
def test_each_value_is_checked_or_counted_when_the_time_is_up(seconds: int) -> None:
    schema = {"properties": {"a": {"maximum": 0}, "b": {"items": {"maximum": 0}}}}
    checked = check(schema, [{"a": 1, "b": [1, 1]} for _ in range(10)], Deadline(seconds, StepClock()))
    # The objects and the lists count as values too, where no time was left to look at them.
    assert count(checked.violations) + checked.unchecked[TIME_IS_UP] in range(30, 51)
    assert checked.unchecked.keys() <= {TIME_IS_UP}
    if seconds == 60:
        assert (count(checked.violations), checked.unchecked) == (30, Counter())


@pytest.mark.timeout(60)
def test_time_is_up_within_one_value_too() -> None:
    # Each definition tries the next one twice: 2^60 ways in all.
    ways = {f"d{n}": {"oneOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(60)} | {"d60": {"type": "string"}}
    schema = {"properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": ways}
    assert check(schema, {"a": "x"}, Deadline(0.2)).unchecked == {TIME_IS_UP: 1}
    items = {"properties": {"a": {"uniqueItems": True}}}
    assert check(items, {"a": list(range(2_000))}, Deadline(15, StepClock())).unchecked == {TIME_IS_UP: 1}


@given(st.dictionaries(st.sampled_from(["a", "b"]), ANY_VALUES), st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_schema_is_checked_or_counted_without_an_error(result: dict[str, Any], data: st.DataObject) -> None:
    keywords = st.sampled_from(
        ["$ref", "$id", "$schema", "$anchor", "$dynamicRef", "$defs", "type", "enum", "properties", "required", "items",
         "additionalProperties", "pattern", "patternProperties", "anyOf", "allOf", "oneOf", "not", "if", "then", "a",
         "contains", "uniqueItems", "prefixItems", "unevaluatedProperties", "unevaluatedItems", "multipleOf", "minimum",
         "dependentRequired", "dependentSchemas", "propertyNames", "const", "maxLength", "minContains", "b"]
    )  # fmt: skip
    values: st.SearchStrategy[Any] = st.sampled_from(
        ["#", "#/a", "#x", "x", "http://[", "http://x/y", "string", "object", "^a", "(", 0, 1, -1, 0.1, None, True,
         False, [], {}, ["a"], [{}]]
    )  # fmt: skip
    parts = st.recursive(
        values,
        lambda inside: st.one_of(st.dictionaries(keywords, inside, max_size=5), st.lists(inside, max_size=3)),
        max_leaves=20,
    )
    schema = data.draw(st.dictionaries(keywords, parts, max_size=6))
    checked = check(schema, result)
    assert all(broken.positions for broken in [*checked.missing, *checked.violations])


@pytest.mark.parametrize("error", [RecursionError(), type("PanicException", (BaseException,), {})("__eq__ failed!")])
def test_panic_under_a_broken_schema_is_an_error_of_the_schema(error: BaseException) -> None:
    with pytest.raises(CannotCheckError), _refuse_invalid():
        raise error


def test_interrupt_during_a_check_is_no_error_of_the_schema() -> None:
    with pytest.raises(KeyboardInterrupt), _refuse_invalid():
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("part", "path"),
    [
        ({"properties": {"a": {"maximum": 1, "allOf": [{"maximum": 1}, {"maximum": 1}]}}}, "a"),
        ({"dependentRequired": {"a": ["b", "c"]}}, ""),
    ],
)
def test_value_that_breaks_a_rule_in_two_ways_counts_once(part: Any, path: str) -> None:
    checked = check(part, [{"a": 2}, {"a": 3}, {}])
    assert [list(broken.positions) for broken in checked.violations] == [[0, 1]]
    assert list_broken(checked.violations)[0][0] == f"[0].{path}".rstrip(".")


def test_field_that_is_required_twice_is_missing_once() -> None:
    patterned = {"patternProperties": {}, "required": ["a"], "properties": {"a": {"type": "string"}}}
    checked = check({**OBJECT, "allOf": [patterned, patterned]}, [{}, {"a": None}])
    assert sorted(list_broken(checked.missing)) == [("[0]", "a absent"), ("[1].a", "null")]
