"""Finds sums and products of columns that hold in several rows of a table, as candidates for a closer test."""

from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations, permutations

from llx_mcp.relations.evidence import Relation
from llx_mcp.relations.findings import RelationFindings
from llx_mcp.relations.tables import NumberColumn, NumberTable

_MAX_PRODUCT_COLUMNS = 16
_MAX_PAIR_SUM_COLUMNS = 14
_NUM_SEEDS = 8
_NUM_PRODUCT_SEEDS = 24
# A product, a percentage, and an amount with a percentage added to it.
_DIVISORS = ((1, 0), (100, 0), (100, 100))


def _seed_rows(table: NumberTable, columns: Sequence[NumberColumn], limit: int = _NUM_SEEDS) -> list[int]:
    full = [row for row in range(table.num_rows) if sum(bool(column.units[row]) for column in columns) >= 3]
    step = max(len(full) / limit, 1)
    return [full[int(index * step)] for index in range(min(limit, len(full)))]


def _most_frequent(
    candidates: Counter[Relation], columns: Sequence[NumberColumn], seeds: Sequence[int]
) -> Iterator[Relation]:
    """Yield the relations that hold in two rows, and in half of those that have all of their numbers."""
    for relation, count in candidates.items():
        tested = sum(all(columns[index].units[row] is not None for index in relation.columns) for row in seeds)
        if count >= max(2, tested / 2):
            yield relation


def find_sums(table: NumberTable, columns: Sequence[NumberColumn]) -> Iterator[tuple[Relation, int]]:
    """Yield sums that hold in several rows, and how many were tried."""
    candidates: Counter[Relation] = Counter()
    seeds = _seed_rows(table, columns)
    for row in seeds:
        numbers = {index: units for index, column in enumerate(columns) if (units := column.units[row])}
        candidates.update(set(_sums_of_row(numbers)))
        candidates.update(_totals_of_row(columns, numbers))
    num_tried = len(columns) ** 3 + (len(columns) ** 4 if len(columns) <= _MAX_PAIR_SUM_COLUMNS else 0)
    yield from ((relation, num_tried) for relation in _most_frequent(candidates, columns, seeds))


def _totals_of_row(columns: Sequence[NumberColumn], numbers: dict[int, int]) -> Iterator[Relation]:
    """Yield the sums of lists that are another number of the row."""
    for index, number in numbers.items():
        if columns[index].is_sum:
            for total, other in numbers.items():
                if other == number and total != index and not (columns[total].is_sum and total < index):
                    yield Relation((index, total), (1, -1))


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


def find_products(
    table: NumberTable, columns: Sequence[NumberColumn], found: RelationFindings
) -> Iterator[tuple[Relation, int]]:
    """Yield products that hold in several rows, and how many were tried."""
    plain = [index for index, column in enumerate(columns) if not column.is_sum]
    if len(plain) > _MAX_PRODUCT_COLUMNS:
        found.unchecked["fields were not compared as factors: too many fields"] += len(plain) - _MAX_PRODUCT_COLUMNS
        plain = plain[:_MAX_PRODUCT_COLUMNS]
    holding: Counter[Relation] = Counter()
    for row in _seed_rows(table, columns, _NUM_PRODUCT_SEEDS):
        numbers = {index: units for index in plain if (units := columns[index].units[row]) is not None}
        holding.update(_products_of_row(table, numbers))
    num_tried = len(_DIVISORS) * len(plain) ** 3
    for relation, count in holding.items():
        # Rows with a factor of 0 or 1 say nothing, so that fewer rows than were looked at can hold.
        if count >= 2:
            yield relation, num_tried


def _products_of_row(table: NumberTable, numbers: dict[int, int]) -> Iterator[Relation]:
    """Yield the products of two numbers of a row that are a third, other than those with 0 and 1."""
    one = 10**table.decimals
    for divisor, base in _DIVISORS:
        for first, second in permutations(numbers, 2):
            a, b = numbers[first], numbers[second] + base * one
            if a in {0, one} or b in {0, one, 100 * one} or (first > second and not base):
                continue
            product, scale = a * b, one * divisor
            for total, number in numbers.items():
                step = table.columns[total].step
                if total not in {first, second} and abs(product - number * scale) * 2 <= step * scale:
                    yield Relation((first, second, total), divisor=divisor, base=base)


def find_residual(
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
