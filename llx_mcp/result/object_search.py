"""Finds the objects of a result that fit a search best.

What is ranked is an object with its scalars, or an element of a list of scalars. Its words are its values, the names on
its path and of its fields, and what the job's schema says of these fields. What contains it counts less. The score is
the sum of the inverse document frequencies of the words that are found, times their share of all words. It is halved if
none of them is a word of the topic, but only a period, a date or a short number.
"""

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, islice

from llx_mcp.result.document import Document, is_scalar
from llx_mcp.result.name_weights import merge_weights
from llx_mcp.result.outline import ancestor_position, descendant_positions
from llx_mcp.result.search_alternatives import rows_by_term
from llx_mcp.result.search_groups import FieldColumn, Group, find_groups
from llx_mcp.result.search_hits import Found, FoundList, Hit, ListKey, positions_in_list
from llx_mcp.result.search_matches import SearchMatches
from llx_mcp.result.search_scores import GroupScores
from llx_mcp.result.search_texts import FieldIndex
from llx_mcp.result.words import Terms, Weights

# How much less words count that stand around an object.
_AROUND = 0.5
_MAX_CANDIDATES = 20_000
# How much the name of a field counts that is there and empty.
_EMPTY = 0.8
# A word of an object's own values or names, not one of a description or of what contains it.
_OWN_WORD = 0.6
# The share of the best score from which an object with another word is shown, too.
_OTHER = 0.25
# How much less an object counts that has no word of the topic.
_OFF_TOPIC = 0.5


class ObjectSearch:
    """The objects of a document, ready to be searched; what is prepared for one search serves the next.

    Args:
        document: the document.
        descriptions: what the schema says of each field, by the id of its node.
    """

    def __init__(self, document: Document, descriptions: dict[int, str]) -> None:
        self._document = document
        self._descriptions = descriptions
        self._groups = find_groups(document.root)
        self._fields = FieldIndex(document)

    def run(self, terms: Terms, limit: int, *, like: float = 0.8) -> Found:
        """Return the objects that fit best.

        Args:
            terms: what is searched for.
            limit: the most hits to return, and the most for each of several values of a field.
            like: the share of the best score from which an object counts as similar to the best.
        """
        matches = SearchMatches(self._document, self._groups, self._fields, self._descriptions, terms)
        return _Search(self._groups, matches, limit).run(like)


