"""How sure the job is of its values: counts, and each value with its provenance, least certain first."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from llx_mcp.reading.budget import Cost, Rows, part_cost
from llx_mcp.reading.document import Document, Leaf
from llx_mcp.reading.paths import show_path
from llx_mcp.reading.text import evidence_line
from llx_mcp.reading.visible import clip, visible

REVIEW_THRESHOLD = 0.8

_COLUMNS = ["path", "value", "confidence", "page", "quote"]
_VALUE_CHARS = 120
_QUOTE_CHARS = 160
_LEAD_CHARS = 40
_UNBOUNDED = Cost(1 << 62, 1 << 62)


@dataclass(frozen=True)
class Evidence:
    """The values of a document in the order in which they deserve a look."""

    document: Document

    @cached_property
    def leaves(self) -> list[Leaf]:
        """Lowest confidence first; those without a rating after all that have one; none without metadata."""
        if not self.document.has_metadata:
            return []
        return sorted(self.document.leaves, key=lambda leaf: (leaf.confidence is None, leaf.confidence or 0.0))

    @cached_property
    def num_doubtful(self) -> int:
        """Values whose confidence is below the documented cut-off for review."""
        return sum(leaf.confidence is not None and leaf.confidence < REVIEW_THRESHOLD for leaf in self.leaves)

    @cached_property
    def checks(self) -> dict[str, Any]:
        """Counts over all values of the result."""
        leaves = self.document.leaves
        checks: dict[str, Any] = {"values": len(leaves), "nulls": self.document.nulls}
        if self.document.has_metadata:
            checks |= {
                "doubtful": self.num_doubtful,
                "threshold": REVIEW_THRESHOLD,
                "unrated": sum(leaf.confidence is None for leaf in leaves),
                "uncited": sum(not leaf.citations for leaf in leaves),
            }
        return checks

    def rows(self, most: int | None = None) -> Rows:
        """The first `most` values as a table to fill; all by default."""
        rows: Iterator[list[Any]] = map(_row, self.leaves[:most])
        head = part_cost("evidence", {"columns": _COLUMNS, "rows": []})
        return Rows(head, _COLUMNS, rows, evidence_line)

    def cost(self, most: int | None = None) -> Cost:
        """What the first `most` values take; all by default."""
        return self.rows(most).fill(_UNBOUNDED)


def _row(leaf: Leaf) -> list[Any]:
    value = clip(visible(leaf.value), _VALUE_CHARS) if isinstance(leaf.value, str) else leaf.value
    confidence = None if leaf.confidence is None else round(leaf.confidence, 3)
    if not leaf.citations:
        return [show_path(leaf.path), value, confidence, None, None]
    first = leaf.citations[0]
    quote = None if first.quote is None else _quote(visible(first.quote), str(leaf.value))
    if len(leaf.citations) > 1:
        quote = f"{quote or ''} [+{len(leaf.citations) - 1} citations]".strip()
    return [show_path(leaf.path), value, confidence, first.page, quote]


def _quote(quote: str, value: str) -> str:
    """The words around the value, where a long quote holds it; else how the quote begins."""
    if len(quote) <= _QUOTE_CHARS:
        return quote
    at = quote.casefold().find(value.casefold()) if len(value) < _QUOTE_CHARS else -1
    start = max(at - _LEAD_CHARS, 0) if at + len(value) > _QUOTE_CHARS else 0
    return (
        f"{'…' if start else ''}{quote[start : start + _QUOTE_CHARS]}{'…' if start + _QUOTE_CHARS < len(quote) else ''}"
    )
