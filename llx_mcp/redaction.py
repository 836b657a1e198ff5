"""Removes secrets, such as the API key, from every text that leaves the process: answers, errors and logs."""

import logging
import re
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

_MARK = "[key]"
# A shorter secret is a placeholder for a service without authentication. Ordinary text may contain it by chance.
_MIN_SECRET_CHARS = 8
# Budgets and excerpts cut texts anywhere. Half of a secret, but at least this many characters, counts as the secret.
_MIN_PART_CHARS = 12
# A secret is printable ASCII. Everything else is skipped: white space, control and invisible characters.
_SKIPPED = bytes(range(0x21)) + bytes(range(0x7F, 0x100))
# Skipped as well: markup, and white space and invisible characters where they are written as escapes.
_TAG = re.compile(rb"<[^<>]*>")
# The first character by itself: the search for it is then a fast one.
_ESCAPE = re.compile(rb"\\\\{0,7}(?:[nrtbfv]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|u\{[0-9a-fA-F]{1,6}\})")
_MARKUP = re.compile(_TAG.pattern + b"|" + _ESCAPE.pattern)

Span = tuple[int, int]


class Redactor:
    """Replaces secrets in texts by `[key]`, also where white space or markup is inside a secret. Its repr is safe.

    A text without a secret costs a few fast searches, and is returned as it is.
    """

    def __init__(self, *secrets: str) -> None:
        """Secrets of less than 8 characters are ignored."""
        plain = dict.fromkeys(map(_squash, secrets))
        self._chunks = [chunk for secret in plain if len(secret) >= _MIN_SECRET_CHARS for chunk in _cut_chunks(secret)]

    def may_hold(self, text: str | bytes) -> bool:
        """Return False for a text, or JSON in UTF-8, that certainly holds no secret. This is the fast test."""
        if not self._chunks:
            return False
        plain = _squash(text)
        if self._has_chunk(plain):
            return True
        if b"<" not in plain and b"\\" not in plain:
            return False
        # Most texts have no other markup than what JSON escapes, and replacing that is fast.
        unescaped = plain.replace(b"\\n", b"").replace(b'\\"', b'"')
        if b"<" in unescaped or b"\\" in unescaped:
            # Two searches for one first character each are faster than one for both.
            unescaped = _ESCAPE.sub(b"", _TAG.sub(b"", plain))
        return self._has_chunk(unescaped)

    def is_in(self, text: str) -> bool:
        """Return whether a text holds a secret or half of one."""
        return self.redact(text) != text

    def redact(self, text: str) -> str:
        """Return the text with every secret, and every half of one, replaced by `[key]`."""
        if not self.may_hold(text):
            return text
        pieces: list[str] = []
        done = 0
        for start, end in _merge(self._find_spans(text)):
            pieces += text[done:start], _MARK
            done = end
        return "".join([*pieces, text[done:]])

    def _has_chunk(self, plain: bytes) -> bool:
        # A loop, because this is called for every answer and a generator costs more than the search.
        for chunk in self._chunks:  # noqa: SIM110
            if chunk.value in plain:
                return True
        return False

    def _find_spans(self, text: str) -> Iterator[Span]:
        """Yield where secrets and halves of them are: as the text is, and without its markup."""
        plain = _squash(text)
        positions = [index for index, char in enumerate(text) if "!" <= char <= "~"]
        yield from self._find_plain(plain, positions)
        marks = [match.span() for match in _MARKUP.finditer(plain)]
        starts, ends = [0, *(end for _, end in marks)], [*(start for start, _ in marks), len(plain)]
        kept = [position for start, end in zip(starts, ends, strict=True) for position in positions[start:end]]
        yield from self._find_plain(_MARKUP.sub(b"", plain), kept)

    def _find_plain(self, plain: bytes, positions: Sequence[int]) -> Iterator[Span]:
        for chunk in self._chunks:
            for start, end in chunk.find(plain):
                yield positions[start], positions[end - 1] + 1


def map_strings(value: Any, change: Callable[[str], str]) -> Any:
    """Return a JSON value with its strings and names changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {map_strings(name, change): map_strings(child, change) for name, child in value.items()}
    if isinstance(value, list | tuple):
        return [map_strings(child, change) for child in value]
    return value


class RedactingFilter(logging.Filter):
    """Redacts log records: the message, its arguments and the traceback. It belongs on a handler."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the record in place; it is always logged."""
        message = record.getMessage()
        if self._redactor.is_in(message):
            record.msg, record.args = self._redactor.redact(message), None
        if record.exc_info:
            text = record.exc_text or "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
            if self._redactor.is_in(text):
                # The formatter uses this text. Without the exception no handler can format it again.
                record.exc_text, record.exc_info = self._redactor.redact(text), None
        return True


@dataclass(frozen=True, slots=True)
class _Chunk:
    """A piece of a secret. Every half of the secret contains at least one whole chunk."""

    secret: bytes = field(repr=False)
    start: int
    end: int
    value: bytes = field(repr=False)

    def find(self, plain: bytes) -> list[Span]:
        """Return where the chunk is part of the secret, or of a half of it."""
        before, after = self.secret[: self.start][::-1], self.secret[self.end :]
        spans: list[Span] = []
        position = plain.find(self.value)
        while position >= 0:
            end = position + len(self.value)
            first = position - _count_equal(plain[max(position - self.start, 0) : position][::-1], before)
            last = end + _count_equal(plain[end : end + len(after)], after)
            if last - first >= _part_size(self.secret):
                spans.append((first, last))
            position = plain.find(self.value, position + 1)
        return spans


def _merge(spans: Iterable[Span]) -> list[Span]:
    """Return spans in order; those that overlap become one."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _cut_chunks(secret: bytes) -> list[_Chunk]:
    size = _part_size(secret) // 2
    last = len(secret) - size
    starts = sorted({*range(0, last + 1, size), last})
    return [_Chunk(secret, start, start + size, secret[start : start + size]) for start in starts]


def _part_size(secret: bytes) -> int:
    """Return how many characters of a secret count as the secret."""
    return min(max(_MIN_PART_CHARS, len(secret) // 2), len(secret))


def _squash(text: str | bytes) -> bytes:
    encoded = text if isinstance(text, bytes) else text.encode("ascii", "ignore")
    return encoded.translate(None, _SKIPPED)


def _count_equal(left: bytes, right: bytes) -> int:
    """Return how many bytes at the start are equal."""
    pairs = zip(left, right, strict=False)
    return next((index for index, (one, other) in enumerate(pairs) if one != other), min(len(left), len(right)))
