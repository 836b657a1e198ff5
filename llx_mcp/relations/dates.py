"""Relations between dates: those that follow one another in a list, and the start and end of one period."""

import math
from bisect import bisect_right
from calendar import monthrange
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice, pairwise, permutations

from llx_mcp.relations.evidence import MIN_BITS, allows_broken
from llx_mcp.relations.findings import BrokenRelation, RelationFindings, Suspect
from llx_mcp.relations.names import has_role, without_role
from llx_mcp.relations.series import lists_of_rows
from llx_mcp.relations.tables import MAX_FIELDS, relative_label, relative_name
from llx_mcp.relations.values import Day, is_no_date, read_days
from llx_mcp.result.outline import Node, ancestor_position, levels_between, walk_members
from llx_mcp.result.sanitize import format_value

_MIN_SORTED = 12
# Lists of months and years, such as those of a résumé, often have a few entries out of order.
_MIN_SORTED_MONTHS = 30
# Entries are often booked some days late.
_MAX_LATE_DAYS = 3
_MIN_SORTED_STRICTLY = 100
_MAX_OUT_OF_ORDER_SHARE = 0.02
_MIN_EVEN = 5
_MIN_EVEN_DAYS = 10
# Payments are moved to the next working day.
_MAX_MOVED_DAYS = 5
_WEEKEND = (5, 6)
_HOLIDAYS = ((1, 1), (5, 1), (12, 24), (12, 25), (12, 26), (12, 31))
_MIN_PERIODS = 6
_MAX_COLUMNS = 20
_MAX_REVERSED_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class DateColumn:
    """The dates of one field for each row of a table.

    Attributes:
        node: the field.
        name: the words of its path below the row.
        label: its path below the row.
        days: for each row, the date; None where there is none.
        positions: for each row, the index in `node.values`; None where there is none.
    """

    node: Node
    name: str
    label: str
    days: list[Day | None]
    positions: list[int | None]

    def suspect(self, row: int) -> Suspect:
        """Return the value of a row as one that can be wrong."""
        return Suspect(self.node, self.positions[row] or 0)

    def text(self, row: int) -> str:
        """Return the value of a row as answers show it."""
        return format_value(self.node.values[self.positions[row] or 0])


def check_dates(rows: Node, found: RelationFindings) -> list[DateColumn]:
    """Find dates that break an order or are none, and return the columns of dates below the objects of a node."""
    columns = list(_date_columns(rows))
    _check_calendar(rows, found)
    if rows.parent is not None:
        in_lists = list(lists_of_rows(rows))
        for list_rows in found.deadline.limit(in_lists):
            _check_sorted(columns, list_rows, found)
            for column in columns:
                _check_even(column, list_rows, found)
    for first, second in permutations(columns[:_MAX_COLUMNS], 2):
        if _comes_before(first, second):
            _check_pair(first, second, found)
            if rows.parent is not None:
                _check_periods(first, second, rows, found)
    return columns


def _date_columns(rows: Node) -> Iterator[DateColumn]:
    for node in islice(walk_members(rows), MAX_FIELDS):
        name = relative_name(node, rows)
        years = any(has_role(name, role) for role in ("start", "end")) or "date" in name.split()
        days = read_days(node, years=years) if node.has_scalars else None
        if days is None:
            continue
        of_row: list[Day | None] = [None] * len(rows.values)
        positions: list[int | None] = [None] * len(rows.values)
        levels = levels_between(node, rows)
        for position, day in enumerate(days):
            row = ancestor_position(position, levels)
            of_row[row], positions[row] = day, position
        yield DateColumn(node, name, relative_label(node, rows), of_row, positions)


def _check_calendar(rows: Node, found: RelationFindings) -> None:
    """Find dates that no calendar has, such as 2026-02-30."""
    for node in islice(walk_members(rows), MAX_FIELDS):
        texts = [position for position, value in enumerate(node.values) if is_no_date(value)]
        is_of_dates = len(texts) * 2 < len(node.values) or _is_named_as_date(relative_name(node, rows))
        for position in texts if is_of_dates else ():
            why = f"{node.values[position]} is no day of the calendar"
            found.broken.append(BrokenRelation("order", [Suspect(node, position)], why, 1.0))


def _is_named_as_date(name: str) -> bool:
    return "date" in name or any(has_role(name, role) for role in ("start", "end", "early", "late", "birth"))


def _known(column: DateColumn, rows: Sequence[int]) -> list[tuple[int, Day]]:
    return [(row, day) for row in rows if (day := column.days[row]) is not None]


