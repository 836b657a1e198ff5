"""The output models of `find_in_extract_result`: what was found in a job, or in several."""

from pydantic import Field

from llx_mcp.answers.output_base import JsonObject, Output
from llx_mcp.answers.outputs import CITATION_CHECK, JobFields, JobId, Status, Table


class SearchCounts(Output):
    """How much was found."""

    matches: int = Field(
        description="Objects and values that fit about as well as the best, or have another value that was searched "
        "for; shown or not."
    )
    related: int | None = Field(
        default=None,
        description="Others that lack a word, but stand in a list that was searched for or have the same words besides "
        "periods and short numbers. They follow the matches if they are few and short.",
    )
    absent_words: list[str] | None = Field(default=None, description="Words that stand nowhere in the result.")


class SearchFields(JobFields):
    """The fields that a search of a job may have."""

    found: SearchCounts | None = Field(default=None, description="How much was found.")
    citation_check: str | None = Field(default=None, description=CITATION_CHECK)
    shared: JsonObject | None = Field(default=None, description="Fields that have the same value in all hits.")
    hits: Table | None = Field(
        default=None,
        description="Best match first: path of the object, and its fields by name, each `[value, page, confidence]` "
        "or `[value, page, confidence, quote]`. A field that is the same in all objects is its value alone. "
        "`more` counts the fields or elements that are not shown; absent where all are.",
    )
    similar_names: list[str] | None = Field(
        default=None, description="Paths of fields with similar names, where nothing was found."
    )


class JobSearch(SearchFields):
    """What one of several jobs says about some words."""

    job_id: JobId
    status: Status


class SearchOutput(SearchFields):
    """The answer of `find_in_extract_result`: what a result says about some words, or several for `job_ids`."""

    jobs: Table | None = Field(
        default=None, description="Jobs of `job_ids` that could not be searched: job_id, status, note."
    )
    searches: list[JobSearch] | None = Field(default=None, description="What each job of `job_ids` says.")
