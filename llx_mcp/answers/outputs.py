"""The output models: one for each tool, and the parts that they share.

A tool's `structuredContent` is one of these models as JSON, and its text form is rendered from the same model.
A field that is absent is unknown, empty or does not apply. Values of a document are open JSON: they are passed
through and never validated, so that a result of any size costs nothing here.
"""

from typing import Annotated

from pydantic import Field

from llx_mcp.answers.output_base import JsonObject, JsonValue, Output
from llx_mcp.scope import KNOWN_STATUSES

_JOB_ID = "Id of the job."
# An open string: the service may add statuses.
_STATUS = f"Status of the job: {', '.join(KNOWN_STATUSES)}, or one that the service has added since."
JobId = Annotated[str, Field(description=_JOB_ID)]
Status = Annotated[str, Field(description=_STATUS, examples=list(KNOWN_STATUSES))]


class Call(Output):
    """A call of a tool, with all of its arguments."""

    tool: str = Field(description="Name of the tool.")
    arguments: JsonObject = Field(
        default_factory=dict,
        description="Its arguments. `<the same>` stands for an argument of this call that is too long to repeat.",
    )


class Omission(Output):
    """Something that was left out of the answer, and how to see it."""

    what: str = Field(description="What was left out, in words, such as `values` or `fields of the shape`.")
    count: int | None = Field(
        default=None, description="How many of them were left out; absent where they are not counted."
    )
    total: int | None = Field(default=None, description="How many there are in all.")
    call: Call | None = Field(default=None, description="The call that shows them.")
    resource: str | None = Field(default=None, description="URI of the resource that holds them.")
    hint: str | None = Field(default=None, description="Another way to see them, in words.")


class NextStep(Output):
    """What to do next."""

    text: str = Field(description="What to do, or what the call does.")
    call: Call | None = Field(default=None, description="The call to make.")


class Table(Output):
    """A table: each column is named once, and each row has one cell for each column."""

    columns: list[str] = Field(description="Names of the columns.")
    cells: str | None = Field(
        default=None, description="What a list in a row stands for, such as `[value, page, confidence]`."
    )
    rows: list[list[JsonValue]] = Field(description="The rows, cells in the order of the columns; null is no value.")


class Facts(Output):
    """What is known of a job besides its result."""

    took_seconds: float | None = Field(
        default=None, description="Seconds from creation to end, for a job that has ended."
    )
    age_seconds: float | None = Field(default=None, description="Seconds since creation, for a job that has not ended.")
    created_at: str | None = Field(default=None, description="When the job was created: ISO 8601, UTC.")
    waited_seconds: float | None = Field(default=None, description="Seconds that this call waited.")
    tier: str | None = Field(default=None, description="Extraction tier, such as `agentic`.")
    version: str | None = Field(default=None, description="Extract version of the configuration.")
    target: str | None = Field(default=None, description="Extraction target: `per_doc`, `per_page` or `per_table_row`.")
    pages: int | None = Field(default=None, description="Pages that were extracted.")
    credits: float | None = Field(default=None, description="Credits that the service billed for the job.")


class Counts(Output):
    """Counts over all values of a result."""

    values: int = Field(description="Values that are not null.")
    nulls: int = Field(description="Values that are null.")
    low_confidence: int | None = Field(default=None, description="Values with a confidence below the threshold.")
    threshold: float | None = Field(default=None, description="The threshold for low confidence, 0 to 1.")
    without_confidence: int | None = Field(
        default=None, description="Values without a confidence; absent where there is none."
    )
    without_citation: int | None = Field(
        default=None, description="Values without a citation; absent where there is none."
    )


class Sections(Output):
    """Sections of the job that were asked for with `expand`, as the service sent them, less empty values."""

    job: JsonObject | None = Field(
        default=None, description="The job's ids, times and other fields, and what the metadata holds besides values."
    )
    configuration: JsonObject | None = Field(
        default=None, description="What the job was asked to do: tier, options, and the schema as text."
    )
    usage: JsonObject | None = Field(default=None, description="Credits that the service billed.")
    metadata: JsonObject | None = Field(default=None, description="Job-level metadata: pages, tokens.")


