"""Lists of uniform objects as columns and rows, so that each name is written once."""

from typing import Any

_MAX_DEPTH = 64
_MIN_ROWS = 2
_TABLE_NAMES = {"columns", "rows"}


def pack(value: Any) -> Any:
    """Return the value with each list of two or more objects of the same names as `{"columns": …, "rows": …}`.

    A value that has such an object of its own is returned as it is, because a reader could not tell the two apart.
    """
    return value if _has_table(value) else _pack(value, 0)


def is_table(value: Any) -> bool:
    """Whether a value has the form that `pack` gives a list of objects."""
    return isinstance(value, dict) and value.keys() == _TABLE_NAMES


def _has_table(value: Any) -> bool:
    stack = [value]
    while stack:
        current = stack.pop()
        if is_table(current):
            return True
        if isinstance(current, dict | list):
            children = current.values() if isinstance(current, dict) else current
            stack += [child for child in children if isinstance(child, dict | list)]
    return False


def _pack(value: Any, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        return value
    if isinstance(value, dict):
        return {name: _pack(child, depth + 1) for name, child in value.items()}
    if not isinstance(value, list):
        return value
    if len(value) < _MIN_ROWS or not all(isinstance(item, dict) for item in value):
        return [_pack(item, depth + 1) for item in value]
    columns = list(value[0])
    if not columns or any(item.keys() != value[0].keys() for item in value):
        return [_pack(item, depth + 1) for item in value]
    return {"columns": columns, "rows": [[_pack(item[name], depth + 1) for name in columns] for item in value]}
