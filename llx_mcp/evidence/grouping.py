"""Compares how the digits of two streams are grouped: `1.234.50` is `1 234.50`, and not `123 450`."""

import re
from itertools import zip_longest
from typing import Literal

_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)+")
_GROUPS = re.compile(r"(?!0\.)[0-9]{1,3}(?:\.[0-9]{3})+(?:\.[0-9]+)?")
_GROUP_CHARS = 3
# What stands before a character: nothing, a space between two numbers, or a point: between groups of thousands, before
# a decimal part, or in anything else with several points, such as a date.
Mark = Literal["", "space", "group", "decimal", "part"]
_ALIKE: tuple[set[Mark], ...] = ({"", "space"}, {"", "group"}, {"space", "group"}, {"space", "part"}, {"group", "part"})


def is_grouped_alike(text: str, other: str) -> bool:
    """Whether two streams differ only in how they group digits, and not in a decimal point.

    Args:
        text: a stream.
        other: a stream with the same characters other than points and spaces.
    """
    pairs = zip_longest(_read_marks(text), _read_marks(other))
    return all(mark == another or {mark, another} in _ALIKE for mark, another in pairs)


def _read_marks(stream: str) -> list[Mark]:
    """Return what stands before each character that is neither a point nor a space."""
    points: dict[int, Mark] = {}
    for match in _NUMBER.finditer(stream):
        positions = [match.start() + index for index, char in enumerate(match.group()) if char == "."]
        is_grouped = _GROUPS.fullmatch(match.group()) is not None
        points |= dict.fromkeys(positions, "group" if is_grouped else "part")
        has_decimals = is_grouped and match.end() - positions[-1] - 1 != _GROUP_CHARS
        if has_decimals or (not is_grouped and len(positions) == 1):
            points[positions[-1]] = "decimal"
    marks: list[Mark] = []
    mark: Mark = ""
    for index, char in enumerate(stream):
        if char in " .":
            mark = "space" if char == " " else points.get(index, "part")
            continue
        marks.append(mark)
        mark = ""
    return marks
