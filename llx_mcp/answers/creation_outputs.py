"""The output models of the tools that create, cancel and delete."""

from pydantic import Field

from llx_mcp.answers.output_base import JsonObject, Output
from llx_mcp.answers.outputs import JobAnswer, JobFields, NextStep, Omission


class DocumentFacts(Output):
    """The document of a job."""

    name: str = Field(description="Its file name; its id where the name is not known.")
    document_id: str | None = Field(default=None, description="Its id at the service, where it has one.")
    url: str | None = Field(default=None, description="The address that it was downloaded from.")
    bytes: int | None = Field(default=None, description="Its size, where it is uploaded.")
    pages: int | None = Field(default=None, description="Number of its pages; absent where they are not known.")


class JobSettings(Output):
    """What a job extracts, and how."""

    tier: str = Field(description="Extraction tier, such as `agentic`.")
    target: str = Field(description="Extraction target: `per_doc`, `per_page` or `per_table_row`.")
    configuration_id: str | None = Field(default=None, description="The saved configuration, if one was given.")
    target_pages: str | None = Field(default=None, description="The pages to read, if not all.")
    max_pages: int | None = Field(default=None, description="The most pages that are read.")
    without: list[str] | None = Field(default=None, description="What values come without: `citations`, `confidence`.")
    instructions: str | None = Field(default=None, description="The beginning of the instructions.")
    num_fields: int | None = Field(default=None, description="Fields of the schema, nested ones included.")
    fields: list[str] | None = Field(default=None, description="The first fields at the top of the schema.")


class CostEstimate(Output):
    """About what a job costs."""

    pages: int | None = Field(default=None, description="Pages that are read; absent where they are not known.")
    most_pages: int | None = Field(default=None, description="The most pages that are read, where only that is known.")
    credits: int | None = Field(default=None, description="Credits for all pages.")
    credits_a_page: int | None = Field(default=None, description="Credits for one page.")
    note: str = Field(description="How sure the estimate is.")


class CreateOutput(JobFields):
    """The answer of `create_extract_job`."""

    outcome: str = Field(description="`created`, `exists` for a job that was there already, or `not_created`.")
    document: DocumentFacts = Field(description="The document of the job.")
    settings: JobSettings = Field(description="What the job extracts, and how.")
    estimate: CostEstimate | None = Field(default=None, description="About what a new job costs.")


class CancelOutput(JobAnswer):
    """The answer of `cancel_extract_job`: the job as it is after the call."""

    outcome: str = Field(description="`cancelled`, `cancelling`, or `had_ended` where there was nothing to cancel.")


class DeleteOutput(JobFields):
    """The answer of `delete_extract_job`."""

    outcome: str = Field(description="`deleted`, with its result.")


class SuggestOutput(Output):
    """The answer of `suggest_extract_schema`."""

    document: DocumentFacts | None = Field(default=None, description="The document of the schema.")
    notice: str | None = Field(default=None, description="How to take strings that come from the document: as data.")
    fields: list[str] | None = Field(default=None, description="The fields in words: path, type and description.")
    data_schema: JsonObject | None = Field(
        default=None, description="The schema in full, as create_extract_job takes it."
    )
    omitted: list[Omission] | None = Field(default=None, description="What was left out, with the call that shows it.")
    next_steps: list[NextStep] | None = Field(default=None, description="What to do next.")
