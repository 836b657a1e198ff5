"""The values at a path as rows of a page, in the order of the document.

A flat object of a list becomes one row, a scalar a row of its own, and scalars of one list share a row, up to twenty.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from llx_mcp.result.location import Location
from llx_mcp.result.paths import ROOT, join_name
from llx_mcp.result.sanitize import dump_json

_RUN = 20
_RUN_CHARS = 400
_CELL_ITEMS = 20
_CELL_CHARS = 200


@dataclass(frozen=True, slots=True)
class PageRow:
    """One row of a page.

    Attributes:
        path: its path; for scalars of one list, a slice.
        columns: names of a flat object's fields, relative to it; empty for anything else.
        cells: one location for each cell; for a list within a cell, the locations of its elements.
    """

    path: str
    columns: tuple[str, ...]
    cells: tuple["Location | tuple[Location, ...]", ...]

    @property
    def values(self) -> list[Any]:
        """The cells' values."""
        return [[location.value for location in cell] if isinstance(cell, tuple) else cell.value for cell in self.cells]

    @property
    def leaves(self) -> list[Location]:
        """The locations of all values."""
        return [location for cell in self.cells for location in (cell if isinstance(cell, tuple) else (cell,))]


def iter_page_rows(locations: Iterable[Location]) -> Iterator[PageRow]:
    """Yield the rows of all values at some locations. Every scalar, null and empty container comes once."""
    stack: list[Iterator[Location | PageRow]] = [iter(locations)]
    while stack:
        for item in stack[-1]:
            if isinstance(item, PageRow):
                yield item
                continue
            value = item.value
            if isinstance(value, dict) and value:
                stack.append(_of_object(item))
                break
            if isinstance(value, list) and value:
                stack.append(_of_list(item))
                break
            yield single(item)
        else:
            stack.pop()


def single(location: Location) -> PageRow:
    """Return one value as a row."""
    return PageRow(location.path, (), (location,))


def count_values(value: Any) -> int:
    """Count the scalars, nulls and empty containers in a value."""
    count, stack = 0, [value]
    while stack:
        item = stack.pop()
        if item and isinstance(item, dict):
            stack.extend(item.values())
        elif item and isinstance(item, list):
            stack.extend(item)
        else:
            count += 1
    return count


def _of_object(location: Location) -> Iterator[Location | PageRow]:
    record = _record(location) if location.node.indices is not None else None
    if record is not None:
        yield record
    else:
        yield from location.members()


def _of_list(location: Location) -> Iterator[Location | PageRow]:
    run: list[Location] = []
    chars = 0
    for element in location.elements(range(len(location.value))):
        value = element.value
        size = 0 if isinstance(value, dict | list) else len(dump_json(value))
        if run and (isinstance(value, dict | list) or len(run) == _RUN or chars + size > _RUN_CHARS):
            yield _of_run(location, run)
            run, chars = [], 0
        if isinstance(value, dict | list):
            yield element
        else:
            run.append(element)
            chars += size
    if run:
        yield _of_run(location, run)


def _of_run(location: Location, run: list[Location]) -> PageRow:
    if len(run) == 1:
        return single(run[0])
    indices = run[0].node.indices or []
    first, last = indices[run[0].position], indices[run[-1].position]
    return PageRow(f"{location.path}[{first}:{last + 1}]", (), (tuple(run),))


def _record(location: Location) -> PageRow | None:
    """Return an element of a list as one row, or None where it has lists other than short ones of scalars."""
    columns: list[str] = []
    cells: list[Location | tuple[Location, ...]] = []
    stack = [(ROOT, member) for member in location.members()][::-1]
    while stack:
        prefix, member = stack.pop()
        name = join_name(prefix, member.node.step or "")
        value = member.value
        if isinstance(value, dict) and value:
            stack.extend([(name, inner) for inner in member.members()][::-1])
            continue
        if isinstance(value, list) and value:
            if not _is_short(value):
                return None
            cells.append(tuple(member.elements(range(len(value)))))
        else:
            cells.append(member)
        columns.append(name)
    return PageRow(location.path, tuple(columns), tuple(cells))


def _is_short(value: list[Any]) -> bool:
    if len(value) > _CELL_ITEMS or any(isinstance(item, dict | list) for item in value):
        return False
    return len(dump_json(value)) <= _CELL_CHARS
