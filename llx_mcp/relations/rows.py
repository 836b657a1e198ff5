"""Finds relations between the numbers of each row: sums and products of columns that hold in nearly all rows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

from llx_mcp.relations.breaks import describe_break
from llx_mcp.relations.candidates import find_products, find_residual, find_sums
from llx_mcp.relations.evidence import (
    MIN_BITS,
    MIN_HOLDING,
    Relation,
    allows_broken,
    count_bits,
    sample_rows,
    shifts,
)
from llx_mcp.relations.findings import RelationFindings
from llx_mcp.relations.names import has_role
from llx_mcp.relations.tables import NumberColumn, NumberTable, is_amount

# More columns are not tried in pairs.
_MAX_COLUMNS = 60
# With fewer rows that hold exactly, a difference of one unit counts as rounding.
_MIN_EXACT_ROWS = 8
_NUM_PROBED = 40
# Names say as much as some rows.
_BITS_OF_NAMES = 16


@dataclass(frozen=True)
class Tested:
    """How a relation does in the rows of a table.

    Attributes:
        relation: the relation.
        holding: the rows in which it holds.
        supporting: the holding rows that tell something: with different numbers other than 0 and 1.
        broken: the rows in which it fails, with the number that the total should have.
    """

    relation: Relation
    holding: list[int]
    supporting: list[int]
    broken: list[tuple[int, Fraction]]


def check_rows(table: NumberTable, found: RelationFindings, *, with_products: bool = True) -> None:
    """Find rows that break a relation between columns which holds in nearly all rows."""
    if table.num_rows < MIN_HOLDING:
        return
    columns = table.columns[:_MAX_COLUMNS]
    if len(table.columns) > _MAX_COLUMNS:
        found.unchecked["fields were not compared with the others of their row: too many fields"] += (
            len(table.columns) - _MAX_COLUMNS
        )
    checked: list[Tested] = []
    products = find_products(table, columns, found) if with_products else ()
    for relation, num_tried in found.deadline.limit((*find_sums(table, columns), *products)):
        if not _holds_mostly(table, relation):
            continue
        tested = _test(table, relation)
        needed = MIN_BITS + math.log2(max(num_tried, 1)) - (_BITS_OF_NAMES if _is_named(columns, relation) else 0)
        if _is_proven(table, tested, needed):
            checked.append(tested)
    for tested in sorted(checked, key=lambda one: len(one.relation.columns)):
        _record(table, tested, found)


def _is_named(columns: Sequence[NumberColumn], relation: Relation) -> bool:
    """Whether the names of factors and product say what they are: a quantity and a price, or a rate."""
    if not relation.divisor:
        return False
    first, second, total = (columns[index].last_name for index in relation.columns)
    if relation.divisor == 1:
        pairs = ((first, second), (second, first))
        return any(has_role(one, "quantity") and has_role(other, "price") for one, other in pairs) and (
            has_role(total, "amount")
        )
    return has_role(second, "rate") and any(has_role(total, role) for role in ("tax", "amount", "gross"))


def _holds_mostly(table: NumberTable, relation: Relation) -> bool:
    """Whether a relation holds in most of the first rows and of others, so that all rows are worth a test."""
    step = max(table.num_rows // _NUM_PROBED, 1)
    residuals = [find_residual(table, relation, row) for row in range(0, table.num_rows, step)]
    known = [residual for residual in residuals if residual is not None]
    return sum(residual == 0 for residual in known) * 3 >= len(known) * 2


def _test(table: NumberTable, relation: Relation) -> Tested:
    """Test a relation in all rows."""
    residuals = {row: find_residual(table, relation, row) for row in range(table.num_rows)}
    holding = [row for row, residual in residuals.items() if residual == 0]
    supporting = _distinct(table, relation, holding)
    failing = {row: Fraction(residual) for row, residual in residuals.items() if residual}
    unit = table.columns[relation.columns[-1]].step
    near = [row for row, residual in failing.items() if abs(residual) <= unit * _rounding(table, relation, row)]
    # What is only rounded otherwise is no fault, unless all others are exact.
    if near and (len(near) > 1 or len(supporting) < _MIN_EXACT_ROWS):
        holding += near
        failing = {row: residual for row, residual in failing.items() if row not in near}
    broken = [(row, residual) for row, residual in failing.items() if not _is_explained(table, relation, row, residual)]
    return Tested(relation, holding, supporting, broken)


def _rounding(table: NumberTable, relation: Relation, row: int) -> int:
    """Return how many units of the total rounding of the other numbers can make."""
    if not relation.divisor:
        return 1
    first, second = (abs(table.columns[index].units[row] or 0) for index in relation.columns[:2])
    units = [table.columns[index].step for index in relation.columns]
    by_first = Fraction(units[0] * (second + relation.base * 10**table.decimals), 10**table.decimals)
    by_second = Fraction(units[1] * first, 10**table.decimals)
    # Whole numbers are counts and rates, which nobody rounds.
    one = 10**table.decimals
    rounded = [by for by, unit in ((by_first, units[0]), (by_second, units[1])) if unit < one]
    return 1 + math.ceil(max(rounded, default=Fraction(0)) / relation.divisor / 2 / units[2])


def _distinct(table: NumberTable, relation: Relation, rows: Sequence[int]) -> list[int]:
    """Return one row for each set of numbers that says something."""
    seen: dict[tuple[int | None, ...], int] = {}
    for row in rows:
        numbers = tuple(table.columns[index].units[row] for index in relation.columns)
        is_trivial = find_residual(table, relation, row, check_ones=True) is None
        if is_trivial or sum(map(bool, numbers)) < min(len(numbers), 3):
            continue
        if not (table.has_gaps and any(_are_alike(numbers, other) for other in seen)):
            seen.setdefault(numbers, row)
    return list(seen.values())


def _are_alike(numbers: Sequence[int | None], others: Sequence[int | None]) -> bool:
    """Whether two rows nearly have the same numbers, as those of a period and the same period restated."""
    pairs = ((number or 0, other or 0) for number, other in zip(numbers, others, strict=True))
    return all(abs(number - other) * 100 <= abs(number) for number, other in pairs)


def _is_explained(table: NumberTable, relation: Relation, row: int, residual: Fraction) -> bool:
    """Whether another amount of the row explains why the relation fails, such as a discount or fees."""
    for index, column in enumerate(table.columns):
        units = column.units[row]
        if not units or index in relation.columns or not is_amount(column):
            continue
        is_rare = not table.has_gaps and sum(map(bool, column.units)) <= max(1, table.num_rows // 5)
        if is_rare or abs(units) == abs(residual):
            return True
    return False


def _is_proven(table: NumberTable, tested: Tested, needed: float) -> bool:
    rows = tested.supporting
    if not allows_broken(len(rows), len(tested.broken)):
        return False
    # It must be as certain without one of its rows: else a fault in this row would hide the relation.
    num_supporting = len(rows) - (0 if tested.broken else 1)
    terms = [[table.columns[index].units[row] or 0 for row in rows] for index in tested.relation.columns]
    combined = _combine(tested.relation, terms)
    num_ignored = 1 if tested.relation.divisor else 0
    if count_bits(terms, num_supporting, 0.0, combined, num_ignored) < needed:
        return False
    by_chance = _share_by_chance(table, tested.relation, rows)
    return count_bits(terms, num_supporting, by_chance, combined, num_ignored) >= needed


def _combine(relation: Relation, terms: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return the sums of each two terms of a longer sum."""
    if len(relation.weights) <= 3:
        return []
    weighted = [[weight * number for number in term] for weight, term in zip(relation.weights, terms, strict=True)]
    return [[a + b for a, b in zip(one, other, strict=True)] for one, other in combinations(weighted, 2)]


def _share_by_chance(table: NumberTable, relation: Relation, rows: Sequence[int]) -> float:
    """Return the largest share of rows in which the relation holds though one term is from another row."""
    rows = sample_rows(rows)
    shares = [0.0]
    for term, index in enumerate(relation.columns):
        units = table.columns[index].units
        pairs = [(row, rows[(at + shift) % len(rows)]) for shift in shifts(len(rows)) for at, row in enumerate(rows)]
        pairs = [pair for pair in pairs if units[pair[0]] != units[pair[1]]]
        holding = sum(find_residual(table, relation, row, moved=(term, other)) == 0 for row, other in pairs)
        shares.append(holding / len(pairs) if pairs else 0.0)
    return max(shares)


def _record(table: NumberTable, tested: Tested, found: RelationFindings) -> None:
    relation = tested.relation
    for row in tested.holding:
        found.confirm(cell for index in relation.columns for cell in table.columns[index].cells(row))
    for row, residual in tested.broken:
        found.broken.append(describe_break(table, relation, row, residual))
