"""Writes paths of values: JSONPath (RFC 9535) without the leading `$.`.

Names that are not plain identifiers, or that contain invisible characters, are quoted and escaped as in the RFC. So a
path is always one visible line, and it names exactly one value.
"""

import re

from llx_mcp.result.sanitize import INVISIBLE

ROOT = ""

# The RFC allows any character from U+0080 in an unquoted name; spaces are quoted here all the same.
# One class of characters: a repeated choice of two takes 100 times the memory of a long name.
_SHORTHAND = re.compile(r"(?![0-9])[^\s\x00-/:-@\[-^`{-\x7f]+\Z")
# A path in a list of paths: commas within brackets are part of it.
_LISTED = re.compile(r"""(?:[^,\[]|\[(?:[^\]'"]|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")*\]|\[)+""", re.DOTALL)
_ESCAPES = {"'": "\\'", "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}


def join_name(path: str, name: str) -> str:
    """Return the path of a member of the object at `path`."""
    if _SHORTHAND.match(name) and not INVISIBLE.search(name):
        return f"{path}.{name}" if path else name
    return f"{path}['{''.join(map(_escape, name))}']"


def join_index(path: str, index: int) -> str:
    """Return the path of an element of the list at `path`."""
    return f"{path}[{index}]"


def join_any(path: str) -> str:
    """Return the path of all elements of the list at `path`."""
    return f"{path}[*]"


def join_names(path: str) -> str:
    """Return the path of all members of the object at `path`, or of all elements of a list."""
    return f"{path}.*" if path else "*"


def show_path(path: str) -> str:
    """Return the path as answers write it: the whole result is `$`."""
    return path or "$"


def split_paths(text: str) -> list[str]:
    """Return the paths in a text that separates them by commas, as models write several."""
    return [path for match in _LISTED.finditer(text) if (path := match.group().strip())]


def _escape(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable() and not INVISIBLE.match(char):
        return char
    code = ord(char)
    # JSONPath escapes have four digits, as in JSON; larger characters are a surrogate pair.
    if code > 0xFFFF:
        code -= 0x10000
        return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
    return f"\\u{code:04x}"
