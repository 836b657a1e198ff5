"""The scalars at a path, or within a value, in document order."""

from collections.abc import Iterator

from llx_mcp.result.document import is_scalar
from llx_mcp.result.jsonpath import find_values
from llx_mcp.result.location import Location
from llx_mcp.result.outline import Node


def find_scalars(root: Node, path: str) -> Iterator[Location]:
    """Yield the scalars at a path and within the objects and lists at it; nulls only where the path names them.

    Raises:
        PathError: the path is not valid, or there is no value at it.
    """
    for location in find_values(root, path):
        if location.value is None:
            yield location
        else:
            yield from _iter_scalars(location)


def _iter_scalars(location: Location) -> Iterator[Location]:
    """Yield the scalars of a value; nulls are left out."""
    stack = [iter((location,))]
    while stack:
        current = next(stack[-1], None)
        if current is None:
            stack.pop()
        elif isinstance(current.value, dict):
            stack.append(current.members())
        elif isinstance(current.value, list):
            stack.append(current.elements(range(len(current.value))))
        elif is_scalar(current.value):
            yield current
