"""Totals among the rows of a list: a row that is labelled `Total …` is the sum of rows above it."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from llx_mcp.relations.evidence import MIN_BITS
from llx_mcp.relations.findings import BrokenRelation, RelationFindings, Suspect
from llx_mcp.relations.names import consists_of, has_role, is_total_label
from llx_mcp.relations.series import lists_of_rows
from llx_mcp.relations.tables import NumberReader, last_name
from llx_mcp.relations.values import format_units
from llx_mcp.result.normalize import normalize_texts
from llx_mcp.result.outline import Node

# The total of fewer rows is a coincidence more often.
_MIN_PARTS = 2
_MIN_PARTS_ALONE = 3
_MIN_DIGITS = 3
_MAX_RATIO = 10
_SAMPLE = 200
# A sum can be that of several sets of rows.
_WAY_BITS = 2
# One wrong digit explains what is broken, so less must hold elsewhere.
_MIN_BITS_OF_SLIP = 14


@dataclass(frozen=True, slots=True)
class RowNumbers:
    """The numbers of one field of a list, one for each row at most.

    Attributes:
        node: the field.
        units: for each row, the number; None where there is none.
        positions: for each row, the index in `node.values`; None where there is none.
        decimals: the numbers are in units of `10 ** -decimals`.
    """

    node: Node
    units: list[int | None]
    positions: list[int | None]
    decimals: int

    def suspect(self, row: int, change: int) -> Suspect:
        """Return the number of a row as one that may be off by a difference."""
        shown = self.units[row] or 0
        return Suspect(self.node, self.positions[row] or 0, shown, Fraction(shown + change))


def check_total_rows(rows: Node, reader: NumberReader, found: RelationFindings) -> None:
    """Find rows that are labelled as a total and are not the sum of the rows above them."""
    if rows.parent is None:
        return
    label = _find_label(rows)
    fields = _read_fields(rows, reader) if label is not None else []
    if label is None or not fields:
        return
    is_total = [False] * len(rows.values)
    texts = [value if isinstance(value, str) else "" for value in label.values]
    for row, text in enumerate(normalize_texts(texts)):
        is_total[row] = is_total_label(text)
    for list_rows in found.deadline.limit(lists_of_rows(rows)):
        totals = [row for row in list_rows if is_total[row]]
        if 0 < len(totals) <= len(list_rows) // 2:
            _check_list(fields, list_rows, totals, texts, found)


def _find_label(rows: Node) -> Node | None:
    """Return the field with the labels of the rows: the first of texts that has a label of a total."""
    for member in rows.members.values():
        if member.types["string"] and member.parent_positions is None:
            texts = [value for value in member.values if isinstance(value, str)]
            if any(map(is_total_label, normalize_texts([text[:_SAMPLE] for text in texts]))):
                return member
    return None


def _read_fields(rows: Node, reader: NumberReader) -> list[RowNumbers]:
    fields: list[RowNumbers] = []
    for member in rows.members.values():
        numbers = reader.read(member)
        if numbers is None or any(has_role(last_name(member), role) for role in ("rate", "identifier", "balance")):
            continue
        units: list[int | None] = [None] * len(rows.values)
        positions: list[int | None] = [None] * len(rows.values)
        for position, number in enumerate(numbers.units):
            row = position if member.parent_positions is None else member.parent_positions[position]
            units[row], positions[row] = number, position
        fields.append(RowNumbers(member, units, positions, numbers.decimals))
    return fields


def _check_list(
    fields: Sequence[RowNumbers], rows: range, totals: Sequence[int], texts: Sequence[str], found: RelationFindings
) -> None:
    """Check the totals of one list, by the way of adding up that holds for most of its numbers."""
    bits_of_way: Counter[int] = Counter()
    nearly: list[tuple[RowNumbers, list[int], int, int]] = []
    open_totals: list[tuple[int, list[list[int]], list[RowNumbers]]] = []
    for total in totals:
        ways = _ways_to_add(rows, totals, total)
        held = [
            (way, [field for field in fields if _holds(field, parts, total)])
            for way, parts in enumerate(ways)
            if len(parts) >= _MIN_PARTS
        ]
        way, holding = max(held, key=lambda item: len(item[1]), default=(-1, []))
        for field in holding:
            cells = [(field.node, field.positions[row]) for row in (*ways[way], total)]
            found.confirm((node, position) for node, position in cells if position is not None)
        rest = [field for field in fields if field not in holding and field.units[total] is not None]
        if holding:
            bits_of_way[way] += _count_bits([abs(field.units[total] or 0) for field in holding])
            # One number of a row can be wrong; where several are, the row is another kind of total.
            if len(rest) <= max(1, len(fields) // 3):
                nearly += [(field, ways[way], total, way) for field in rest]
        elif rest:
            open_totals.append((total, ways, rest))
    for field, parts, total, way in nearly:
        has_slip = _has_digits(field, total) and any(
            suspect.is_one_digit_off for suspect in _suspects(field, parts, total)
        )
        if bits_of_way[way] >= (_MIN_BITS_OF_SLIP if has_slip else MIN_BITS + math.log2(len(fields) * len(totals))):
            _report(field, parts, total, texts, found)
    held_ways = {way for way, bits in bits_of_way.items() if bits >= _MIN_BITS_OF_SLIP}
    for total, ways, rest in open_totals:
        if len(rest) == 1:
            _judge_alone(rest[0], ways, (rows, totals, total), held_ways, texts, found)


def _count_bits(numbers: Sequence[int]) -> int:
    """Return how much it tells that these totals of one row hold; nearly equal ones tell it once."""
    different: list[int] = []
    for number in numbers:
        if all(abs(number - other) * 100 > number for other in different):
            different.append(number)
    return sum(number.bit_length() - _WAY_BITS for number in different)


def _ways_to_add(rows: range, totals: Sequence[int], total: int) -> list[list[int]]:
    """Return the rows that a total can be the sum of: those since the last total, all, or the totals before it."""
    before = [row for row in totals if row < total]
    since = range(before[-1] + 1 if before else rows[0], total)
    plain = [row for row in range(rows[0], total) if row not in before]
    ways = [list(since), plain if before else [], before]
    # A subtotal that goes on from the last one has it among its parts.
    ways.append([before[-1], *since] if before else [])
    return ways


def _holds(field: RowNumbers, parts: Sequence[int], total: int) -> bool:
    shown = field.units[total]
    known = [number for row in parts if (number := field.units[row])]
    if shown is None or len(known) < _MIN_PARTS or len(str(abs(shown))) < _MIN_DIGITS:
        return False
    return abs(sum(known) - shown) <= _rounding(field, len(known))


def _rounding(field: RowNumbers, num_parts: int) -> int:
    """Return by how many units of the last decimal a sum of rounded numbers can differ; amounts in cents do not."""
    return 0 if field.decimals == 2 else num_parts // 4


def _difference(field: RowNumbers, parts: Sequence[int], total: int) -> int:
    return sum(field.units[row] or 0 for row in parts) - (field.units[total] or 0)


def _judge_alone(
    field: RowNumbers,
    ways: Sequence[list[int]],
    place: tuple[range, Sequence[int], int],
    held_ways: set[int],
    texts: Sequence[str],
    found: RelationFindings,
) -> None:
    """Report a total of a single field where the other totals, or its name, leave no doubt what it adds up."""
    rows, totals, total = place
    for way, parts in enumerate(ways):
        known = [row for row in parts if field.units[row]]
        if len(known) < _MIN_PARTS_ALONE or _is_far_off(field, parts, total):
            continue
        has_slip = any(suspect.is_one_digit_off for suspect in _suspects(field, parts, total))
        is_last = total == rows[-1] and len(totals) == 1
        is_named = is_last and consists_of(normalize_texts([texts[total]])[0].strip(" :"), "strict")
        if (way in held_ways or is_named) and has_slip and _has_digits(field, total):
            _report(field, parts, total, texts, found)
            return


def _has_digits(field: RowNumbers, total: int) -> bool:
    """Whether a total has so many digits that one wrong digit is not the reason for any difference."""
    return len(str(abs(field.units[total] or 0)).rstrip("0")) > _MIN_DIGITS


def _is_far_off(field: RowNumbers, parts: Sequence[int], total: int) -> bool:
    shown = field.units[total] or 0
    added = abs(shown + _difference(field, parts, total))
    return max(abs(shown), added) > _MAX_RATIO * max(min(abs(shown), added), 1)


def _suspects(field: RowNumbers, parts: Sequence[int], total: int) -> list[Suspect]:
    difference = _difference(field, parts, total)
    known = [row for row in parts if field.units[row] is not None]
    return [field.suspect(total, difference), *(field.suspect(row, -difference) for row in known)]


def _report(field: RowNumbers, parts: Sequence[int], total: int, texts: Sequence[str], found: RelationFindings) -> None:
    difference, shown = _difference(field, parts, total), field.units[total] or 0
    numbers = [format_units(units, field.decimals) for units in (shown + difference, shown, abs(difference))]
    first, last = (field.node.path_of(field.positions[row] or 0) for row in (parts[0], parts[-1]))
    why = f"sum of {len(parts)} rows from {first} to {last} {numbers[0]}, but {texts[total]} {numbers[1]}"
    size = min(1.0, abs(difference) / max(abs(shown), 1))
    suspects = _suspects(field, parts, total)
    found.broken.append(BrokenRelation("sum", suspects, f"{why}: difference {numbers[2]}", size))
