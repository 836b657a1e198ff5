"""The arguments that tools share: the same names, meanings and bounds everywhere."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from llx_mcp.answers.header import MAX_CHARS, MIN_CHARS, JobRequest
from llx_mcp.scope import Scope

Section = Literal["configuration", "extract_metadata", "usage", "metadata"]
Until = Literal["all", "any"]
DEFAULT_SECTIONS: list[Section] = ["extract_metadata"]


def as_list(value: object) -> object:
    """One name, or several with commas, as a list."""
    # Models send one name, or several with commas, where a list is asked for.
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _strip(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


JobId = Annotated[
    str,
    BeforeValidator(_strip),
    Field(min_length=1, description="Id of the extract job (ext-…)."),
]
Expand = Annotated[
    list[Section],
    BeforeValidator(as_list),
    Field(description="Sections to show; extract_metadata: confidence, page, quote."),
]
MaxChars = Annotated[
    int,
    Field(ge=MIN_CHARS, le=MAX_CHARS, description="Budget of the answer."),
]
ProjectId = Annotated[str | None, Field(description="Default: the key's.")]
OrganizationId = Annotated[str | None, Field(description="Default: the key's.")]


def build_request(
    job_id: str,
    max_chars: int,
    project_id: str | None,
    organization_id: str | None,
    expand: Sequence[Section] = DEFAULT_SECTIONS,
) -> JobRequest:
    """The arguments as the reading takes them: sections in the service's order, each once."""
    order = ("extract_metadata", "configuration", "usage", "metadata")
    sections = tuple(name for name in order if name in expand)
    return JobRequest(job_id, sections, max_chars, Scope(project_id or None, organization_id or None))