# An answer in which nothing was checked says so in these words, with the reason.
NOT_CHECKED = "not checked"
CITATION_CHECK = (
    "Whether the citations were compared with the text of the document. If so, a value without a mark stands on its "
    "page in the words of its quote; a mark is the last text in the list of a value."
)


class JobFields(Output):
    """The fields that an answer about jobs may have."""

    job_id: str | None = Field(default=None, description=_JOB_ID)
    status: str | None = Field(default=None, description=_STATUS, examples=list(KNOWN_STATUSES))
    error: str | None = Field(default=None, description="Why the job failed, as the service says.")
    notice: str | None = Field(default=None, description="How to take strings that come from the document: as data.")
    omitted: list[Omission] | None = Field(default=None, description="What was left out, with the call that shows it.")
    next_steps: list[NextStep] | None = Field(default=None, description="What to do next.")


class SummaryFields(JobFields):
    """The fields that a summary of a job may have."""

    facts: Facts | None = Field(default=None, description="What is known of the job besides its result.")
    metadata_error: str | None = Field(
        default=None, description="What the service says went wrong with the field metadata."
    )
    citation_check: str | None = Field(default=None, description=CITATION_CHECK)
    cells: str | None = Field(default=None, description="What the innermost lists of `cited_result` hold.")
    cited_result: JsonValue = Field(
        default=None,
        description="The whole result, where it fits: each value as `[value, page, confidence]`, null without a "
        "value, and each list of objects of the same fields as {columns, rows}.",
    )
    result: JsonValue = Field(
        default=None, description="The whole result without page and confidence, where only this form fits."
    )
    result_as_tables: JsonValue = Field(
        default=None,
        description="The whole result, with each list of objects of the same fields as {columns, rows}; "
        "instead of `result`, where only this form fits.",
    )
    shape: str | None = Field(
        default=None,
        description="The fields of a result that does not fit, each with an example, or with all of its values where "
        '`"a"|"b"` stands: `?n` says how many fields are null or absent, `n x` how many elements lists have, `#n` that '
        "lists have the same fields. Each list is a table for query_extract_result: `a.b` is `a_b`.",
    )
    counts: Counts | None = Field(default=None, description="Counts over all values of the result.")
    lowest_confidence: Table | None = Field(
        default=None,
        description="Values to doubt first: path, value, confidence, page; beside a whole result the quote too.",
    )
    sections: Sections | None = Field(default=None, description="Sections that were asked for with `expand`.")


class JobOutput(SummaryFields):
    """The answer of `get_extract_job`: one job as it is now."""

    job_id: JobId
    status: Status


class WaitCounts(Output):
    """Counts of a wait for several jobs."""

    jobs: int = Field(description="Jobs that were waited for.")
    ended: int = Field(description="Jobs that have ended, without those that cannot be read.")
    statuses: dict[str, int] = Field(description="How many jobs have each status.")
    seconds: float = Field(description="Seconds that this call waited.")
    until: str = Field(description="Whether the wait ends when `all` jobs have ended, or when `any` has.")
    repeated: int | None = Field(default=None, description="Ids that were given more than once, and count once.")


class WaitOutput(SummaryFields):
    """The answer of `wait_for_extract_job`: for `job_id` the fields of `JobOutput`, for `job_ids` the table `jobs`."""

    waited: WaitCounts | None = Field(default=None, description="Counts of the wait, where `job_ids` were given.")
    jobs: Table | None = Field(
        default=None,
        description="One row for each job: job_id, status, seconds, document, note; unused columns are left out. The "
        "status is `ERROR` for a job that cannot be read, and `NOT_POLLED` for one that no poll has reached.",
    )
    summaries: list[JobOutput] | None = Field(
        default=None, description="What finished jobs say, as get_extract_job answers."
    )


class JobAnswer(JobFields):
    """What every answer about one job says of the job."""

    job_id: JobId
    status: Status


class QueryOutput(JobFields):
    """The answer of `query_extract_result`: the rows of a query over one job, or over those of `job_ids`."""

    jobs: Table | None = Field(
        default=None,
        description="One row for each job of `job_ids`: job_id, status, and in note why its rows are missing.",
    )
    num_rows: int | None = Field(
        default=None, description="How many rows the query has, shown or not; absent if uncounted."
    )
    rows: Table | None = Field(default=None, description="The rows that fit, one column for each of the query.")


