"""Checks the citations of values against the text of the document, and finds where values and words stand."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from llx_mcp.evidence.checks import SEVERITY, Check, CitationCheck, Verdict
from llx_mcp.evidence.citations import MAX_PLACES, MIN_SIMILARITY, CitationChecker, CitedPassage, build_needles
from llx_mcp.evidence.document_index import MAX_SIMILAR, DocumentIndex
from llx_mcp.evidence.page_index import Hit
from llx_mcp.evidence.pages import SourceText
from llx_mcp.evidence.places import Place, Places, Span
from llx_mcp.evidence.similar import find_similar
from llx_mcp.evidence.streams import MAX_CHARS, Needle, build_needle
from llx_mcp.evidence.values import locate_date
from llx_mcp.result.deadline import Deadline
from llx_mcp.result.quote_match import THOUSANDS, parse_iso_date, quotes_contain_value, read_amount

# Values and quotes are compared with each other up to here.
_MAX_COMPARED_CHARS = 100_000
# How much of a value a quote must be, and how like the rest must be to what stands on the page.
_MIN_SHARE_QUOTED = 0.25
_MIN_VALUE_SIMILARITY = 0.95
_MIN_SEARCH_SIMILARITY = 0.75
_MAX_ON_PAGE = 50
_MAX_FOUND = 2_000
UNKNOWN_SCALE = "the quote has the number in another scale, which its page does not name"
_FOREVER = Deadline(float("inf"))


class Grounder:
    """Compares citations with the text of a document. The pages are indexed once, when they are first needed.

    Attributes:
        source: the text of the document.
    """

    def __init__(self, source: SourceText) -> None:
        self.source = source
        self._document = DocumentIndex(source)
        self._citations = CitationChecker(self._document)
        self._found: dict[tuple[str | float, int], Places] = {}

    def check(self, value: Any, citations: Sequence[CitedPassage], *, deadline: Deadline = _FOREVER) -> Check:
        """Compare the citations of one value with their pages, and the value with the quotes.

        Each quote must stand on its page; all quotes together must contain the value. Of several citations the worst
        decides, in the order not_on_page, ambiguous, value_not_in_quote, unchecked. A citation that could not be
        checked counts only where the others do not contain the value.

        Args:
            value: any JSON value.
            citations: its citations.
            deadline: when the work ends; what is not checked by then is `unchecked`.
        """
        if not citations:
            return Check("unchecked", "it has no citation")
        value = value[:_MAX_COMPARED_CHARS] if isinstance(value, str) else value
        checks = tuple(self._citations.check(value, citation, deadline) for citation in citations)
        contains = self._contains(value, citations, checks)
        if contains is False and self._contains(value, citations, checks, THOUSANDS):
            contains, checks = None, tuple(map(_doubt_scale, checks))
        verdict = _decide(checks, contains)
        decisive = next((check for check in checks if check.verdict == verdict), checks[0])
        return Check(verdict, decisive.reason, contains, decisive, checks)

    def find_value(self, value: Any, *, limit: int = MAX_PLACES, deadline: Deadline = _FOREVER) -> Places:
        """Return where a value stands that has no citation: as text, as a number in any format, or as a date.

        Null, booleans, objects and lists stand nowhere.
        """
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return Places()
        # Many values of a result are the same: units, currencies, names.
        key = (value, limit)
        if key not in self._found:
            found = self._find_value(value, limit, deadline)
            if found.is_cut or len(self._found) >= _MAX_FOUND:
                return found
            self._found[key] = found
        return self._found[key]

    def _find_value(self, value: str | float, limit: int, deadline: Deadline) -> Places:
        if not isinstance(value, str):
            return self._find_number(value, limit, deadline)
        needle = build_needle(value[:MAX_CHARS])
        if (found := self._document.find_text([needle], limit, deadline)).total:
            return found
        if parse_iso_date(value) is not None:
            return self._find_date(value, limit, deadline)
        for number in read_amount(value):
            if (found := self._find_number(number, limit, deadline)).total:
                return found
        return self._collect_similar(needle, MIN_SIMILARITY, limit, deadline)

    def search(self, text: str, limit: int = 10, *, deadline: Deadline = _FOREVER) -> Places:
        """Return where words stand that a user looks for: as given, else the same words, else similar words."""
        needles = build_needles(text)
        if not needles or (found := self._document.find_text(needles, limit, deadline)).total:
            return found if needles else Places()
        return self._collect_similar(needles[-1], _MIN_SEARCH_SIMILARITY, limit, deadline)

    def _collect_similar(self, needle: Needle, min_score: float, limit: int, deadline: Deadline) -> Places:
        similar = self._document.find_similar(needle, min_score, deadline)
        return self._document.collect(similar, limit, deadline, is_cut=len(similar) >= MAX_SIMILAR)

    def words(self, place: Place) -> str:
        """Return the words at a place, as the document has them."""
        return self._text([place])

    def _find_number(self, value: float, limit: int, deadline: Deadline) -> Places:
        return self._document.collect(self._document.find_number(value, deadline), limit, deadline)

    def _find_date(self, value: str, limit: int, deadline: Deadline) -> Places:
        year = (parse_iso_date(value) or ("", 0, 0))[0]
        postings = self._document.postings(deadline)
        pages = dict.fromkeys([*postings.get(year, ()), *postings.get(year[2:], ())])
        hits = (Hit(page, span) for page in deadline.limit(pages) for span in locate_date(page, value, page.whole))
        return self._document.collect(hits, limit, deadline, is_cut=not self._document.is_indexed)

    def _contains(
        self,
        value: Any,
        citations: Sequence[CitedPassage],
        checks: Sequence[CitationCheck],
        scales: Collection[float] | None = None,
    ) -> bool | None:
        """Whether the quotes, as they stand on their pages, contain a value; None where that cannot be said.

        A number may be given by the factors `scales`; by those that the pages name, if there are none.
        """
        compared = [
            ((citation.quote or "")[:_MAX_COMPARED_CHARS], check.places)
            for citation, check in zip(citations, checks, strict=True)
            if check.verdict != "unchecked"
        ]
        scales = self._find_scales(value, checks) if scales is None else scales
        is_exact = all(place.match == "exact" for _, places in compared for place in places)
        if is_exact and quotes_contain_value(value, [quote for quote, _ in compared], scales):
            return True if compared else None
        passages = [self._text(places) or quote for quote, places in compared]
        if quotes_contain_value(value, passages, scales) or any(self._goes_on(value, places) for _, places in compared):
            return True
        # A quote that could not be checked may contain it.
        return False if len(compared) == len(checks) else None

    def _find_scales(self, value: Any, checks: Sequence[CitationCheck]) -> frozenset[float]:
        """Return the factors that the pages of the quotes name for their numbers."""
        if isinstance(value, str):
            return frozenset()
        pages = {place.page for check in checks for place in check.places}
        return frozenset().union(*(self._document.by_number[page].scales for page in pages))

    def _goes_on(self, value: Any, places: Sequence[Place]) -> bool:
        """Whether a quote is part of a longer text, and the rest of the text stands on the page around it."""
        text = self._text(places)
        if (
            not places
            or not isinstance(value, str)
            or not _MIN_SHARE_QUOTED * len(value) <= len(text) <= len(value) * 2
        ):
            return False
        place = places[0]
        page, needle = self._document.by_number[place.page], build_needle(value[:MAX_CHARS])
        spans = page.find_exact(needle, _MAX_ON_PAGE) or filter(
            None, [find_similar(page, needle, _MIN_VALUE_SIMILARITY)]
        )
        size = place.last - place.first + 1
        return any(min(span.last, place.last) - max(span.first, place.first) + 1 > size / 2 for span in spans)

    def _text(self, places: Sequence[Place]) -> str:
        pages = self._document.by_number
        return " ".join(pages[place.page].text(Span(place.first, place.last)) for place in places)


def _doubt_scale(check: CitationCheck) -> CitationCheck:
    return replace(check, verdict="ambiguous", reason=UNKNOWN_SCALE) if check.verdict == "verified" else check


def _decide(checks: Sequence[CitationCheck], contains: bool | None) -> Verdict:
    verdicts = {check.verdict for check in checks}
    if contains and "verified" in verdicts:
        verdicts.discard("unchecked")
    if contains is False:
        verdicts = (verdicts - {"verified"}) | {"value_not_in_quote"}
    return next(verdict for verdict in SEVERITY if verdict in verdicts)
