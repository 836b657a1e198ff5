"""A job without its document's words: stand-ins of the same length in the same places, for sharing a bug report.

What stays: structure, lengths, case, script, punctuation, booleans; the service's own words, times and counts; pages,
boxes and confidences; and the names of fields, unless these are to go as well. The same text has the same stand-in
throughout a job, so that a quote still holds the value it was quoted for.
"""

import json
import random
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from llx_mcp.local.pseudonyms import StandIns
from llx_mcp.models import Job, MalformedJobError

# Strings of the service or of JSON Schema, kept only where they stand under their own key.
_VOCABULARY: dict[str, frozenset[str]] = {
    "status": frozenset({"PENDING", "THROTTLED", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"}),
    "tier": frozenset({"cost_effective", "agentic", "agentic_plus", "turbo"}),
    "parse_tier": frozenset({"fast", "cost_effective", "agentic", "agentic_plus", "turbo"}),
    "extraction_target": frozenset({"per_doc", "per_page", "per_table_row"}),
    "version": frozenset({"latest"}),
    "extract_version": frozenset({"latest"}),
}
_SCHEMA_TYPES = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})
_SCHEMA_FORMATS = frozenset({"date", "date-time", "time", "duration", "email", "uri", "uuid"})
_NAMED_SCHEMAS = frozenset({"properties", "$defs", "definitions", "patternProperties"})
_SCHEMA_EXAMPLES = frozenset({"enum", "const", "default", "example", "examples"})
_MEASURES = frozenset({"confidence", "extraction_confidence", "parsing_confidence", "page"})
_TIMESTAMP = re.compile(r"[0-9:.TZ+-]{10,40}")
_VERSION = re.compile(r"[0-9.-]{1,20}")
_CITATION_KEYS = frozenset({"page", "matching_text", "bounding_boxes", "page_dimensions"})


class _Number(str):
    """A number by its literal, so that none of its digits changes on the way."""

    __slots__ = ()


def redact_job(body: bytes, *, with_names: bool = False, rng: random.Random | None = None) -> bytes:
    """The job with stand-ins for its text, as compact JSON.

    Args:
        body: the JSON of one job, as the service answers it.
        with_names: give the names of fields stand-ins too.
        rng: where stand-ins are drawn from; None draws what nobody can repeat.

    Raises:
        MalformedJobError: the body is not a job.
    """
    Job.parse(body)
    try:
        job = json.loads(body, parse_float=_Number, parse_int=_Number, parse_constant=str)
        stand_ins = StandIns(rng or random.SystemRandom(), " ".join(_strings(job)))
        return msgspec.json.encode(_Redactor(stand_ins, with_names).job(job))
    except RecursionError:
        raise MalformedJobError("the body is nested too deeply") from None


class _Redactor:
    def __init__(self, stand_ins: StandIns, with_names: bool) -> None:
        self._stand_ins = stand_ins
        self._with_names = with_names

    def job(self, job: dict[str, Any]) -> dict[str, Any]:
        return {key: self._section(key, value) for key, value in job.items()}

    def _section(self, key: str, value: Any) -> Any:
        if key == "configuration":
            return self._configuration(value)
        if key == "extract_metadata":
            return self._extract_metadata(value)
        return self._service(value, key) if key in Job.model_fields else self._data(value)

    def _data(self, value: Any) -> Any:
        """Of the document through and through."""
        if isinstance(value, dict):
            return {self._name(key): self._data(child) for key, child in value.items()}
        if isinstance(value, list):
            return [self._data(child) for child in value]
        if isinstance(value, _Number):
            return _literal(self._stand_ins.number(value))
        return self._stand_ins.text(value) if isinstance(value, str) else value

    def _service(self, value: Any, key: str = "") -> Any:
        """The service's own figures stay; its strings may repeat the document."""
        if isinstance(value, dict):
            return {name: self._service(child, name) for name, child in value.items()}
        if isinstance(value, list):
            return [self._service(child, key) for child in value]
        if isinstance(value, _Number):
            return _literal(value)
        if isinstance(value, str):
            return value if _is_of_service(key, value) else self._stand_ins.text(value)
        return value

    def _configuration(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return self._service(value)
        return {
            key: self._schema(child) if key == "data_schema" else self._service(child, key)
            for key, child in value.items()
        }

    def _schema(self, value: Any, key: str = "") -> Any:
        if key in _SCHEMA_EXAMPLES:
            return self._data(value)
        if isinstance(value, dict):
            if key in _NAMED_SCHEMAS:
                return {self._name(name): self._schema(child) for name, child in value.items()}
            return {name: self._schema(child, name) for name, child in value.items()}
        if isinstance(value, list):
            return [self._schema(child, key) for child in value]
        if isinstance(value, _Number):
            return _literal(value)
        return self._schema_text(value, key) if isinstance(value, str) else value

    def _schema_text(self, value: str, key: str) -> str:
        if (key == "type" and value in _SCHEMA_TYPES) or (key == "format" and value in _SCHEMA_FORMATS):
            return value
        if key == "required":
            return self._name(value)
        if key == "$ref":
            return "/".join(part if part in {"#", *_NAMED_SCHEMAS} else self._name(part) for part in value.split("/"))
        # Any stand-in of a regular expression's letters could be no regular expression.
        return "." * len(value) if key == "pattern" else self._stand_ins.text(value)

    def _extract_metadata(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return self._service(value)
        return {
            key: {name: self._tree(tree) for name, tree in child.items()}
            if key == "field_metadata" and isinstance(child, dict)
            else self._service(child, key)
            for key, child in value.items()
        }

    def _tree(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._tree(child) for child in value]
        if not isinstance(value, dict):
            return self._data(value)
        return dict(self._entry(key, child) for key, child in value.items())

    def _entry(self, key: str, value: Any) -> tuple[str, Any]:
        """A key of a leaf is known by what its value is: a schema may name its own fields `confidence` or `page`."""
        if key in _MEASURES and (value is None or isinstance(value, _Number)):
            return key, self._service(value)
        if key == "citation" and isinstance(value, list) and all(_is_citation(each) for each in value):
            return key, self._service(value)
        if key in {"reasoning", "error"} and isinstance(value, str):
            return key, self._data(value)
        return self._name(key), self._tree(value)

    def _name(self, name: str) -> str:
        return self._stand_ins.text(name) if self._with_names else name


def _is_of_service(key: str, value: str) -> bool:
    if key in {"created_at", "updated_at"}:
        return bool(_TIMESTAMP.fullmatch(value))
    return value in _VOCABULARY.get(key, ()) or (
        key in {"version", "extract_version"} and bool(_VERSION.fullmatch(value))
    )


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        for child in value.values():
            yield from _strings(child)
    elif isinstance(value, list):
        for child in value:
            yield from _strings(child)


def _is_citation(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() <= _CITATION_KEYS


def _literal(number: str) -> msgspec.Raw:
    return msgspec.Raw(number.encode())
