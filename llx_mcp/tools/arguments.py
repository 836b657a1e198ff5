"""The arguments that tools share: the same names, meanings and bounds everywhere."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from llx_mcp.reading.facts import MAX_CHARS, MIN_CHARS, Ask

Section = Literal["configuration", "extract_metadata", "usage", "metadata"]
DEFAULT_SECTIONS: list[Section] = ["extract_metadata"]


def _as_list(value: object) -> object:
    # Models send one name, or several with commas, where a list is asked for.
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _strip(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


JobId = Annotated[
    str,
    BeforeValidator(_strip),
    Field(min_length=1, description="Id of the extract job, such as ext-0abc…; not of a file or a parse job."),
]
Expand = Annotated[
    list[Section],
    BeforeValidator(_as_list),
    Field(
        description="Sections to show beside the result: extract_metadata (confidence, page, quote), configuration "
        "(schema, options), usage (credits), metadata (pages, custom)."
    ),
]
MaxChars = Annotated[
    int,
    Field(ge=MIN_CHARS, le=MAX_CHARS, description="Most characters of the answer; a result that fits is given whole."),
]
ProjectId = Annotated[str | None, Field(description="Project of the job, if not the key's default.")]
OrganizationId = Annotated[str | None, Field(description="Organization of the job, if not the key's default.")]


def build_ask(
    job_id: str, expand: list[Section], max_chars: int, project_id: str | None, organization_id: str | None
) -> Ask:
    """The arguments as the reading takes them: sections in the service's order, each once."""
    order = ("extract_metadata", "configuration", "usage", "metadata")
    sections = tuple(name for name in order if name in expand)
    return Ask(job_id, sections, max_chars, project_id or None, organization_id or None)
