"""The text of a document line by line, and which lines surround a place."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from llx_mcp.errors import ArgumentError
from llx_mcp.evidence.pages import SourcePage, SourceText
from llx_mcp.evidence.places import Place

# A longer line is shown in parts of at most this many characters, if words allow it.
_LINE_CHARS = 240
_RANGE = re.compile(r"(\d{1,9})(?:\s*[-–]\s*(\d{1,9}))?\Z")
_MAX_RANGES = 200


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a page.

    Attributes:
        page: the page number, from 1.
        number: the number of the line on its page, from 1.
        text: its words.
    """

    page: int
    number: int
    text: str


class PageLines:
    """The lines of one page."""

    def __init__(self, page: SourcePage) -> None:
        self.page = page

    @cached_property
    def _starts(self) -> list[int]:
        """The index of the first word of each line, and the number of words."""
        words, given = self.page.words, set(self.page.line_starts)
        starts, length = [], 0
        for index, word in enumerate(words):
            if not index or index in given or length + len(word) > _LINE_CHARS:
                starts.append(index)
                length = 0
            length += len(word) + 1
        return [*starts, len(words)]

    def __len__(self) -> int:
        return len(self._starts) - 1

    def line(self, index: int) -> Line:
        """Return one line, counted from 0."""
        words = self.page.words[self._starts[index] : self._starts[index + 1]]
        return Line(self.page.number, index + 1, " ".join(words))

    def index_of(self, word: int) -> int:
        """Return the index of the line that has a word."""
        return max(sum(start <= word for start in self._starts[:-1]) - 1, 0)


class DocumentLines:
    """The lines of a document.

    Attributes:
        source: the text of the document.
        by_number: its pages by their number.
    """

    def __init__(self, source: SourceText) -> None:
        self.source = source
        self.by_number = {page.number: PageLines(page) for page in source.pages}

    def of_page(self, number: int) -> list[Line]:
        """Return the lines of a page; none where there is no such page."""
        page = self.by_number.get(number)
        return [] if page is None else [page.line(index) for index in range(len(page))]

    def around(self, place: Place, num_lines: int) -> list[Line]:
        """Return the lines of a place with so many lines before and after it, also from the pages beside it."""
        page = self.by_number[place.page]
        first, last = page.index_of(place.first), page.index_of(place.last)
        before = [*self.of_page(place.page - 1), *self.of_page(place.page)[:first]][-num_lines:]
        middle = self.of_page(place.page)[first : last + 1]
        after = [*self.of_page(place.page)[last + 1 :], *self.of_page(place.page + 1)][:num_lines]
        return [*before, *middle, *after]

    def words_of(self, place: Place) -> str:
        """Return the words of a place."""
        return " ".join(self.by_number[place.page].page.words[place.first : place.last + 1])

    def line_of(self, place: Place) -> int:
        """Return the number of the line where a place begins, from 1."""
        return self.by_number[place.page].index_of(place.first) + 1


def parse_pages(text: str, known: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return which of some pages are named, in order, and the first few that are named and not known.

    Args:
        text: such as `3-5,9`.
        known: page numbers, ascending.

    Raises:
        ArgumentError: the text is something else, or a range is reversed.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    found = [_RANGE.match(part) for part in parts]
    if not parts or len(parts) > _MAX_RANGES or not all(found):
        raise ArgumentError("pages: give page numbers from 1, such as 3 or 3-5,9.")
    ranges = [(int(match[1]), int(match[2] or match[1])) for match in found if match]
    if turned := next(((first, last) for first, last in ranges if first > last), None):
        first, last = turned
        raise ArgumentError(f"pages: the range {first}-{last} is reversed. Give the first page first: {last}-{first}.")
    named = [number for number in known if any(first <= number <= last for first, last in ranges)]
    unknown = [first for first, last in ranges if not any(first <= number <= last for number in named)]
    return named, unknown


def format_ranges(numbers: Iterable[int]) -> str:
    """Return ascending numbers as ranges: `3-5, 9`."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)
