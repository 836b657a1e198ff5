"""Which rows a search shows, and what else there is in the lists that hold them.

Where the words of a search are about a list, its elements belong together. Those that are no matches are shown after
the matches if they are few and short; else the answer says how many there are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice

from llx_mcp.answers.search_rows import RowBuilder
from llx_mcp.result.search_hits import Found, FoundList, Hit

# The share of the best score from which the best row of another list fits as well.
_AS_WELL = 0.97
# The elements of a list of scalars that share a row.
ELEMENTS_A_ROW = 10
# The share of an answer that a list may take whose name was searched.
_LIST_SHARE = 0.25
# The characters that the other elements of a list may take whose name was not searched.
_OTHERS_CHARS = 120
# The characters beside an element's value, and the most of a value that are shown.
_ELEMENT_CHARS, _LONG_VALUE = 25, 240
# The fields that are named as what tells the rows of a list apart.
_MAX_APART = 2
# The matches of a list that are compared with its other objects to find them.
_MAX_COMPARED = 10


@dataclass(frozen=True)
class Row:
    """What a row of the answer shows.

    Attributes:
        hits: matches: one object, or elements of one list of scalars.
        others: further elements of a list, which are no matches.
        others_of: the list of the others.
        num_more: how many elements there are besides.
    """

    hits: Sequence[Hit]
    others: Sequence[Hit] = ()
    others_of: FoundList | None = None
    num_more: int = 0

    @property
    def shown(self) -> list[Hit]:
        """All that the row shows."""
        return [*self.hits, *self.others]


@dataclass(frozen=True)
class RowPicker:
    """Picks the rows of an answer.

    Attributes:
        found: what was found.
        builder: what builds the rows.
        limit: the most rows that show matches.
        max_chars: the characters of the answer.
    """

    found: Found
    builder: RowBuilder
    limit: int
    max_chars: int

    def pick(self) -> list[Row]:
        """Return the best rows, with some of each list, and of each of several values, that fits as well as any."""
        rows = self._join(self.found.hits)
        classes: dict[tuple[int, frozenset[int]], list[int]] = {}
        for index, row in enumerate(rows):
            classes.setdefault((id(row.hits[0].group), row.hits[0].words), []).append(index)
        close: list[list[int]] = []
        words: frozenset[int] = frozenset()
        for (_, own), indices in classes.items():
            if not own <= words or rows[indices[0]].hits[0].score >= rows[0].hits[0].score * _AS_WELL:
                close.append(indices)
                words |= own
        share = max(self.limit // len(close), 1)
        first = {index: None for indices in close[: self.limit] for index in indices[:share]}
        rest = (index for index in range(len(rows)) if index not in first)
        picked = [rows[index] for index in sorted([*first, *rest][: self.limit])]
        shown = {id(hit) for row in picked for hit in row.hits}
        return picked + self._join(hit for hit in self.found.others if id(hit) not in shown)

    def related(self, rows: Sequence[Row]) -> list[Row]:
        """Return a row for each other object of the lists that the words are about, where these are few enough."""
        related: list[Row] = []
        for found in self.topic_lists(rows):
            hits = self._hits_in_lists[id(found)]
            has_room = len(rows) + len(related) + found.num_others <= self.limit
            if not found.is_scalar and has_room and len(hits) == found.num_like:
                related += [Row((), [other], found) for other in found.others(hits)]
        return related

    def topic_lists(self, rows: Iterable[Row]) -> list[FoundList]:
        """Return the lists of some rows that the words are about and that have elements besides the matches."""
        lists = {id(found): found for row in rows for hit in row.hits if (found := self.list_of(hit)) is not None}
        return [found for found in lists.values() if found.is_topic and found.num_others]

    def list_of(self, hit: Hit) -> FoundList | None:
        """Return the list that holds a hit."""
        return None if hit.list_key is None else self.found.lists.get(hit.list_key)

    def fields_apart(self, found: FoundList, rows: Iterable[Row]) -> list[str]:
        """Return the names of the fields that tell the objects of a list apart from its matches, at most two."""
        hits = islice((hit for row in rows for hit in row.hits if self.list_of(hit) is found), _MAX_COMPARED)
        names = dict.fromkeys(name for hit in hits for name in self.builder.fields_apart(hit, found.positions))
        return list(names)[:_MAX_APART]

    @cached_property
    def _hits_in_lists(self) -> dict[int, list[Hit]]:
        """The hits in each list, by the id of the list."""
        by_list: dict[int, list[Hit]] = {}
        for hit in [*self.found.hits, *self.found.others]:
            if (found := self.list_of(hit)) is not None:
                by_list.setdefault(id(found), []).append(hit)
        return by_list

    def _join(self, hits: Iterable[Hit]) -> list[Row]:
        """Return the rows of some hits.

        A list of scalars is one row if that is short enough. Else its elements that fit equally well share rows.
        """
        rows: list[Row] = []
        whole: dict[int, Row | None] = {}
        for hit in hits:
            found = self.list_of(hit)
            if found is None or not found.is_scalar:
                rows.append(Row([hit]))
            elif id(found) not in whole:
                whole[id(found)] = row = self._whole(found)
                rows.append(row or Row([hit], num_more=0 if found.is_topic else found.num_others))
            elif whole[id(found)] is None:
                last = rows[-1].shown
                is_alike = self.list_of(last[-1]) is found and last[-1].score == hit.score
                if is_alike and len(last) < ELEMENTS_A_ROW:
                    rows[-1] = replace(rows[-1], hits=[*last, hit])
                else:
                    rows.append(Row([hit]))
        return rows

    def _whole(self, found: FoundList) -> Row | None:
        """Return the row of a whole list of scalars, best elements first; None where it is too long.

        It is None, too, where all elements fit equally well: they share rows anyway.
        """
        hits = self._hits_in_lists[id(found)]
        are_alike = not found.num_others and hits[0].score == hits[-1].score
        if are_alike or len(hits) < found.num_like or len(found.positions) > self.limit * ELEMENTS_A_ROW:
            return None
        others = found.others(hits)
        length = sum(map(_measure, others if not found.is_topic else [*hits, *others]))
        is_short = length <= (self.max_chars * _LIST_SHARE if found.is_topic else _OTHERS_CHARS)
        return Row(hits, others, found) if is_short else None


def _measure(element: Hit) -> int:
    """Return about how many characters an element of a list of scalars takes, with page and confidence."""
    return min(len(str(element.group.node.values[element.position])), _LONG_VALUE) + _ELEMENT_CHARS
