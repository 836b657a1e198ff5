"""Redaction of a job: pseudonyms replace the words and numbers of its document, so that a bug report can include it.

What stays: structure, lengths, case, script, punctuation, booleans; the service's own words, times and counts; pages,
boxes and confidences; and field names, unless they are to be replaced too. The same text has the same pseudonym
throughout a job, so a quote still contains its value.
"""

import json
import random
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from llx_mcp.local.pseudonyms import Pseudonymizer
from llx_mcp.models import Job, MalformedJobError

# The service's own strings by key. They stay under this key and are replaced elsewhere.
_SERVICE_STRINGS: dict[str, frozenset[str]] = {
    "status": frozenset({"PENDING", "THROTTLED", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"}),
    "tier": frozenset({"cost_effective", "agentic", "agentic_plus", "turbo"}),
    "parse_tier": frozenset({"fast", "cost_effective", "agentic", "agentic_plus", "turbo"}),
    "extraction_target": frozenset({"per_doc", "per_page", "per_table_row"}),
    "version": frozenset({"latest"}),
    "extract_version": frozenset({"latest"}),
}
_SCHEMA_TYPES = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})
_SCHEMA_FORMATS = frozenset({"date", "date-time", "time", "duration", "email", "uri", "uuid"})
_SCHEMAS_BY_NAME = frozenset({"properties", "$defs", "definitions", "patternProperties"})
_SCHEMA_VALUES = frozenset({"enum", "const", "default", "example", "examples"})
_MEASURE_KEYS = frozenset({"confidence", "extraction_confidence", "parsing_confidence", "page"})
_TIMESTAMP = re.compile(r"[0-9:.TZ+-]{10,40}")
_VERSION = re.compile(r"[0-9.-]{1,20}")
_CITATION_KEYS = frozenset({"page", "matching_text", "bounding_boxes", "page_dimensions"})


class _Number(str):
    """A number as it is written in the JSON, so that no digit is lost."""

    __slots__ = ()


def redact_job(body: bytes, *, with_names: bool = False, rng: random.Random | None = None) -> bytes:
    """Return a job with pseudonyms for its text, as compact JSON.

    Args:
        body: The JSON of one job in the service's format.
        with_names: Replace field names too.
        rng: The source of pseudonyms; None uses one that cannot be repeated.

    Raises:
        MalformedJobError: The body is not a job.
    """
    Job.parse(body)
    try:
        job = json.loads(body, parse_float=_Number, parse_int=_Number, parse_constant=str)
        pseudonymizer = Pseudonymizer(rng or random.SystemRandom(), " ".join(_iterate_strings(job)))
        return msgspec.json.encode(_Redactor(pseudonymizer, with_names).redact_job(job))
    except RecursionError:
        raise MalformedJobError("the body is nested too deeply") from None


class _Redactor:
    """Walks the parts of a job. Each method returns the redacted form of its argument."""

    def __init__(self, pseudonymizer: Pseudonymizer, with_names: bool) -> None:
        self._pseudonymizer = pseudonymizer
        self._with_names = with_names

    def redact_job(self, job: dict[str, Any]) -> dict[str, Any]:
        return {key: self._redact_section(key, value) for key, value in job.items()}

    def _redact_section(self, key: str, value: Any) -> Any:
        if key == "configuration":
            return self._redact_configuration(value)
        if key == "extract_metadata":
            return self._redact_extract_metadata(value)
        return self._redact_service(value, key) if key in Job.model_fields else self._redact_document(value)

    def _redact_document(self, value: Any) -> Any:
        """Redact a value of the document: every string and number."""
        if isinstance(value, dict):
            return {self._redact_name(key): self._redact_document(child) for key, child in value.items()}
        if isinstance(value, list):
            return [self._redact_document(child) for child in value]
        if isinstance(value, _Number):
            return _to_raw(self._pseudonymizer.replace_number(value))
        return self._pseudonymizer.replace_text(value) if isinstance(value, str) else value

    def _redact_service(self, value: Any, key: str = "") -> Any:
        """Redact a value of the service: its numbers stay, but its strings may repeat the document."""
        if isinstance(value, dict):
            return {name: self._redact_service(child, name) for name, child in value.items()}
        if isinstance(value, list):
            return [self._redact_service(child, key) for child in value]
        if isinstance(value, _Number):
            return _to_raw(value)
        if isinstance(value, str):
            return value if _is_service_string(key, value) else self._pseudonymizer.replace_text(value)
        return value

    def _redact_configuration(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return self._redact_service(value)
        return {
            key: self._redact_schema(child) if key == "data_schema" else self._redact_service(child, key)
            for key, child in value.items()
        }

    def _redact_schema(self, value: Any, key: str = "") -> Any:
        if key in _SCHEMA_VALUES:
            return self._redact_document(value)
        if isinstance(value, dict):
            if key in _SCHEMAS_BY_NAME:
                return {self._redact_name(name): self._redact_schema(child) for name, child in value.items()}
            return {name: self._redact_schema(child, name) for name, child in value.items()}
        if isinstance(value, list):
            return [self._redact_schema(child, key) for child in value]
        if isinstance(value, _Number):
            return _to_raw(value)
        return self._redact_schema_text(value, key) if isinstance(value, str) else value

    def _redact_schema_text(self, value: str, key: str) -> str:
        if (key == "type" and value in _SCHEMA_TYPES) or (key == "format" and value in _SCHEMA_FORMATS):
            return value
        if key == "required":
            return self._redact_name(value)
        if key == "$ref":
            return "/".join(
                part if part in {"#", *_SCHEMAS_BY_NAME} else self._redact_name(part) for part in value.split("/")
            )
        # Random letters could make an invalid regular expression.
        return "." * len(value) if key == "pattern" else self._pseudonymizer.replace_text(value)

    def _redact_extract_metadata(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return self._redact_service(value)
        return {
            key: {name: self._redact_field_metadata(tree) for name, tree in child.items()}
            if key == "field_metadata" and isinstance(child, dict)
            else self._redact_service(child, key)
            for key, child in value.items()
        }

    def _redact_field_metadata(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._redact_field_metadata(child) for child in value]
        if not isinstance(value, dict):
            return self._redact_document(value)
        return dict(self._redact_entry(key, child) for key, child in value.items())

    def _redact_entry(self, key: str, value: Any) -> tuple[str, Any]:
        """Redact a key with its value, which tells metadata from a field that a schema names `confidence` or `page`."""
        if key in _MEASURE_KEYS and (value is None or isinstance(value, _Number)):
            return key, self._redact_service(value)
        if key == "citation" and isinstance(value, list) and all(_is_citation(each) for each in value):
            return key, self._redact_service(value)
        if key in {"reasoning", "error"} and isinstance(value, str):
            return key, self._redact_document(value)
        return self._redact_name(key), self._redact_field_metadata(value)

    def _redact_name(self, name: str) -> str:
        return self._pseudonymizer.replace_text(name) if self._with_names else name


def _is_service_string(key: str, value: str) -> bool:
    if key in {"created_at", "updated_at"}:
        return bool(_TIMESTAMP.fullmatch(value))
    return value in _SERVICE_STRINGS.get(key, ()) or (
        key in {"version", "extract_version"} and bool(_VERSION.fullmatch(value))
    )


def _iterate_strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        for child in value.values():
            yield from _iterate_strings(child)
    elif isinstance(value, list):
        for child in value:
            yield from _iterate_strings(child)


def _is_citation(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() <= _CITATION_KEYS


def _to_raw(number: str) -> msgspec.Raw:
    return msgspec.Raw(number.encode())