class _Search:
    def __init__(self, groups: Sequence[Group], matches: SearchMatches, limit: int) -> None:
        self._groups = groups
        self._matches = matches
        self._limit = limit
        # Score and terms of the objects that fit in the same way.
        self._known: dict[tuple[object, ...], tuple[float, frozenset[int], frozenset[int]]] = {}
        self._scores = {id(group): self._score_group(group) for group in groups}

    def run(self, like: float) -> Found:
        names, absent = self._matches.names, self._matches.absent
        every = [hit for scores in self._scores.values() for hit in chain(scores.matched, scores.plain)]
        best = heapq.nlargest(self._limit, every)
        if not best or not best[0].score:
            return Found([], 0, absent, names.columns)
        cut = best[0].score * like
        hits = [hit for hit in best if hit.score >= cut]
        alternatives = list(self._find_alternatives(hits))
        shown = chain.from_iterable(rows[: self._limit] for rows in alternatives)
        hits += sorted(shown, key=lambda hit: (-hit.score, hit.position))
        further = [hit for hit in chain.from_iterable(alternatives) if hit.score < cut]
        num_like = sum(self._count(group, cut) for group in self._groups) + len(further)
        if (other := self._find_other(hits, every, best[0].score * _OTHER)) is not None and other.score >= cut:
            hits, other = [*hits, other], None
        others = [] if other is None else self._list_others(other, hits, cut)
        lists = self._find_lists([*hits, *others], [*further, *others], cut)
        return Found(hits, num_like, absent, names.columns, others, lists)

    def _list_others(self, other: Hit, hits: Sequence[Hit], cut: float) -> list[Hit]:
        """Return an object that is no hit, and the first of each alternative to it that is no hit either."""
        known = {(id(hit.group), hit.position) for hit in hits}
        rows = (rows[0] for rows in self._find_alternatives([other]))
        new = (row for row in rows if row.score < cut and (id(row.group), row.position) not in known)
        return [other, *new][: self._limit]

    def _find_alternatives(self, hits: Sequence[Hit]) -> Iterator[list[Hit]]:
        """Yield the best rows with a further value that is searched for, in a field in which hits have one."""
        by_group: dict[int, list[Hit]] = {}
        for hit in hits:
            by_group.setdefault(id(hit.group), []).append(hit)
        for members in by_group.values():
            group, positions = members[0].group, [hit.position for hit in members]
            rows_of = rows_by_term(group, positions, self._matches.values)
            covered = frozenset().union(*(hit.words for hit in members))
            covered |= {term for term, rows in rows_of.items() if not rows.isdisjoint(positions)}
            wanted = {term for term in rows_of if term < self._matches.num_words} - covered
            known = {hit.position: hit for hit in self._scores[id(group)].matched}
            best = {
                term: _best_of([known.get(at) or self._hit(group, at) for at in sorted(rows_of[term])])
                for term in wanted
            }
            for term in sorted(wanted, key=lambda term: (-best[term][0].score, term)):
                first = best[term][0]
                if term not in covered:
                    covered |= first.words | {other for other in wanted if first.position in rows_of[other]}
                    yield best[term]

    def _find_other(self, hits: Sequence[Hit], every: Sequence[Hit], least: float) -> Hit | None:
        """Return the best object with a word that none of the hits has: a search may name two things.

        If the word only says when, the object has all words of the topic that the best hit has.
        """
        covered = frozenset().union(*(hit.found for hit in hits))
        topics = hits[0].found & self._matches.topics

        def adds(hit: Hit) -> bool:
            new = hit.words - covered
            return not new <= self._matches.generic or (bool(new and topics) and topics <= hit.found)

        others = (hit for hit in every if hit.score >= least and adds(hit))
        return max(others, key=lambda hit: (len(hit.words - covered), hit.score), default=None)

    def _find_lists(self, hits: Sequence[Hit], further: Sequence[Hit], cut: float) -> dict[ListKey, FoundList]:
        """Return the lists that hold some hits. Matches are those from a score on, and the further ones."""
        lists: dict[ListKey, FoundList] = {}
        families: dict[int, FoundList] = {}
        num_further = Counter(hit.list_key for hit in further)
        for hit in hits:
            group, key = hit.group, hit.list_key
            if key is None or key in lists:
                continue
            elements = positions_in_list(group, key[1])
            num_like = self._scores[id(group)].count(cut, elements) + num_further[key]
            is_named = not self._matches.topics.isdisjoint(self._matches.names.lists[id(group)])
            lists[key] = FoundList(group, elements, num_like, is_topic=is_named)
            if not is_named and not lists[key].is_scalar:
                if id(group) not in families:
                    families[id(group)] = self._find_family(hit, further, cut)
                lists[key] = families[id(group)]
        return lists

    def _find_family(self, hit: Hit, further: Sequence[Hit], cut: float) -> FoundList:
        """Return the objects of a hit's group that have all words of the topic that the hit has."""
        topics, scores = self._matches.topics & hit.found, self._scores[id(hit.group)]
        members = [each for each in scores.matched if topics <= each.found]
        positions = {each.position for each in members}
        num_like = sum(each.score >= cut for each in members)
        num_like += sum(topics <= each.found for each in further if each.group is hit.group)
        if scores.plain and topics <= scores.plain[0].found:
            if scores.plain[0].score >= cut:
                num_like += sum(position not in positions for position in scores.named)
            positions.update(scores.named)
        return FoundList(hit.group, sorted(positions), num_like, is_topic=bool(topics))

    def _count(self, group: Group, cut: float) -> int:
        return self._scores[id(group)].count(cut, range(len(group.node.values)))

    def _score_group(self, group: Group) -> GroupScores:
        """Return the objects of a group that fit."""
        candidates = set(self._matches.own[id(group)])
        candidates.update(islice(self._inside_matches(group), _MAX_CANDIDATES))
        matched = [self._hit(group, position) for position in sorted(candidates)]
        named = self._named_positions(group) if self._matches.names.groups[id(group)] else range(0)
        others = (position for position in named if position not in candidates)
        return GroupScores(matched, named, [self._hit(group, position) for position in islice(others, self._limit)])

    def _named_positions(self, group: Group) -> Sequence[int]:
        """Return the objects that the names fit: all, or those that have the field whose name fits best."""
        names = self._matches.names
        if names.paths[id(group)] or not group.columns:
            return range(len(group.node.values))
        best = max(group.columns, key=lambda column: self._matches.sum(names.columns[id(column)]))
        return list(dict.fromkeys(ancestor_position(at, best.levels) for at in range(len(best.node.values))))

    def _inside_matches(self, group: Group) -> Iterator[int]:
        """Yield the objects of a group that are within an object that matches."""
        parent, levels = group.parent, group.levels
        while parent is not None:
            if not parent.is_single:
                for position in self._matches.own[id(parent)]:
                    yield from descendant_positions(position, levels)
            levels = [*levels, *parent.levels]
            parent = parent.parent

    def _hit(self, group: Group, position: int) -> Hit:
        matched = self._matches.own[id(group)].get(position, {})
        named = self._share_names(group, position)
        around = list(self._around(group, position))
        # Many objects fit in the same way, such as all rows that have a common word.
        key = (id(group), *matched.items(), *named, *map(id, around))
        if key not in self._known:
            self._known[key] = self._score(group, matched, named, around)
        return Hit(self._known[key][0], position, group, *self._known[key][1:])

    def _score(
        self, group: Group, matched: Weights, named: list[tuple[FieldColumn, float]], around: list[Weights]
    ) -> tuple[float, frozenset[int], frozenset[int]]:
        """Return the score of an object, the terms that it has, and those that are words of its own."""
        matches = self._matches
        weights = merge_weights(matches.names.paths[id(group)], matched)
        for column, share in named:
            names = matches.names.columns[id(column)]
            weights = merge_weights(weights, {term: weight * share for term, weight in names.items()})
        for outer in around:
            weights = merge_weights(weights, {term: weight * _AROUND for term, weight in outer.items()})
        found = frozenset(term for term in weights if term < matches.num_words)
        words = frozenset(term for term in found if weights[term] >= _OWN_WORD)
        weights = merge_weights(weights, matches.elsewhere)
        is_on_topic = not matches.topics or not matches.topics.isdisjoint(found)
        return matches.sum(weights) * matches.share(weights) * (1.0 if is_on_topic else _OFF_TOPIC), found, words

    def _share_names(self, group: Group, position: int) -> list[tuple[FieldColumn, float]]:
        """Return the fields of an object whose names fit, and how much each name counts."""
        return [
            (column, 1.0 if is_scalar(column.node.values[at]) else _EMPTY)
            for column in group.columns
            if self._matches.names.columns[id(column)] and (at := column.position_in(position)) is not None
        ]

    def _around(self, group: Group, position: int) -> Iterator[Weights]:
        """Yield how well the values of each object that contains an object fit, innermost first."""
        for container, at in group.containers(position):
            if outer := self._matches.own[id(container)].get(at):
                yield outer


def _best_of(hits: Sequence[Hit]) -> list[Hit]:
    """Return the hits with the highest score."""
    score = max(hit.score for hit in hits)
    return [hit for hit in hits if hit.score == score]
