"""Lists of uniform objects as columns and rows, so that each name is written once."""

from typing import Any

_MAX_DEPTH = 64
_MIN_ROWS = 2


def pack(value: Any, depth: int = 0) -> Any:
    """Return the value with each list of two or more objects of the same names as `{"columns": …, "rows": …}`."""
    if depth > _MAX_DEPTH:
        return value
    if isinstance(value, dict):
        return {name: pack(child, depth + 1) for name, child in value.items()}
    if not isinstance(value, list):
        return value
    if len(value) < _MIN_ROWS or not all(isinstance(item, dict) for item in value):
        return [pack(item, depth + 1) for item in value]
    columns = list(value[0])
    if not columns or any(item.keys() != value[0].keys() for item in value):
        return [pack(item, depth + 1) for item in value]
    return {"columns": columns, "rows": [[pack(item[name], depth + 1) for name in columns] for item in value]}