def _check_sorted(columns: Sequence[DateColumn], rows: Sequence[int], found: RelationFindings) -> None:
    """Find dates that are out of order in a list that is sorted by date."""
    results = [(column, *_find_out_of_order(_known(column, rows))) for column in columns]
    # A list is sorted by one of its dates; the others only nearly follow it.
    is_sorted = any(is_proven and not rows_out for _, rows_out, is_proven in results)
    for column, out, is_proven in results:
        if not is_proven:
            continue
        known = _known(column, rows)
        for row, _ in known:
            found.order(column.node, column.positions[row] or 0)
        if is_sorted and out:
            continue
        for row in out:
            at = [known_row for known_row, _ in known].index(row)
            beside = [known[near][0] for near in (at - 1, at + 1) if 0 <= near < len(known)]
            texts = " and ".join(column.text(near) for near in beside)
            word = "between" if len(beside) > 1 else "beside"
            why = f"the list is sorted by {column.label}, but {column.text(row)} stands {word} {texts}"
            found.broken.append(BrokenRelation("order", [column.suspect(row)], why, 0.5))


def _find_out_of_order(known: Sequence[tuple[int, Day]]) -> tuple[list[int], bool]:
    """Return the rows whose dates are out of order, and whether the others are sorted beyond chance."""
    has_days = all(day.first == day.last for _, day in known)
    if len(known) < (_MIN_SORTED if has_days else _MIN_SORTED_MONTHS):
        return [], False
    firsts = [day.first for _, day in known]
    falls = sum(b < a for a, b in pairwise(firsts))
    rises = sum(b > a for a, b in pairwise(firsts))
    sign = 1 if rises >= falls else -1
    signed = [sign * first for first in firsts]
    out = _outside_longest_run(signed)
    allowed = max(1, int(len(known) * _MAX_OUT_OF_ORDER_SHARE))
    if len(out) > allowed or _count_order_bits(firsts, len(out)) < MIN_BITS:
        return [], False
    strict = len(known) >= _MIN_SORTED_STRICTLY and len(out) == 1
    late = [index for index in out if _distance(signed, index) > (0 if strict else _MAX_LATE_DAYS)]
    return [known[index][0] for index in late], True


def _distance(signed: Sequence[int], index: int) -> int:
    """Return how far a number is outside of what its neighbours allow."""
    before = signed[index - 1] if index else signed[index]
    after = signed[index + 1] if index + 1 < len(signed) else signed[index]
    return max(before - signed[index], signed[index] - after, 0)


def _outside_longest_run(numbers: Sequence[int]) -> list[int]:
    """Return the indices of the fewest numbers without which the others do not fall."""
    tails: list[int] = []
    ends: list[int] = []
    previous: list[int] = []
    for index, number in enumerate(numbers):
        at = bisect_right(tails, number)
        previous.append(ends[at - 1] if at else -1)
        tails[at : at + 1] = [number]
        ends[at : at + 1] = [index]
    inside: set[int] = set()
    index = ends[-1] if ends else -1
    while index >= 0:
        inside.add(index)
        index = previous[index]
    return [index for index in range(len(numbers)) if index not in inside]


def _count_order_bits(numbers: Sequence[int], num_out: int) -> float:
    """Return how unlikely such an order of these numbers is, in bits."""
    arrangements = math.lgamma(len(numbers) + 1)
    arrangements -= sum(math.lgamma(count + 1) for count in Counter(numbers).values())
    choices = math.log(math.comb(len(numbers), num_out)) * 2 + math.lgamma(num_out + 1)
    return (arrangements - choices) / math.log(2) - 1


def _check_even(column: DateColumn, rows: Sequence[int], found: RelationFindings) -> None:
    """Find a date that breaks the even distance of all others, in months or days."""
    known = _known(column, rows)
    if len(known) < _MIN_EVEN or len(known) != len(rows) or any(day.first != day.last for _, day in known):
        return
    dates = [date.fromordinal(day.first) for _, day in known]
    months = [(day.year * 12 + day.month, _day_of_month(day)) for day in dates]
    ordinals = [(day.toordinal(), 0) for day in dates]
    for numbers, is_months in ((months, True), (ordinals, False)):
        expected = _continue_evenly(numbers)
        if expected is None:
            continue
        odd = [at for at, pair in enumerate(expected) if pair != numbers[at]]
        if len(odd) > 1 or len(dates) < (_MIN_EVEN if is_months else _MIN_EVEN_DAYS):
            continue
        found.confirm((column.node, column.positions[row] or 0) for at, (row, _) in enumerate(known) if at not in odd)
        for at in odd:
            wanted = _as_date(expected[at], is_months=is_months)
            if wanted is not None and not _may_be_moved(wanted, dates[at], [day for day in dates if day != dates[at]]):
                row = known[at][0]
                why = f"{column.label} has even distances, which {column.text(row)} breaks: {wanted} would fit"
                found.broken.append(BrokenRelation("order", [column.suspect(row)], why, 0.5))
        return


