"""A second, slower reader of paths and of metadata, to hold the answers against."""

import re
from typing import Any

_STEP = re.compile(r"\[(\d+|\*)\]|\['((?:[^'\\]|\\.)*)'\]|\.?([^.\[\]]+)")


def steps_of(path: str) -> list[str | int]:
    """The steps of a path as an answer shows it; `*` for every element."""
    if path == "$":
        return []
    steps: list[str | int] = []
    at = 0
    while at < len(path):
        match = _STEP.match(path, at)
        assert match, f"{path} is not a path at {at}"
        index, quoted, name = match.groups()
        if index is not None:
            steps.append("*" if index == "*" else int(index))
        else:
            steps.append(name if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
        at = match.end()
    return steps


def values_at(result: Any, path: str) -> list[Any]:
    """Every value that the path names; a field absent from an object counts as null."""
    found = [result]
    for step in steps_of(path):
        if step == "*":
            found = [item for value in found if isinstance(value, list) for item in value]
        elif isinstance(step, int):
            found = [value[step] for value in found]
        else:
            found = [value.get(step) for value in found if isinstance(value, dict)]
    return found


def unpack(value: Any) -> Any:
    """Columns and rows as the objects that they stand for."""
    if isinstance(value, dict) and value.keys() == {"columns", "rows"}:
        return [{name: unpack(cell) for name, cell in zip(value["columns"], row, strict=True)} for row in value["rows"]]
    if isinstance(value, dict):
        return {name: unpack(child) for name, child in value.items()}
    return [unpack(item) for item in value] if isinstance(value, list) else value