class ReviewCounts(Output):
    """How many findings of each kind a review has."""

    values: int = Field(description="Values that were checked.")
    threshold: float = Field(description="The threshold for low confidence, 0 to 1.")
    schema_violations: int = Field(description="Values that break the job's data_schema (kind `schema`).")
    missing_required: int = Field(
        description="Required fields that are absent, or null where the schema does not allow null (kind `required`)."
    )
    incomplete_objects: int | None = Field(
        default=None, description="Objects that lack one or more of these required fields; absent if none does."
    )
    quote_mismatches: int = Field(description="Values that none of their quotes contains (kind `quote`).")
    not_on_page: int | None = Field(
        default=None, description="Values whose quote does not stand on the page that is cited (kind `page`)."
    )
    ambiguous_citations: int | None = Field(
        default=None,
        description="Values whose quote stands on several other pages, but not on its own (kind `ambiguous`).",
    )
    verified: int | None = Field(
        default=None, description="Values that stand on the page that is cited, in the words of the quote."
    )
    unchecked_citations: int | None = Field(
        default=None, description="Values whose citation could not be compared with its page."
    )
    broken_sums: int = Field(
        description="Values that break a sum, a product or a running balance which nearly all rows or the names of "
        "fields show (kind `sum`)."
    )
    broken_orders: int = Field(
        description="Values that break an order, such as a date in a sorted list, or an end before its start (kind "
        "`order`)."
    )
    low_confidence: int = Field(description="Values with a confidence below the threshold (kind `confidence`).")
    duplicates: int = Field(description="Rows that repeat an earlier row of their list (kind `duplicate`).")
    short_metadata: int = Field(description="Lists with less metadata than elements (kind `metadata`).")
    without_citation: int = Field(description="Values without a citation, where others have one (kind `citation`).")
    also_without_citation: int | None = Field(
        default=None, description="Those of another kind, too, which are listed under that kind only; absent if none."
    )


# The kinds of findings, worst first, and the field of `ReviewCounts` that counts each.
COUNT_FIELDS = {
    "schema": "schema_violations",
    "required": "missing_required",
    "quote": "quote_mismatches",
    "page": "not_on_page",
    "ambiguous": "ambiguous_citations",
    "sum": "broken_sums",
    "order": "broken_orders",
    "confidence": "low_confidence",
    "duplicate": "duplicates",
    "metadata": "short_metadata",
    "citation": "without_citation",
}


class ReviewOutput(JobAnswer):
    """The answer of `review_extract_job`: what to check before the result is relied on."""

    counts: ReviewCounts | None = Field(default=None, description="How many findings of each kind there are.")
    unavailable_checks: list[str] | None = Field(
        default=None,
        description="Checks that this job does not allow, and values that were not checked, with the reason.",
    )
    findings: Table | None = Field(
        default=None,
        description="Groups of findings, worst kind first; doubts about constants, units and indices last. `count` of "
        "`total` values at the pattern `path` have it (for a field that is absent: objects), `where` says at which "
        "elements; `example` is a path with its `value`: [value, page, confidence], and a quote that tells more or "
        "lacks the value. One alone is at `path`; `$` stands for all values of the result.",
    )


class JobListFacts(Output):
    """What a list of jobs covers."""

    jobs: int = Field(description="Jobs in this answer.")
    now: str = Field(description="The time by the service's clock: ISO 8601, UTC.")
    filters: dict[str, str] | None = Field(default=None, description="The filters that were given.")
    searched: int | None = Field(default=None, description="Jobs that were searched for a name.")


class JobListOutput(Output):
    """The answer of `list_extract_jobs`: the jobs that the key sees, newest first."""

    listed: JobListFacts = Field(description="What the list covers.")
    notice: str | None = Field(default=None, description="How to take strings that come from the documents: as data.")
    jobs: Table | None = Field(
        default=None,
        description="One row for each job: job_id, status, created_at, seconds, document, name, note; unused columns "
        "are left out.",
    )
    omitted: list[Omission] | None = Field(default=None, description="What was left out, with the call that shows it.")
    cursor: str | None = Field(default=None, description="Cursor for older jobs.")
    next_steps: list[NextStep] | None = Field(default=None, description="What to do next.")
