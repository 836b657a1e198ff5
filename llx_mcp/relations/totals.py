"""Totals that the names of fields tell: of a list, of net and tax, of opening and closing balances, and counts.

One object alone cannot show that a relation holds by its numbers. So a difference counts only where the relation holds
for another object, where one other digit would mend it, or where the names leave no other meaning.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations

from llx_mcp.relations.breaks import describe_break
from llx_mcp.relations.evidence import Relation
from llx_mcp.relations.findings import BrokenRelation, RelationFindings, Suspect
from llx_mcp.relations.names import consists_of, has_role
from llx_mcp.relations.tables import NumberColumn, NumberTable, is_amount
from llx_mcp.result.normalize import normalize_name
from llx_mcp.result.outline import Node

# A total that is ten times the sum is of something else.
_MAX_RATIO = 10
# Without another hint at what went wrong, some elements of the list are missing at most.
_MAX_STRICT_RATIO = 2
_MIN_SIGNIFICANT_DIGITS = 4
_MAX_BROKEN_SHARE = 0.1
# More of the other numbers of an object are not tried to explain a difference.
_MAX_EXPLAINING = 24
_MIN_COUNTED = 3


def check_totals(table: NumberTable, found: RelationFindings) -> None:
    """Find totals that are not the sum of what their names say."""
    for relations in _list_totals(table):
        _judge(table, relations, found)
    check_named_parts(table, found)
    _check_counts(table, found)


def check_named_parts(table: NumberTable, found: RelationFindings) -> None:
    """Find numbers whose parts, as the names say, do not add up to them."""
    for relations in (*_parts_of_gross(table), *_balances(table), *_balance_sheets(table)):
        _judge(table, relations, found)


def _judge(table: NumberTable, relations: Sequence[Relation], found: RelationFindings) -> None:
    """Test relations of which one should hold in each row."""
    broken: list[int] = []
    holding = 0
    for row in found.deadline.limit(range(table.num_rows)):
        known = [relation for relation in relations if _has_numbers(table, relation, row)]
        relation = next((one for one in known if _holds(table, one, row)), None)
        if relation is not None:
            holding += 1
            found.confirm(cell for index in relation.columns for cell in table.columns[index].cells(row))
        elif known and not any(_is_explained(table, one, row) for one in known):
            broken.append(row)
    if len(broken) > max(1, (holding + len(broken)) * _MAX_BROKEN_SHARE):
        return
    for row in broken:
        known = [relation for relation in relations if _has_numbers(table, relation, row)]
        chosen = _choose_broken(table, known, row, holds_elsewhere=holding > 0)
        if chosen is not None:
            found.broken.append(describe_break(table, chosen, row, Fraction(_residual(table, chosen, row))))


def _choose_broken(
    table: NumberTable, relations: Sequence[Relation], row: int, *, holds_elsewhere: bool
) -> Relation | None:
    """Return the relation that should hold in a row, or None where that is not certain."""
    for relation in relations:
        if _has_few_digits(table, relation, row) or _is_far_off(table, relation, row):
            continue
        if _has_slip(table, relation, row):
            return relation
    (first, *others) = relations
    if others or _is_far_off(table, first, row, _MAX_STRICT_RATIO):
        return None
    return first if holds_elsewhere or _is_strict(table, first, row) else None


def _residual(table: NumberTable, relation: Relation, row: int) -> int:
    units = [table.columns[index].units[row] or 0 for index in relation.columns]
    return sum(weight * number for weight, number in zip(relation.weights, units, strict=True))


def _has_numbers(table: NumberTable, relation: Relation, row: int) -> bool:
    return all(table.columns[index].units[row] is not None for index in relation.columns)


def _holds(table: NumberTable, relation: Relation, row: int) -> bool:
    # Taxes are rounded one by one.
    is_rounded = any(has_role(table.columns[index].name, "tax") for index in relation.columns)
    return abs(_residual(table, relation, row)) <= (table.columns[relation.columns[-1]].step if is_rounded else 0)


def _is_explained(table: NumberTable, relation: Relation, row: int) -> bool:
    """Whether one or two other numbers of the object are the difference, such as shipping or a discount."""
    residual = abs(_residual(table, relation, row))
    others = [
        abs(column.units[row] or 0)
        for index, column in enumerate(table.columns)
        if index not in relation.columns and column.units[row] and not column.is_sum and is_amount(column)
    ][:_MAX_EXPLAINING]
    if residual in others:
        return True
    return any(residual in {first + second, abs(first - second)} for first, second in combinations(others, 2))


def _has_few_digits(table: NumberTable, relation: Relation, row: int) -> bool:
    """Whether the numbers are so round that one digit more or less says nothing."""
    texts = [str(abs(table.columns[index].units[row] or 0)).rstrip("0") for index in relation.columns]
    return max(map(len, texts)) < _MIN_SIGNIFICANT_DIGITS


def _is_far_off(table: NumberTable, relation: Relation, row: int, ratio: int = _MAX_RATIO) -> bool:
    total = abs(table.columns[relation.columns[-1]].units[row] or 0)
    parts = abs(
        _residual(table, relation, row) - relation.weights[-1] * (table.columns[relation.columns[-1]].units[row] or 0)
    )
    return max(total, parts) > ratio * max(min(total, parts), 1)


def _has_slip(table: NumberTable, relation: Relation, row: int) -> bool:
    """Whether one other digit in one value would mend the relation."""
    broken = describe_break(table, relation, row, Fraction(_residual(table, relation, row)))
    return any(suspect.is_one_digit_off for suspect in broken.suspects)


def _is_strict(table: NumberTable, relation: Relation, row: int) -> bool:
    """Whether the names say that the list is complete and what its total is."""
    if len(relation.columns) != 2:
        return False
    part, total = (table.columns[index] for index in relation.columns)
    if not has_role(part.last_name, "amount") or _has_few_digits(table, relation, row):
        return False
    list_name = part.list_name
    return consists_of(list_name, "lines") and consists_of(total.last_name, "strict")


def _plain(table: NumberTable, *roles: str, without: Sequence[str] = ()) -> list[int]:
    """Return the columns of single numbers whose last name has one of these roles."""
    return [
        index
        for index, column in enumerate(table.columns)
        if not column.is_sum
        and is_amount(column)
        and any(has_role(column.last_name, role) for role in roles)
        and not any(has_role(column.last_name, role) for role in without)
    ]


def _list_totals(table: NumberTable) -> Iterator[list[Relation]]:
    """Yield for each list what its total can be."""
    taxes = _plain(table, "tax")
    nets = _plain(table, "net", without=("tax",))
    totals = _plain(table, "total", without=("net", "tax"))
    for index, column in enumerate(table.columns):
        if not column.is_sum or not _can_be_summed(table, column):
            continue
        named = [total for total in (*nets, *totals, *taxes) if _shares_name(table.columns[total], column)]
        of_amounts = [] if has_role(column.name, "tax") else nets or totals
        candidates = named or (of_amounts if len(_amount_lists(table)) == 1 else [])
        relations = [Relation((index, total), (1, -1)) for total in candidates]
        if not nets and taxes and len(taxes) == 1:
            relations += [Relation((index, taxes[0], total), (1, 1, -1)) for total in totals if taxes[0] != total]
        if relations:
            yield relations


def _can_be_summed(table: NumberTable, column: NumberColumn) -> bool:
    """Whether a field of a list is the one whose sum is of interest, rather than a price or a rate."""
    name = column.last_name
    if any(has_role(name, role) for role in ("rate", "identifier", "quantity", "balance")):
        return False
    if has_role(name, "price") and not (has_role(name, "total") or has_role(name, "amount")):
        return False
    siblings = [other for other in table.columns if other.is_sum and other.list_name == column.list_name]
    named = [other for other in siblings if has_role(other.last_name, "amount")]
    amounts = [other for other in named if not has_role(other.last_name, "price")] or named
    return len(siblings) == 1 or amounts == [column] or has_role(name, "tax")


def _amount_lists(table: NumberTable) -> set[str]:
    """Return the lists with amounts other than taxes."""
    return {
        column.list_name
        for column in table.columns
        if column.is_sum and not has_role(column.name, "tax") and has_role(column.last_name, "amount")
    }


def _shares_name(total: NumberColumn, column: NumberColumn) -> bool:
    """Whether the name of a total names the list or the field that it sums up: `total_tax`, `deductions_total`."""
    words = {word.rstrip("s") for word in total.last_name.split()}
    own = {word.rstrip("s") for word in column.name.split() if not consists_of(word, "strict")}
    return bool(words & own)


def _parts_of_gross(table: NumberTable) -> Iterator[list[Relation]]:
    """Yield net + tax = gross, and net + deductions = gross."""
    nets = _plain(table, "net", without=("tax", "gross"))
    grosses = _plain(table, "gross", without=("net", "tax")) or _plain(
        table, "total", without=("net", "tax", "deductions")
    )
    for role in ("tax", "deductions"):
        parts = _plain(table, role, without=("net", "gross"))
        sums = [i for i, column in enumerate(table.columns) if column.is_sum and has_role(column.name, role)]
        sums = [i for i in sums if is_amount(table.columns[i]) and not has_role(table.columns[i].last_name, "net")]
        if len(nets) == 1 and len(grosses) == 1 and (parts or sums):
            (net,), (gross,) = nets, grosses
            alternatives = [[part] for part in (*parts, *sums)] + ([parts] if len(parts) > 1 else [])
            extra = [*_plain(table, "charge"), *_plain(table, "discount", without=("charge",))]
            extra = [index for index in extra if index not in {net, gross, *parts}]
            weights = [1 if has_role(table.columns[index].last_name, "charge") else -1 for index in extra]
            yield [
                Relation((net, *chosen, *more, gross), (1, *(1 for _ in chosen), *more_weights, -1))
                for chosen in alternatives
                for more, more_weights in (((), ()), (tuple(extra), tuple(weights)))[: 2 if extra else 1]
            ]


def _balances(table: NumberTable) -> Iterator[list[Relation]]:
    """Yield opening balance + in - out = closing balance."""
    opening, closing = find_balances(table)
    added = _plain(table, "in", without=("balance", "out"))
    taken = _plain(table, "out", without=("balance", "in"))
    if len(opening) == len(closing) == len(added) == len(taken) == 1:
        columns = (opening[0], added[0], taken[0], closing[0])
        # What goes out is shown with a minus or without.
        yield [Relation(columns, (1, 1, -1, -1)), Relation(columns, (1, 1, 1, -1))]


def find_balances(table: NumberTable) -> tuple[list[int], list[int]]:
    """Return the columns of opening and of closing balances."""
    balances = [index for index in _plain(table, "balance") if not has_role(table.columns[index].last_name, "in")]
    opening = [index for index in balances if has_role(table.columns[index].last_name, "opening")]
    closing = [index for index in balances if has_role(table.columns[index].last_name, "closing")]
    return opening, [index for index in closing if index not in opening]


def _balance_sheets(table: NumberTable) -> Iterator[list[Relation]]:
    """Yield liabilities + equity = assets."""
    named: list[list[int]] = []
    for role in ("liabilities", "equity", "assets"):
        columns = _plain(table, role)
        exact = [index for index in columns if _is_whole(table.columns[index].last_name, role)]
        named.append(exact or (columns if role == "equity" else []))
    if all(len(columns) == 1 for columns in named):
        yield [Relation(tuple(columns[0] for columns in named), (1, 1, -1))]


def _is_whole(name: str, role: str) -> bool:
    """Whether a name means all of something, as `total assets` or `assets`, rather than a part."""
    return all(consists_of(word, role) or consists_of(word, "total") for word in name.split())


def _check_counts(table: NumberTable, found: RelationFindings) -> None:
    """Find counts that are not the number of elements of the list that they name."""
    for column in table.columns:
        name = column.last_name
        if column.is_sum or not has_role(name, "count"):
            continue
        for node in _lists_below(table.rows):
            if _names_list(name, normalize_name(node.step or "")):
                _compare_count(table, column, node, found)


def _lists_below(rows: Node) -> Iterator[Node]:
    stack = list(rows.members.values())
    while stack:
        node = stack.pop()
        if node.types["list"] and len(node.values) == len(rows.values):
            yield node
        stack.extend(node.members.values())


def _names_list(name: str, list_name: str) -> bool:
    """Whether the name of a count names a list: `num_items` and `line_items`."""
    words = [word for word in name.split() if not consists_of(word, "count") and word != "of"]
    last = list_name.split()[-1:] or [""]
    return (
        bool(words) and words[-1].rstrip("s") == last[0].rstrip("s") and set(words) <= {*list_name.split(), words[-1]}
    )


def _compare_count(table: NumberTable, column: NumberColumn, node: Node, found: RelationFindings) -> None:
    one = 10**table.decimals
    broken: list[BrokenRelation] = []
    holding = 0
    for row in range(table.num_rows):
        units, value = column.units[row], node.values[row]
        if units is None or not isinstance(value, list):
            continue
        (cell, *_), length = column.cells(row), len(value)
        suspect = Suspect(*cell, units // one, length)
        if units == length * one:
            holding += 1
            found.confirm([cell])
        # The number of items can also be that of all their pieces.
        elif length >= _MIN_COUNTED and suspect.is_one_digit_off and not _is_a_sum(table, row, units):
            why = f"{column.label} {table.format(units, column.step)}, but {node.step} has {length:,} elements"
            broken.append(BrokenRelation("sum", [suspect], why, min(1.0, abs(units - length * one) / max(units, 1))))
    if len(broken) <= max(1, (holding + len(broken)) * _MAX_BROKEN_SHARE):
        found.broken += broken


def _is_a_sum(table: NumberTable, row: int, units: int) -> bool:
    return any(column.is_sum and column.units[row] == units for column in table.columns)
