"""Relations between neighbouring rows of a list: running balances, and numbers that count up by one."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise, permutations

from llx_mcp.relations.evidence import MIN_BITS, allows_broken, count_bits, sample_rows, shifts
from llx_mcp.relations.findings import BrokenRelation, RelationFindings, Suspect
from llx_mcp.relations.names import has_role
from llx_mcp.relations.tables import NumberColumn, NumberTable
from llx_mcp.relations.values import count_digit_changes
from llx_mcp.result.outline import Node

_MAX_COLUMNS = 12
_NUM_SEEDS = 24
_MIN_COUNTED = 6
_MIN_COUNTED_UNNAMED = 12


@dataclass(frozen=True, slots=True)
class Flow:
    """How one column says by how much another changes from row to row.

    Attributes:
        balance: the column that changes.
        added: the column with the change.
        taken: the column with what is subtracted, if it is another one.
        sign: 1 or -1; 0 where the amounts have no sign.
        step: 1 where the balance is that after the row, -1 where the newest row comes first.
    """

    balance: NumberColumn
    added: NumberColumn
    taken: NumberColumn | None
    sign: int
    step: int

    def change(self, row: int) -> int | None:
        """Return the change that a row states."""
        added = self.added.units[row]
        if self.taken is None:
            return None if added is None else added * (self.sign or 1)
        taken = self.taken.units[row]
        return None if added is None and taken is None else (added or 0) - (taken or 0)

    def difference(self, row: int, before: int, from_row: int | None = None) -> int | None:
        """Return by how much the balance of a row differs from the one before and the change; None if unknown."""
        after, previous = self.balance.units[row], self.balance.units[before]
        change = self.change(row if from_row is None else from_row)
        if after is None or previous is None or change is None:
            return None
        moved = after - previous
        return abs(moved) - abs(change) if self.sign == 0 else moved - change


def check_series(table: NumberTable, found: RelationFindings) -> list[Flow]:
    """Find rows that break a running balance or a count, and return the running balances that there are."""
    plain = [column for column in table.columns if not column.is_sum]
    for column in plain:
        _check_count(table, column, found)
    if len(plain) > _MAX_COLUMNS:
        found.unchecked["fields were not compared as balances: too many fields"] += len(plain) - _MAX_COLUMNS
    pairs = _neighbours(table)
    if len(pairs) < 3:
        return []
    flows: list[Flow] = []
    step = max(len(pairs) / _NUM_SEEDS, 1)
    seeds = [pairs[int(index * step)] for index in range(min(_NUM_SEEDS, len(pairs)))]
    for flow in found.deadline.limit(_flows(plain[:_MAX_COLUMNS], seeds)):
        if all(flow.balance is not known.balance for known in flows) and _is_proven(flow, pairs, len(plain)):
            flows.append(flow)
            _record(table, flow, pairs, found)
    return flows


def lists_of_rows(rows: Node) -> Iterator[range]:
    """Yield the rows of each list."""
    if rows.parent_positions is None:
        yield range(len(rows.values))
        return
    start = 0
    for row in range(1, len(rows.values) + 1):
        if row == len(rows.values) or rows.parent_positions[row] != rows.parent_positions[start]:
            yield range(start, row)
            start = row


def _neighbours(table: NumberTable) -> list[tuple[int, int]]:
    """Return each row with the one before it in its list."""
    return [(row, row - 1) for rows in lists_of_rows(table.rows) for row in rows[1:]]


def _flows(columns: Sequence[NumberColumn], seeds: Sequence[tuple[int, int]]) -> Iterator[Flow]:
    """Yield what is a running balance in half of the rows that are looked at, the plainest first."""
    for step in (1, -1):
        for balance, added in permutations(columns, 2):
            for sign in (1, -1, 0):
                flow = Flow(balance, added, None, sign, step)
                if _holds_often(flow, seeds):
                    yield flow
        for added, taken in permutations(columns, 2):
            # Each row has one of the two.
            if sum(bool(added.units[row]) != bool(taken.units[row]) for row, _ in seeds) * 4 >= len(seeds) * 3:
                flows = (Flow(one, added, taken, 1, step) for one in columns if one is not added and one is not taken)
                yield from (flow for flow in flows if _holds_often(flow, seeds))


def _holds_often(flow: Flow, seeds: Sequence[tuple[int, int]]) -> bool:
    """Whether a balance holds in half of some rows; ends where it cannot any more."""
    failures_left = len(seeds) // 2
    for pair in seeds:
        if flow.difference(*_pair(flow, pair)) != 0:
            failures_left -= 1
            if failures_left < 0:
                return False
    return True


def _pair(flow: Flow, pair: tuple[int, int]) -> tuple[int, int]:
    """Return the row of a balance and that of the balance before it."""
    return pair if flow.step == 1 else (pair[1], pair[0])


def _is_proven(flow: Flow, pairs: Sequence[tuple[int, int]], num_columns: int) -> bool:
    differences = [(flow.difference(*_pair(flow, pair)), *_pair(flow, pair)) for pair in pairs]
    holding = [row for difference, row, _ in differences if difference == 0 and flow.change(row)]
    # A wrong balance breaks two neighbouring pairs.
    faults = [at for at, (difference, *_) in enumerate(differences) if difference]
    num_faults = sum(at - 1 not in faults[max(index - 1, 0) : index] for index, at in enumerate(faults))
    distinct = list({(flow.balance.units[row], flow.change(row)): row for row in holding}.values())
    if not allows_broken(len(distinct), num_faults):
        return False
    terms = [[flow.balance.units[row] or 0 for row in distinct], [flow.change(row) or 0 for row in distinct]]
    needed = MIN_BITS + math.log2(6 * num_columns**3)
    num_supporting = len(distinct) - (0 if faults else 2)
    return count_bits(terms, num_supporting, _share_by_chance(flow, distinct)) >= needed


def _share_by_chance(flow: Flow, rows: Sequence[int]) -> float:
    rows = sample_rows(rows)
    tried = [
        flow.difference(row, row - flow.step, rows[(at + shift) % len(rows)]) == 0
        for shift in shifts(len(rows))
        for at, row in enumerate(rows)
        if flow.change(row) != flow.change(rows[(at + shift) % len(rows)])
    ]
    return sum(tried) / len(tried) if tried else 1.0


def _record(table: NumberTable, flow: Flow, pairs: Sequence[tuple[int, int]], found: RelationFindings) -> None:
    for pair in pairs:
        row, before = _pair(flow, pair)
        difference = flow.difference(row, before)
        columns = [flow.added, *([flow.taken] if flow.taken is not None else [])]
        if difference == 0:
            found.confirm([*flow.balance.cells(row), *flow.balance.cells(before)])
            found.confirm(cell for column in columns for cell in column.cells(row))
        elif difference is not None:
            found.broken.append(_describe(table, flow, row, before, difference))


def _describe(table: NumberTable, flow: Flow, row: int, before: int, difference: int) -> BrokenRelation:
    after, previous = flow.balance.units[row] or 0, flow.balance.units[before] or 0
    change = flow.change(row) or 0
    if flow.sign == 0:
        change = abs(change) if after >= previous else -abs(change)
        difference = after - previous - change
    expected = previous + change
    suspects = [_suspect(flow.balance, row, expected), _suspect(flow.balance, before, after - change)]
    needed = after - previous
    if flow.taken is None:
        suspects.append(_suspect(flow.added, row, abs(needed) if flow.sign == 0 else needed * flow.sign))
    else:
        suspects.append(_suspect(flow.added, row, needed + (flow.taken.units[row] or 0)))
        suspects.append(_suspect(flow.taken, row, (flow.added.units[row] or 0) - needed))
    label = flow.balance.label
    sign = "-" if change < 0 else "+"
    change_label = flow.added.label if flow.taken is None or flow.added.units[row] else flow.taken.label
    numbers = (previous, abs(change), expected, after, abs(difference))
    shown = [table.format(number, flow.balance.step) for number in numbers]
    why = (
        f"{label} before it {shown[0]} {sign} {change_label} {shown[1]} = {shown[2]}, but {label} {shown[3]}: "
        f"difference {shown[4]}"
    )
    known = [suspect for suspect in suspects if suspect is not None]
    return BrokenRelation("sum", known, why, min(1.0, abs(difference) / max(abs(after), 1)))


def _suspect(column: NumberColumn, row: int, needed: int) -> Suspect | None:
    shown = column.units[row]
    return None if shown is None else Suspect(*column.cells(row)[0], shown, Fraction(needed))


def _check_count(table: NumberTable, column: NumberColumn, found: RelationFindings) -> None:
    """Find numbers that break a count, such as the position of each item of an invoice."""
    one, is_index = 10**table.decimals, has_role(column.last_name, "index")
    for rows in lists_of_rows(table.rows):
        units = [column.units[row] for row in rows]
        if len(rows) < (_MIN_COUNTED if is_index else _MIN_COUNTED_UNNAMED):
            continue
        steps = [None if a is None or b is None else b - a for a, b in pairwise(units)]
        num_broken = sum(step != one for step in steps)
        if num_broken > max(2, len(steps) * 0.05) or num_broken > len(steps) // 2:
            continue
        for at, row in enumerate(rows):
            if at and at + 1 < len(rows):
                wanted = _between(units[at - 1], units[at + 1], one)
            else:
                wanted = _at_the_end(units, at, one)
            _judge_count(table, column, row, wanted, (units, at), found)


def _between(before: int | None, after: int | None, one: int) -> int | None:
    if before is None or after is None or after - before != 2 * one:
        return None
    return before + one


def _at_the_end(units: Sequence[int | None], at: int, one: int) -> int | None:
    """Return what the first or the last number of a count should be, as the next two say."""
    near, far = (units[1], units[2]) if at == 0 else (units[-2], units[-3])
    if near is None or far is None or abs(near - far) != one:
        return None
    return 2 * near - far


def _judge_count(
    table: NumberTable,
    column: NumberColumn,
    row: int,
    wanted: int | None,
    place: tuple[Sequence[int | None], int],
    found: RelationFindings,
) -> None:
    units, at = place
    shown = column.units[row]
    if wanted is None or shown is None:
        return
    if shown == wanted:
        found.order(*column.cells(row)[0])
        return
    beside = [units[near] for near in (at - 1, at + 1) if 0 <= near < len(units)]
    is_inner = len(beside) == 2
    # Equal ranks are usual, and so is a last row of another kind.
    if not has_role(column.last_name, "index") and (shown in beside or not is_inner):
        return
    if not is_inner and count_digit_changes(shown, wanted) != 1:
        return
    shown_beside = " and ".join(table.format(number, column.step) for number in beside if number is not None)
    stands = f"{table.format(shown, column.step)} stands {'between' if is_inner else 'beside'} {shown_beside}"
    suspect = Suspect(*column.cells(row)[0], shown, wanted)
    found.broken.append(BrokenRelation("order", [suspect], f"{column.label} counts up by 1, but {stands}"))
