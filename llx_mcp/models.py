"""The job as the service sends it: both generations of the wire format, nothing lost.

The body is taken apart without decoding what is large: `extract_result`, `extract_metadata` and every
other key stay the bytes that came (`msgspec.Raw`, a view into the body), so that numbers keep all their
digits and a body of 50 MB costs no tree. The small facts beside them are typed, and read leniently: one
that is malformed is None, and still whole in the bytes.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Self

import msgspec
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError, WrapValidator

from llx_mcp.raw_json import decode_json, is_empty, is_null, join_json, split_json

TERMINAL_STATUSES = frozenset({"COMPLETED", "FAILED", "CANCELLED"})
EXPANDABLE_SECTIONS = ("configuration", "extract_metadata", "usage", "metadata")

_LARGE = frozenset({"extract_result", "extract_metadata"})
_rows_decoder = msgspec.json.Decoder(list[msgspec.Raw])


class MalformedJobError(ValueError):
    """A body that is not a job: not JSON, cut off, not an object, or without an id and a status."""


def _none_if_invalid(value: Any, handler: Any) -> Any:
    try:
        return handler(value)
    except ValidationError:
        return None


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _aware(value: datetime) -> datetime:
    return value if value.tzinfo else value.replace(tzinfo=UTC)


_lenient = WrapValidator(_none_if_invalid)
Text = Annotated[str | None, _lenient]
Flag = Annotated[bool | None, _lenient]
Count = Annotated[int | None, _lenient]
Amount = Annotated[float | None, BeforeValidator(_finite), _lenient]


def _parse_time(value: Any, handler: Any) -> Any:
    try:
        parsed = handler(value)
    except ValidationError:
        return None
    return _aware(parsed) if isinstance(parsed, datetime) else None


Time = Annotated[datetime | None, WrapValidator(_parse_time)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=(), defer_build=True)


class Configuration(_Section):
    """What the job was asked to do. `version` is `extract_version` in the older format."""

    data_schema: Annotated[dict[str, Any] | None, _lenient] = None
    tier: Text = None
    version: Text = None
    extract_version: Text = None
    extraction_target: Text = None
    cite_sources: Flag = None
    confidence_scores: Flag = None
    spreadsheet_mode: Flag = None
    system_prompt: Text = None


class Usage(_Section):
    """Credits billed; each is null until billing has recorded it."""

    credits: Amount = None
    extract_credits: Amount = None
    parse_credits: Amount = None


class PageUsage(_Section):
    """Pages and, in the older format, tokens."""

    num_pages_extracted: Count = None
    num_pages_billed: Count = None
    num_document_tokens: Count = None
    num_output_tokens: Count = None


class JobMetadata(_Section):
    """Job-level metadata: usage, and whatever an enterprise plan attached."""

    usage: Annotated[PageUsage | None, _lenient] = None


class Job(BaseModel):
    """One extraction job. Build it with `Job.parse`; `dump` gives the same JSON back."""

    model_config = ConfigDict(extra="ignore", frozen=True, arbitrary_types_allowed=True, defer_build=True)

    id: str = Field(min_length=1)
    status: str = Field(min_length=1)
    project_id: Text = None
    configuration_id: Text = None
    file_input: Text = None
    document_input_value: Text = None
    error_message: Text = None
    created_at: Time = None
    updated_at: Time = None
    configuration: Annotated[Configuration | None, _lenient] = None
    usage: Annotated[Usage | None, _lenient] = None
    metadata: Annotated[JobMetadata | None, _lenient] = None

    _sections: dict[str, msgspec.Raw] = PrivateAttr(default_factory=dict)
    _body: bytes = PrivateAttr(default=b"")
    _has_result: bool = PrivateAttr(default=False)

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read one job from the JSON of `GET /api/v2/extract/{job_id}`.

        Raises:
            MalformedJobError: with what is wrong and where; no part of the body is quoted.
        """
        try:
            sections = split_json(body)
            small = {
                key: decode_json(raw) for key, raw in sections.items() if key not in _LARGE and key in cls.model_fields
            }
        except (msgspec.DecodeError, RecursionError) as exc:
            raise MalformedJobError(f"the body is not a JSON object: {exc}") from None
        except ValueError as exc:
            # Not UTF-8, or a value that no parser takes; its own text may hold a piece of it.
            raise MalformedJobError(f"the body holds a value that is not JSON ({type(exc).__name__})") from None
        try:
            job = cls.model_validate(small)
        except ValidationError as exc:
            names = ", ".join(sorted({str(fault["loc"][0]) for fault in exc.errors()}))
            raise MalformedJobError(f"the body is JSON but not a job: no usable {names}") from None
        job._sections.update(sections)
        job._body = body
        job._has_result = "extract_result" in sections and not is_empty(sections["extract_result"])
        return job

    def dump(self) -> bytes:
        """The job as compact JSON, each value in the very bytes in which it came."""
        return join_json(self._sections)

    @property
    def body(self) -> bytes:
        """The very bytes that were parsed."""
        return self._body

    @property
    def has_result(self) -> bool:
        """Whether the result holds anything: it is neither absent nor null, nor an empty object or list."""
        return self._has_result

    def without_sections(self) -> Self:
        """The same facts without the bytes that they were read from."""
        bare = self.model_copy()
        bare._sections, bare._body = {}, b""
        return bare

    @property
    def sections(self) -> Mapping[str, msgspec.Raw]:
        """Each top-level key of the body with its undecoded value, unknown ones included."""
        return self._sections

    def raw(self, name: str) -> msgspec.Raw | None:
        """The undecoded value of a top-level key, or None where it is absent or null."""
        value = self._sections.get(name)
        return None if value is None or is_null(value) else value

    @property
    def is_terminal(self) -> bool:
        """Whether the job has ended. An unknown status counts as not ended."""
        return self.status in TERMINAL_STATUSES

    @property
    def is_success(self) -> bool:
        """Whether the job completed. Its result may still be null."""
        return self.status == "COMPLETED"

    @property
    def document(self) -> str | None:
        """The file or parse job that was read: `file_input`, or `document_input_value` in the older format."""
        return self.file_input or self.document_input_value

    @property
    def version(self) -> str | None:
        """The extract version, from either generation of the configuration."""
        return (self.configuration.version or self.configuration.extract_version) if self.configuration else None

    @property
    def num_pages(self) -> int | None:
        """Pages extracted, where the service says so."""
        usage = self.metadata.usage if self.metadata else None
        return usage.num_pages_extracted if usage else None


@dataclass(frozen=True, slots=True)
class JobPage:
    """One page of a list of jobs, in the service's order.

    Attributes:
        items: the jobs; sections that were not asked for are absent or null.
        next_page_token: for the page after; None where this is the last.
    """

    items: tuple[Job, ...]
    next_page_token: str | None = None

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read a page from the JSON of `GET /api/v2/extract`.

        Raises:
            MalformedJobError: with what is wrong; no part of the body is quoted.
        """
        try:
            sections = split_json(body)
            rows = _rows_decoder.decode(sections.get("items", b"null"))
            token = decode_json(sections["next_page_token"]) if "next_page_token" in sections else None
        except (msgspec.DecodeError, RecursionError) as exc:
            raise MalformedJobError(f"the body is not a list of jobs: {exc}") from None
        except ValueError as exc:
            raise MalformedJobError(f"the body holds a value that is not JSON ({type(exc).__name__})") from None
        jobs = tuple(Job.parse(bytes(row)) for row in rows)
        return cls(jobs, token if isinstance(token, str) and token else None)
