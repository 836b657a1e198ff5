"""Compares the running balances of a list with the balances and sums that stand around it."""

from collections.abc import Iterator, Sequence
from fractions import Fraction

from llx_mcp.relations.findings import BrokenRelation, RelationFindings, Suspect
from llx_mcp.relations.names import has_role
from llx_mcp.relations.series import Flow, lists_of_rows
from llx_mcp.relations.tables import NumberColumn, NumberTable
from llx_mcp.relations.totals import find_balances
from llx_mcp.result.outline import Node, ancestor_position, levels_between


def check_balances(around: NumberTable, inner: NumberTable, flow: Flow, found: RelationFindings) -> None:
    """Compare a running balance with the opening and closing balance, and its amounts with their sums."""
    levels = levels_between(inner.rows, around.rows)
    opening, closing = find_balances(around)
    for rows in lists_of_rows(inner.rows):
        row = ancestor_position(rows[0], levels)
        first, last = (rows[0], rows[-1]) if flow.step == 1 else (rows[-1], rows[0])
        change, balance = flow.change(first), flow.balance.units[first]
        if len(opening) == 1 and flow.sign and change is not None and balance is not None:
            cells = [(flow.balance, first, 1), (flow.added, first, -flow.sign)]
            if flow.taken is not None:
                cells.append((flow.taken, first, 1))
            _compare(around, inner, (opening[0], row), cells, "balance before the first row", found)
        if len(closing) == 1 and flow.balance.units[last] is not None:
            cells = [(flow.balance, last, 1)]
            _compare(around, inner, (closing[0], row), cells, "last balance", found)
        _compare_flows(around, inner, flow, rows, row, found)


def _compare_flows(
    around: NumberTable, inner: NumberTable, flow: Flow, rows: range, row: int, found: RelationFindings
) -> None:
    """Compare the sums of what comes in and of what goes out."""
    for role, other, sign in (("in", "out", 1), ("out", "in", -1)):
        named = [
            index for index, column in enumerate(around.columns) if not column.is_sum and _is_flow(column, role, other)
        ]
        cells = list(_flow_cells(flow, rows, sign))
        if len(named) == 1 and cells:
            label = f"sum of what {'comes in' if role == 'in' else 'goes out'} in {flow.added.label}"
            _compare(around, inner, (named[0], row), cells, label, found, needs_slip=True)


def _is_flow(column: NumberColumn, role: str, other: str) -> bool:
    name = column.name
    return has_role(name, role) and not any(has_role(name, word) for word in (other, "balance", "rate", "identifier"))


def _flow_cells(flow: Flow, rows: range, sign: int) -> Iterator[tuple[NumberColumn, int, int]]:
    """Yield the amounts that come in, or those that go out, with the weight that makes them positive."""
    if flow.taken is not None:
        column = flow.added if sign == 1 else flow.taken
        yield from ((column, row, 1) for row in rows if column.units[row])
    elif flow.sign:
        weight = sign * flow.sign
        yield from ((flow.added, row, weight) for row in rows if (flow.added.units[row] or 0) * weight > 0)


def _compare(
    around: NumberTable,
    inner: NumberTable,
    place: tuple[int, int],
    cells: Sequence[tuple[NumberColumn, int, int]],
    label: str,
    found: RelationFindings,
    *,
    needs_slip: bool = False,
) -> None:
    """Compare one number with the weighted sum of values of a list."""
    column, row = around.columns[place[0]], place[1]
    shown = column.units[row]
    if shown is None:
        return
    decimals = max(around.decimals, inner.decimals)
    factor = 10 ** (decimals - inner.decimals)
    total = abs(shown) if needs_slip else shown
    total *= 10 ** (decimals - around.decimals)
    wanted = sum(weight * (part.units[at] or 0) for part, at, weight in cells) * factor
    if wanted == total:
        found.confirm([*column.cells(row), *(cell for part, at, _ in cells for cell in part.cells(at))])
        return
    suspects = [Suspect(*column.cells(row)[0], total, Fraction(wanted))]
    for part, at, weight in cells:
        if part.units[at] is not None:
            units = (part.units[at] or 0) * factor
            needed = Fraction(units + weight * (total - wanted))
            suspects += [Suspect(node, position, units, needed) for node, position in part.cells(at)]
    if needs_slip and not any(suspect.is_one_digit_off for suspect in suspects):
        return
    table = around if around.decimals == decimals else inner
    step = min(column.step * 10 ** (decimals - around.decimals), cells[0][0].step * factor)
    numbers = f"{table.format(wanted, step)}, but {column.label} {table.format(total, step)}"
    why = f"{label} {numbers}: difference {table.format(abs(total - wanted), step)}"
    found.broken.append(BrokenRelation("sum", suspects, why, min(1.0, abs(total - wanted) / max(abs(total), 1))))


def row_node_around(rows: Node, root: Node) -> Node | None:
    """Return the objects around a list of rows whose table has the numbers that stand around it."""
    node = rows.parent
    while node is not None:
        if node is root or node.step is None:
            return node if node.types["object"] else None
        node = node.parent
    return None
