"""A second, simpler way to read paths, with which tests check answers."""

import re
from typing import Any

_STEP = re.compile(r"\[(\d+|\*)\]|\['((?:[^'\\]|\\.)*)'\]|\.?([^.\[\]]+)")


def steps_of(path: str) -> list[str | int]:
    """Return the steps of a path from an answer; `*` is every element."""
    if path == "$":
        return []
    steps: list[str | int] = []
    offset = 0
    while offset < len(path):
        match = _STEP.match(path, offset)
        assert match, f"{path} is not a path at {offset}"
        index, quoted, name = match.groups()
        if index is not None:
            steps.append("*" if index == "*" else int(index))
        else:
            steps.append(name if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
        offset = match.end()
    return steps


def values_at(result: Any, path: str) -> list[Any]:
    """Return every value that a path names; an absent field of an object counts as null."""
    found = [result]
    for step in steps_of(path):
        if step == "*":
            found = [item for value in found if isinstance(value, list) for item in value]
        elif isinstance(step, int):
            found = [value[step] for value in found]
        else:
            found = [value.get(step) for value in found if isinstance(value, dict)]
    return found
