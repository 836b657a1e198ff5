"""Compares the date on which something is due with the date of a document and the days that it states."""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import permutations

from llx_mcp.relations.dates import DateColumn
from llx_mcp.relations.findings import BrokenRelation, RelationFindings, Suspect
from llx_mcp.relations.names import has_role
from llx_mcp.relations.tables import NumberColumn, NumberTable


def check_due_dates(columns: Sequence[DateColumn], table: NumberTable, found: RelationFindings) -> None:
    """Find due dates that are not the stated days after the date of the document, where one digit is the reason."""
    terms = [column for column in table.columns if not column.is_sum and has_role(column.last_name, "days")]
    if len(terms) != 1:
        return
    for first, second in _pairs_of_due_dates(columns):
        for row in range(table.num_rows):
            _check_row(first, second, terms[0], 10**table.decimals, row, found)


def _pairs_of_due_dates(columns: Sequence[DateColumn]) -> Iterator[tuple[DateColumn, DateColumn]]:
    """Yield the date of a document with the date on which something is due."""
    for first, second in permutations(columns, 2):
        if has_role(first.name, "early") and not has_role(first.name, "late") and has_role(second.name, "due"):
            yield first, second


def _check_row(
    first: DateColumn, second: DateColumn, term: NumberColumn, one: int, row: int, found: RelationFindings
) -> None:
    start, end, units = first.days[row], second.days[row], term.units[row]
    if start is None or end is None or units is None or start.first != start.last or end.first != end.last:
        return
    days, (term_node, term_position) = units // one, term.cells(row)[0]
    dates = ((first.node, first.positions[row] or 0), (second.node, second.positions[row] or 0))
    if start.first + days == end.first:
        found.confirm([*dates, (term_node, term_position)])
        return
    wanted = (end.first - days, start.first + days)
    if not all(1 <= ordinal <= date.max.toordinal() for ordinal in wanted):
        return
    suspects = [Suspect(term_node, term_position, days, end.first - start.first)]
    suspects += [
        Suspect(node, position, _digits(shown), _digits(needed))
        for (node, position), shown, needed in zip(dates, (start.first, end.first), wanted, strict=True)
    ]
    # Other terms may be meant, such as those of a discount.
    if any(suspect.is_one_digit_off for suspect in suspects):
        due = date.fromordinal(wanted[1])
        why = f"{first.label} {first.text(row)} + {days} days ({term.label}) = {due}, but {second.label} is "
        found.broken.append(BrokenRelation("order", [suspects[2], *suspects[:2]], f"{why}{second.text(row)}", 0.4))


def _digits(ordinal: int) -> int:
    """Return the digits of a date as a number: 20260131."""
    return int(date.fromordinal(ordinal).strftime("%Y%m%d"))
