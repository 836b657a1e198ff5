"""The output schemas: what `structuredContent` holds. What is not known, or empty, is absent.

The same name is the same thing in every tool. Values of a document are taken as they are: pydantic never walks
into them, and the published schema says of them what a caller needs, and no more, since every client pays for it.
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

_OBJECT = {"type": "object"}
_SCALAR = [{"type": "string"}, {"type": "number"}, {"type": "boolean"}]

AnyObject = Annotated[dict[str, Any], WithJsonSchema(_OBJECT)]
Table = Annotated[dict[str, Any], WithJsonSchema(_OBJECT)]
Tables = Annotated[list[dict[str, Any]], WithJsonSchema({"type": "array", "items": _OBJECT})]
Result = Annotated[
    Any, WithJsonSchema({"anyOf": [_OBJECT, {"type": "array", "items": {"anyOf": [_OBJECT, *_SCALAR]}}]})
]

Tabled = Annotated[Any, WithJsonSchema({"anyOf": [_OBJECT, {"type": "array", "items": _OBJECT}]})]


def _open(schema: dict[str, Any]) -> None:
    # What no caller can violate costs tokens all the same.
    schema.pop("additionalProperties", None)


class JobView(BaseModel):
    """What every answer says of its job."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_open)

    job_id: str = Field(description="The job.")
    status: str = Field(description="Of the job.")
    notice: str | None = Field(None, description="On document text.")
    omitted: list[str] | None = Field(None, description="Left out, with calls.")
    next: str | None = Field(None, description="What to do.")


class ExtractJobView(JobView):
    """One extraction job, within the budget of the call."""

    facts: AnyObject | None = Field(None, description="Tier, pages, times …")
    error: str | None = Field(None, description="Why it failed.")
    metadata_error: str | None = Field(None, description="Of the metadata.")
    result: Result = Field(None, description="Whole, where it fits.")
    result_as_tables: Tabled = Field(None, description="The whole, with lists as {columns, rows}.")
    outline: Table | None = Field(None, description="Each field: {columns, rows}.")
    tables: Table | None = Field(None, description="For SQL.")
    items: Tables | None = Field(None, description="First items of lists.")
    checks: AnyObject | None = Field(None, description="Counts over all values.")
    evidence: Table | None = Field(None, description="Least certain first.")
    sections: AnyObject | None = Field(None, description="As asked.")


class WaitView(BaseModel):
    """For one job all that get_extract_job answers; for many these."""

    model_config = ConfigDict(extra="allow", json_schema_extra=_open)

    waited: AnyObject | None = Field(None, description="Counts.")
    jobs: Table | None = Field(None, description="{columns, rows}.")
    summaries: Tables | None = Field(None, description="As of get_extract_job.")
    omitted: list[str] | None = Field(None, description="Left out, with calls.")
    next: str | None = Field(None, description="What to do.")


class ListView(BaseModel):
    """What the key can see."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_open)

    listed: AnyObject = Field(description="Counts.")
    notice: str | None = Field(None, description="On names.")
    jobs: Table | None = Field(None, description="{columns, rows}.")
    omitted: list[str] | None = Field(None, description="Left out, with calls.")
    cursor: str | None = Field(None, description="For older ones.")
    next: str | None = Field(None, description="What to do.")


class ReadView(JobView):
    """The values at a path, a page of them."""

    matches: int | None = Field(None, description="Values that the path names.")
    value: AnyObject | None = Field(None, description="The one value.")
    values: Tables | None = Field(None, description="Tables {columns, rows}.")
    cursor: str | None = Field(None, description="For the next page.")


class FindView(JobView):
    """Where a text stands."""

    found: AnyObject | None = Field(None, description="Counts.")
    fields: Table | None = Field(None, description="Named so.")
    hits: Table | None = Field(None, description="Values, best first.")


class QueryView(JobView):
    """The rows of a query."""

    num_rows: int | None = Field(None, description="All rows, shown or not.")
    rows: Table | None = Field(None, description="{columns, rows}.")


class ReviewView(JobView):
    """What deserves a look."""

    review: AnyObject | None = Field(None, description="Count of each kind.")
    not_asked: list[str] | None = Field(None, description="By the job.")
    findings: Table | None = Field(None, description="Worst kind first.")
