"""The words of a search: how a text is split into terms, and in which forms each term may be written."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from llx_mcp.result.normalize import MONTHS, find_month, normalize_name, normalize_text, possible_numbers
from llx_mcp.result.word_endings import WordFamily, find_family

Weights = dict[int, float]

# Words that say nothing about what is searched for.
_STOP_WORDS = frozenset({
    "a", "an", "and", "any", "are", "as", "at", "be", "been", "being", "by", "can", "could", "did", "do", "does", "for",
    "from", "give", "had", "has", "have", "he", "her", "his", "how", "i", "if", "in", "is", "it", "its", "many", "me",
    "much", "my", "of", "on", "or", "our", "please", "say", "says", "she", "should", "show", "so", "tell", "than",
    "that", "the", "their", "them", "then", "there", "these", "they", "this", "those", "to", "was", "we", "were",
    "what", "when", "where", "which", "who", "whom", "whose", "will", "with", "would", "you", "your",
})  # fmt: skip
_ORDINALS = {"first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4}
_PERIODS = {"quarter": "q", "half": "h"}
_SYNONYMS = {"fiscal": ("fiscal", "fy"), "percentage": ("percentage", "percent", "%"), "percent": ("percent", "%")}
_MIN_PREFIX = 4
# How well a text contains a term: as a word of its own, with another ending, at the start of a longer word, or within
# one.
WORD, STEM, PREFIX, INSIDE = 1.0, 0.9, 0.7, 0.35
# How well a time contains a number that is a part of it, such as its minutes.
PART_OF_TIME = 0.05
# The share of its weight that a term loses where a name has other words, too.
_OTHER_WORDS = 0.4
_YEAR = re.compile(r"(?:fy)?(?:19|20)\d\d")
_PERIOD = re.compile(r"[qh][1-4]")
# Words that say when, which many objects of a document share.
_TIME_WORDS = frozenset({
    "date", "day", "days", "end", "ended", "ending", "ends", "fiscal", "fy", "half", "month", "months", "period",
    "periods", "quarter", "quarters", "year", "years",
    "datum", "ende", "geschaftsjahr", "halbjahr", "jahr", "monat", "quartal", "stichtag", "zeitraum",
    "annee", "exercice", "fin", "jour", "mois", "periode", "semestre", "trimestre",
    "四半期", "年度", "日付", "期末", "期間",
})  # fmt: skip
_SHORT_NUMBER = re.compile(r"\d{1,2}")
# A time of day or a duration: 10:30, or 1:03.28.
_CLOCK_TIME = re.compile(r"\d+:\d[\d:.,]*")
_TIME_CHARS = 12
_HYPHENATED = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)+")
_EDGE_PUNCTUATION = ".,;:!?()[]{}\"'"
_WITHOUT_SPACES = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


@dataclass(frozen=True)
class Term:
    """One term of a search.

    Attributes:
        text: the term as it was given, normalized.
        forms: words of which one must occur, the given one first.
        options: the terms that are joined in this one, such as two years; empty for one that is not joined.
    """

    text: str
    forms: tuple[str, ...]
    options: tuple["Term", ...] = ()

    @cached_property
    def is_generic(self) -> bool:
        """Whether the term only says when, or is a number of a digit or two: it is the topic of no search."""
        if self.options:
            return all(option.is_generic for option in self.options)
        patterns = (_YEAR, _PERIOD, _SHORT_NUMBER)
        is_time = self.text in _TIME_WORDS or find_month(self.text) is not None
        return is_time or any(pattern.fullmatch(self.text) for pattern in patterns)

    @cached_property
    def family(self) -> WordFamily | None:
        """The word with other endings; None where it has none."""
        return find_family(self.text)

    @cached_property
    def numbers(self) -> frozenset[float]:
        """The numbers that the term may be; empty where it is no number."""
        letters = sum(char.isalpha() for char in self.text)
        return possible_numbers(self.text) if not letters and any(map(str.isdigit, self.text)) else frozenset()

    @cached_property
    def digits(self) -> str:
        """The digits of a number, without zeros at its ends: 1,234.50 may be written 1234.5, and 007 may be 7."""
        return "".join(char for char in self.text if char.isdigit() and char.isascii()).strip("0")

    def weigh(self, text: str) -> float:
        """Return how well a normalized text contains the term, 0 to 1."""
        best = max((weight for _, weight in self.find_endings(text)), default=0.0)
        for form in self.forms:
            for start in _occurrences(text, form):
                best = max(best, self.weigh_at(text, form, start))
                if best == WORD:
                    return best
        return best

    def weigh_at(self, text: str, form: str, start: int) -> float:
        """Return how well an occurrence of a form fits: a whole word best."""
        if _WITHOUT_SPACES.search(form):
            return WORD
        if form[0] == "-" and not text[max(start - 4, 0) : start].isdigit():
            # The month of a date stands after its year.
            return 0.0
        end = start + len(form)
        if form.isdigit() and _is_within_time(text, start, end):
            return PART_OF_TIME
        begins = start == 0 or _is_boundary(text[start - 1], form[0])
        if begins and (end == len(text) or _is_boundary(form[-1], text[end])):
            return WORD
        if len(form) < _MIN_PREFIX:
            return 0.0
        return PREFIX if begins else INSIDE

    def find_endings(self, text: str) -> Iterator[tuple[int, float]]:
        """Yield where a normalized text has the word with another ending, and how well each place fits."""
        if self.family is not None:
            yield from ((start, STEM if is_same else PREFIX) for start, is_same in self.family.find(text))


@dataclass(frozen=True)
class Terms:
    """The terms of a search.

    Attributes:
        phrase: the whole text, normalized.
        terms: its terms, each once.
    """

    phrase: str
    terms: tuple[Term, ...]

    @cached_property
    def options(self) -> tuple[Term, ...]:
        """The terms that are joined in others. They are numbered after the terms, and count in no score."""
        return tuple(option for term in self.terms for option in term.options)

    def weigh_name(self, name: str) -> Weights:
        """For the terms and options that a field's name contains, return by index how well it does."""
        words = normalize_name(name)
        joined = words.replace(" ", "")
        found = {}
        for index, term in enumerate((*self.terms, *self.options)):
            weight = max(term.weigh(words), PREFIX if len(term.text) >= _MIN_PREFIX and term.text in joined else 0.0)
            if weight:
                found[index] = weight
        # A field named `revenue` fits "revenue" better than one named `revenue_growth`.
        num_words = sum(word not in _STOP_WORDS for word in words.split())
        num_found = sum(index < len(self.terms) for index in found)
        fit = 1 - _OTHER_WORDS * max(num_words - num_found, 0) / num_words if num_words else 1
        return {index: weight * fit for index, weight in found.items()}


