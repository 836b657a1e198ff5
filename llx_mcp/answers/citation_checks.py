"""What a check of the citations found, in words that stand beside the values."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from llx_mcp.answers.limits import CHECK_SECONDS
from llx_mcp.answers.outputs import NOT_CHECKED
from llx_mcp.evidence.checks import Check, CitationCheck, Verdict
from llx_mcp.evidence.grounding import Grounder
from llx_mcp.evidence.places import Place, Places
from llx_mcp.result.deadline import Deadline
from llx_mcp.result.document import Citation, Column, Document
from llx_mcp.result.sanitize import sanitize_line

CHECKED = "checked against the document; where one fails, it is said beside the value"
NO_CITATIONS = "missing; where the document has a value on few pages, they are named beside it"
# Why nothing is checked, whether the document is at hand or not.
UNCITED_JOB = "the job has no citations"
# The verdicts, in short.
LABELS: Mapping[Verdict, str] = {
    "verified": "verified",
    "not_on_page": "not on the page",
    "value_not_in_quote": "does not contain the value",
    "ambiguous": "ambiguous",
    "unchecked": "not checked",
}

_MAX_PAGES = 3
_REASON_CHARS = 100


def open_checks(document: Document, evidence: Grounder | None) -> "CitationChecks | None":
    """Return what checks the citations of a document; None without a text, or without provenance to check."""
    return CitationChecks(document, evidence) if evidence is not None and document.has_provenance else None


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
        is_cited = self._document.num_with_citation > 0
        if self.missing is not None:
            return f"{NOT_CHECKED}: {self.missing if is_cited else UNCITED_JOB}"
        return CHECKED if is_cited else NO_CITATIONS

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

    def contains_value(self, column: Column, position: int) -> bool | None:
        """Whether the quotes of a value, as they stand on their pages, contain it; None where that is not known."""
        return None if self.missing is not None else self.check(column, position).contains_value

    def note_on(self, column: Column, position: int) -> str | None:
        """Return what is wrong with the citations of a value, or where it was found without one; else None.

        Whether the quote contains the value is not part of it.
        """
        if self.missing is not None:
            return None
        if not self._document.citations(column.entries[position]):
            return self._note_on_uncited(column.node.values[position])
        check = self.check(column, position)
        if check.verdict in ("verified", "value_not_in_quote"):
            return None
        return describe_check(check, self._document.citations(column.entries[position]))

    def _note_on_uncited(self, value: Any) -> str | None:
        places = self.find(value)
        return describe_uncited(places) if 0 < places.num_pages <= _MAX_PAGES else None


def describe_check(check: Check, citations: Sequence[Citation]) -> str:
    """Say what the check of a value's citations found, as the worst of them decides."""
    if check.verdict == "value_not_in_quote" or check.decisive is None:
        return LABELS[check.verdict]
    return describe(check.decisive, citations[check.citations.index(check.decisive)].page)


def describe_uncited(places: Places) -> str:
    """Say where a value without a citation stands."""
    if places.total:
        return f"not cited, found on {list_pages(places)}"
    return f"not cited, not found in {'the document' if places.is_complete else 'the part that was searched'}"


def describe(check: CitationCheck, page: float | None) -> str:
    """Say what the check of one citation found: `verified`, or what is wrong and where its words stand instead."""
    if check.verdict == "verified":
        return LABELS[check.verdict]
    if check.verdict == "unchecked":
        return f"not checked: {sanitize_line(check.reason, _REASON_CHARS)}"
    if not check.elsewhere.total:
        if check.verdict == "ambiguous":
            return f"ambiguous: {check.reason}"
        return f"not on page {page}{', and found nowhere else' if check.elsewhere.is_complete else ''}"
    return f"not on page {page}, but on {list_pages(check.elsewhere)}"


def list_pages(places: Places) -> str:
    """Return the pages of some places: `page 3`, or `pages 3, 5, 9 and 4 others`."""
    pages = sorted({place.page for place in places.places})
    if places.num_pages == 1:
        return f"page {pages[0]}"
    shown = pages[:_MAX_PAGES]
    others = places.num_pages - len(shown)
    more = f" and {others} other{'s' if others > 1 else ''}" if others else ""
    return f"pages {', '.join(map(str, shown))}{more}"


def list_place_boxes(place: Place) -> list[list[float]]:
    """Return the rectangles of a place, each as [x, y, width, height]."""
    return [[round(side, 2) for side in box] for box in place.boxes]
