"""The output models of `read_extract_result`: values, and all that the metadata says of them."""

from pydantic import Field

from llx_mcp.answers.output_base import Confidence, JsonObject, JsonValue, Number, Output
from llx_mcp.answers.outputs import JobAnswer, Table

_MORE = "What else the service sent, as it sent it."


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


class ReadOutput(JobAnswer):
    """The answer of `read_extract_result`: the values at a path, one page of them."""

    matches: int | None = Field(default=None, description="How many values the path matches.")
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
