"""Paths read: a parser for JSONPath (RFC 9535) without filters, descent and functions, and its matches.

The `$.` may be left out. What the parser takes runs in time linear in what it visits, and visits are
bounded; what needs a filter, a descent or a function is a query, and is answered so.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from llx_mcp.errors import ArgumentError, excerpt
from llx_mcp.result.location import Location, root_location
from llx_mcp.result.outline import Node
from llx_mcp.result.paths import ROOT, join_any, join_name, show_path

MAX_VISITS = 3_000_000
_MOST_ALTERNATIVES = 64
_SHOWN_NAMES = 12
_SHOWN_CHARS = 60
_CONTEXT_CHARS = 30

_BLANK = re.compile(r"[ \t\n\r]*")
_NAME = re.compile(r"[A-Za-z_\u0080-\ud7ff\ue000-\U0010ffff][A-Za-z0-9_\u0080-\ud7ff\ue000-\U0010ffff]*")
_INTEGER = re.compile(r"-?[1-9][0-9]*|0(?![0-9])")
_LARGEST = 2**53 - 1
_QUOTED = {
    "'": re.compile(r"'((?:[^'\\\x00-\x1f\ud800-\udfff]|\\.)*)'", re.DOTALL),
    '"': re.compile(r'"((?:[^"\\\x00-\x1f\ud800-\udfff]|\\.)*)"', re.DOTALL),
}
_ESCAPE = re.compile(
    r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|\\u([0-9a-fA-F]{4})|\\(.)", re.DOTALL
)
_CONTROLS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "/": "/", "\\": "\\"}
_QUERY_HINT = "that is a query: query_extract_result filters, searches and counts with SQL."


class PathError(ArgumentError):
    """A path that cannot be read, or that names nothing; the message says where, and what there is."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Elements from `start` to before `stop`, every `step`th; as in Python, and as in the RFC."""

    start: int | None = None
    stop: int | None = None
    step: int | None = None


@dataclass(frozen=True, slots=True)
class Wildcard:
    """Every element of a list, or every member of an object."""


Selector = str | int | Slice | Wildcard
Segment = tuple[Selector, ...]
Segments = tuple[Segment, ...]


def parse_path(text: str) -> Segments:
    """The segments of a path, each one or more selectors.

    Raises:
        PathError: with the place of the fault.
    """
    return _Parser(text).parse()


def find_locations(segments: Segments, root: Node, *, max_visits: int = MAX_VISITS) -> Iterator[Location]:
    """Every value that the segments name, in the order of the RFC, lazily.

    Raises:
        PathError: more than `max_visits` values were visited.
    """
    visits = 0
    stack: list[Iterator[Location]] = [iter([root_location(root)])]
    while stack:
        for location in stack[-1]:
            visits += 1
            if visits > max_visits:
                raise PathError(f"path: more than {max_visits:,} values lie on this path. Name fewer, or use slices.")
            if len(stack) > len(segments):
                yield location
            else:
                stack.append(_select(location, segments[len(stack) - 1]))
                break
        else:
            stack.pop()


def explain_no_match(text: str, segments: Segments, root: Node) -> str:
    """Why a path names nothing: how far it leads, and what exists there."""
    for depth in range(len(segments), 0, -1):
        before = next(find_locations(segments[: depth - 1], root), None)
        if before is not None:
            return f"path {excerpt(text, 120)}: {_missing(before, segments[depth - 1])}"
    return f"path {excerpt(text, 120)} names nothing."


def _select(location: Location, segment: Segment) -> Iterator[Location]:
    value = location.value
    for selector in segment:
        if isinstance(value, list):
            yield from location.elements(_indices(selector, len(value)))
        elif isinstance(value, dict):
            if isinstance(selector, Wildcard):
                yield from location.members()
            elif isinstance(selector, str) and (member := location.member(selector)) is not None:
                yield member


def _indices(selector: Selector, length: int) -> range:
    if isinstance(selector, Wildcard):
        return range(length)
    if isinstance(selector, int):
        index = selector + length if selector < 0 else selector
        return range(index, index + 1) if 0 <= index < length else range(0)
    if isinstance(selector, Slice) and selector.step != 0:
        return range(*slice(selector.start, selector.stop, selector.step).indices(length))
    return range(0)


def _missing(at: Location, segment: Segment) -> str:
    selector = segment[0]
    location = excerpt(show_path(at.path), 120)
    if isinstance(at.value, list):
        if isinstance(selector, str):
            inside = excerpt(join_name(join_any(at.path), selector), 120)
            return f"{location} is a list of {len(at.value)}, not an object; its elements are reached so: {inside}."
        return f"{location} is a list of {len(at.value)} elements" + (
            f", [0] to [{len(at.value) - 1}]." if at.value else "."
        )
    if isinstance(at.value, dict):
        if not isinstance(selector, str):
            return f"{location} is an object, not a list. It has {_names(list(at.value))}."
        close = get_close_matches(selector, list(at.value)[:2_000], n=3, cutoff=0.6)
        guess = f"; did you mean {' or '.join(excerpt(join_name(ROOT, name), 60) for name in close)}?" if close else "."
        return f"no {excerpt(join_name(ROOT, selector), 60)} in {location}{guess} It has {_names(list(at.value))}."
    return f"{location} is {'null' if at.value is None else 'a single value'}; nothing lies below it."


