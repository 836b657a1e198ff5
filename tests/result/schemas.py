"""Generated schemas with values, and a plain check of values against a schema, for comparison."""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import jsonschema
from hypothesis import strategies as st

from llx_mcp.result.schema_check import describe_rule

NULL = {"type": "null"}
NAMES = st.sampled_from(["a", "b", "c", "child"])

VALUES = st.recursive(
    st.sampled_from([None, True, 0, 1, 1.0, 2.5, -3, "", "ab", "abc", "B1", "x\ny", 10**400]),
    lambda inside: st.one_of(st.lists(inside, max_size=4), st.dictionaries(NAMES, inside, max_size=4)),
    max_leaves=12,
)
SIMPLE_SCHEMAS = st.sampled_from(
    [
        {"type": "string"},
        {"type": "number"},
        {"type": "integer"},
        {"type": ["boolean", "null"]},
        {"type": "string", "pattern": "^[a-z]+$"},
        {"type": "string", "minLength": 2, "maxLength": 2, "format": "date"},
        {"minimum": 1, "x-order": 3},
        {"exclusiveMaximum": 2, "multipleOf": 2},
        {"enum": ["ab", 1, None]},
        {"const": 1},
        {"not": {"type": "boolean"}},
        {"anyOf": [{"type": "integer"}, {"type": "string", "minLength": 3}]},
        {"oneOf": [{"type": "number"}, {"minimum": 1}]},
        {"if": {"type": "string"}, "then": {"minLength": 1}, "else": {"type": "object", "required": ["a"]}},
        {"then": False, "minContains": 3, "evaluation_config": {"required": ["zz"]}},
    ]
)


@st.composite
def objects(draw: st.DrawFn, inside: st.SearchStrategy[Any]) -> dict[str, Any]:
    """Schemas of objects."""
    properties = draw(st.dictionaries(NAMES, st.one_of(inside, inside, st.booleans()), max_size=4))
    # For the schema `false`, jsonschema does not say which field it is about.
    names = [name for name, inner in properties.items() if inner is not False]
    required = draw(st.lists(st.sampled_from([*names, "zz"]), unique=True, max_size=3))
    options = {
        "type": st.just("object"),
        "additionalProperties": st.one_of(st.booleans(), inside),
        "patternProperties": st.dictionaries(st.just("^[ab]"), SIMPLE_SCHEMAS, max_size=1),
        "minProperties": st.just(2),
        "propertyNames": st.just({"maxLength": 1}),
        "dependentRequired": st.just({"a": ["b"]}),
        "x-unknown": st.just([1]),
    }
    extra = draw(st.fixed_dictionaries({}, optional=options))
    return {"properties": properties, "required": required, **extra}


@st.composite
def lists(draw: st.DrawFn, inside: st.SearchStrategy[Any]) -> dict[str, Any]:
    """Schemas of lists."""
    options = {
        "type": st.just("array"),
        "items": st.one_of(inside, inside, st.booleans()),
        "prefixItems": st.lists(SIMPLE_SCHEMAS, max_size=1),
        "uniqueItems": st.booleans(),
        "maxItems": st.just(2),
        "contains": SIMPLE_SCHEMAS,
        "unevaluatedItems": st.just(False),
    }
    chosen = draw(st.sets(st.sampled_from(list(options)), max_size=3))
    return {name: draw(options[name]) for name in options if name in chosen}


PARTS = st.recursive(
    st.one_of(SIMPLE_SCHEMAS, st.sampled_from([{"$ref": "#/$defs/leaf"}, {"$ref": "#/$defs/tree"}])),
    lambda inside: st.one_of(
        objects(inside),
        lists(inside),
        inside.map(lambda part: {"anyOf": [part, NULL]}),
        inside.map(lambda part: {"anyOf": [NULL, part], "title": "Optional"}),
        st.builds(lambda first, part: {"allOf": [first, part]}, SIMPLE_SCHEMAS, inside),
    ),
    max_leaves=8,
)


@st.composite
def schemas(draw: st.DrawFn) -> dict[str, Any]:
    """Whole schemas with definitions, one of which refers to itself."""
    tree = {"type": "object", "properties": {"child": {"$ref": "#/$defs/tree"}, "b": draw(PARTS)}, "required": ["a"]}
    definitions = {"leaf": draw(SIMPLE_SCHEMAS), "tree": tree}
    root = draw(st.one_of(objects(PARTS), st.just({"$ref": "#/$defs/tree"})))
    return {**root, "$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": definitions}


class Counts(NamedTuple):
    """What a check found: values that break the schema, and required fields that are absent or must not be null."""

    violations: int
    missing: int


def count_plainly(schema: dict[str, Any], instances: Iterable[Any]) -> Counts:
    """Check each instance with jsonschema alone. A value that breaks the same rule in two ways counts once."""
    validator = jsonschema.Draft202012Validator(_say_false(schema))
    violations, absent, nulls = set(), set(), set()
    for number, instance in enumerate(instances):
        for error in flatten(validator.iter_errors(instance)):
            place = (number, *error.absolute_path)
            if error.validator == "required":
                absent.add((place, error.message))
            elif error.instance is not None:
                violations.add((place, describe_rule(error)))
            elif _is_required(schema, error):
                nulls.add(place)
    return Counts(len(violations), len(absent) + len(nulls))


def _say_false(part: Any) -> Any:
    """Replace `false` under `properties`, for which jsonschema does not say which field it is about."""
    if isinstance(part, list):
        return [_say_false(item) for item in part]
    if not isinstance(part, dict):
        return part
    copy = {name: _say_false(inner) for name, inner in part.items()}
    if isinstance(properties := copy.get("properties"), dict):
        copy["properties"] = {name: {"not": {}} if inner is False else inner for name, inner in properties.items()}
    return copy


def flatten(errors: Iterable[jsonschema.ValidationError]) -> Iterator[jsonschema.ValidationError]:
    """Replace each error of an optional value by the errors against its one schema."""
    for error in errors:
        options: Any = error.validator_value
        if error.validator == "anyOf" and len(options) == 2 and NULL in options:
            index = 1 - options.index(NULL)
            yield from flatten(inner for inner in error.context or () if inner.schema_path[0] == index)
        else:
            yield error


def _is_required(schema: dict[str, Any], error: jsonschema.ValidationError) -> bool:
    """Whether the object that holds a null requires its field, in the same part of the schema that rejects the null."""
    if not error.absolute_path:
        return False
    name, steps = error.absolute_path[-1], list(error.absolute_schema_path)
    pairs = [index for index, pair in enumerate(itertools.pairwise(steps)) if pair == ("properties", name)]
    part: Any = schema
    for step in steps[: pairs[-1]] if pairs else ():
        part = _resolve(schema, part, step)[step]
    return bool(pairs) and name in _resolve(schema, part, "properties").get("required", ())


def _resolve(schema: dict[str, Any], part: Any, step: Any) -> Any:
    while isinstance(part, dict) and step not in part:
        part = schema["$defs"][part["$ref"].rpartition("/")[2]]
    return part
