"""The job as the service sends it, in the current and the older format.

`Job.parse` splits the body without decoding its values: each stays the bytes that came (`msgspec.Raw`, a view into the
body). Numbers keep all their digits, and a body of 50 MB is not decoded into Python objects. Only the small fields of
`Job` are decoded and typed. They are parsed leniently: an invalid value becomes None and is still in the bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Self

import msgspec
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from llx_mcp.raw_json import (
    decode_json,
    decode_member,
    decode_or_none,
    is_empty,
    is_null,
    join_json,
    split_json,
    split_list,
)

TERMINAL_STATUSES = frozenset({"COMPLETED", "FAILED", "CANCELLED"})
EXPANDABLE_SECTIONS = ("configuration", "extract_metadata", "usage", "metadata")
# How the ids of files and parse jobs begin. The service may name a file without it.
FILE_PREFIX = "dfl-"
PARSE_JOB_PREFIX = "pjb-"

# Facts beyond these are not credits or pages; they also keep out infinities and integers beyond a double.
_MAX_AMOUNT = 1e15
_MAX_COUNT = 2**53 - 1

_LARGE_SECTIONS = frozenset({"extract_result", "extract_metadata"})


class MalformedJobError(ValueError):
    """The body is not a job: not JSON, cut off, not an object, or without an id or a status."""


def _none_if_invalid(value: object, handler: ValidatorFunctionWrapHandler) -> object:
    try:
        return handler(value)
    except ValidationError:
        return None


_lenient = WrapValidator(_none_if_invalid)
Text = Annotated[str | None, _lenient]
Flag = Annotated[bool | None, _lenient]
Count = Annotated[int | None, Field(ge=0, le=_MAX_COUNT), _lenient]
Amount = Annotated[float | None, Field(ge=-_MAX_AMOUNT, le=_MAX_AMOUNT, allow_inf_nan=False), _lenient]


def _parse_time(value: object, handler: ValidatorFunctionWrapHandler) -> datetime | None:
    parsed = _none_if_invalid(value, handler)
    if not isinstance(parsed, datetime):
        return None
    try:
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except OverflowError:
        # In UTC the time is before the year 1 or after the year 9999.
        return None


Time = Annotated[datetime | None, WrapValidator(_parse_time)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=(), defer_build=True)


class Configuration(_Section):
    """The configuration of the job. The older format has `extract_version` instead of `version`."""

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
    """Credits billed. Each value is None until billing has recorded it."""

    credits: Amount = None
    extract_credits: Amount = None
    parse_credits: Amount = None


class PageUsage(_Section):
    """Pages of the document."""

    num_pages_extracted: Count = None
    num_pages_billed: Count = None


class JobMetadata(_Section):
    """Metadata of the job: usage, and what an enterprise plan adds."""

    usage: Annotated[PageUsage | None, _lenient] = None


class Job(BaseModel):
    """One extraction job. `Job.parse` builds it, and `dump` returns the same JSON."""

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
        """Parse the JSON of `GET /api/v2/extract/{job_id}`.

        Raises:
            MalformedJobError: the body is not a job; the message says why and does not quote the body.
        """
        try:
            sections = split_json(body)
        except (msgspec.DecodeError, RecursionError) as exc:
            raise MalformedJobError(f"the body is not a JSON object: {exc}") from None
        small = {key: sections[key] for key in cls.model_fields if key in sections and key not in _LARGE_SECTIONS}
        try:
            job = cls.model_validate({key: decode_or_none(raw) for key, raw in small.items()})
        except ValidationError as exc:
            names = ", ".join(sorted({str(error["loc"][0]) for error in exc.errors()}))
            raise MalformedJobError(f"the body is JSON but not a job: no usable {names}") from None
        job._sections.update(sections)
        job._body = body
        job._has_result = "extract_result" in sections and not is_empty(sections["extract_result"])
        return job

    def dump(self) -> bytes:
        """Return the job as a JSON object, each value in the bytes in which it came."""
        return join_json(self._sections)

    @property
    def body(self) -> bytes:
        """The bytes that were parsed."""
        return self._body

    @property
    def has_result(self) -> bool:
        """Whether there is a result that is not null, an empty object or an empty list."""
        return self._has_result

    def without_sections(self) -> Self:
        """Return a copy with the typed fields only, so that the body can be freed."""
        bare = self.model_copy()
        bare._sections, bare._body = {}, b""
        return bare

    @property
    def sections(self) -> Mapping[str, msgspec.Raw]:
        """Every top-level key of the body, unknown ones included, with its undecoded value."""
        return self._sections

    def raw(self, name: str) -> msgspec.Raw | None:
        """Return the undecoded value of a top-level key, or None if it is absent or null."""
        value = self._sections.get(name)
        return None if value is None or is_null(value) else value

    @property
    def is_terminal(self) -> bool:
        """Whether the job has ended. An unknown status counts as not ended."""
        return self.status in TERMINAL_STATUSES

    @property
    def has_billed_usage(self) -> bool:
        """Whether billing has recorded its usage, which happens after the job has ended."""
        return self.usage is not None and self.usage.credits is not None

    @property
    def is_success(self) -> bool:
        """Whether the job completed. Its result may still be null."""
        return self.status == "COMPLETED"

    @property
    def document(self) -> str | None:
        """The id of the file or parse job: `file_input`, or `document_input_value` in the older format."""
        return self.file_input or self.document_input_value

    @property
    def version(self) -> str | None:
        """The extract version, from either format of the configuration."""
        return (self.configuration.version or self.configuration.extract_version) if self.configuration else None

    @property
    def num_pages(self) -> int | None:
        """Pages extracted, or None if the service does not say."""
        usage = self.metadata.usage if self.metadata else None
        return usage.num_pages_extracted if usage else None


def read_parse_job_id(sections: Mapping[str, msgspec.Raw]) -> str | None:
    """Return `extract_metadata.parse_job_id` of a job, or None if the job has none. Decodes no other metadata."""
    value = decode_member(sections.get("extract_metadata"), "parse_job_id")
    return value if isinstance(value, str) else None


@dataclass(frozen=True, slots=True)
class CloudFile:
    """A file of the service.

    Attributes:
        id: its id.
        name: its file name, or its id where the service gives none.
        expires_at: when the service deletes it; None where it says nothing.
        external_id: the id that it was uploaded under, besides its own.
    """

    id: str
    name: str
    expires_at: datetime | None = None
    external_id: str | None = None

    @classmethod
    def parse(cls, value: object) -> Self | None:
        """Parse a file as the service describes it; None where it is none."""
        if not isinstance(value, dict) or not isinstance(value.get("id"), str) or not value["id"]:
            return None
        name, external_id = (_parse_text(value.get(key)) for key in ("name", "external_file_id"))
        return cls(value["id"], name or value["id"], _parse_expiry(value.get("expires_at")), external_id)


def _parse_text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _parse_expiry(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class JobPage:
    """One page of a list of jobs, in the service's order.

    Attributes:
        items: the jobs; sections that were not requested are absent or null.
        next_page_token: the token of the next page; None on the last page.
        num_unreadable: number of items that were left out because they are not jobs.
    """

    items: tuple[Job, ...]
    next_page_token: str | None = None
    num_unreadable: int = 0

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Parse the JSON of `GET /api/v2/extract`. A row that is not a job does not hide the others.

        Raises:
            MalformedJobError: the body is not a list; the message says why and does not quote the body.
        """
        try:
            sections = split_json(body)
            items = split_list(sections.get("items", msgspec.Raw(b"null")))
            token = decode_json(sections["next_page_token"]) if "next_page_token" in sections else None
        except (msgspec.DecodeError, RecursionError) as exc:
            raise MalformedJobError(f"the body is not a list of jobs: {exc}") from None
        except ValueError as exc:
            raise MalformedJobError(f"the body holds a value that is not JSON ({type(exc).__name__})") from None
        jobs = tuple(job for item in items if (job := _parse_item(item)) is not None)
        return cls(jobs, token if isinstance(token, str) and token else None, len(items) - len(jobs))


def _parse_item(item: msgspec.Raw) -> Job | None:
    """Return an item of a list as a job; None where it is none."""
    try:
        return Job.parse(bytes(item))
    except MalformedJobError:
        return None
