"""Values with their citations, what the check of these found, and where on which page the words stand."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, Literal

import msgspec

from llx_mcp.answers.budget import Answer
from llx_mcp.answers.cells import cut_value, list_boxes
from llx_mcp.answers.citation_checks import LABELS, describe_check, describe_uncited
from llx_mcp.answers.entries import describe_entry
from llx_mcp.answers.provenance import quote_around, round_confidence
from llx_mcp.evidence.checks import Check, CitationCheck
from llx_mcp.evidence.grounding import Grounder
from llx_mcp.evidence.pages import SourceText
from llx_mcp.evidence.places import Place, Places, share_covered
from llx_mcp.result.deadline import Deadline
from llx_mcp.result.document import Box, Citation, Leaf
from llx_mcp.result.location import Location
from llx_mcp.result.paths import show_path
from llx_mcp.result.quote_match import quotes_contain_value
from llx_mcp.result.scalars import find_scalars
from llx_mcp.result.sections import JobSections

# Whose box it is: the one that the service cites, or the words that were found in the text of the document. A block
# surrounds more than the words.
BoxOrigin = Literal["cited", "words", "block", ""]

PageSizes = Mapping[float | None, tuple[float, float]]

MAX_VALUES = 20
_SECONDS = 4.0
_MAX_FOUND = 3
_MISSES_WORDS = "the cited box does not touch the words"


class CitedValue(msgspec.Struct, frozen=True):
    """A value with its provenance.

    Attributes:
        path: its path, as it is shown.
        value: a string, number, boolean or null; a long text is cut.
        confidence: 0 to 1; None where the job has none.
        page: the page that the service cites, from 1; None where it cites none.
        quote: what the service quotes; a long text is cut.
        check: what the check found, in words.
        shown_page: the page on which it is to be shown, from 1; None where no page is known.
        boxes: where it is marked there: x, y, width and height, in points from the top left corner of the page.
        page_size: width and height in points of the page that the boxes refer to; None where they are not known.
        box_origin: where the boxes come from; "" where there are none.
    """

    path: str
    value: Any
    confidence: float | None
    page: int | float | None
    quote: str | None
    check: str
    shown_page: int | None = None
    boxes: list[list[float]] = []
    page_size: tuple[float, float] | None = None
    box_origin: BoxOrigin = ""


class CitedValues(msgspec.Struct, frozen=True):
    """The values at some paths.

    Attributes:
        values: at most `MAX_VALUES`, in the order of the paths, each once.
        total: how many there are in all.
    """

    values: list[CitedValue] = []
    total: int = 0

    def as_answer(self) -> Answer:
        """Return the values in the form in which a worker sends what it has found."""
        return Answer(msgspec.to_builtins(self), "")

    @classmethod
    def of_answer(cls, answer: Answer) -> "CitedValues":
        """Return what `as_answer` returned in another process."""
        return msgspec.convert(answer.structured, cls)


def find_cited_values(
    sections: JobSections, paths: Sequence[str], source: SourceText | None, evidence: Grounder | None
) -> CitedValues:
    """Return the values at some paths, checked against the text of the document where it is at hand.

    Args:
        sections: the sections of the job, which has a result.
        paths: paths of values, or of objects and lists that contain them.
        source: the text of the document.
        evidence: checks citations against that text, and finds values that have none.

    Raises:
        PathError: a path cannot be read, or matches nothing.
        ValueError: the result or the metadata is not JSON that can be read.
    """
    found: dict[tuple[int, int], Location] = {}
    for path in paths:
        for location in find_scalars(sections.document.root, path):
            found.setdefault((id(location.node), location.position), location)
    finder = _Finder(sections, source, evidence)
    return CitedValues([finder.describe(location) for location in islice(found.values(), MAX_VALUES)], len(found))


class _Finder:
    """Finds what is known of values, and where their words stand."""

    def __init__(self, sections: JobSections, source: SourceText | None, evidence: Grounder | None) -> None:
        self._sections = sections
        self._source = source or SourceText()
        self._evidence = evidence
        self._deadline = Deadline(_SECONDS)

    def describe(self, location: Location) -> CitedValue:
        """Return what is known of a value."""
        document = self._sections.document
        leaf = document.leaf(document.column(location.node), location.position)
        first = leaf.citations[0] if leaf.citations else Citation(None, None)
        check, places = self._check(leaf)
        words = describe_value(leaf, check, places)
        sizes = self._find_page_sizes(location) if leaf.citations else {}
        cited, misses_words = self._choose_cited(leaf.citations, check, sizes)
        found = None if cited else self._choose_found(check, places)
        return CitedValue(
            show_path(leaf.path),
            cut_value(leaf.value, ""),
            round_confidence(leaf.confidence),
            first.page,
            None if first.quote is None else quote_around(first.quote, str(leaf.value)),
            f"{words}; {_MISSES_WORDS}" if found and misses_words else words,
            **(cited or found or _choose_page(leaf.citations, sizes)),
        )

    def _check(self, leaf: Leaf) -> tuple[Check | None, Places | None]:
        if self._evidence is None:
            return None, None
        check = self._evidence.check(leaf.value, leaf.citations, deadline=self._deadline)
        if leaf.citations or not self._source.pages:
            return check, None
        return check, self._evidence.find_value(leaf.value, limit=_MAX_FOUND, deadline=self._deadline)

    def _find_page_sizes(self, location: Location) -> PageSizes:
        """Return the sizes of the pages that the service cites, by page."""
        entry = describe_entry(self._sections.entries.read(location), {"boxes"})
        cited = [citation for citation in entry.get("citations", []) if citation.page_size is not None]
        return {citation.page: (citation.page_size[0], citation.page_size[1]) for citation in cited}

    def _choose_cited(
        self, citations: Sequence[Citation], check: Check | None, sizes: PageSizes
    ) -> tuple[dict[str, Any] | None, bool]:
        """Return the boxes that the service cites on the first page where the check does not contradict them.

        The second part says whether the boxes of a citation touch none of its words, which were found on the page.
        """
        checks: Sequence[CitationCheck | None] = check.citations if check is not None else [None] * len(citations)
        uncontradicted: list[Citation] = []
        misses_words = False
        for citation, one in zip(citations, checks, strict=True):
            if not citation.boxes or not isinstance(citation.page, int):
                continue
            if one is not None and self._misses_words(citation, one, sizes.get(citation.page)):
                misses_words = True
            elif one is None or one.verdict != "not_on_page":
                uncontradicted.append(citation)
        if not uncontradicted:
            return None, misses_words
        page = uncontradicted[0].page
        boxes = [box for citation in uncontradicted if citation.page == page for box in list_boxes(citation)]
        return _show_cited(page, boxes, sizes), misses_words

    def _misses_words(self, citation: Citation, check: CitationCheck, size: tuple[float, float] | None) -> bool:
        """Whether the boxes of a citation touch none of its words on the page."""
        places = [place for place in check.places if place.page == citation.page and place.match == "exact"]
        words = [box for place in places for box in place.boxes]
        page = next((page for page in self._source.pages if page.number == citation.page), None)
        if not words or size is None or min(size) <= 0 or page is None or page.width <= 0:
            return False
        across, down = page.width / size[0], page.height / size[1]
        boxes = [Box(box.x * across, box.y * down, box.w * across, box.h * down) for box in citation.boxes]
        return share_covered(words, boxes) == 0

    def _choose_found(self, check: Check | None, places: Places | None) -> dict[str, Any] | None:
        """Return the words that were found in the text of the document: on the cited page, else on another."""
        found: list[Place | None] = []
        for one in check.citations if check is not None else ():
            found += [one.value_place, *one.places[:1], *one.elsewhere.places[:1]]
        found += places.places[:1] if places is not None else ()
        place = next((place for place in found if place is not None), None)
        return None if place is None else self._show_place(place)

    def _show_place(self, place: Place) -> dict[str, Any]:
        page = next(page for page in self._source.pages if page.number == place.page)
        origin = "" if not place.boxes else "words" if self._source.box_of == "word" else "block"
        size = (page.width, page.height) if page.width > 0 and page.height > 0 else None
        boxes = [list(box) for box in place.boxes]
        return {"shown_page": place.page, "boxes": boxes, "page_size": size, "box_origin": origin}


def _choose_page(citations: Sequence[Citation], sizes: PageSizes) -> dict[str, Any]:
    """Return the first cited page, and what the service cites on it, even if the check contradicts it."""
    cited = next((citation for citation in citations if isinstance(citation.page, int)), None)
    return {} if cited is None else _show_cited(cited.page, list_boxes(cited), sizes)


def _show_cited(page: float | None, boxes: list[list[float]], sizes: PageSizes) -> dict[str, Any]:
    origin = "cited" if boxes else ""
    return {"shown_page": page, "boxes": boxes, "page_size": sizes.get(page), "box_origin": origin}


def describe_value(leaf: Leaf, check: Check | None, places: Places | None = None) -> str:
    """Say what a check of a value found.

    Args:
        leaf: the value.
        check: the check of its citations; None where no text of the document is at hand.
        places: where a value without a citation stands; None where that was not looked for.
    """
    if leaf.value is None:
        return "null"
    if not leaf.citations:
        return "not cited" if places is None else describe_uncited(places)
    if check is None:
        return "not checked: the text of the document is not at hand"
    words = describe_check(check, leaf.citations)
    if check.verdict != "unchecked":
        return words
    # The quote can be compared with the value without the document.
    quotes = [citation.quote for citation in leaf.citations if citation.quote]
    is_in_quote = not quotes or quotes_contain_value(leaf.value, quotes)
    return words if is_in_quote else f"{LABELS['value_not_in_quote']}; {words}"
