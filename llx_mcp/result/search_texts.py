"""The strings, numbers and quotes of one field, each joined, so that a search is one pass over all of them."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import islice

from llx_mcp.result.document import Document, is_scalar
from llx_mcp.result.normalize import extract_digits, normalize_texts, numbers_in
from llx_mcp.result.outline import Node
from llx_mcp.result.sanitize import dump_json
from llx_mcp.result.words import PREFIX, WORD, Term

# A value that is the term and nothing else, and a text that holds the number.
_EXACT, _NUMBER_IN_TEXT = 1.5, 1.3
# How much a word counts in a text longer than this, which has many.
_LONG, _LONG_CHARS = 0.8, 100
_MIN_DIGITS = 3
# After so many places within words, a text is not searched further for a word.
_MAX_PARTS = 10_000
_NUMBER_TEXT_CHARS = 10_000
_SEPARATOR = "\x00"


class _JoinedTexts:
    """Texts as one text, with the place of each.

    Attributes:
        text: the joined texts.
        starts: where each of them begins.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self.text = _SEPARATOR.join(texts)
        self.starts: list[int] = []
        start = 0
        for text in texts:
            self.starts.append(start)
            start += len(text) + 1

    def index_at(self, start: int) -> int:
        """Return the index of the text that a character belongs to."""
        return bisect_right(self.starts, start) - 1

    def find(self, needle: str) -> Iterator[int]:
        """Yield the index of each text that contains a needle."""
        start = self.text.find(needle)
        while start >= 0:
            index = self.index_at(start)
            yield index
            start = self.text.find(needle, self.end(index))

    def end(self, index: int) -> int:
        """Return where a text ends."""
        return self.starts[index + 1] - 1 if index + 1 < len(self.starts) else len(self.text)


class FieldTexts:
    """The strings of one field, normalized and joined, so that a search is one pass over all of them."""

    def __init__(self, node: Node) -> None:
        # Each distinct string is searched once, since a field often has few of them.
        positions: dict[str, list[int]] = {}
        for position, value in enumerate(node.values):
            if isinstance(value, str):
                positions.setdefault(value, []).append(position)
        self._raw = list(positions)
        self._positions = list(positions.values())
        self._joined = _JoinedTexts(normalize_texts(self._raw))
        self._digits: list[str] | None = None

    def find(self, term: Term) -> dict[int, float]:
        """Return how well the strings at some positions contain a term, in the order of the document."""
        found: dict[int, float] = {}
        for form in term.forms:
            self._find_form(term, form, found)
        for start, weight in term.find_endings(self._joined.text):
            self._note(self._joined.index_at(start), weight, found)
        if len(term.digits) >= _MIN_DIGITS and term.numbers:
            self._find_number(term, found)
        return dict(sorted((at, weight) for index, weight in found.items() for at in self._positions[index]))

    def _find_form(self, term: Term, form: str, found: dict[int, float]) -> None:
        joined = self._joined
        start, num_in_text, last = joined.text.find(form), 0, -1
        while start >= 0:
            index = joined.index_at(start)
            num_in_text, last = num_in_text + 1 if index == last else 0, index
            weight = self._weigh(term, form, start, index)
            self._note(index, weight, found)
            # One whole word is as good as several, and a text that has none for long has none.
            is_done = weight >= WORD or num_in_text >= _MAX_PARTS
            following = joined.end(index) if is_done else start + 1
            start = joined.text.find(form, following)

    def _weigh(self, term: Term, form: str, start: int, index: int) -> float:
        joined = self._joined
        is_whole = start == joined.starts[index] and start + len(form) == joined.end(index)
        return _EXACT if is_whole and form == term.text else term.weigh_at(joined.text, form, start)

    def _note(self, index: int, weight: float, found: dict[int, float]) -> None:
        """Note how well an occurrence fits, unless its text has a better one."""
        is_long = self._joined.end(index) - self._joined.starts[index] > _LONG_CHARS
        counted = weight * _LONG if is_long else weight
        if counted > found.get(index, 0.0):
            found[index] = counted

    def _find_number(self, term: Term, found: dict[int, float]) -> None:
        if self._digits is None:
            self._digits = extract_digits(self._raw)
        for index, digits in enumerate(self._digits):
            if term.digits in digits and found.get(index, 0.0) < _NUMBER_IN_TEXT:
                numbers = numbers_in(self._raw[index][:_NUMBER_TEXT_CHARS])
                if not term.numbers.isdisjoint(numbers):
                    found[index] = _NUMBER_IN_TEXT


class FieldNumbers:
    """The numbers of one field."""

    def __init__(self, node: Node) -> None:
        self._positions = [i for i, value in enumerate(node.values) if type(value) in (int, float)]
        self._values = [node.values[i] for i in self._positions]
        self._joined: _JoinedTexts | None = None

    def find(self, term: Term) -> dict[int, float]:
        """Return how well the numbers at some positions fit a term that is a number."""
        found: dict[int, float] = {}
        if len(term.digits) >= _MIN_DIGITS:
            self._find_digits(term.text, found)
        numbers = term.numbers
        pairs = zip(self._positions, self._values, strict=True)
        return found | {position: _EXACT for position, value in pairs if value in numbers}

    def _find_digits(self, digits: str, found: dict[int, float]) -> None:
        if self._joined is None:
            self._joined = _JoinedTexts(list(map(dump_json, self._values)))
        for index in self._joined.find(digits):
            found[self._positions[index]] = PREFIX


class FieldQuotes:
    """The quotes of one field's scalars. Those of one value are one text."""

    def __init__(self, document: Document, node: Node) -> None:
        self._positions: list[int] = []
        counts: list[int] = []
        raw: list[str] = []
        for position, entry in enumerate(document.column(node).entries):
            if is_scalar(node.values[position]) and (found := document.quotes(entry)):
                self._positions.append(position)
                counts.append(len(found))
                raw += found
        normalized = iter(normalize_texts(raw))
        self._joined = _JoinedTexts([" ".join(islice(normalized, count)) for count in counts])

    def find(self, terms: Sequence[Term]) -> Iterator[tuple[int, str]]:
        """Yield position and quotes of each value whose quotes contain one of some terms."""
        joined = self._joined
        forms = {form for term in terms for form in term.forms if form}
        indices = {index for form in forms for index in joined.find(form)}
        indices.update(joined.index_at(start) for term in terms for start, _ in term.find_endings(joined.text))
        for index in sorted(indices):
            text = joined.text[joined.starts[index] : joined.end(index)]
            if any(term.weigh(text) for term in terms):
                yield self._positions[index], text


class FieldIndex:
    """The texts of a document's fields, each prepared when it is first searched."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._texts: dict[int, FieldTexts] = {}
        self._numbers: dict[int, FieldNumbers] = {}
        self._quotes: dict[int, FieldQuotes] = {}

    def texts(self, node: Node) -> FieldTexts:
        """Return the strings of a field, normalized."""
        if id(node) not in self._texts:
            self._texts[id(node)] = FieldTexts(node)
        return self._texts[id(node)]

    def numbers(self, node: Node) -> FieldNumbers:
        """Return the numbers of a field."""
        if id(node) not in self._numbers:
            self._numbers[id(node)] = FieldNumbers(node)
        return self._numbers[id(node)]

    def quotes(self, node: Node) -> FieldQuotes:
        """Return the quotes of a field's scalars, normalized."""
        if id(node) not in self._quotes:
            self._quotes[id(node)] = FieldQuotes(self._document, node)
        return self._quotes[id(node)]
