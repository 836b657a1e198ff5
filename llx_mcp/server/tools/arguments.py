"""The arguments that tools share: the same names, meanings and bounds everywhere."""

import json
from collections.abc import Sequence
from typing import Annotated

from pydantic import BeforeValidator, Field

from llx_mcp.answers.limits import MAX_CHARS, MIN_CHARS, Section
from llx_mcp.answers.requests import DEFAULT_EXPAND, JobRequest, JobsRequest
from llx_mcp.errors import ArgumentError
from llx_mcp.scope import Scope

DEFAULT_SECTIONS: list[Section] = list(DEFAULT_EXPAND)
MAX_JOINED_JOBS = 10
_SECTION_ORDER = ("job", "extract_metadata", "configuration", "usage", "metadata")


def as_list(value: object) -> object:
    """Split a text at its commas: models send one name, or several with commas, where a list is expected."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def as_words(value: object) -> object:
    """Return one word or a list of words in lower case: models write `Usage` for `usage`."""
    if isinstance(value, str):
        return value.strip().lower()
    return [as_words(item) for item in value] if isinstance(value, list) else value


def as_object(value: object) -> object:
    """Parse a text that is a JSON object: models send a schema as text, where an object is expected."""
    try:
        parsed = json.loads(value) if isinstance(value, str) else None
    except (ValueError, RecursionError):
        return value
    return parsed if isinstance(parsed, dict) else value


def _strip(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


def _strip_to_none(value: object) -> object:
    """Return a text without spaces at its ends, and None for an empty one: some clients send every argument."""
    return (_strip(value) or None) if isinstance(value, str) else value


JobId = Annotated[
    str,
    BeforeValidator(_strip),
    Field(min_length=1, description="Job id (ext-…)."),
]
JobIds = Annotated[
    list[str],
    BeforeValidator(as_list),
    Field(max_length=MAX_JOINED_JOBS, description="Instead of job_id: several jobs, up to 10."),
]
Expand = Annotated[
    list[Section],
    BeforeValidator(as_words),
    BeforeValidator(as_list),
    Field(description="extract_metadata: page, confidence; configuration: schema, options; job: ids, times."),
]
MaxChars = Annotated[
    int,
    Field(ge=MIN_CHARS, le=MAX_CHARS, description="Character budget of the answer."),
]
OptionalText = Annotated[str | None, BeforeValidator(_strip_to_none)]
File = Annotated[OptionalText, Field(description="Path on this machine.")]
Url = Annotated[OptionalText, Field(description="Or a public https address.")]
DocumentId = Annotated[OptionalText, Field(description="Or a file (dfl-…) or parse job (pjb-…).")]
# Their default is that of the key, or of the settings. Each tool has them, so each word is paid for ten times.
ProjectId = Annotated[OptionalText, Field(description="Optional.")]
OrganizationId = Annotated[OptionalText, Field(description="Optional.")]


def build_scope(project_id: str | None, organization_id: str | None) -> Scope:
    """Build the scope of a request."""
    return Scope(project_id, organization_id)


def build_request(
    job_id: str, max_chars: int, scope: Scope, expand: Sequence[Section] = DEFAULT_SECTIONS
) -> JobRequest:
    """Build the request about one job, its sections in a fixed order, each once."""
    return JobRequest(job_id, order_sections(expand), max_chars, scope)


def build_jobs_request(
    tool: str, job_id: str | None, job_ids: Sequence[str] | None, max_chars: int, scope: Scope
) -> JobRequest | JobsRequest:
    """Build the request about the job of `job_id`, or about those of `job_ids`.

    Raises:
        ArgumentError: neither names a job, or both do.
    """
    several = tuple(dict.fromkeys(given for name in job_ids or [] if (given := name.strip())))
    if job_id and several:
        raise ArgumentError(f"{tool}: give job_id or job_ids, not both. job_ids can have all the jobs.")
    if several:
        return JobsRequest(several, max_chars, scope)
    if not job_id:
        raise ArgumentError(
            f"{tool}: no job is named. Give job_id, or job_ids for several; list_extract_jobs shows what this key can "
            "see."
        )
    return build_request(job_id, max_chars, scope)


def order_sections(expand: Sequence[Section]) -> tuple[str, ...]:
    """Return sections in a fixed order, each once."""
    return tuple(name for name in _SECTION_ORDER if name in expand)
