"""How sure the job is of its values: counts, and each value with its provenance, least certain first."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from llx_mcp.answers.budget import Cost, Rows, part_cost
from llx_mcp.answers.header import REVIEW_THRESHOLD
from llx_mcp.answers.markdown import evidence_line
from llx_mcp.result.document import Document, Leaf
from llx_mcp.result.paths import show_path
from llx_mcp.result.sanitize import sanitize_text, truncate

_COLUMNS = ["path", "value", "confidence", "page", "quote"]
_VALUE_CHARS = 120
_QUOTE_CHARS = 160
_LEAD_CHARS = 40
UNBOUNDED = Cost(1 << 62, 1 << 62)
# A row takes more than twenty characters, so no budget has room for more.
_MOST_SHOWN = 20_000


@dataclass(frozen=True)
class ConfidenceRanking:
    """The values of a document in the order in which they deserve a look: lowest confidence first."""

    document: Document

    @cached_property
    def num_leaves(self) -> int:
        """Values that have a place in the evidence: all, or none where the job has no metadata."""
        return self.document.num_values if self.document.has_metadata else 0

    @cached_property
    def num_doubtful(self) -> int:
        """Values whose confidence is below the documented cut-off for review."""
        return self.document.num_below(REVIEW_THRESHOLD)

    @cached_property
    def checks(self) -> dict[str, Any]:
        """Counts over all values of the result."""
        document = self.document
        checks: dict[str, Any] = {"values": document.num_values, "nulls": document.num_nulls}
        if document.has_metadata:
            checks |= {
                "doubtful": self.num_doubtful,
                "threshold": REVIEW_THRESHOLD,
                "unrated": document.num_values - document.num_with_confidence,
                "uncited": document.num_values - document.num_with_citation,
            }
        return checks

    def rows(self, most: int | None = None) -> Rows:
        """The `most` least certain values as a table to fill; all by default."""
        most = self.num_leaves if most is None else min(most, self.num_leaves)
        rows: Iterator[list[Any]] = map(evidence_row, self.document.ranked(min(most, _MOST_SHOWN)))
        head = part_cost("evidence", {"columns": _COLUMNS, "rows": []})
        return Rows(head, _COLUMNS, rows, evidence_line)

    def cost(self, most: int | None = None) -> Cost:
        """What the `most` least certain values take; all by default."""
        return self.rows(most).fill(UNBOUNDED)


def evidence_row(leaf: Leaf) -> list[Any]:
    """A value with its provenance as a row: path, value, confidence, page, quote."""
    value = truncate(sanitize_text(leaf.value), _VALUE_CHARS) if isinstance(leaf.value, str) else leaf.value
    confidence = None if leaf.confidence is None else round(leaf.confidence, 3)
    if not leaf.citations:
        return [show_path(leaf.path), value, confidence, None, None]
    first = leaf.citations[0]
    quote = None if first.quote is None else quote_around(first.quote, str(leaf.value))
    if len(leaf.citations) > 1:
        quote = f"{quote or ''} [+{len(leaf.citations) - 1} citations]".strip()
    return [show_path(leaf.path), value, confidence, first.page, quote]


def quote_around(quote: str, value: str) -> str:
    """The visible words around a value, where a long quote holds it; else how the quote begins."""
    quote = sanitize_text(quote)
    if len(quote) <= _QUOTE_CHARS:
        return quote
    at = quote.casefold().find(value.casefold()) if len(value) < _QUOTE_CHARS else -1
    start = max(at - _LEAD_CHARS, 0) if at + len(value) > _QUOTE_CHARS else 0
    return (
        f"{'…' if start else ''}{quote[start : start + _QUOTE_CHARS]}{'…' if start + _QUOTE_CHARS < len(quote) else ''}"
    )
