"""Compares taxes that a document states for each rate with the items that have this rate."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from llx_mcp.relations.findings import BrokenRelation, RelationFindings, Suspect
from llx_mcp.relations.names import has_role
from llx_mcp.relations.tables import Cell, NumberColumn, NumberTable

# In longer lists no item is looked for that has another rate.
_MAX_ITEMS = 2_000


@dataclass(frozen=True, slots=True)
class RatedAmount:
    """An amount with its rate in percent, both in units of the table.

    Attributes:
        rate: the rate, with its value.
        amount: the amount, with its value.
    """

    rate: tuple[Cell, int]
    amount: tuple[Cell, int]


def check_taxes_by_rate(table: NumberTable, found: RelationFindings) -> None:
    """Find taxes that are not their rate of the items with this rate, where one value is the reason."""
    taxes = [pair for pair in _rated_lists(table) if has_role(pair[1].name, "tax")]
    items = [pair for pair in _rated_lists(table) if pair not in taxes]
    if len(taxes) != 1 or len(items) != 1:
        return
    for row in range(table.num_rows):
        stated, rated = _pair_up(taxes[0], row), _pair_up(items[0], row)
        if stated and rated and len({tax.rate[1] for tax in stated}) == len(stated):
            _check_row(table, taxes[0][1], stated, rated, found)


def _rated_lists(table: NumberTable) -> Iterator[tuple[NumberColumn, NumberColumn]]:
    """Yield the rates and the amounts of each list that has one of both."""
    for name in dict.fromkeys(column.list_name for column in table.columns if column.is_sum):
        columns = [column for column in table.columns if column.list_name == name]
        rates = [column for column in columns if has_role(column.last_name, "rate")]
        amounts = [
            column
            for column in columns
            if column not in rates and has_role(column.last_name, "amount") and not has_role(column.last_name, "price")
        ]
        if len(rates) == len(amounts) == 1:
            yield rates[0], amounts[0]


def _pair_up(columns: tuple[NumberColumn, NumberColumn], row: int) -> list[RatedAmount]:
    """Return the rates and amounts of one list; none where one of them is missing."""
    rates, amounts = (column.parts(row) for column in columns)
    return [RatedAmount(*pair) for pair in zip(rates, amounts, strict=True)] if len(rates) == len(amounts) else []


def _check_row(
    table: NumberTable,
    taxes: NumberColumn,
    stated: Sequence[RatedAmount],
    rated: Sequence[RatedAmount],
    found: RelationFindings,
) -> None:
    of_rate: defaultdict[int, list[int]] = defaultdict(list)
    for item in rated:
        of_rate[item.rate[1]].append(item.amount[1])
    bases = {rate: sum(amounts) for rate, amounts in of_rate.items()}
    tolerance = Fraction(taxes.step * (1 + max(map(len, of_rate.values()))), 2)
    failing = [tax for tax in stated if abs(_difference(table, tax, bases)) > tolerance]
    unknown = [item for item in rated if item.rate[1] and item.rate[1] not in {tax.rate[1] for tax in stated}]
    if not failing and not unknown:
        if any(tax.amount[1] for tax in stated):
            found.confirm(cell for pair in (*stated, *rated) for cell, _ in (pair.rate, pair.amount))
        return
    moved = _find_item_with_other_rate(table, stated, rated, bases, tolerance)
    if moved is not None:
        (cell, shown), needed = moved[0].rate, moved[1]
        _report_rate(table, cell, shown, needed, found)
    elif (swapped := _find_tax_with_other_rate(table, stated, unknown, bases, tolerance)) is not None:
        _report_rate(table, *swapped.rate, unknown[0].rate[1], found)
    elif len(failing) == 1 and not unknown:
        _report_tax(table, taxes, failing[0], bases, found)


def _difference(table: NumberTable, tax: RatedAmount, bases: Mapping[int, int]) -> Fraction:
    """Return how much the rate of its base is more than a tax, in units of the table."""
    return Fraction(bases.get(tax.rate[1], 0) * tax.rate[1], 100 * 10**table.decimals) - tax.amount[1]


def _find_item_with_other_rate(
    table: NumberTable,
    stated: Sequence[RatedAmount],
    rated: Sequence[RatedAmount],
    bases: dict[int, int],
    tolerance: Fraction,
) -> tuple[RatedAmount, int] | None:
    """Return the only item with which all taxes would be right if it had another rate, and this rate."""
    mended: list[tuple[RatedAmount, int]] = []
    known = {tax.rate[1] for tax in stated} | {0}
    for item in rated[:_MAX_ITEMS]:
        rate, amount = item.rate[1], item.amount[1]
        if not amount:
            continue
        for other in known - {rate}:
            changed = {**bases, rate: bases[rate] - amount, other: bases.get(other, 0) + amount}
            if set(filter(changed.get, changed)) <= known and all(
                abs(_difference(table, tax, changed)) <= tolerance for tax in stated
            ):
                mended.append((item, other))
    return mended[0] if len(mended) == 1 else None


def _find_tax_with_other_rate(
    table: NumberTable,
    stated: Sequence[RatedAmount],
    unknown: Sequence[RatedAmount],
    bases: Mapping[int, int],
    tolerance: Fraction,
) -> RatedAmount | None:
    """Return the only tax that is right with the one rate of items for which no tax is stated."""
    rates = {item.rate[1] for item in unknown}
    if len(rates) != 1:
        return None
    (rate,) = rates
    due = Fraction(bases[rate] * rate, 100 * 10**table.decimals)
    right = [tax for tax in stated if not bases.get(tax.rate[1]) and abs(due - tax.amount[1]) <= tolerance]
    return right[0] if len(right) == 1 else None


def _report_rate(table: NumberTable, cell: Cell, shown: int, needed: int, found: RelationFindings) -> None:
    node, position = cell
    rates = [table.format(rate, 10**table.decimals) for rate in (shown, needed)]
    why = f"the taxes by rate are right only if {node.step} here is {rates[1]} instead of {rates[0]}"
    found.broken.append(BrokenRelation("sum", [Suspect(node, position, shown, needed)], why, 0.3))


def _report_tax(
    table: NumberTable, taxes: NumberColumn, tax: RatedAmount, bases: Mapping[int, int], found: RelationFindings
) -> None:
    base, (rate_cell, rate), (cell, shown) = bases.get(tax.rate[1], 0), tax.rate, tax.amount
    needed = round((_difference(table, tax, bases) + shown) / taxes.step) * taxes.step
    suspects = [Suspect(*cell, shown, needed)]
    if base:
        suspects.append(Suspect(*rate_cell, rate, Fraction(shown * 100 * 10**table.decimals, base)))
    if not any(suspect.is_one_digit_off for suspect in suspects):
        return
    numbers = [table.format(number, taxes.step) for number in (base, needed, shown, abs(needed - shown))]
    label = f"{table.format(rate, 10**table.decimals)} % of {numbers[0]} (the items with this rate) = {numbers[1]}"
    why = f"{label}, but {cell[0].path_of(cell[1])} {numbers[2]}: difference {numbers[3]}"
    found.broken.append(BrokenRelation("sum", suspects, why, min(1.0, abs(needed - shown) / max(abs(shown), 1))))
