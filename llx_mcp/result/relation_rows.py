"""Finds relations between the numbers of each row: sums and products of columns that hold in nearly all rows."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

from llx_mcp.result.relation_evidence import (
    MIN_BITS,
    MIN_HOLDING,
    Relation,
    allows_broken,
    count_bits,
    sample_rows,
    shifts,
)
from llx_mcp.result.relation_findings import BrokenRelation, RelationFindings, Suspect
from llx_mcp.result.relation_tables import NumberColumn, NumberTable

# More columns are not tried in pairs.
_MAX_COLUMNS = 60
_MAX_PRODUCT_COLUMNS = 16
_MAX_PAIR_SUM_COLUMNS = 14
_NUM_SEEDS = 8
_DIVISORS = ((1, 0), (100, 0), (100, 100))
# With fewer rows that hold exactly, a difference of one unit counts as rounding.
_MIN_EXACT_ROWS = 8


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


def check_rows(table: NumberTable, found: RelationFindings) -> None:
    """Find rows that break a relation between columns which holds in nearly all rows."""
    if table.num_rows < MIN_HOLDING:
        return
    columns = table.columns[:_MAX_COLUMNS]
    if len(table.columns) > _MAX_COLUMNS:
        found.unchecked["fields were not compared with the others of their row: too many fields"] += (
            len(table.columns) - _MAX_COLUMNS
        )
    checked: list[Tested] = []
    for relation, num_tried in (*_find_sums(table, columns, found), *_find_products(table, columns, found)):
        tested = _test(table, relation)
        needed = MIN_BITS + math.log2(max(num_tried, 1))
        if _is_proven(table, tested, needed):
            checked.append(tested)
    for tested in sorted(checked, key=lambda one: len(one.relation.columns)):
        _record(table, tested, found)


def _seed_rows(table: NumberTable, columns: Sequence[NumberColumn]) -> list[int]:
    full = [row for row in range(table.num_rows) if sum(bool(column.units[row]) for column in columns) >= 3]
    step = max(len(full) / _NUM_SEEDS, 1)
    return [full[int(index * step)] for index in range(min(_NUM_SEEDS, len(full)))]


def _most_frequent(candidates: Counter[Relation], num_seeds: int) -> Iterator[Relation]:
    """Yield the relations that hold in half of the rows that were looked at."""
    for relation, count in candidates.items():
        if count >= max(2, num_seeds / 2):
            yield relation


def _find_sums(
    table: NumberTable, columns: Sequence[NumberColumn], found: RelationFindings
) -> Iterator[tuple[Relation, int]]:
    """Yield sums that hold in several rows, and how many were tried."""
    candidates: Counter[Relation] = Counter()
    seeds = _seed_rows(table, columns)
    for row in found.deadline.limit(seeds):
        numbers = {index: units for index, column in enumerate(columns) if (units := column.units[row])}
        candidates.update(set(_sums_of_row(numbers)))
    num_tried = len(columns) ** 3 + (len(columns) ** 4 if len(columns) <= _MAX_PAIR_SUM_COLUMNS else 0)
    yield from ((relation, num_tried) for relation in _most_frequent(candidates, len(seeds)))


def _sums_of_row(numbers: dict[int, int]) -> Iterator[Relation]:
    """Yield the sums of two, three or a run of numbers of one row that are another of its numbers."""
    of_number: dict[int, list[int]] = {}
    for index, number in numbers.items():
        of_number.setdefault(number, []).append(index)
    for first, second in combinations(numbers, 2):
        both = numbers[first] + numbers[second]
        for sign in (1, -1):
            for total in of_number.get(sign * both, ()):
                if total not in {first, second} and (sign == 1 or second < total):
                    yield Relation((first, second, total), (1, 1, -sign))
    if len(numbers) <= _MAX_PAIR_SUM_COLUMNS:
        yield from _sums_of_three(numbers, of_number)
    yield from _sums_of_runs(numbers, of_number)


def _sums_of_three(numbers: dict[int, int], of_number: dict[int, list[int]]) -> Iterator[Relation]:
    for parts in combinations(numbers, 3):
        for weights in ((1, 1, 1), (1, 1, -1), (1, -1, 1), (-1, 1, 1)):
            total = sum(weight * numbers[part] for weight, part in zip(weights, parts, strict=True))
            for sign in (1, -1):
                for index in of_number.get(sign * total, ()):
                    if index not in parts and total:
                        yield _as_sum((*parts, index), (*weights, -sign))


def _sums_of_runs(numbers: dict[int, int], of_number: dict[int, list[int]]) -> Iterator[Relation]:
    indices = list(numbers)
    for start in range(len(indices) - 3):
        total = sum(numbers[index] for index in indices[start : start + 3])
        for end in range(start + 3, len(indices)):
            total += numbers[indices[end]]
            run = indices[start : end + 1]
            for index in of_number.get(total, ()):
                if index not in run:
                    yield Relation((*run, index), (*(1 for _ in run), -1))


def _as_sum(columns: tuple[int, ...], weights: tuple[int, ...]) -> Relation:
    """Return a sum in one of its equal forms: what has a sign of its own is the total, else the last column."""
    pairs = sorted(zip(columns, weights, strict=True))
    positive = [pair for pair in pairs if pair[1] > 0]
    alone = positive if len(positive) == 1 else [pair for pair in pairs if pair[1] < 0]
    total = alone[0] if len(alone) == 1 else pairs[-1]
    ordered = [*(pair for pair in pairs if pair != total), total]
    sign = -total[1]
    return Relation(tuple(column for column, _ in ordered), tuple(weight * sign for _, weight in ordered))


def _find_products(
    table: NumberTable, columns: Sequence[NumberColumn], found: RelationFindings
) -> Iterator[tuple[Relation, int]]:
    """Yield products that hold in several rows, and how many were tried."""
    plain = [index for index, column in enumerate(columns) if not column.is_sum]
    if len(plain) > _MAX_PRODUCT_COLUMNS:
        found.unchecked["fields were not compared as factors: too many fields"] += len(plain) - _MAX_PRODUCT_COLUMNS
        plain = plain[:_MAX_PRODUCT_COLUMNS]
    candidates: Counter[Relation] = Counter()
    seeds = _seed_rows(table, columns)
    relations = [
        Relation((first, second, total), divisor=divisor, base=base)
        for first in plain
        for second in plain
        for total in plain
        for divisor, base in _DIVISORS
        if len({first, second, total}) == 3 and (first < second or base)
    ]
    for row in found.deadline.limit(seeds):
        for relation in relations:
            if _residual(table, relation, row, check_ones=True) == 0:
                candidates[relation] += 1
    yield from ((relation, len(relations)) for relation in _most_frequent(candidates, len(seeds)))


def _residual(
    table: NumberTable, relation: Relation, row: int, *, check_ones: bool = False, moved: tuple[int, int] | None = None
) -> Fraction | int | None:
    """Return by how much a relation fails in a row, in units of its total; None where a number is missing.

    Args:
        table: the numbers.
        relation: the relation.
        row: the row.
        check_ones: whether factors of 0 and 1 count as missing.
        moved: a term, and the row that its number is taken from.
    """
    numbers: list[int] = []
    for term, index in enumerate(relation.columns):
        units = table.columns[index].units[moved[1] if moved is not None and moved[0] == term else row]
        if units is None:
            return None
        numbers.append(units)
    if not relation.divisor:
        return sum(weight * number for weight, number in zip(relation.weights, numbers, strict=True))
    one = 10**table.decimals
    first, second, total = numbers
    second += relation.base * one
    if check_ones and (first in {0, one} or second in {0, one, 100 * one}):
        return None
    difference = Fraction(first * second, one * relation.divisor) - total
    # The total is rounded to the decimals of its column.
    return 0 if abs(difference) * 2 <= table.columns[relation.columns[-1]].step else difference


def _test(table: NumberTable, relation: Relation) -> Tested:
    """Test a relation in all rows."""
    residuals = {row: _residual(table, relation, row) for row in range(table.num_rows)}
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
        says_little = _residual(table, relation, row, check_ones=True) is None
        if not says_little and sum(map(bool, numbers)) >= 3:
            seen.setdefault(numbers, row)
    return list(seen.values())


def _is_explained(table: NumberTable, relation: Relation, row: int, residual: Fraction) -> bool:
    """Whether another number of the row explains why the relation fails, such as a discount or fees."""
    others = (column for index, column in enumerate(table.columns) if index not in relation.columns)
    for column in others:
        units = column.units[row]
        if units and abs(units) == abs(residual):
            return True
        if units and sum(map(bool, column.units)) <= max(1, table.num_rows // 5):
            return True
    return False


def _is_proven(table: NumberTable, tested: Tested, needed: float) -> bool:
    rows = tested.supporting
    if not allows_broken(len(rows), len(tested.broken)):
        return False
    # It must be as certain without one of its rows: else it could not be told that this row breaks it.
    num_supporting = len(rows) - (0 if tested.broken else 1)
    terms = [[table.columns[index].units[row] or 0 for row in rows] for index in tested.relation.columns]
    if count_bits(terms, num_supporting, 0.0) < needed:
        return False
    return count_bits(terms, num_supporting, _share_by_chance(table, tested.relation, rows)) >= needed


def _share_by_chance(table: NumberTable, relation: Relation, rows: Sequence[int]) -> float:
    """Return the largest share of rows in which the relation holds though one term is from another row."""
    rows = sample_rows(rows)
    shares = [0.0]
    for term, index in enumerate(relation.columns):
        units = table.columns[index].units
        pairs = [
            (row, rows[(at + shift) % len(rows)]) for shift in shifts(len(rows)) for at, row in enumerate(rows)
        ]
        pairs = [pair for pair in pairs if units[pair[0]] != units[pair[1]]]
        holding = sum(_residual(table, relation, row, moved=(term, other)) == 0 for row, other in pairs)
        shares.append(holding / len(pairs) if pairs else 0.0)
    return max(shares)


def _record(table: NumberTable, tested: Tested, found: RelationFindings) -> None:
    relation = tested.relation
    for row in tested.holding:
        found.confirm(cell for index in relation.columns for cell in table.columns[index].cells(row))
    for row, residual in tested.broken:
        found.broken.append(describe_break(table, relation, row, residual))


def describe_break(table: NumberTable, relation: Relation, row: int, residual: Fraction) -> BrokenRelation:
    """Return a broken relation with the numbers and the difference in words."""
    columns = [table.columns[index] for index in relation.columns]
    numbers = [column.units[row] or 0 for column in columns]
    mend = _mend_product if relation.divisor else _mend_sum
    suspects: list[Suspect] = []
    for term in (len(columns) - 1, *range(len(columns) - 1)):
        column, needed = columns[term], mend(table, relation, numbers, term, residual)
        for node, position in column.cells(row):
            # In a sum of several values each can be off by the difference.
            part = table_units(table, node, position) if column.is_sum else numbers[term]
            change = None if needed is None else needed - numbers[term]
            suspects.append(Suspect(node, position, part, None if change is None else part + change))
    total = numbers[-1]
    size = min(1.0, float(abs(residual) / max(abs(total), 1)))
    return BrokenRelation("sum", suspects, _explain(table, relation, columns, numbers, residual), size)


def table_units(table: NumberTable, node: object, position: int) -> int:
    """Return one value of a summed field in units of the table."""
    value = node.values[position]  # type: ignore[attr-defined]
    return round(value * 10**table.decimals) if isinstance(value, int | float) else 0


Mend = Callable[[NumberTable, Relation, Sequence[int], int, Fraction], Fraction | None]


def _mend_sum(
    table: NumberTable, relation: Relation, numbers: Sequence[int], term: int, residual: Fraction
) -> Fraction | None:
    return Fraction(numbers[term]) - residual / relation.weights[term]


def _mend_product(
    table: NumberTable, relation: Relation, numbers: Sequence[int], term: int, residual: Fraction
) -> Fraction | None:
    one, base = 10**table.decimals, relation.base * 10**table.decimals
    first, second, total = numbers
    if term == 2:
        unit = table.columns[relation.columns[2]].step
        return Fraction(round((total + residual) / unit) * unit)
    scaled = total * one * relation.divisor
    if term == 0:
        return Fraction(scaled, second + base) if second + base else None
    return Fraction(scaled, first) - base if first else None


def _explain(
    table: NumberTable,
    relation: Relation,
    columns: Sequence[NumberColumn],
    numbers: Sequence[int],
    residual: Fraction,
) -> str:
    terms = [f"{column.label} {table.format(number)}" for column, number in zip(columns, numbers, strict=True)]
    if relation.divisor:
        rate = f"{'(100 + ' if relation.base else ''}{terms[1]}{')' if relation.base else ''}"
        left = f"{terms[0]} × {rate}{' / 100' if relation.divisor != 1 else ''}"
    else:
        sign = -relation.weights[-1]
        signed = [(weight * sign, text) for weight, text in zip(relation.weights[:-1], terms[:-1], strict=True)]
        signed.sort(key=lambda pair: -pair[0])
        left = "".join(f"{' + ' if weight > 0 else ' - '}{text}" for weight, text in signed).removeprefix(" + ").strip()
        residual *= sign
    result = numbers[-1] + residual
    shown = table.format(round(result))
    return f"{left} = {shown}, but {terms[-1]}: difference {table.format(abs(round(residual)))}"
