"""Puts a broken relation into words, with the number that each of its values should be."""

from collections.abc import Sequence
from fractions import Fraction

from llx_mcp.relations.evidence import Relation
from llx_mcp.relations.findings import BrokenRelation, Suspect
from llx_mcp.relations.tables import NumberTable

# Of a longer sum, the first numbers are shown.
_MAX_SHOWN_TERMS = 6


def describe_break(table: NumberTable, relation: Relation, row: int, residual: Fraction) -> BrokenRelation:
    """Return a broken relation with the numbers and the difference in words."""
    columns = [table.columns[index] for index in relation.columns]
    numbers = [column.units[row] or 0 for column in columns]
    mend = _mend_product if relation.divisor else _mend_sum
    suspects: list[Suspect] = []
    for term in (len(columns) - 1, *range(len(columns) - 1)):
        column, needed = columns[term], mend(table, relation, numbers, term, residual)
        for (node, position), part in column.parts(row):
            # In a sum of several values each can be off by the difference.
            change = None if needed is None else needed - numbers[term]
            suspects.append(Suspect(node, position, part, None if change is None else part + change))
    total = numbers[-1]
    size = min(1.0, float(abs(residual) / max(abs(total), 1)))
    labels = [column.label_in(row) for column in columns]
    return BrokenRelation("sum", suspects, _explain(table, relation, labels, numbers, residual), size)


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
    labels: Sequence[str],
    numbers: Sequence[int],
    residual: Fraction,
) -> str:
    steps = [table.columns[index].step for index in relation.columns]
    if not relation.divisor:
        # What is added up has the same unit.
        steps = [min(steps)] * len(steps)
    shown_numbers = map(table.format, numbers, steps)
    terms = [f"{label} {number}" for label, number in zip(labels, shown_numbers, strict=True)]
    if relation.divisor:
        rate = f"{'(100 + ' if relation.base else ''}{terms[1]}{')' if relation.base else ''}"
        left = f"{terms[0]} × {rate}{' / 100' if relation.divisor != 1 else ''}"
    else:
        sign = -relation.weights[-1]
        signed = [(weight * sign, text) for weight, text in zip(relation.weights[:-1], terms[:-1], strict=True)]
        signed.sort(key=lambda pair: -pair[0])
        first = signed[:_MAX_SHOWN_TERMS]
        left = "".join(f"{' + ' if weight > 0 else ' - '}{text}" for weight, text in first).removeprefix(" + ").strip()
        left += f" + {len(signed) - len(first)} more" if len(signed) > len(first) else ""
        residual *= sign
    result = numbers[-1] + residual
    step = steps[-1]
    shown, difference = table.format(round(result), step), table.format(abs(round(residual)), step)
    if len(terms) == 2:
        # The sum of a list is its own result.
        return f"{terms[0]}, but {terms[1]}: difference {difference}"
    return f"{left} = {shown}, but {terms[-1]}: difference {difference}"