def split_terms(text: str) -> Terms:
    """Split a text into the terms of a search; the terms are empty where the text has none."""
    phrase = normalize_text(text.replace("_", " "))
    words = [word for part in phrase.split() if (word := part.strip(_EDGE_PUNCTUATION).removesuffix("'s"))]
    terms = {term.text: term for term in _join_alternatives(list(map(_build_term, _join_periods(words))))}
    content_words = {name: term for name, term in terms.items() if name not in _STOP_WORDS}
    return Terms(phrase, tuple((content_words or terms).values()))


def _join_periods(words: list[str]) -> Iterator[str]:
    """Yield the words, with `second quarter` as `q2` and `first half` as `h1`."""
    position = 0
    while position < len(words):
        word, following = words[position], words[position + 1] if position + 1 < len(words) else ""
        ordinal, period = _ORDINALS.get(word), _PERIODS.get(following.rstrip("s"))
        if ordinal is not None and period is not None:
            yield f"{period}{ordinal}"
            position += 2
        else:
            yield word
            position += 1


def _join_alternatives(terms: list[Term]) -> Iterator[Term]:
    """Yield the terms, with several years as one, and several quarters or halves: a row is about one of them."""
    for pattern in (_YEAR, _PERIOD):
        same = [term for term in terms if pattern.fullmatch(term.text)]
        if len(same) > 1:
            forms = tuple(dict.fromkeys(form for term in same for form in term.forms))
            distinct = tuple({term.text: term for term in same}.values())
            joined = Term(" or ".join(option.text for option in distinct), forms, distinct)
            terms = [joined if term is same[0] else term for term in terms if term is same[0] or term not in same]
    yield from terms


def _build_term(word: str) -> Term:
    return Term(word, _forms(word))


def _forms(word: str) -> tuple[str, ...]:
    """Return a word, its synonyms, and the words for a quarter or half that it may be."""
    if word in _SYNONYMS:
        return _SYNONYMS[word]
    if (month := find_month(word)) is not None:
        # As in 2026-03-31, and as it is abbreviated.
        return tuple(dict.fromkeys((word, MONTHS[month - 1], MONTHS[month - 1][:3], f"-{month:02}")))
    if _PERIOD.fullmatch(word):
        period = "quarter" if word[0] == "q" else "half"
        names = [name for name, number in _ORDINALS.items() if number == int(word[1])]
        return (word, *(f"{name} {period}" for name in names))
    return (word, word.replace("-", " ")) if _HYPHENATED.fullmatch(word) else (word,)


def _occurrences(text: str, needle: str) -> Iterator[int]:
    start = text.find(needle)
    while start >= 0:
        yield start
        start = text.find(needle, start + 1)


def _is_within_time(text: str, start: int, end: int) -> bool:
    """Whether some digits are only a part of a time: the 30 of 10:30."""
    first, last = max(start - _TIME_CHARS, 0), end + _TIME_CHARS
    if ":" not in text[first:last]:
        return False
    return any(time.start() <= start and end <= time.end() for time in _CLOCK_TIME.finditer(text, first, last))


def _is_boundary(before: str, after: str) -> bool:
    """Whether a word ends or begins between two characters: in `fy2025` and `q2`, one does where digits begin."""
    if not (before.isalnum() and after.isalnum()):
        return True
    return before.isdigit() != after.isdigit()
