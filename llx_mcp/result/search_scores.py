"""The objects of one group that fit a search, and how many of them fit how well."""

from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

from llx_mcp.result.search_hits import Hit


@dataclass(frozen=True)
class GroupScores:
    """The objects of a group that fit.

    Attributes:
        matched: every object that has a word, or is within one that has a word, in the order of the document.
        named: the positions of the objects whose names fit, ascending. Those that are not matched fit equally well.
        plain: the first of those that are not matched, as many as hits are wanted.
    """

    matched: list[Hit]
    named: Sequence[int]
    plain: list[Hit]

    def count(self, cut: float, positions: range) -> int:
        """Return how many of the objects at some positions have at least a score."""
        first, last = (bisect_left(self._matched_positions, end) for end in (positions.start, positions.stop))
        matched = self.matched[first:last]
        count = sum(hit.score >= cut for hit in matched)
        if self.plain and self.plain[0].score >= cut:
            num_named = bisect_left(self.named, positions.stop) - bisect_left(self.named, positions.start)
            count += num_named - sum(hit.position in self._members for hit in matched)
        return count

    @cached_property
    def _matched_positions(self) -> list[int]:
        return [hit.position for hit in self.matched]

    @cached_property
    def _members(self) -> Collection[int]:
        return self.named if isinstance(self.named, range) else frozenset(self.named)