def _names(names: list[str]) -> str:
    if not names:
        return "no fields"
    shown = ", ".join(excerpt(join_name(ROOT, name), _SHOWN_CHARS) for name in names[:_SHOWN_NAMES])
    return f"{shown} and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else shown


class _Parser:
    """One pass over the text; `at` is where it has come to."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def parse(self) -> Segments:
        segments: list[Segment] = []
        if self.text.startswith("$"):
            self.at = 1
        elif self.text.startswith("*"):
            self.at = 1
            segments.append((Wildcard(),))
        elif not self.text.startswith("["):
            segments.append((self._name(),))
        alternatives = 1
        while self.at < len(self.text):
            segments.append(self._segment())
            alternatives *= len(segments[-1])
            if alternatives > _MOST_ALTERNATIVES:
                raise self._fault(f"more than {_MOST_ALTERNATIVES} alternatives")
        return tuple(segments)

    def _segment(self) -> Segment:
        self._skip_blank()
        if self._take("."):
            if self._peek() == ".":
                raise self._fault(f"'..' searches at any depth; {_QUERY_HINT}")
            return (Wildcard(),) if self._take("*") else (self._name(),)
        if self._take("["):
            return self._bracketed()
        if self._peek() == "(":
            raise self._fault(f"a path has no functions; {_QUERY_HINT}")
        raise self._fault("expected '.name' or '[…]'")

    def _bracketed(self) -> Segment:
        selectors: list[Selector] = []
        while True:
            self._skip_blank()
            selectors.append(self._selector())
            self._skip_blank()
            if self._take("]"):
                return tuple(selectors)
            if not self._take(","):
                raise self._fault("expected ']' or ','")

    def _selector(self) -> Selector:
        char = self._peek()
        if char == "*":
            self.at += 1
            return Wildcard()
        if char in _QUOTED:
            return self._quoted(char)
        if char in ("?", "@"):
            raise self._fault(f"a filter; {_QUERY_HINT}")
        if char == "]":
            raise self._fault("empty brackets; [*] names every element")
        start = self._integer()
        self._skip_blank()
        if not self._take(":"):
            if start is None:
                raise self._fault("expected a quoted name, an index, a slice or *")
            return start
        return self._slice(start)

    def _slice(self, start: int | None) -> Slice:
        self._skip_blank()
        stop = self._integer()
        self._skip_blank()
        step = None
        if self._take(":"):
            self._skip_blank()
            step = self._integer()
        return Slice(start, stop, step)

    def _integer(self) -> int | None:
        match = _INTEGER.match(self.text, self.at)
        if match is None:
            if self._peek() in "-0123456789" and self._peek():
                raise self._fault("not an index: no leading zeros, and no -0")
            return None
        if len(match.group()) > 17 or abs(int(match.group())) > _LARGEST:
            raise self._fault("an index beyond 2^53 - 1")
        self.at = match.end()
        return int(match.group())

    def _name(self) -> str:
        match = _NAME.match(self.text, self.at)
        if match is None:
            if self._peek() in "0123456789" and self._peek():
                raise self._fault("a name does not begin with a digit; an element is named [0], an odd name ['1st']")
            raise self._fault("expected a name; one with other characters is quoted: ['odd name']")
        self.at = match.end()
        if self._peek() == "(":
            raise self._fault(f"a path has no functions; {_QUERY_HINT}")
        return match.group()

    def _quoted(self, quote: str) -> str:
        match = _QUOTED[quote].match(self.text, self.at)
        if match is None:
            raise self._fault("a quoted name that does not end, or holds a control character")
        name = _ESCAPE.sub(lambda escape: self._unescape(escape, quote), match.group(1))
        self.at = match.end()
        return name

    def _unescape(self, escape: re.Match[str], quote: str) -> str:
        high, low, unit, char = escape.groups()
        if high:
            return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
        if unit and not 0xD800 <= int(unit, 16) <= 0xDFFF:
            return chr(int(unit, 16))
        if char == quote:
            return quote
        if char in _CONTROLS:
            return _CONTROLS[char]
        raise self._fault(f"an escape that JSON does not have: {excerpt(escape.group(), 10)}")

    def _skip_blank(self) -> None:
        match = _BLANK.match(self.text, self.at)
        # Blanks separate; after the last segment they do not belong.
        if match and match.end() < len(self.text):
            self.at = match.end()

    def _take(self, char: str) -> bool:
        taken = self.text.startswith(char, self.at)
        self.at += len(char) if taken else 0
        return taken

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _fault(self, what: str) -> PathError:
        before = excerpt(self.text[max(self.at - _CONTEXT_CHARS, 0) : self.at], _CONTEXT_CHARS)
        after = excerpt(self.text[self.at : self.at + _CONTEXT_CHARS], _CONTEXT_CHARS)
        where = f"at character {self.at + 1}, {json.dumps(f'{before}▸{after}', ensure_ascii=False)}"
        return PathError(f"path: {where}: {what}")
