"""The rows that are alternatives to those that were found: a search may name several values of one field."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from llx_mcp.result.outline import ancestor_position, descendant_positions
from llx_mcp.result.search_groups import Group


def rows_by_term(
    group: Group, found: Sequence[int], values: Mapping[int, Sequence[Mapping[int, set[int]]]]
) -> dict[int, set[int]]:
    """Return for each term the rows that have it in a field in which a found row has a term, too.

    A field may be the row's own, or that of an object that contains it.

    Args:
        group: the rows.
        found: the positions of the rows that were found.
        values: by the id of each group, for each of its columns, the positions of the values that have a term.
    """
    rows: dict[int, set[int]] = {}
    levels: list[list[int]] = []
    container: Group | None = group
    while container is not None and not container.is_single:
        holding = _ancestors(set(found), levels)
        for column, by_term in zip(container.columns, values[id(container)], strict=True):
            objects = {term: _ancestors(ats, column.levels) for term, ats in by_term.items()}
            if any(not having.isdisjoint(holding) for having in objects.values()):
                for term, having in objects.items():
                    rows.setdefault(term, set()).update(_descendants(having, levels))
        # The levels go from a row outwards.
        levels = [*levels, *container.levels]
        container = container.parent
    return rows


def _ancestors(positions: set[int], levels: list[list[int]]) -> set[int]:
    return {ancestor_position(position, levels) for position in positions} if levels else positions


def _descendants(positions: set[int], levels: list[list[int]]) -> Iterable[int]:
    # A million rows of one list have no levels.
    return chain.from_iterable(descendant_positions(at, levels) for at in positions) if levels else positions
