"""Words that differ only by their ending, such as `mature` and `maturity`, `invoice` and `invoices`.

Two words count as one if both are the same stem with an ending of the list below, or with none. A stemmer, which cuts
each word alone, keeps apart `expiry` and `expires`, or `delivery` and `delivered`.
"""

import re
from collections.abc import Iterator

# Endings of English, by the fewest letters of the stem before them. A short stem may belong to words of other meanings:
# port and portion.
_ENDINGS = {
    4: ("e", "es", "ed", "er", "ers", "ing", "ings"),
    5: (
        "y", "ies", "ied", "or", "ors", "ator", "ators", "ion", "ions", "ation", "ations", "al", "als", "ity", "ities",
        "ment", "ments", "ement", "ements", "ance", "ence", "ee", "ees", "able", "ive", "ives", "ative",
    ),
}  # fmt: skip
# These may double the last letter of the stem: commit, committed.
_DOUBLING = ("ed", "er", "ers", "ing")
# After these, the plural is -es: boxes, addresses.
_SIBILANTS = ("s", "x", "z", "ch", "sh")
_MIN_WORD = 2
_MIN_SINGULAR = 3
_MIN_PREFIX = 4


class WordFamily:
    """A word with all endings that it may have.

    Args:
        word: a normalized word of at least two letters.
    """

    def __init__(self, word: str) -> None:
        singulars = list(_singulars(word))
        words = _find_words({word, *singulars})
        start = _shared_start(words)
        # What may follow the start that all words of the family share.
        self._word = word[len(start) :]
        self._endings = {each[len(start) :] for each in words}
        self._prefixes = tuple(each[len(start) :] for each in singulars if len(each) >= _MIN_PREFIX)
        # The word begins where no letter is before it. The literal text comes first because that is faster to find.
        self._pattern = re.compile(rf"{start}(?<![^\W\d_]{start})([^\W\d_]*)")

    def find(self, text: str) -> Iterator[tuple[int, bool]]:
        """Yield where each other word of the family begins in a normalized text, and True.

        A longer word that begins with the singular yields False: invoices, invoicenumber.
        """
        for match in self._pattern.finditer(text):
            if match[1] == self._word:
                continue
            if match[1] in self._endings:
                yield match.start(), True
            elif self._prefixes and match[1].startswith(self._prefixes):
                yield match.start(), False


def find_family(word: str) -> WordFamily | None:
    """Return the family of a normalized word; None where it has no endings that are known."""
    return WordFamily(word) if word.isalpha() and len(word) >= _MIN_WORD else None


def _find_words(known: set[str]) -> set[str]:
    """Return some words of a family with all others of it."""
    stems = known.union(*map(_stems, known))
    return known.union(*map(_plurals, known), (stem + ending for stem in stems for ending in _endings_after(stem)))


def _shared_start(words: set[str]) -> str:
    first, last = min(words), max(words)
    different = (index for index, (one, other) in enumerate(zip(first, last, strict=False)) if one != other)
    return first[: next(different, len(first))]


def _singulars(word: str) -> Iterator[str]:
    """Yield what a word may be the plural of."""
    if word.endswith("ies"):
        yield word.removesuffix("ies") + "y"
    if word.endswith(tuple(f"{sibilant}es" for sibilant in _SIBILANTS)):
        yield word.removesuffix("es")
    if word.endswith("s") and not word.endswith("ss") and len(word) > _MIN_SINGULAR:
        yield word.removesuffix("s")


def _plurals(word: str) -> Iterator[str]:
    yield word + "s"
    if word.endswith("y"):
        yield word.removesuffix("y") + "ies"
    if word.endswith(_SIBILANTS):
        yield word + "es"


def _stems(word: str) -> Iterator[str]:
    """Yield what is left of a word without each ending that it may have."""
    for num_letters, endings in _ENDINGS.items():
        for ending in endings:
            stem = word.removesuffix(ending)
            if num_letters <= len(stem) < len(word):
                yield stem
                if ending in _DOUBLING and stem[-1] == stem[-2] and len(stem) > num_letters:
                    yield stem[:-1]


def _endings_after(stem: str) -> Iterator[str]:
    """Yield what may follow a stem."""
    if len(stem) >= min(_ENDINGS):
        yield from ("", "s")
        yield from (stem[-1] + ending for ending in _DOUBLING)
    for num_letters, endings in _ENDINGS.items():
        if len(stem) >= num_letters:
            yield from endings
