"""Tables of numbers for finding relations: one row for each object, with its own numbers and the sums of its lists."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llx_mcp.result.normalize import normalize_name
from llx_mcp.result.outline import Node, ancestor_position, levels_between, walk_nodes
from llx_mcp.result.paths import ROOT, join_any, join_name
from llx_mcp.result.relation_values import Numbers, format_units, read_numbers

Cell = tuple[Node, int]


@dataclass(frozen=True, slots=True)
class NumberColumn:
    """The numbers of one field, or the sums of one field of a list, for each row of a table.

    Attributes:
        node: the field.
        name: the words of its path below the row.
        label: its path below the row.
        units: for each row, the number in units of the table; None where there is none.
        positions: for each row, the positions of the values in `node.values`.
        step: the unit of the last decimal of the column, in units of the table.
        is_sum: whether each number is the sum of the values of a list.
    """

    node: Node
    name: str
    label: str
    units: list[int | None]
    positions: Sequence[Sequence[int]]
    step: int
    is_sum: bool = False

    def cells(self, row: int) -> list[Cell]:
        """Return the values that make up the number of a row."""
        return [(self.node, position) for position in self.positions[row]]


@dataclass(frozen=True, slots=True)
class NumberTable:
    """Numbers in rows.

    Attributes:
        rows: the objects, as node; one row for each of its values.
        num_rows: how many rows there are.
        decimals: all numbers are in units of `10 ** -decimals`.
        columns: the columns.
    """

    rows: Node
    num_rows: int
    decimals: int
    columns: list[NumberColumn]

    def format(self, units: int) -> str:
        """Return a number of the table as text."""
        text = format_units(units, self.decimals)
        # Two decimals are usual for amounts; further zeros tell nothing.
        while "." in text and text.endswith("0") and len(text.partition(".")[2]) > 2:
            text = text[:-1]
        return text.removesuffix(".00") if self.decimals > 2 else text


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
    """Build the table of the objects of a node; None where they hold less than two numbers."""
    found: list[tuple[Node, Numbers, bool]] = []
    for node, in_list in _walk_fields(rows):
        if (numbers := reader.read(node)) is not None:
            found.append((node, numbers, in_list))
    if len(found) < 2:
        return None
    decimals = max(numbers.decimals for _, numbers, _ in found)
    columns = [_build_column(rows, node, numbers, decimals, in_list) for node, numbers, in_list in found]
    return NumberTable(rows, len(rows.values), decimals, columns)


def relative_label(node: Node, rows: Node) -> str:
    """Return the path of a field below the objects of a node, with `[*]` for the elements of lists."""
    path = ROOT
    for step in node.steps[len(rows.steps) :]:
        path = join_any(path) if step is None else join_name(path, step)
    return path


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
    return NumberColumn(node, name, f"sum of {label}" if in_list else label, units, positions, factor, in_list)


def _sum_units(units: list[int | None], positions: range, factor: int) -> int | None:
    known = [number for number in (units[position] for position in positions) if number is not None]
    return sum(known) * factor if known else None
