"""Tables of numbers that a result holds as rows: one number for each metric, period and segment, or year columns.

A list such as `{period, segment, value}` has the numbers of one period in several rows. Here each period becomes one
row and each segment a column, so that a total and its parts stand side by side. The same goes for lists with the same
fields, one for each metric, and for tables whose rows are line items and whose columns are years.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence

from llx_mcp.relations.findings import RelationFindings
from llx_mcp.relations.names import has_role
from llx_mcp.relations.series import lists_of_rows
from llx_mcp.relations.tables import Cell, NumberColumn, NumberReader, NumberTable, last_name
from llx_mcp.result.normalize import normalize_name, normalize_text
from llx_mcp.result.outline import Node, walk_nodes

# More rows or columns are rather records than one table.
_MAX_LINES = 40
_MAX_ROWS = 2_000
_MIN_ROWS = 2
_MAX_KEY_CHARS = 60
# A label is one of few, which repeat.
_MAX_LABEL_SHARE = 0.5

Keyed = tuple[Hashable, Hashable, Cell, int, str]


def find_pivots(root: Node, reader: NumberReader, found: RelationFindings) -> Iterator[NumberTable]:
    """Yield the tables that lists of numbers with labels make up."""
    alike: defaultdict[int, list[Node]] = defaultdict(list)
    for node in found.deadline.limit(walk_nodes(root)):
        if node.element is None or not node.element.members:
            continue
        if node.shape is not None:
            alike[node.shape].append(node)
        yield from _pivot_by_label(node.element, reader)
        yield from _turn(node.element, reader)
    for lists in alike.values():
        yield from _pivot_lists(lists[:_MAX_LINES], reader)


def _labels(element: Node) -> list[Node]:
    """Return the fields of a list whose texts are labels that repeat."""
    found: list[Node] = []
    for member in element.members.values():
        texts = [value for value in member.values if isinstance(value, str)]
        if len(texts) == len(element.values) and max(map(len, texts)) <= _MAX_KEY_CHARS:
            found.append(member)
    return found


def _numbers(element: Node, reader: NumberReader) -> list[Node]:
    """Return the fields of a list with numbers that differ."""
    members = (member for member in element.members.values() if member.parent_positions is None)
    return [member for member in members if reader.read(member) is not None and not member.is_constant]


def _pivot_by_label(element: Node, reader: NumberReader) -> Iterator[NumberTable]:
    """Yield a table for each label of a list that has several rows: its values are rows, other labels columns."""
    if not 4 <= len(element.values) <= _MAX_ROWS:
        return
    labels = [node for node in _labels(element) if len(set(node.values)) > 1]
    for label in labels:
        num_values = len(set(label.values))
        if num_values < 3 or num_values > len(element.values) * _MAX_LABEL_SHARE:
            continue
        others = [other for other in labels if other is not label]
        for numbers in _numbers(element, reader):
            units = reader.read(numbers)
            if units is None or not others:
                continue
            keyed = [
                (label.values[at], tuple(other.values[at] for other in others), (numbers, at), number, "")
                for at, number in enumerate(units.units)
                if number is not None
            ]
            yield from _arrange(element, keyed, units.decimals)


def _pivot_lists(lists: Sequence[Node], reader: NumberReader) -> Iterator[NumberTable]:
    """Yield a table of lists with the same fields: rows are what their labels name, each list is a column."""
    keyed: list[Keyed] = []
    decimals = 0
    elements = [node.element for node in lists if node.element is not None]
    for element in elements:
        for member in _numbers(element, reader)[:1]:
            units = reader.read(member)
            decimals = max(decimals, units.decimals if units is not None else 0)
    for element in elements:
        labels = _labels(element)
        for member in _numbers(element, reader)[:1]:
            units = reader.read(member)
            if units is None or not labels:
                continue
            factor, name = 10 ** (decimals - units.decimals), last_name(element)
            keyed += [
                (tuple(label.values[at] for label in labels), id(element), (member, at), number * factor, name)
                for at, number in enumerate(units.units)
                if number is not None
            ]
    if len(elements) >= 3:
        yield from _arrange(elements[0], keyed, decimals)


def _turn(element: Node, reader: NumberReader) -> Iterator[NumberTable]:
    """Yield each short table of line items turned: its columns of numbers are rows, its line items columns."""
    numbers = [node for node in _numbers(element, reader) if _is_period(last_name(node))]
    if len(numbers) < _MIN_ROWS or not _labels(element):
        return
    label = _labels(element)[0]
    decimals = max(units.decimals for member in numbers if (units := reader.read(member)) is not None)
    for rows in lists_of_rows(element):
        if not 3 <= len(rows) <= _MAX_LINES:
            continue
        keyed: list[Keyed] = []
        for member in numbers:
            units = reader.read(member)
            if units is not None:
                factor = 10 ** (decimals - units.decimals)
                keyed += [
                    (id(member), row, (member, row), number * factor, normalize_text(str(label.values[row])))
                    for row in rows
                    if (number := units.units[row]) is not None
                ]
        yield from _arrange(element, keyed, decimals)


def _is_period(name: str) -> bool:
    """Whether a name is that of a column for one period or scenario: `2024`, `q1`, `prior year`, `budget`."""
    return any(char.isdigit() for char in name) or has_role(name, "period")


def _arrange(rows_of: Node, keyed: Sequence[Keyed], decimals: int) -> Iterator[NumberTable]:
    """Yield the table of numbers with a row and a column each; a place with several numbers stays empty."""
    places = Counter((row, column) for row, column, *_ in keyed)
    rows = {row: index for index, row in enumerate(dict.fromkeys(item[0] for item in keyed))}
    columns: defaultdict[Hashable, dict[int, tuple[Cell, int]]] = defaultdict(dict)
    names: dict[Hashable, str] = {}
    for row, column, cell, number, name in keyed:
        if places[row, column] == 1:
            columns[column][rows[row]] = cell, number
            names[column] = name
    kept = {key: cells for key, cells in columns.items() if len(cells) >= _MIN_ROWS}
    if len(rows) >= _MIN_ROWS and 3 <= len(kept) <= _MAX_LINES:
        built = [_build_column(len(rows), cells, names[key]) for key, cells in kept.items()]
        yield NumberTable(rows_of, len(rows), decimals, built, has_gaps=True)


def _build_column(num_rows: int, cells: dict[int, tuple[Cell, int]], name: str) -> NumberColumn:
    units = [cells[row][1] if row in cells else None for row in range(num_rows)]
    (node, _), _ = next(iter(cells.values()))

    def find_parts(row: int) -> list[tuple[Cell, int]]:
        return [cells[row]] if row in cells else []

    name = normalize_name(name)
    return NumberColumn(node, name, name, "", units, 1, find_parts)
