"""The words of a search: how a text is split into terms, and in which forms each term may be written."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from llx_mcp.result.normalize import MONTHS, find_month, normalize_name, normalize_text, possible_numbers

Weights = dict[int, float]

# Words that say nothing about what is searched for.
_STOP_WORDS = frozenset({
    "a", "an", "and", "are", "as", "at", "be", "by", "did", "do", "does", "for", "from", "had", "has", "have",
    "how", "in", "is", "it", "its", "of", "on", "or", "that", "the", "their", "this", "to", "was", "were", "what",
    "when", "where", "which", "who", "whose", "with",
})  # fmt: skip
_ORDINALS = {"first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4}
_PERIODS = {"quarter": "q", "half": "h"}
_SYNONYMS = {"fiscal": ("fiscal", "fy"), "percentage": ("percentage", "percent", "%"), "percent": ("percent", "%")}
_ENDINGS = ("", "s", "es", "'s")
# What may follow the stem of a word besides: compan-y, compan-ies.
_STEM_ENDINGS = (*_ENDINGS, "ies", "y", "e")
# After these, the plural is -es: boxes, addresses.
_SIBILANTS = ("s", "x", "z", "ch", "sh")
_MIN_STEM = 3
_MIN_PREFIX = 4
# How well a text contains a term: as a word of its own, at the start of a longer word, or within one.
WORD, PREFIX, INSIDE = 1.0, 0.7, 0.35
# The share of its weight that a term loses where a name has other words, too.
_OTHER_WORDS = 0.4
_YEAR = re.compile(r"(?:fy)?(?:19|20)\d\d")
_PERIOD = re.compile(r"[qh][1-4]")
_EDGE_PUNCTUATION = ".,;:!?()[]{}\"'"
_WITHOUT_SPACES = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


@dataclass(frozen=True)
class Term:
    """One term of a search.

    Attributes:
        text: the term as it was given, normalized.
        forms: words of which one must occur, the given one first.
        stem: the beginning of other forms of the word.
    """

    text: str
    forms: tuple[str, ...]
    stem: str = ""

    @property
    def needles(self) -> tuple[str, ...]:
        """The texts of which one must occur."""
        return (*self.forms, self.stem) if self.stem and self.stem not in self.forms else self.forms

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
        best = 0.0
        for needle in self.needles:
            for start in _occurrences(text, needle):
                best = max(best, self.weigh_at(text, needle, start))
                if best == WORD:
                    return best
        return best

    def weigh_at(self, text: str, needle: str, start: int) -> float:
        """Return how well an occurrence of a needle fits: a whole word best."""
        if _WITHOUT_SPACES.search(needle):
            return WORD
        if needle[0] == "-" and not text[max(start - 4, 0) : start].isdigit():
            # The month of a date stands after its year.
            return 0.0
        end = start + len(needle)
        begins = start == 0 or _is_boundary(text[start - 1], needle[0])
        rest = _word_rest(text, end)
        if begins and rest in (_ENDINGS if needle in self.forms else _STEM_ENDINGS):
            return WORD
        if begins and len(needle) >= _MIN_PREFIX:
            return PREFIX
        return INSIDE if len(needle) >= _MIN_PREFIX else 0.0


@dataclass(frozen=True)
class Terms:
    """The terms of a search.

    Attributes:
        phrase: the whole text, normalized.
        terms: its terms, each once.
    """

    phrase: str
    terms: tuple[Term, ...]

    def weigh_name(self, name: str) -> Weights:
        """For the terms that a field's name contains, return by index how well it does."""
        words = normalize_name(name)
        joined = words.replace(" ", "")
        found = {}
        for index, term in enumerate(self.terms):
            weight = max(term.weigh(words), PREFIX if len(term.text) >= _MIN_PREFIX and term.text in joined else 0.0)
            if weight:
                found[index] = weight
        # A field named `revenue` fits "revenue" better than one named `revenue_growth`.
        num_words = len(words.split())
        fit = 1 - _OTHER_WORDS * max(num_words - len(found), 0) / num_words if num_words else 1
        return {index: weight * fit for index, weight in found.items()}


def split_terms(text: str) -> Terms:
    """Split a text into the terms of a search; the terms are empty where the text has none."""
    phrase = normalize_text(text.replace("_", " "))
    words = [stripped for word in phrase.split() if (stripped := word.strip(_EDGE_PUNCTUATION))]
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
            joined = Term(" or ".join(dict.fromkeys(term.text for term in same)), forms)
            terms = [joined if term is same[0] else term for term in terms if term is same[0] or term not in same]
    yield from terms


def _build_term(word: str) -> Term:
    return Term(word, _forms(word), _stem(word))


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
    return (word,)


def _stem(word: str) -> str:
    """Return a word without the ending of its plural."""
    if not word.isascii() or not word.isalpha() or len(word) <= _MIN_STEM:
        return word
    for ending in ("ies", "es", "s", "y"):
        stem = word.removesuffix(ending)
        if len(word) > len(stem) >= _MIN_STEM and not word.endswith("ss"):
            if ending == "es" and not stem.endswith(_SIBILANTS):
                continue
            return stem
    return word


def _occurrences(text: str, needle: str) -> Iterator[int]:
    start = text.find(needle)
    while start >= 0:
        yield start
        start = text.find(needle, start + 1)


def _is_boundary(before: str, after: str) -> bool:
    """Whether a word begins between two characters: `fy2025` and `q2` begin a new one where digits begin or end."""
    if not before.isalnum():
        return True
    return before.isdigit() != after.isdigit()


def _word_rest(text: str, end: int) -> str:
    """Return what follows up to the end of the word, at most a few characters."""
    rest = ""
    last = text[end - 1]
    for char in text[end : end + 5]:
        if not (char.isalnum() or char == "'") or char.isdigit() != last.isdigit():
            break
        rest += char
        last = char
    return rest.rstrip("'")
