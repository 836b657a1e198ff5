"""The output model of `read_source_text`: words of the document."""

from pydantic import Field

from llx_mcp.answers.outputs import JobAnswer, Table


class SourceTextOutput(JobAnswer):
    """The answer of `read_source_text`: lines of the document, as many as fit."""

    origin: str | None = Field(default=None, description="Where the text comes from: the parse job or the document.")
    problem: str | None = Field(default=None, description="Why there is no text.")
    num_places: int | None = Field(
        default=None, description="In how many places of the document the value or the words stand."
    )
    places: Table | None = Field(
        default=None,
        description="These places, best first: page and line; unless the words are those of the call, also how they "
        "were found, and the words.",
    )
    lines: Table | None = Field(
        default=None, description="Lines of the document: page number from 1, line number on the page, text."
    )
    unread: list[str] | None = Field(default=None, description="Pages that are wanted and have no text, and why.")
    cursor: str | None = Field(default=None, description="Cursor of the next lines.")
