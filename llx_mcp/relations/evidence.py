"""Decides whether a relation between columns holds in so many rows that chance does not explain it."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

# A relation counts if chance would bring one like it once in 2 ** 20 tables.
MIN_BITS = 20.0
# At most this share of rows may break a relation, or one row.
_MAX_BROKEN_SHARE = 0.05
MIN_HOLDING = 3
# Pairings of values of different rows, to see how often they hold by chance.
_MAX_COMPARED_ROWS = 200
_MAX_SHIFTS = 7


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation between columns: the weighted sum of terms is 0, or the product of two is the third.

    Attributes:
        columns: the indices of the columns; the last is the total or the product.
        weights: for a sum, the weight of each column.
        divisor: for a product, what it is divided by: 100 for a rate in percent; 0 for a sum.
        base: for a product, what is added to the first factor: 100 for a net amount and a rate.
    """

    columns: tuple[int, ...]
    weights: tuple[int, ...] = ()
    divisor: int = 0
    base: int = 0


def allows_broken(num_holding: int, num_broken: int) -> bool:
    """Whether a relation that holds so often holds in nearly all rows."""
    allowed = max(1, int((num_holding + num_broken) * _MAX_BROKEN_SHARE))
    return num_holding >= MIN_HOLDING and num_broken <= allowed


def count_bits(
    terms: Sequence[Sequence[int]],
    num_supporting: int,
    share_by_chance: float,
    combined: Sequence[Sequence[int]] = (),
    num_ignored: int = 0,
) -> float:
    """Return how unlikely it is that a relation holds in all these rows by chance, in bits.

    Args:
        terms: for each term of the relation, its numbers in the rows that hold.
        num_supporting: the number of different rows that hold.
        share_by_chance: the share of wrong pairings of the same numbers that hold.
        combined: the sums of several terms in these rows. Where they hardly differ, such as those of a column and of
            nearly the same numbers with a minus, the relation says little.
        num_ignored: how many terms may differ little: one factor, such as a rate, for the other two tell enough.
    """
    known = sorted(_count_bits(numbers) for numbers in terms if min(numbers) != max(numbers))
    bits = known[min(num_ignored, len(known) - 1)] if known else math.inf
    for numbers in combined:
        bits = min(bits, _count_bits(numbers))
    if bits is math.inf or share_by_chance >= 1:
        return 0.0
    by_chance = -math.log2(share_by_chance) if share_by_chance > 0 else math.inf
    return num_supporting * min(bits, by_chance)


def _count_bits(numbers: Sequence[int]) -> float:
    """Return how many bits a number of these has: by how far they spread, and how often they repeat."""
    spread = (max(numbers) - min(numbers)) // _common_step(numbers) + 1
    counts = Counter(numbers).values()
    same = sum(count * (count - 1) for count in counts) / max(len(numbers) * (len(numbers) - 1), 1)
    return min(math.log2(spread), -math.log2(same) if same else math.inf)


def _common_step(numbers: Sequence[int]) -> int:
    """Return the power of ten that divides all numbers: amounts in whole thousands have less digits than they show."""
    common = math.gcd(*numbers)
    step = 1
    while common and common % (step * 10) == 0:
        step *= 10
    return step


def shifts(num_rows: int) -> range:
    """Return by how many rows values are moved to pair them wrongly."""
    return range(1, min(_MAX_SHIFTS, num_rows - 1) + 1)


def sample_rows(rows: Sequence[int]) -> Sequence[int]:
    """Return some of many rows, evenly spread."""
    if len(rows) <= _MAX_COMPARED_ROWS:
        return rows
    step = len(rows) / _MAX_COMPARED_ROWS
    return [rows[int(index * step)] for index in range(_MAX_COMPARED_ROWS)]
