"""The output model of `show_citation`: values, and the pictures that show them."""

from pydantic import Field

from llx_mcp.answers.output_base import Output
from llx_mcp.answers.outputs import JobAnswer, Table

# The picture marks what the service cites.
AS_CITED = "as cited"


class PageImage(Output):
    """A picture of a page, which the answer has as an image."""

    page: int = Field(description="Page number, from 1.")
    numbers: list[int] = Field(description="The numbers of the values that are marked on it.")
    drawn_from: str = Field(description="Whether it is the service's screenshot, or drawn from the document.")
    resource: str | None = Field(
        default=None, description="URI of the resource that holds it, for clients that show no images."
    )


class CitationOutput(JobAnswer):
    """The answer of `show_citation`: the values that the pictures show, with their provenance."""

    citations: Table | None = Field(
        default=None,
        description="One row for each value: its number on the picture, path, value, confidence, page and quote as the "
        "service cites them, check of the citation against the document, and in `marked` whether the picture marks "
        "what the service cites or the words that were found on a page.",
    )
    pictures: list[PageImage] | None = Field(default=None, description="The images of this answer, in their order.")
    not_shown: list[str] | None = Field(
        default=None, description="Which values have no picture, or no mark on it, and why."
    )
