"""Parses paths and finds the values that they name.

A path is JSONPath (RFC 9535) without filters, descendant segments (`..`) and functions. The leading `$.` is optional.
The time to evaluate a path is linear in the number of values visited, and this number is limited. Errors about filters,
descendants and functions refer to the tool for queries.
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
_MAX_ALTERNATIVES = 64
_MAX_INTEGER = 2**53 - 1
_MAX_CLOSE_NAMES = 3
_MAX_COMPARED_NAMES = 2_000
_MAX_SHOWN_NAMES = 12
_MAX_NAME_CHARS = 60
_MAX_PATH_CHARS = 120
_CONTEXT_CHARS = 30

_BLANK = re.compile(r"[ \t\n\r]*")
_NAME = re.compile(r"[A-Za-z_\u0080-\ud7ff\ue000-\U0010ffff][A-Za-z0-9_\u0080-\ud7ff\ue000-\U0010ffff]*")
_INTEGER = re.compile(r"-?[1-9][0-9]*|0(?![0-9])")
_QUOTED_NAMES = {
    "'": re.compile(r"'((?:[^'\\\x00-\x1f\ud800-\udfff]|\\.)*)'", re.DOTALL),
    '"': re.compile(r'"((?:[^"\\\x00-\x1f\ud800-\udfff]|\\.)*)"', re.DOTALL),
}
_ESCAPE = re.compile(
    r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|\\u([0-9a-fA-F]{4})|\\(.)", re.DOTALL
)
_JSON_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "/": "/", "\\": "\\"}
_QUERY_HINT = "that is a query: use query_extract_result, which filters, searches and counts with SQL."


class PathError(ArgumentError):
    """A path that is not valid or has no value; the message says where, and which paths exist."""


@dataclass(frozen=True, slots=True)
class Slice:
    """A slice of a list, with the meaning that it has in Python."""

    start: int | None = None
    stop: int | None = None
    step: int | None = None


@dataclass(frozen=True, slots=True)
class Wildcard:
    """All elements of a list, or all members of an object."""


Selector = str | int | Slice | Wildcard
Segment = tuple[Selector, ...]
Segments = tuple[Segment, ...]


def parse_path(text: str) -> Segments:
    """Parse a path into segments, each of one or more selectors.

    Raises:
        PathError: the path is not valid; the message says where.
    """
    return _Parser(text).parse()


def find_values(root: Node, path: str) -> Iterator[Location]:
    """Yield the values at a path; an empty path is the whole result.

    Raises:
        PathError: the path is not valid, or there is no value at it.
    """
    segments = parse_path(path.strip() or "$")
    is_found = False
    for location in find_locations(segments, root):
        is_found = True
        yield location
    if not is_found:
        raise PathError(explain_no_match(path, segments, root))


def find_locations(segments: Segments, root: Node, *, max_visits: int = MAX_VISITS) -> Iterator[Location]:
    """Yield every value that the segments name, in the order that the RFC defines.

    Args:
        segments: the parsed path.
        root: the outline of the result.
        max_visits: the most values to visit, including those on the way.

    Raises:
        PathError: `max_visits` is exceeded.
    """
    visits = 0
    stack: list[Iterator[Location]] = [iter([root_location(root)])]
    while stack:
        for location in stack[-1]:
            visits += 1
            if visits > max_visits:
                raise PathError(
                    f"path: more than {max_visits:,} values to visit. Use slices or indices instead of [*]."
                )
            if len(stack) > len(segments):
                yield location
            else:
                stack.append(_select(location, segments[len(stack) - 1]))
                break
        else:
            stack.pop()


def explain_no_match(text: str, segments: Segments, root: Node) -> str:
    """Explain why a path has no value: up to where it is right, and what exists there.

    Args:
        text: the path as it was given.
        segments: the parsed path.
        root: the outline of the result.
    """
    for depth in range(len(segments), 0, -1):
        parent = next(find_locations(segments[: depth - 1], root), None)
        if parent is not None:
            return f"path {excerpt(text, _MAX_PATH_CHARS)}: {_explain_segment(parent, segments[depth - 1])}"
    return f"path {excerpt(text, _MAX_PATH_CHARS)} has no value."


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


def _explain_segment(parent: Location, segment: Segment) -> str:
    """Explain why a segment selects nothing in a value."""
    selector, path = segment[0], excerpt(show_path(parent.path), _MAX_PATH_CHARS)
    if isinstance(parent.value, list):
        if isinstance(selector, str):
            of_elements = excerpt(join_name(join_any(parent.path), selector), _MAX_PATH_CHARS)
            return (
                f"{path} is a list of {len(parent.value)} elements, not an object. For its elements use {of_elements}."
            )
        indices = f", [0] to [{len(parent.value) - 1}]" if parent.value else ""
        return f"{path} is a list of {len(parent.value)} elements{indices}."
    if isinstance(parent.value, dict):
        names = list(parent.value)
        if isinstance(selector, str):
            return f"no {_show_name(selector)} in {path}{_suggest(selector, names)} It has {_list_names(names)}."
        return f"{path} is an object, not a list. It has {_list_names(names)}."
    return f"{path} is {'null' if parent.value is None else 'a single value'} and has no fields or elements."


def _suggest(name: str, names: list[str]) -> str:
    """Return the end of a sentence that suggests similar names."""
    close = get_close_matches(name, names[:_MAX_COMPARED_NAMES], n=_MAX_CLOSE_NAMES, cutoff=0.6)
    return f"; did you mean {' or '.join(map(_show_name, close))}?" if close else "."


def _list_names(names: list[str]) -> str:
    if not names:
        return "no fields"
    shown = ", ".join(map(_show_name, names[:_MAX_SHOWN_NAMES]))
    num_more = len(names) - _MAX_SHOWN_NAMES
    return f"{shown} and {num_more} more" if num_more > 0 else shown


def _show_name(name: str) -> str:
    return excerpt(join_name(ROOT, name), _MAX_NAME_CHARS)


class _Parser:
    """Parses a path in one pass; `_offset` is the index of the next character."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._offset = 0

    def parse(self) -> Segments:
        segments: list[Segment] = []
        if self._text.startswith("$"):
            self._offset = 1
        elif self._text.startswith("*"):
            self._offset = 1
            segments.append((Wildcard(),))
        elif not self._text.startswith("["):
            segments.append((self._parse_name(),))
        num_alternatives = 1
        while self._offset < len(self._text):
            segments.append(self._parse_segment())
            num_alternatives *= len(segments[-1])
            if num_alternatives > _MAX_ALTERNATIVES:
                raise self._error(f"more than {_MAX_ALTERNATIVES} alternatives; name fewer in one path")
        return tuple(segments)

    def _parse_segment(self) -> Segment:
        self._skip_blank()
        if self._take("."):
            if self._peek() == ".":
                raise self._error(f"'..' searches at any depth; {_QUERY_HINT}")
            return (Wildcard(),) if self._take("*") else (self._parse_name(),)
        if self._take("["):
            return self._parse_brackets()
        if self._peek() == "(":
            raise self._error(f"a path has no functions; {_QUERY_HINT}")
        raise self._error("expected '.name' or '[…]'")

    def _parse_brackets(self) -> Segment:
        selectors: list[Selector] = []
        while True:
            self._skip_blank()
            selectors.append(self._parse_selector())
            self._skip_blank()
            if self._take("]"):
                return tuple(selectors)
            if not self._take(","):
                raise self._error("expected ']' or ','")

    def _parse_selector(self) -> Selector:
        char = self._peek()
        if char == "*":
            self._offset += 1
            return Wildcard()
        if char in _QUOTED_NAMES:
            return self._parse_quoted(char)
        if char in ("?", "@"):
            raise self._error(f"filters are not allowed; {_QUERY_HINT}")
        if char == "]":
            raise self._error("empty brackets; use [*] for all elements")
        start = self._parse_integer()
        self._skip_blank()
        if not self._take(":"):
            if start is None:
                raise self._error("expected a quoted name, an index, a slice or *")
            return start
        return self._parse_slice(start)

    def _parse_slice(self, start: int | None) -> Slice:
        self._skip_blank()
        stop = self._parse_integer()
        self._skip_blank()
        step = None
        if self._take(":"):
            self._skip_blank()
            step = self._parse_integer()
        return Slice(start, stop, step)

    def _parse_integer(self) -> int | None:
        match = _INTEGER.match(self._text, self._offset)
        if match is None:
            if self._peek() and self._peek() in "-0123456789":
                raise self._error("not an index; leave out leading zeros, and write 0 for -0")
            return None
        if len(match.group()) > 17 or abs(int(match.group())) > _MAX_INTEGER:
            raise self._error("the index is larger than 2^53 - 1")
        self._offset = match.end()
        return int(match.group())

    def _parse_name(self) -> str:
        match = _NAME.match(self._text, self._offset)
        if match is None:
            if self._peek() and self._peek() in "0123456789":
                raise self._error("a name cannot begin with a digit; write [0] for an element and ['1st'] for a name")
            raise self._error("expected a name; quote a name with other characters: ['odd name']")
        self._offset = match.end()
        if self._peek() == "(":
            raise self._error(f"a path has no functions; {_QUERY_HINT}")
        return match.group()

    def _parse_quoted(self, quote: str) -> str:
        match = _QUOTED_NAMES[quote].match(self._text, self._offset)
        if match is None:
            raise self._error("the quoted name does not end, or contains a control character")
        name = _ESCAPE.sub(lambda escape: self._unescape(escape, quote), match.group(1))
        self._offset = match.end()
        return name

    def _unescape(self, escape: re.Match[str], quote: str) -> str:
        high, low, unit, char = escape.groups()
        if high:
            return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
        if unit and not 0xD800 <= int(unit, 16) <= 0xDFFF:
            return chr(int(unit, 16))
        if char == quote:
            return quote
        if char in _JSON_ESCAPES:
            return _JSON_ESCAPES[char]
        raise self._error(f"JSON has no escape {excerpt(escape.group(), 10)}")

    def _skip_blank(self) -> None:
        match = _BLANK.match(self._text, self._offset)
        # Spaces are allowed before a segment, but not at the end of the path.
        if match and match.end() < len(self._text):
            self._offset = match.end()

    def _take(self, char: str) -> bool:
        taken = self._text.startswith(char, self._offset)
        self._offset += len(char) if taken else 0
        return taken

    def _peek(self) -> str:
        return self._text[self._offset : self._offset + 1]

    def _error(self, message: str) -> PathError:
        start, end = max(self._offset - _CONTEXT_CHARS, 0), self._offset + _CONTEXT_CHARS
        before = excerpt(self._text[start : self._offset], _CONTEXT_CHARS)
        after = excerpt(self._text[self._offset : end], _CONTEXT_CHARS)
        context = json.dumps(f"{before}▸{after}", ensure_ascii=False)
        return PathError(f"path: at character {self._offset + 1}, {context}: {message}")
