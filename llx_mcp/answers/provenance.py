"""How confident the job is in its values: counts, and each value with its provenance, lowest confidence first."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

from llx_mcp.answers.budget import TableBuilder
from llx_mcp.answers.limits import REVIEW_THRESHOLD
from llx_mcp.answers.outputs import Counts
from llx_mcp.answers.row_lines import value_line
from llx_mcp.result.document import Document, Leaf
from llx_mcp.result.paths import show_path
from llx_mcp.result.sanitize import sanitize_text, truncate

_COLUMNS = ("path", "value", "confidence", "page", "quote")
_VALUE_CHARS = 120
_QUOTE_CHARS = 160
_LEAD_CHARS = 40
# A row takes more than twenty characters, so no budget has room for more.
_MAX_ROWS = 20_000
_MAX_RANKED = 1_000


@dataclass(frozen=True)
class ConfidenceRanking:
    """The values of a document in the order of their confidence, lowest first."""

    document: Document

    @cached_property
    def num_leaves(self) -> int:
        """How many values are ranked: all, or none where the job has no metadata."""
        return self.document.num_values if self.document.has_metadata else 0

    @cached_property
    def num_low(self) -> int:
        """Values whose confidence is below the documented cut-off for review."""
        return self.document.num_below(REVIEW_THRESHOLD)

    @cached_property
    def counts(self) -> Counts:
        """Counts over all values of the result."""
        document = self.document
        if not document.has_metadata:
            return Counts(values=document.num_values, nulls=document.num_nulls)
        return Counts(
            values=document.num_values,
            nulls=document.num_nulls,
            low_confidence=self.num_low,
            threshold=REVIEW_THRESHOLD,
            # Nothing is said of what no value lacks.
            without_confidence=(document.num_values - document.num_with_confidence) or None,
            without_citation=(document.num_values - document.num_with_citation) or None,
        )

    def build_table(self, most: int) -> TableBuilder:
        """Prepare a table of the `most` values with the lowest confidence."""
        most = min(most, self.num_leaves, _MAX_ROWS)
        rows: Iterator[list[Any]] = map(value_row, self.document.ranked(most))
        return TableBuilder("lowest_confidence", _COLUMNS, rows, value_line)

    def build_informative_table(self, limit: int) -> TableBuilder:
        """Prepare a table of the values with the lowest confidence, without constants and numbers of rows."""
        informative = self.document.lowest_informative(min(self.num_low, _MAX_RANKED))
        rows = (value_row(leaf)[:-1] for leaf in islice(informative, limit))
        return TableBuilder("lowest_confidence", _COLUMNS[:-1], rows, value_line)


def value_row(leaf: Leaf) -> list[Any]:
    """Build the row of a value with its provenance: path, value, confidence, page, quote."""
    value = truncate(sanitize_text(leaf.value), _VALUE_CHARS) if isinstance(leaf.value, str) else leaf.value
    confidence = round_confidence(leaf.confidence)
    if not leaf.citations:
        return [show_path(leaf.path), value, confidence, None, None]
    first = leaf.citations[0]
    quote = None if first.quote is None else quote_around(first.quote, str(leaf.value))
    return [show_path(leaf.path), value, confidence, first.page, add_citation_count(quote, len(leaf.citations))]


def round_confidence(confidence: float | None) -> float | None:
    """Round a confidence to what is shown."""
    return None if confidence is None else round(confidence, 3)


def add_citation_count(quote: str | None, num_citations: int) -> str | None:
    """Append to a quote how many more citations there are."""
    more = f" [+{num_citations - 1} citations]" if num_citations > 1 else ""
    return f"{quote or ''}{more}".strip() or None


def quote_around(quote: str, value: str, max_chars: int = _QUOTE_CHARS) -> str:
    """Return the words around a value where a long quote contains it; else how the quote begins."""
    quote = sanitize_text(quote)
    if len(quote) <= max_chars:
        return quote
    at = quote.casefold().find(value.casefold()) if len(value) < max_chars else -1
    lead = min(_LEAD_CHARS, max_chars - len(value)) if at >= 0 else 0
    start = max(at - lead, 0) if at + len(value) > max_chars else 0
    end = start + max_chars
    return f"{'…' if start else ''}{quote[start:end]}{'…' if end < len(quote) else ''}"
