"""Lists of uniform objects as columns and rows, so that each name is written once."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llx_mcp.answers.budget import Cost, TableBuilder
from llx_mcp.answers.markdown import item_line
from llx_mcp.answers.outputs import Table
from llx_mcp.result.outline import Node, first_items
from llx_mcp.result.sanitize import sanitize_json, truncate

_MAX_DEPTH = 64
_MIN_ROWS = 2
_MAX_ITEMS_A_LIST = 10
_SCALARS = 0
_CELL_CHARS = 60
_TABLES_AT_ONCE = 3


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


@dataclass(frozen=True, slots=True)
class ItemColumn:
    """One column of a table of items.

    Attributes:
        label: name of the column.
        steps: names that lead from an item to the value.
        is_list: whether the cell is the length of a list within the item.
    """

    label: str
    steps: tuple[str, ...]
    is_list: bool

    def cell(self, item: Any) -> Any:
        """Return the item's value in this column, or None where there is none."""
        for step in self.steps:
            item = item.get(step) if isinstance(item, dict) else None
        if self.is_list:
            return len(item) if isinstance(item, list) else None
        return None if isinstance(item, dict | list) else item


def item_columns(element: Node) -> list[ItemColumn]:
    """Build the columns for the items of a list of objects: scalars, those of nested objects, lengths of lists."""
    columns: list[ItemColumn] = []
    offset, element_path = len(element.steps), element.path
    stack = [element]
    while stack:
        node = stack.pop()
        steps = tuple(step for step in node.steps[offset:] if step is not None)
        name = node.path.removeprefix(element_path).removeprefix(".")
        if node is not element and node.element is not None:
            columns.append(ItemColumn(f"length({name})", steps, is_list=True))
        if node is not element and node.has_scalars:
            columns.append(ItemColumn(name, steps, is_list=False))
        stack.extend(reversed(node.members.values()))
    return columns


class ItemTables:
    """The first items of the lists in a result. Lists of one shape share a table, and so do lists of scalars."""

    def __init__(self, nodes: list[Node]) -> None:
        groups: dict[int, list[Node]] = {}
        for node in nodes:
            if node.element is None or node.element.types["list"]:
                continue
            shape = id(node.like or node) if node.element.types["object"] else _SCALARS
            groups.setdefault(shape, []).append(node)
        longest_first = sorted(groups.values(), key=lambda group: -sum(node.num_elements for node in group))
        self._tables = [_build_item_table(group) for group in longest_first]

    def fill(self, room: Cost) -> Cost:
        """Take rows for as long as all tables together stay within `room`; return what these rows take."""
        taken = Cost()
        for index, table in enumerate(self._tables):
            share = 1 / min(len(self._tables) - index, _TABLES_AT_ONCE)
            taken += table.fill((room - taken).share(share))
        return taken

    @property
    def tables(self) -> list[Table]:
        """The tables that have rows."""
        return [table.table for table in self._tables if table.rows]


def _build_item_table(group: list[Node]) -> TableBuilder:
    first = group[0].element
    is_record = first is not None and first.types["object"] > 0
    columns = item_columns(first) if first and is_record else [ItemColumn("value", (), is_list=False)]
    labels = ["_path" if is_record else "path", *(column.label for column in columns)]
    return TableBuilder("items", labels, _item_rows(group, columns), item_line)


def _item_rows(group: list[Node], columns: list[ItemColumn]) -> Iterator[list[Any]]:
    # The first item of each list comes before the second of any.
    lists = [first_items(node, _MAX_ITEMS_A_LIST) for node in group]
    for index in range(_MAX_ITEMS_A_LIST):
        for items in lists:
            if index < len(items):
                path, item = items[index]
                yield [path, *(sanitize_json(truncate(column.cell(item), _CELL_CHARS)) for column in columns)]
