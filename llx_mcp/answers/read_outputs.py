"""The output models of `read_extract_result`: values, and all that the metadata says of them."""

from pydantic import Field

from llx_mcp.answers.output_base import Confidence, JsonObject, JsonValue, Number, Output
from llx_mcp.answers.outputs import CITATION_CHECK, JobAnswer, Table

_MORE = "What else the service sent, as it sent it."


class Place(Output):
    """Where words stand in the document, by its own text."""

    page: int = Field(description="Page number, from 1.")
    words: str | None = Field(default=None, description="The words of the document that stand there.")
    boxes: list[list[Number]] | None = Field(
        default=None, description="Rectangles on the page as [x, y, width, height], in PDF points from the top left."
    )


class Citation(Output):
    """Where a value is in the document, according to the service."""

    page: Number | None = Field(default=None, description="Page number, from 1.")
    quote: str | None = Field(default=None, description="Words of the document that the service quotes for the value.")
    boxes: list[list[Number]] | None = Field(
        default=None, description="Rectangles on the page as [x, y, width, height], in PDF points from the top left."
    )
    page_size: list[Number] | None = Field(
        default=None, description="The page's [width, height] in PDF points; beside boxes."
    )
    check: str | None = Field(
        default=None,
        description="Whether the quote stands on the page and contains the value, by the text of the document.",
    )
    places: list[Place] | None = Field(
        default=None, description="Where the quote stands instead, or where on its page, as asked for with boxes."
    )
    more: JsonObject | None = Field(default=None, description=_MORE)


class Entry(Output):
    """What the metadata says of one value, object or list itself."""

    confidence: Confidence | None = Field(default=None, description="Confidence, 0 to 1, with all its digits.")
    extraction_confidence: Number | None = Field(default=None, description="Confidence of the extraction, 0 to 1.")
    parsing_confidence: Number | None = Field(default=None, description="Confidence of the parsing, 0 to 1.")
    reasoning: str | None = Field(default=None, description="Why the service extracted it so.")
    citations: list[Citation] | None = Field(default=None, description="All of its citations.")
    more: JsonObject | None = Field(default=None, description=_MORE)


class Value(Entry):
    """One value with its provenance in full; confidence is null where the job gives none."""

    nullable = frozenset({"value", "confidence"})

    path: str = Field(description="Path of the value.")
    value: JsonValue = Field(description="The value, as the job extracted it.")
    found: list[Place] | None = Field(
        default=None, description="Where a value without a citation stands, by the text of the document."
    )
    num_found: int | None = Field(default=None, description="In how many places it stands, at least.")


class ReadOutput(JobAnswer):
    """The answer of `read_extract_result`: the values at a path, one page of them."""

    matches: int | None = Field(default=None, description="How many values the path matches.")
    citation_check: str | None = Field(default=None, description=CITATION_CHECK)
    value: Value | None = Field(default=None, description="The value, where the path matches a single one.")
    entry: Entry | None = Field(
        default=None,
        description="What the metadata says of the object or list at the path itself, or of a value in parts.",
    )
    values: list[Table] | None = Field(
        default=None,
        description="The values as tables: the path, then a column for each field. Each value is a list of value, "
        "page, confidence and, as asked for, quote and boxes.",
    )
    cursor: str | None = Field(default=None, description="Cursor of the next page.")
