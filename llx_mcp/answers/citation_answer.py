"""What `show_citation` says beside its pictures: each value with its number, provenance and check."""

from collections.abc import Iterator, Sequence
from typing import Any

from llx_mcp.answers.budget import Answer, TableBuilder
from llx_mcp.answers.citation_outputs import AS_CITED, CitationOutput, PageImage
from llx_mcp.answers.cited_values import CitedValue, CitedValues
from llx_mcp.answers.header import Header, start_answer
from llx_mcp.answers.outputs import NextStep, Omission
from llx_mcp.answers.requests import JobRequest
from llx_mcp.answers.row_lines import citation_line
from llx_mcp.result.sanitize import sanitize_line

# Enough for as many values as one answer shows.
CITATION_CHARS = 12_000
_COLUMNS = ("number", "path", "value", "confidence", "page", "quote", "check", "marked")
_REASON_CHARS = 300
_MAX_REASONS = 5


def build_citation_answer(
    header: Header,
    request: JobRequest,
    found: CitedValues,
    images: Sequence[PageImage],
    reasons: Sequence[str],
) -> Answer:
    """Build what is said beside the pictures.

    Args:
        header: what every answer says of the job.
        request: the request.
        found: the values, in the order of their numbers.
        images: the pictures, in their order.
        reasons: which values have no picture, or no mark on it, and why.
    """
    builder = start_answer(header, request.max_chars, CitationOutput)
    if images:
        builder.add("pictures", list(images))
    if reasons:
        builder.add("not_shown", [sanitize_line(reason, _REASON_CHARS) for reason in reasons[:_MAX_REASONS]])
    if not found.values:
        return builder.build()
    if not images:
        call = request.call("read_source_text", path=found.values[0].path)
        builder.add_next_steps(
            [NextStep(text="The words of the document around it, where they can be read:", call=call)]
        )
    drawn = {number for image in images for number in image.numbers}
    table = TableBuilder("citations", _COLUMNS, _iter_rows(found.values, drawn), citation_line)
    table.fill(builder.room)
    builder.add("citations", table.table)
    if left := found.total - len(table.rows):
        builder.omit(Omission(what="values", count=left, total=found.total, hint="name fewer values in path"))
    return builder.build()


def _iter_rows(values: Sequence[CitedValue], drawn: set[int]) -> Iterator[list[Any]]:
    for number, value in enumerate(values, start=1):
        facts = [value.path, value.value, value.confidence, value.page, value.quote, value.check]
        yield [number, *facts, _describe_marked(value) if number in drawn else None]


def _describe_marked(value: CitedValue) -> str:
    """Return whose place a picture marks."""
    if value.box_origin == "cited":
        return AS_CITED
    what = "words" if value.box_origin == "words" else "block"
    return f"{what} found on page {value.shown_page}"
