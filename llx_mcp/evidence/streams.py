"""Text as a stream of letters and digits, so that line breaks, hyphens, punctuation and spacing make no difference.

A token is a run of letters and digits. A stream is its tokens, joined without spaces, except that one space stands
between two digits of different tokens: `Net 1,234 5.5 %` has the tokens `net`, `1.234`, `5.5` and `%`, and the stream
`net1.234 5.5%`. A point or comma between digits is always written as a point.
"""

import re
import unicodedata
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from llx_mcp.result.normalize import WITHOUT_SPACES

# Between the words of a page, which are normalised together.
_SEPARATOR = "\x00"
_POINT = "\x01"
_DECIMAL = re.compile(r"(?<=\d)[.,٫](?=\d)")
# Soft hyphens, hyphens at line ends as PDF readers report them, and other characters without width.
_INVISIBLE = re.compile(
    "[\x01-\x08\x0e-\x1f\x7f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff\ufffe]"
)
_ACCENTS = re.compile("[\u0300-\u036f]")
# The vowel signs of these scripts are neither letters nor digits to `re`.
_SIGNS = "\u0900-\u0dff\u0e00-\u0eff\u0f00-\u109f\u1780-\u17ff"
_JUNK = re.compile(f"[^\\w%{_SEPARATOR}{_POINT}{_SIGNS}]+|_+")
# Longer texts are searched up to here.
MAX_CHARS = 20_000
_GRAM = 2
_MAX_CACHED_CHARS = 300
# Removes what may stand between the digits of one number.
JOINED = str.maketrans("", "", ". ")


@dataclass(frozen=True)
class Needle:
    """A text that is looked for.

    Attributes:
        stream: its stream.
        tokens: its tokens.
    """

    stream: str
    tokens: tuple[str, ...]

    @cached_property
    def joined(self) -> str:
        """The stream without spaces and points."""
        return self.stream.translate(JOINED)

    @cached_property
    def grams(self) -> tuple[str, ...]:
        """The tokens; those of scripts without spaces are split into pairs of characters."""
        return tuple(gram for token in self.tokens for _, gram in split_grams(token))


@dataclass(frozen=True)
class TokenStream:
    """The tokens of a page.

    Attributes:
        stream: the stream.
        tokens: the tokens.
        starts: where each token starts in the stream.
        words: for each token, the index of its word.
    """

    stream: str
    tokens: list[str]
    starts: list[int] = field(repr=False)
    words: list[int] = field(repr=False)


def split_words(words: list[str]) -> list[list[str]]:
    """Return the tokens of each word."""
    text = _SEPARATOR.join(words)
    if text.count(_SEPARATOR) >= len(words):
        text = _SEPARATOR.join(word.replace(_SEPARATOR, " ") for word in words)
    text = _INVISIBLE.sub("", text)
    if not text.isascii():
        text = _fold(text)
    text = _DECIMAL.sub(_POINT, text.casefold())
    text = _JUNK.sub(" ", text).replace("%", " % ").replace(_POINT, ".")
    return [word.split() for word in text.split(_SEPARATOR)] if words else []


def build_stream(words: list[str]) -> TokenStream:
    """Return the stream of a page's words."""
    parts: list[str] = []
    tokens: list[str] = []
    starts: list[int] = []
    indices: list[int] = []
    length = 0
    ends_in_digit = False
    for index, found in enumerate(split_words(words)):
        for token in found:
            if ends_in_digit and token[0].isdigit():
                parts.append(" ")
                length += 1
            tokens.append(token)
            starts.append(length)
            indices.append(index)
            parts.append(token)
            length += len(token)
            ends_in_digit = token[-1].isdigit()
    return TokenStream("".join(parts), tokens, starts, indices)


def build_needle(text: str) -> Needle:
    """Return the stream of a text that is looked for."""
    return _cached_needle(text) if len(text) <= _MAX_CACHED_CHARS else _build_needle(text)


@lru_cache(maxsize=4096)
def _cached_needle(text: str) -> Needle:
    return _build_needle(text)


def _build_needle(text: str) -> Needle:
    found = build_stream(text.split())
    return Needle(found.stream, tuple(found.tokens))


def split_grams(token: str) -> list[tuple[int, str]]:
    """Return a token, or its pairs of characters where its script has no spaces, each with its start in the token."""
    if token.isascii() or len(token) <= _GRAM or not WITHOUT_SPACES.search(token):
        return [(0, token)]
    return [(start, token[start : start + _GRAM]) for start in range(len(token) - _GRAM + 1)]


def has_no_spaces(char: str) -> bool:
    """Whether a character is of a script without spaces between words, such as Japanese, Chinese or Thai."""
    return WITHOUT_SPACES.match(char) is not None


def _fold(text: str) -> str:
    """Return a text without accents and ligatures, with ASCII digits."""
    text = unicodedata.normalize("NFKD", text)
    text = unicodedata.normalize("NFC", _ACCENTS.sub("", text))
    return text.translate(_digits())


@lru_cache(maxsize=1)
def _digits() -> dict[int, str]:
    """Return the ASCII digit for each decimal digit of other scripts."""
    others = range(0x660, 0x1100)
    return {code: str(unicodedata.decimal(chr(code))) for code in others if chr(code).isdecimal()}
