"""What a check of the citations found, in words that stand beside the values."""

from functools import cached_property
from typing import Any

from llx_mcp.evidence.checks import Check, CitationCheck
from llx_mcp.evidence.grounding import Grounder
from llx_mcp.evidence.places import Place, Places
from llx_mcp.result.deadline import Deadline
from llx_mcp.result.document import Column, Document
from llx_mcp.result.sanitize import sanitize_line

# Processor time for the checks of one answer; what they do not reach is said not to be checked.
CHECK_SECONDS = 2.0
CHECKED = "checked against the document; a page without a mark is right"

NO_CITATIONS = "missing; a mark says where the document has the value"

_MAX_PAGES = 3
_REASON_CHARS = 100


class CitationChecks:
    """Checks the citations of values when they are shown.

    Attributes:
        evidence: the text of the document.
    """

    def __init__(self, document: Document, evidence: Grounder, deadline: Deadline | None = None) -> None:
        self.evidence = evidence
        self._document = document
        self._deadline = deadline or Deadline(CHECK_SECONDS)
        self._checks: dict[tuple[int, int], Check] = {}

    @cached_property
    def missing(self) -> str | None:
        """Why nothing can be checked; None where the document has text."""
        source = self.evidence.source
        if any(page.words for page in source.pages):
            return None
        problem = source.problem or next((page.problem for page in source.pages if page.problem), "")
        return sanitize_line(problem or "the document has no text", _REASON_CHARS)

    @property
    def note(self) -> str:
        """What an answer says of the checks as a whole."""
        if self.missing is not None:
            return f"not checked: {self.missing}"
        return CHECKED if self._document.num_with_citation else NO_CITATIONS

    def check(self, column: Column, position: int) -> Check:
        """Check the citations of one value."""
        key = id(column.node), position
        if key not in self._checks:
            citations = self._document.citations(column.entries[position])
            value = column.node.values[position]
            self._checks[key] = self.evidence.check(value, citations, deadline=self._deadline)
        return self._checks[key]

    def find(self, value: Any) -> Places:
        """Return where a value stands that has no citation."""
        return self.evidence.find_value(value, deadline=self._deadline)

    def mark(self, column: Column, position: int) -> str | None:
        """Return what is wrong with the citations of a value, or where it was found without one; else None.

        Whether the quote contains the value is not part of it.
        """
        if self.missing is not None:
            return None
        if not self._document.citations(column.entries[position]):
            return self._mark_uncited(column.node.values[position])
        check = self.check(column, position)
        decisive = check.decisive
        if decisive is None or check.verdict in ("verified", "value_not_in_quote"):
            return None
        index = check.citations.index(decisive)
        return describe(decisive, self._document.citations(column.entries[position])[index].page)

    def _mark_uncited(self, value: Any) -> str | None:
        places = self.find(value)
        if not places.total or places.num_pages > _MAX_PAGES:
            return None
        return f"not cited, found on {list_pages(places)}"


def describe(check: CitationCheck, page: float | None) -> str:
    """Say what the check of one citation found: `verified`, or what is wrong and where its words stand instead."""
    if check.verdict == "verified":
        return "verified"
    if check.verdict == "unchecked":
        return f"not checked: {sanitize_line(check.reason, _REASON_CHARS)}"
    if not check.elsewhere.total:
        return f"not on page {page}" if check.verdict == "not_on_page" else f"ambiguous: {check.reason}"
    return f"not on page {page}, but on {list_pages(check.elsewhere)}"


def list_pages(places: Places) -> str:
    """Return the pages of some places: `page 3`, or `pages 3, 5, 9 and 4 others`."""
    pages = sorted({place.page for place in places.places})
    if places.num_pages == 1:
        return f"page {pages[0]}"
    shown = pages[:_MAX_PAGES]
    others = places.num_pages - len(shown)
    return f"pages {', '.join(map(str, shown))}{f' and {others} others' if others else ''}"


def list_place_boxes(place: Place) -> list[list[float]]:
    """Return the rectangles of a place, each as [x, y, width, height]."""
    return [[round(side, 2) for side in box] for box in place.boxes]
