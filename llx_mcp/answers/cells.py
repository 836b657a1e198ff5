"""A value together with its provenance: `[value, page, confidence]`, and a quote where it tells more than the value."""

import re
from typing import Any

from llx_mcp.answers.provenance import quote_around, round_confidence
from llx_mcp.result.document import Column, Document
from llx_mcp.result.location import Location, root_location
from llx_mcp.result.quote_match import quotes_contain_value
from llx_mcp.result.sanitize import dump_json, sanitize_json, sanitize_text, truncate

# What a model is told about lists that stand for values.
CELLS = "[value, page, confidence]"

# Begins a quote in which the value does not stand.
NOT_IN_QUOTE = "value not in quote: "

_VALUE_CHARS = 240
_MISMATCH_CHARS = 100
_WORD = re.compile(r"\w+")
_COMPARED_CHARS = 1_000
# A quote tells more than its value if it has this many further words.
_FURTHER_WORDS = 3


def build_cell(
    document: Document, column: Column, position: int, *, around: str = "", quote: bool = False, whole: bool = False
) -> Any:
    """Build one value with its provenance.

    Args:
        document: the document that the value belongs to.
        column: the field.
        position: the index of the value in the field.
        around: a text; a long value is cut to the part that contains it.
        whole: whether to show a long value in full.
        quote: whether to add a quote that tells more than the value; one that lacks the value is always added.

    Returns:
        `[value, page, confidence]` or `[value, page, confidence, quote]`; the value alone where the job has no
        metadata, or the value is null.
    """
    value = column.node.values[position]
    shown = value if whole else _cut(value, around)
    if not document.has_metadata or value is None or isinstance(value, dict | list):
        return shown
    page, text = document.first_citation(column.entries[position])
    cell = [shown, page, round_confidence(column.confidences[position])]
    if text is not None and not quotes_contain_value(value, document.quotes(column.entries[position])):
        cell.append(truncate(NOT_IN_QUOTE + quote_around(text, str(value)), _MISMATCH_CHARS))
    elif quote and text is not None and _tells_more(value, text):
        cell.append(quote_around(text, around or str(value)))
    return cell


def cite_all(document: Document) -> Any:
    """Return the whole result with each value as a cell; nulls, empty lists and empty objects stay as they are."""
    return _cite(document, root_location(document.root))


def _cite(document: Document, location: Location) -> Any:
    value = location.value
    if isinstance(value, dict):
        return {member.node.step or "": _cite(document, member) for member in location.members()}
    if isinstance(value, list):
        return [_cite(document, element) for element in location.elements(range(len(value)))]
    return build_cell(document, document.column(location.node), location.position, whole=True)


def _cut(value: Any, around: str) -> Any:
    if not isinstance(value, str):
        return sanitize_json(value)
    return quote_around(value, around) if len(value) > _VALUE_CHARS else sanitize_text(value)


def _tells_more(value: Any, quote: str) -> bool:
    text = value if isinstance(value, str) else dump_json(value)
    further = len(_WORD.findall(quote[:_COMPARED_CHARS])) - len(_WORD.findall(text[:_COMPARED_CHARS]))
    return further >= _FURTHER_WORDS
