"""Tables of numbers for finding relations: one row for each object, with its own numbers and the sums of its lists."""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from llx_mcp.relations.names import has_role
from llx_mcp.relations.values import Numbers, format_units, read_numbers
from llx_mcp.result.normalize import normalize_name
from llx_mcp.result.outline import Node, ancestor_position, levels_between, walk_nodes
from llx_mcp.result.paths import ROOT, join_any, join_name
from llx_mcp.result.sanitize import truncate

Cell = tuple[Node, int]
# Of the fields of one object, so many are compared.
MAX_FIELDS = 400
_MAX_LABEL_CHARS = 80


@dataclass(frozen=True, slots=True)
class NumberColumn:
    """The numbers of one field, or the sums of one field of a list, for each row of a table.

    Attributes:
        node: the field; one of the fields where the numbers are from several.
        name: the words of its path below the row.
        last_name: the words of the last name of its path.
        label: how answers name it; "" where they name the path of the single value.
        units: for each row, the number in units of the table; None where there is none.
        step: the unit of the last decimal of the column, in units of the table.
        parts: returns the values that make up the number of a row, each with its number.
        list_name: the words of the name of the list whose values are summed; "" where each number is one value.
    """

    node: Node
    name: str
    last_name: str
    label: str
    units: list[int | None]
    step: int
    parts: Callable[[int], list[tuple[Cell, int]]]
    list_name: str = ""

    def cells(self, row: int) -> list[Cell]:
        """Return the values that make up the number of a row."""
        return [cell for cell, _ in self.parts(row)]

    def label_in(self, row: int) -> str:
        """Return how answers name the number of a row."""
        if self.label:
            return self.label
        (node, position), *_ = self.cells(row)
        return node.path_of(position)

    @property
    def is_sum(self) -> bool:
        """Whether each number is the sum of the values of a list."""
        return bool(self.list_name)


@dataclass(frozen=True, slots=True)
class NumberTable:
    """Numbers in rows.

    Attributes:
        rows: the objects, as node; one row for each of its values.
        num_rows: how many rows there are.
        decimals: all numbers are in units of `10 ** -decimals`.
        columns: the columns.
        has_gaps: whether a number that is missing is only not known, rather than none.
    """

    rows: Node
    num_rows: int
    decimals: int
    columns: list[NumberColumn]
    has_gaps: bool = False

    def format(self, units: int, step: int) -> str:
        """Return a number of a column with this step as text; with more decimals where it has them."""
        decimals = self.decimals
        while decimals and units % 10 == 0 and step % 10 == 0:
            units, step, decimals = units // 10, step // 10, decimals - 1
        return format_units(units, decimals)


class NumberReader:
    """Reads the numbers of each field once."""

    def __init__(self) -> None:
        self._numbers: dict[int, Numbers | None] = {}

    def read(self, node: Node) -> Numbers | None:
        """Return the numbers of a field; None where it has none."""
        if id(node) not in self._numbers:
            self._numbers[id(node)] = read_numbers(node) if node.has_scalars else None
        return self._numbers[id(node)]


def find_row_nodes(root: Node) -> Iterator[Node]:
    """Yield the nodes whose objects are rows: the whole result, and the elements of lists."""
    for node in walk_nodes(root):
        if node.types["object"] and (node.parent is None or node.step is None):
            yield node


def build_table(rows: Node, reader: NumberReader) -> NumberTable | None:
    """Build the table of the objects of a node; None where they hold no numbers."""
    found: list[tuple[Node, Numbers, bool]] = []
    for node, in_list in islice(_walk_fields(rows), MAX_FIELDS):
        if (numbers := reader.read(node)) is not None:
            found.append((node, numbers, in_list))
    if not found:
        return None
    decimals = max(numbers.decimals for _, numbers, _ in found)
    columns = [_build_column(rows, node, numbers, decimals, in_list) for node, numbers, in_list in found]
    return NumberTable(rows, len(rows.values), decimals, columns)


def is_amount(column: NumberColumn) -> bool:
    """Whether the name of a column does not speak against an amount, as those of rates, days and positions do."""
    return not any(has_role(column.last_name, role) for role in ("rate", "days", "identifier", "quantity"))


def count_fields_left_out(rows: Node) -> int:
    """Return how many fields of the objects of a node are too many for a table."""
    return max(0, sum(1 for _ in _walk_fields(rows)) - MAX_FIELDS)


def relative_label(node: Node, rows: Node) -> str:
    """Return the path of a field below the objects of a node for people; a very long one is cut."""
    path = ROOT
    for step in node.steps[len(rows.steps) :]:
        path = join_any(path) if step is None else join_name(path, step)
    return str(truncate(path, _MAX_LABEL_CHARS))


def relative_name(node: Node, rows: Node) -> str:
    """Return the words of the path of a field below the objects of a node."""
    return " ".join(normalize_name(step) for step in node.steps[len(rows.steps) :] if step is not None)


def _walk_fields(rows: Node) -> Iterator[tuple[Node, bool]]:
    """Yield the fields of scalars below the objects of a node, and whether they are in a list within them."""
    stack = [(member, False) for member in reversed(rows.members.values())]
    while stack:
        node, in_list = stack.pop()
        if node.has_scalars:
            yield node, in_list
        stack.extend((member, in_list) for member in reversed(node.members.values()))
        # Lists within lists are summed in a table of their own.
        if node.element is not None and not in_list:
            stack.append((node.element, True))


def _build_column(rows: Node, node: Node, numbers: Numbers, decimals: int, in_list: bool) -> NumberColumn:
    factor = 10 ** (decimals - numbers.decimals)
    levels = levels_between(node, rows)
    row_of = [ancestor_position(position, levels) for position in range(len(node.values))]
    num_rows = len(rows.values)
    starts = [bisect_left(row_of, row) for row in range(num_rows)] + [len(row_of)]
    positions = [range(starts[row], starts[row + 1]) for row in range(num_rows)]
    units = [_sum_units(numbers.units, within, factor) for within in positions]
    name, label = relative_name(node, rows), relative_label(node, rows)

    def find_parts(row: int) -> list[tuple[Cell, int]]:
        known = ((position, numbers.units[position]) for position in positions[row])
        return [((node, position), number * factor) for position, number in known if number is not None]

    list_name = _list_name(node) if in_list else ""
    label = f"sum of {label}" if in_list else label
    return NumberColumn(node, name, last_name(node), label, units, factor, find_parts, list_name)


def last_name(node: Node) -> str:
    """Return the words of the last name on the path of a field."""
    at: Node | None = node
    while at is not None and at.step is None:
        at = at.parent
    return normalize_name(at.step) if at is not None and at.step is not None else ""


def _list_name(node: Node) -> str:
    at: Node | None = node
    while at is not None and at.indices is None:
        at = at.parent
    return last_name(at) if at is not None else ""


def _sum_units(units: list[int | None], positions: range, factor: int) -> int | None:
    known = [number for number in (units[position] for position in positions) if number is not None]
    return sum(known) * factor if known else None
