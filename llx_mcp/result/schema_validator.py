"""Validates values against parts of a job's schema with jsonschema, within limits.

A schema comes with the job, so nothing in it may hold up the server or make it open a connection:

- every keyword first checks a deadline;
- patterns run in RE2, whose time is linear in the length of the text;
- references to other documents are not followed;
- no error message is kept, because it repeats the value.

Importing jsonschema takes some time, so this module is imported only where a value needs it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import referencing
import referencing.exceptions
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import UnknownType
from jsonschema.validators import extend

from llx_mcp.errors import excerpt
from llx_mcp.result.deadline import Deadline, DeadlineReachedError
from llx_mcp.result.sanitize import dump_json
from llx_mcp.result.schema_parts import INVALID, CannotCheckError, JsonSchema, find_optional

Check = Callable[[Any, Any, Any, Any], Iterator[ValidationError]]
FindErrors = Callable[[Any], Iterator[ValidationError]]

# What jsonschema raises where a schema is invalid, recursive, or holds numbers that cannot be computed with.
_SCHEMA_ERRORS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    UnknownType,
    ValueError,
    referencing.exceptions.CannotDetermineSpecification,
    referencing.exceptions.Unresolvable,
)

# The length of a text times the size of the pattern's program: RE2 takes about a second for this many steps.
_MAX_PATTERN_STEPS = 200_000_000
_MAX_SHOWN_PATTERN = 60


class SchemaValidator:
    """Validates values against parts of one schema.

    It differs from jsonschema in what it yields for two kinds of error:

    - a required field that is absent, or null where its schema does not allow null, is an error `required` whose
      `validator_value` is the name of the field; its instance is the object or null;
    - the errors of an optional value (`anyOf` one schema and null) are those of the one schema.

    Args:
        schema: the whole schema, without `$schema`.
        deadline: when to stop.
    """

    def __init__(self, schema: JsonSchema, deadline: Deadline) -> None:
        self._schema = schema
        self._deadline = deadline

    def select(self, part: Any) -> FindErrors:
        """Return a function that yields each error of a value against a part of the schema.

        The function raises CannotCheckError for a value that cannot be checked, and DeadlineReachedError once the time
        is up.

        Raises:
            CannotCheckError: nothing can be checked against this part.
        """
        with _refuse_invalid():
            validator = self._validator.evolve(schema=part)

        def find_errors(value: Any) -> Iterator[ValidationError]:
            with _refuse_invalid():
                yield from validator.iter_errors(value)

        return find_errors

    @cached_property
    def _validator(self) -> Any:
        keywords = _Keywords(self._schema, self._deadline)
        checks: dict[str, Check] = {
            **Draft202012Validator.VALIDATORS,
            "$dynamicRef": _follow_within(Draft202012Validator.VALIDATORS["$dynamicRef"]),
            "$ref": _follow_within(Draft202012Validator.VALIDATORS["$ref"]),
            "additionalProperties": keywords.check_additional_properties,
            "anyOf": _check_any_of,
            "pattern": keywords.check_pattern,
            "patternProperties": keywords.check_pattern_properties,
            "properties": _check_properties,
            "required": _check_required,
            "unevaluatedProperties": keywords.check_unevaluated_properties,
            "uniqueItems": keywords.check_unique_items,
        }
        guarded = {name: _guard(check, self._deadline) for name, check in checks.items()}
        # This registry cannot retrieve a document; the default one would request it from the network.
        validator_type = extend(Draft202012Validator, guarded)  # type: ignore[no-untyped-call]  # its stub is not typed
        return validator_type(self._schema, registry=referencing.Registry())


def _guard(check: Check, deadline: Deadline) -> Check:
    def guarded(validator: Any, expected: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        if deadline.is_over:
            raise DeadlineReachedError
        for error in check(validator, expected, instance, schema):
            error.message = ""
            yield error

    return guarded


def _follow_within(check: Check) -> Check:
    def follow(validator: Any, reference: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise CannotCheckError("the schema refers to another document, which is not fetched")
        yield from check(validator, reference, instance, schema)

    return follow


def _check_any_of(validator: Any, options: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    index = find_optional(options)
    if index is None:
        yield from Draft202012Validator.VALIDATORS["anyOf"](validator, options, instance, schema)
    elif instance is not None:
        yield from validator.descend(instance, options[index], schema_path=index)


def _check_properties(validator: Any, properties: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    required = schema.get("required", ())
    for name, inner in properties.items():
        if name not in instance:
            continue
        errors = validator.descend(instance[name], _say_false(inner), path=name, schema_path=name)
        if instance[name] is None and name in required:
            if any(True for _ in errors):
                yield ValidationError("", validator="required", validator_value=name, instance=None, path=[name])
        else:
            yield from errors


def _say_false(part: Any) -> Any:
    """Return the schema `false` in a form for which jsonschema says which field it is about."""
    return {"not": {}} if part is False else part


def _check_required(validator: Any, required: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if not isinstance(required, list):
        raise CannotCheckError(INVALID)
    if isinstance(instance, dict):
        for name in dict.fromkeys(required):
            if name not in instance:
                yield ValidationError("", validator="required", validator_value=name)


class _Keywords:
    """The keywords that run patterns, or may take long for a single value."""

    def __init__(self, schema: JsonSchema, deadline: Deadline) -> None:
        self._has_pattern_properties = "patternProperties" in dump_json(schema)
        self._deadline = deadline
        # By pattern: None where RE2 cannot run it.
        self._compiled: dict[str, Any] = {}

    def check_pattern(self, validator: Any, pattern: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        if isinstance(instance, str) and not self._matches(pattern, instance):
            yield ValidationError("")

    def check_pattern_properties(
        self, validator: Any, properties: Any, instance: Any, schema: Any
    ) -> Iterator[ValidationError]:
        if not isinstance(instance, dict):
            return
        for pattern, inner in properties.items():
            for name, value in instance.items():
                if self._matches(pattern, name):
                    yield from validator.descend(value, _say_false(inner), path=name, schema_path=pattern)

    def check_additional_properties(
        self, validator: Any, additional: Any, instance: Any, schema: Any
    ) -> Iterator[ValidationError]:
        if not isinstance(instance, dict):
            return
        known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
        names = [
            name for name in instance if name not in known and not any(self._matches(each, name) for each in patterns)
        ]
        if additional is False and names:
            yield ValidationError("")
        elif isinstance(additional, dict):
            for name in names:
                yield from validator.descend(instance[name], additional, path=name)

    def check_unevaluated_properties(
        self, validator: Any, expected: Any, instance: Any, schema: Any
    ) -> Iterator[ValidationError]:
        # For this keyword jsonschema runs the patterns of the other keyword itself, and not in RE2.
        if self._has_pattern_properties:
            raise CannotCheckError("the schema has unevaluatedProperties together with patternProperties")
        yield from Draft202012Validator.VALIDATORS["unevaluatedProperties"](validator, expected, instance, schema)

    def check_unique_items(self, validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        """Check in linear time; jsonschema compares each item with each other."""
        if not wanted or not isinstance(instance, list):
            return
        seen = set()
        for item in self._deadline.limit(instance):
            seen.add(_freeze(item))
        if self._deadline.is_over:
            raise DeadlineReachedError
        if len(seen) < len(instance):
            yield ValidationError("")

    def _matches(self, pattern: Any, text: str) -> bool:
        if pattern not in self._compiled:
            self._compiled[pattern] = _compile(pattern)
        compiled = self._compiled[pattern]
        if compiled is None:
            raise CannotCheckError(f"RE2 cannot run the pattern {excerpt(str(pattern), _MAX_SHOWN_PATTERN)}")
        if compiled.programsize * len(text) > _MAX_PATTERN_STEPS:
            raise CannotCheckError("the text is too long for its pattern")
        # Half of a surrogate pair cannot be encoded; any character stands for it.
        return compiled.search(text.encode(errors="replace").decode()) is not None


def _compile(pattern: Any) -> Any:
    """Compile a pattern for RE2; None where that does not support it."""
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except (re2.error, TypeError, ValueError):
        return None


@contextmanager
def _refuse_invalid() -> Iterator[None]:
    """Turn what a broken schema raises into `CannotCheckError`."""
    try:
        yield
    except _SCHEMA_ERRORS:
        raise CannotCheckError(INVALID) from None
    except BaseException as exc:
        # Where Python cannot recurse any further, the Rust code under `referencing` panics, which is no `Exception`.
        if type(exc).__name__ != "PanicException":
            raise
        raise CannotCheckError(INVALID) from None


def _freeze(value: Any) -> Any:
    """Return a hashable form, equal for values that JSON Schema takes as equal: 1 and 1.0, but not 1 and true."""
    if isinstance(value, dict):
        return "object", frozenset((name, _freeze(inner)) for name, inner in value.items())
    if isinstance(value, list):
        return "array", *map(_freeze, value)
    return ("boolean", value) if isinstance(value, bool) else value