def _may_be_moved(wanted: date, shown: date, others: Sequence[date]) -> bool:
    """Whether a date may have been moved off a weekend or a holiday, as the others do not show otherwise."""
    if abs((wanted - shown).days) > _MAX_MOVED_DAYS or any(day.weekday() in _WEEKEND for day in others):
        return False
    return wanted.weekday() in _WEEKEND or (wanted.month, wanted.day) in _HOLIDAYS


def _day_of_month(day: date) -> int:
    """Return the day of the month, 31 for the last one of any month."""
    return 31 if day.day == monthrange(day.year, day.month)[1] else day.day


def _continue_evenly(numbers: Sequence[tuple[int, int]]) -> list[tuple[int, int]] | None:
    """Return what evenly spaced numbers would be, by what most of them say; None where they stand still."""
    steps = Counter(b[0] - a[0] for a, b in pairwise(numbers))
    step, count = steps.most_common(1)[0]
    if not step or count < 2:
        return None
    base = Counter(number - step * at for at, (number, _) in enumerate(numbers)).most_common(1)[0][0]
    rest = Counter(rest for _, rest in numbers).most_common(1)[0][0]
    return [(base + step * at, rest) for at in range(len(numbers))]


def _as_date(pair: tuple[int, int], *, is_months: bool) -> date | None:
    """Return the date that a number of days, or of months with a day, stands for; None where there is none."""
    number, day = pair
    year, month = (number - 1) // 12, (number - 1) % 12 + 1
    try:
        if not is_months:
            return date.fromordinal(number)
        last = monthrange(year, month)[1]
        return date(year, month, last if day == 31 else day)
    except (ValueError, OverflowError):
        return None


def _comes_before(first: DateColumn, second: DateColumn) -> bool:
    """Whether the names say that the first date is not after the second."""
    start, end = has_role(first.name, "start"), has_role(second.name, "end")
    if start and end and without_role(first.name, "start") == without_role(second.name, "end"):
        return True
    if has_role(first.name, "birth"):
        return has_role(second.name, "record")
    return has_role(first.name, "early") and has_role(second.name, "late") and not has_role(first.name, "late")


def _check_pair(first: DateColumn, second: DateColumn, found: RelationFindings) -> None:
    """Find rows in which a period ends before it starts."""
    reversed_rows: list[int] = []
    num_known = 0
    for row, (start, end) in enumerate(zip(first.days, second.days, strict=True)):
        if start is None or end is None:
            continue
        num_known += 1
        found.order(first.node, first.positions[row] or 0)
        found.order(second.node, second.positions[row] or 0)
        if start.first > end.last:
            reversed_rows.append(row)
    # Where many rows do so, the names mean something else.
    if len(reversed_rows) > max(1, num_known * _MAX_REVERSED_SHARE):
        return
    for row in reversed_rows:
        why = f"{second.label} {second.text(row)} is before {first.label} {first.text(row)}"
        found.broken.append(BrokenRelation("order", [second.suspect(row), first.suspect(row)], why, 0.7))


def _check_periods(first: DateColumn, second: DateColumn, rows: Node, found: RelationFindings) -> None:
    """Find periods that do not follow on the one before, where nearly all others do."""
    for list_rows in lists_of_rows(rows):
        pairs = [(a, b) for a, b in pairwise(list_rows)]
        for is_reversed in (False, True):
            gaps: list[tuple[int, int, int]] = []
            for a, b in pairs:
                before, after = (b, a) if is_reversed else (a, b)
                end, start = second.days[before], first.days[after]
                if end is not None and start is not None and end.first == end.last and start.first == start.last:
                    gaps.append((start.first - end.last, before, after))
            _judge_periods(first, second, gaps, found)


def _judge_periods(
    first: DateColumn, second: DateColumn, gaps: Sequence[tuple[int, int, int]], found: RelationFindings
) -> None:
    if len(gaps) < _MIN_PERIODS:
        return
    usual = Counter(gap for gap, *_ in gaps).most_common(1)[0][0]
    odd = [item for item in gaps if item[0] != usual]
    if usual not in {0, 1} or not allows_broken(len(gaps) - len(odd), len(odd)):
        return
    for gap, before, after in gaps:
        cells = ((second.node, second.positions[before] or 0), (first.node, first.positions[after] or 0))
        if gap == usual:
            found.confirm(cells)
            continue
        why = f"{first.label} {first.text(after)} does not follow on {second.label} {second.text(before)} before it"
        found.broken.append(BrokenRelation("order", [first.suspect(after), second.suspect(before)], why, 0.3))
