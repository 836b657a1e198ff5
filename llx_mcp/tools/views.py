"""The output schemas: what `structuredContent` holds. What is not known, or empty, is absent."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

_SCALAR = [{"type": "string"}, {"type": "number"}, {"type": "boolean"}, {"type": "null"}]
_OBJECT = {"type": "object", "additionalProperties": True}

# Values of a document are taken as they are: pydantic never walks into them, and the schema says so much as is known.
Cells = Annotated[
    list[list[Any]],
    WithJsonSchema({"type": "array", "items": {"type": "array", "items": {"anyOf": _SCALAR}}}),
]
Result = Annotated[
    Any, WithJsonSchema({"anyOf": [_OBJECT, {"type": "array", "items": {"anyOf": [_OBJECT, *_SCALAR]}}]})
]
AnyObject = Annotated[dict[str, Any], WithJsonSchema(_OBJECT)]


class Table(BaseModel):
    """Uniform objects, each name written once."""

    model_config = ConfigDict(extra="forbid")

    columns: list[str] = Field(description="Names of the cells of each row.")
    rows: Cells = Field(description="One row an object, its cells in the order of the columns.")


class Checks(BaseModel):
    """Counts over all values of the result."""

    model_config = ConfigDict(extra="forbid")

    values: int = Field(description="Scalars that are not null.")
    nulls: int = Field(description="Nulls.")
    doubtful: int = Field(0, description="Values with confidence below the threshold.")
    threshold: float = Field(0.0, description="Documented cut-off for review.")
    unrated: int = Field(0, description="Values without confidence.")
    uncited: int = Field(0, description="Values without a citation.")


class ExtractJobView(BaseModel):
    """One extraction job, within the budget of the call."""

    model_config = ConfigDict(extra="forbid")

    job_id: str = Field(description="The job.")
    status: str = Field(description="PENDING, THROTTLED, RUNNING; ended: COMPLETED, FAILED, CANCELLED.")
    took_seconds: float | None = Field(None, description="From creation to end.")
    created_at: str | None = Field(None, description="UTC.")
    age_seconds: float | None = Field(None, description="Since creation, while not ended.")
    waited_seconds: float | None = Field(None, description="How long this call waited.")
    document: str | None = Field(None, description="File or parse job that was read.")
    tier: str | None = Field(None, description="Extract tier.")
    version: str | None = Field(None, description="Extract version.")
    target: str | None = Field(None, description="per_doc: one object; per_page, per_table_row: a list.")
    pages: int | None = Field(None, description="Pages extracted.")
    credits: float | None = Field(None, description="Credits billed.")
    error: str | None = Field(None, description="The service's reason for a failure.")
    metadata_error: str | None = Field(None, description="What the service says went wrong with the metadata.")
    notice: str | None = Field(None, description="How to take what the document says.")
    result: Result = Field(None, description="The whole result, where it fits.")
    result_as_tables: Result = Field(
        None, description="The whole result, each list of alike objects as {columns, rows}."
    )
    outline: Table | None = Field(
        None,
        description="Where the whole does not fit: each field's path, type, count, nulls, example; lists with the "
        "same # have the same fields, shown once.",
    )
    items: list[Table] | None = Field(None, description="First items of its lists, each with its path.")
    checks: Checks | None = Field(None, description="Counts over all values.")
    evidence: Table | None = Field(
        None, description="Values, lowest confidence (0 to 1) first, each with page (1-based) and quoted words."
    )
    configuration: AnyObject | None = Field(None, description="What the job was asked to do.")
    usage: AnyObject | None = Field(None, description="Credits in detail.")
    metadata: AnyObject | None = Field(None, description="Job metadata.")
    omitted: list[str] | None = Field(None, description="What is left out, and the call that shows it.")
    next: str | None = Field(None, description="What to do next.")
