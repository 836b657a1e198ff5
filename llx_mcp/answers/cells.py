"""A value together with its provenance: `[value, page, confidence]`, and a quote where it tells more than the value."""

import re
from collections.abc import Collection
from typing import Any

from llx_mcp.answers.citation_checks import CitationChecks
from llx_mcp.answers.provenance import quote_around, round_confidence
from llx_mcp.result.document import Citation, Column, Document
from llx_mcp.result.location import Location, root_location
from llx_mcp.result.quote_match import quotes_contain_value
from llx_mcp.result.sanitize import format_value, sanitize_json, sanitize_text, truncate

# What a list that stands for a value holds.
CELLS = "[value, page, confidence]"
_WITH_QUOTE = "[value, page, confidence, quote]"
_WITH_BOXES = "[value, page, confidence, quote, boxes]"

# Begins a quote in which the value does not stand.
NOT_IN_QUOTE = "value not in quote: "

_VALUE_CHARS = 240
_MISMATCH_CHARS = 100
_WORD = re.compile(r"\w+")
_COMPARED_CHARS = 1_000
# A quote tells more than its value if it has this many further words.
_FURTHER_WORDS = 3


def describe_cells(include: Collection[str]) -> str | None:
    """Return what a cell holds with these parts of `build_cell`; None where it is the value alone."""
    if not include:
        return None
    return _WITH_BOXES if "boxes" in include else _WITH_QUOTE if "quotes" in include else CELLS


def build_cell(
    document: Document,
    column: Column,
    position: int,
    *,
    around: str = "",
    whole: bool = False,
    include: Collection[str] = ("provenance",),
    checks: CitationChecks | None = None,
) -> Any:
    """Build one value with its provenance.

    Args:
        document: the document that the value belongs to.
        column: the field.
        position: the index of the value in the field.
        around: a text; a long value is cut to the part that contains it.
        whole: whether to show a long value in full.
        include: what to show: `quotes` adds a quote that tells more than the value, `boxes` its rectangles. A quote
            that lacks the value is always added.
        checks: the checks of the citations; a note of what they find wrong stands before the quote.

    Returns:
        `[value, page, confidence]`, then the quote and the boxes if there are any; the value alone where the job has no
        metadata, or the value is null.
    """
    value = column.node.values[position]
    shown = value if whole else cut_value(value, around)
    if not document.has_provenance or value is None or isinstance(value, dict | list):
        return shown
    entry = column.entries[position]
    page, text = document.first_citation(entry)
    cell = [shown, page, round_confidence(column.confidences[position])]
    contains = checks.contains_value(column, position) if checks is not None and text is not None else None
    if contains is None:
        contains = quotes_contain_value(value, document.quotes(entry))
    quote = _show_quote(value, text, around, contains=contains, with_context="quotes" in include)
    if checks is not None and (note := checks.note_on(column, position)):
        quote = note if quote is None else f"{note}; {quote}"
    if "boxes" in include:
        return [*cell, quote, next(map(list_boxes, document.citations(entry)), [])]
    return cell if quote is None else [*cell, quote]


def list_boxes(citation: Citation) -> list[list[float]]:
    """Return the rectangles of a citation, each as [x, y, width, height]."""
    return [[box.x, box.y, box.w, box.h] for box in citation.boxes]


def cite_all(document: Document, checks: CitationChecks | None = None) -> Any:
    """Return the whole result with each value as a cell; nulls, empty lists and empty objects stay as they are."""
    return _cite(document, root_location(document.root), checks)


def _cite(document: Document, location: Location, checks: CitationChecks | None) -> Any:
    value = location.value
    if isinstance(value, dict):
        return {member.node.step or "": _cite(document, member, checks) for member in location.members()}
    if isinstance(value, list):
        return [_cite(document, element, checks) for element in location.elements(range(len(value)))]
    column = document.column(location.node)
    return build_cell(document, column, location.position, whole=True, checks=checks)


def cut_value(value: Any, around: str) -> Any:
    """Return a value with a long text cut to the part that contains `around`, else to its beginning."""
    if not isinstance(value, str):
        return sanitize_json(value)
    return quote_around(value, around) if len(value) > _VALUE_CHARS else sanitize_text(value)


def _show_quote(value: Any, quote: str | None, around: str, *, contains: bool, with_context: bool) -> str | None:
    if quote is None:
        return None
    if not contains:
        return str(truncate(NOT_IN_QUOTE + quote_around(quote, str(value)), _MISMATCH_CHARS))
    return quote_around(quote, around or str(value)) if with_context and _tells_more(value, quote) else None


def _tells_more(value: Any, quote: str) -> bool:
    shown = format_value(value)
    further = len(_WORD.findall(quote[:_COMPARED_CHARS])) - len(_WORD.findall(shown[:_COMPARED_CHARS]))
    return further >= _FURTHER_WORDS
