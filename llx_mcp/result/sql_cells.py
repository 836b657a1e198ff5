"""The cells of SQL tables: values as SQLite can hold them, and cut where they are too long for it."""

import json
from collections.abc import Callable
from typing import Any

from llx_mcp.result.outline import Node
from llx_mcp.result.paths import show_path
from llx_mcp.result.sanitize import dump_json, truncate

# SQLite's integers have 64 bits.
_INTEGER_LIMIT = 1 << 63
_DOUBLE_LIMIT = 10**300
# A query reads no value of more than 8,000,000 bytes.
_MAX_CELL_BYTES = 7_900_000
_MAX_BYTES_A_CHAR = 4
_CUT_CHARS = 1_000_000
_MAX_NAME_CHARS = 1_000


class CellCutter:
    """Cuts texts, lists and names that are too long for a query.

    Args:
        is_off: leave all cells whole.

    Attributes:
        num_cut: number of cells that it cut.
    """

    def __init__(self, *, is_off: bool = False) -> None:
        self.num_cut = 0
        self._is_off = is_off

    def cut_text(self, cell: Any) -> Any:
        """Return a text that a query can read, where a list remains valid JSON; any other cell as it is."""
        if self._is_off or not isinstance(cell, str) or _is_readable(cell):
            return cell
        self.num_cut += 1
        return _cut_list(cell) or truncate(cell, _CUT_CHARS)

    def cut_name(self, name: str) -> str:
        """Return the name of a field, which each row repeats."""
        self.num_cut += len(name) > _MAX_NAME_CHARS
        return str(truncate(name, _MAX_NAME_CHARS))

    def path_writer(self, node: Node) -> Callable[[int], str]:
        """Return a function that writes the path of the value at a position, with names of bounded length."""
        lengths = [len(step) for step in node.steps if step is not None]
        has_long_name = not self._is_off and max(lengths, default=0) > _MAX_NAME_CHARS

        def write(position: int) -> str:
            self.num_cut += has_long_name
            return show_path(node.path_of(position, _MAX_NAME_CHARS if has_long_name else None))

        return write


def _is_readable(text: str) -> bool:
    # Most texts are so short that their bytes need no count.
    is_short = len(text) * _MAX_BYTES_A_CHAR <= _MAX_CELL_BYTES
    return is_short or len(text.encode(errors="replace")) <= _MAX_CELL_BYTES


def _cut_list(text: str) -> str | None:
    """Return the first elements of a list in JSON as JSON; None for any other text."""
    try:
        elements = json.loads(text) if text.startswith("[") else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(elements, list):
        return None
    while len(text) > _CUT_CHARS and len(elements) > 1:
        elements = elements[: len(elements) // 2]
        text = dump_json(elements)
    if len(text) > _CUT_CHARS:
        # A single element is as long as that. Its text is cut, so that the list does not look empty.
        element = elements[0] if isinstance(elements[0], str) else dump_json(elements[0])
        text = dump_json([truncate(element, _CUT_CHARS)])
    return text


def to_cell(value: Any) -> Any:
    """Return a value as SQLite can hold it: a list or object as JSON, a large integer as text."""
    if isinstance(value, dict | list):
        return dump_json(value)
    return str(value) if isinstance(value, int) and abs(value) >= _INTEGER_LIMIT else value


def to_number(value: Any) -> int | float | None:
    """Return a number that SQLite can hold: the nearest double for a large integer, None for any other value."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, int) and abs(value) >= _INTEGER_LIMIT:
        return float(value) if abs(value) < _DOUBLE_LIMIT else None
    return value


def type_name(value: Any) -> str:
    """Return the JSON type of a scalar."""
    if isinstance(value, bool):
        return "boolean"
    return "string" if isinstance(value, str) else "integer" if isinstance(value, int) else "number"
