"""Finds the objects of a result that fit a search best.

What is ranked is an object with its scalars, or an element of a list of scalars. Its words are its values, the names on
its path and of its fields, and what the job's schema says of these fields. What contains it counts less. The score is
the sum of the inverse document frequencies of the words that are found, times their share of all words.
"""

import heapq
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, combinations, islice

from llx_mcp.result.document import Document, is_scalar
from llx_mcp.result.name_weights import merge_weights, weigh_names
from llx_mcp.result.outline import Node, ancestor_position, descendant_positions
from llx_mcp.result.search_groups import FieldColumn, Group, find_groups
from llx_mcp.result.search_texts import FieldNumbers, FieldQuotes, FieldTexts
from llx_mcp.result.words import PREFIX, WORD, Term, Terms, Weights

# How much less words count that stand around an object, elsewhere, or in a quote.
_AROUND, _ELSEWHERE, _QUOTE = 0.5, 0.3, 0.5
_MAX_CANDIDATES = 20_000
# How much the name of a field counts that is there and empty.
_EMPTY = 0.8
# A word of an object's own values or names, not one of a description or of what contains it.
_OWN_WORD = 0.6
# The share of the best score from which an object with another word is shown, too.
_OTHER = 0.25


@dataclass(frozen=True, order=True)
class Hit:
    """One object that was found.

    Attributes:
        score: the higher, the better; hits of one score are in the order of the document.
        position: its index in the values of its group.
        group: its group.
        found: the indices of the terms that it has: in its values, its names, or an object that contains it.
        words: those of them that are words of its own values or names.
    """

    score: float
    position: int = field(compare=False)
    group: Group = field(compare=False)
    found: frozenset[int] = field(compare=False)
    words: frozenset[int] = field(compare=False)


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        hits: the best, best first.
        num_like: how many objects there are whose score is not far below that of the best.
        absent: the indices of the terms that stand nowhere in the document.
        column_weights: how well the name and description of each column fit each term, by the id of the column.
        other: the best object with a word that no hit has.
    """

    hits: list[Hit]
    num_like: int
    absent: frozenset[int]
    column_weights: dict[int, Weights]
    other: Hit | None = None


class ObjectSearch:
    """The objects of a document, ready to be searched; what is prepared for one search serves the next.

    Args:
        document: the document.
        descriptions: what the schema says of each field, by the id of its node.
    """

    def __init__(self, document: Document, descriptions: dict[int, str]) -> None:
        self._document = document
        self._descriptions = descriptions
        self.groups = find_groups(document.root)
        self._texts: dict[int, FieldTexts] = {}
        self._numbers: dict[int, FieldNumbers] = {}
        self._quotes: dict[int, FieldQuotes] = {}

    def run(self, terms: Terms, limit: int, *, like: float = 0.8) -> Found:
        """Return the objects that fit best.

        Args:
            terms: what is searched for.
            limit: the most hits to return.
            like: the share of the best score from which an object counts as similar to the best.
        """
        return _Search(self, self._document, self._descriptions, terms).run(limit, like)

    def texts(self, node: Node) -> FieldTexts:
        """Return the strings of a field, normalized."""
        if id(node) not in self._texts:
            self._texts[id(node)] = FieldTexts(node)
        return self._texts[id(node)]

    def numbers(self, node: Node) -> FieldNumbers:
        """Return the numbers of a field."""
        if id(node) not in self._numbers:
            self._numbers[id(node)] = FieldNumbers(node)
        return self._numbers[id(node)]

    def quotes(self, node: Node) -> FieldQuotes:
        """Return the quotes of a field's scalars, normalized."""
        if id(node) not in self._quotes:
            self._quotes[id(node)] = FieldQuotes(self._document, node)
        return self._quotes[id(node)]


class _Search:
    def __init__(self, objects: ObjectSearch, document: Document, descriptions: dict[int, str], terms: Terms) -> None:
        self._objects = objects
        self._document = document
        self._terms = terms
        self._names = weigh_names(objects.groups, descriptions, terms)
        # The whole phrase is one more term. An object that lacks it is not worse for that.
        self._all_terms = [*terms.terms]
        if terms.terms and terms.phrase != terms.terms[0].text:
            self._all_terms.append(Term(terms.phrase, (terms.phrase,)))
        # For each column of each group, the values that hold a term as a word.
        self._columns_of_terms: list[list[dict[int, set[int]]]] = []
        self._own = [self._match_values(group) for group in objects.groups]
        self._match_quotes()
        self._index = {id(group): index for index, group in enumerate(objects.groups)}
        self._elsewhere = self._weigh_elsewhere()
        self._idf = self._measure_idf()
        self._alternatives = self._find_alternatives()
        # Score and terms of the objects that fit in the same way.
        self._scores: dict[tuple[object, ...], tuple[float, frozenset[int], frozenset[int]]] = {}

    def run(self, limit: int, like: float) -> Found:
        absent = frozenset(index for index in range(len(self._terms.terms)) if not self._idf[index])
        scored = [self._score_group(index, limit) for index in range(len(self._objects.groups))]
        best = heapq.nlargest(limit, chain.from_iterable(hits for hits, _ in scored))
        if not best or not best[0].score:
            return Found([], 0, absent, self._names.columns)
        cut = best[0].score * like
        num_like = sum(count for _, counts in scored for score, count in counts if score >= cut)
        hits = [hit for hit in best if hit.score >= cut]
        every = chain.from_iterable(group_hits for group_hits, _ in scored)
        other = self._find_other(hits, every, best[0].score * _OTHER)
        return Found(hits, num_like, absent, self._names.columns, other)

    def _find_other(self, hits: list[Hit], every: Iterable[Hit], least: float) -> Hit | None:
        """Return the best object with a word that none of the hits has: a search may name two things."""
        covered = frozenset().union(*(hit.found for hit in hits))
        others = (hit for hit in every if hit.score >= least and not hit.words <= covered)
        return max(others, key=lambda hit: (len(hit.words - covered), hit.score), default=None)

    def _match_values(self, group: Group) -> dict[int, Weights]:
        """For each object with a value that matches, return how well its values fit each term."""
        matches: dict[int, Weights] = {}
        by_column: list[dict[int, set[int]]] = [{} for _ in group.columns]
        self._columns_of_terms.append(by_column)
        for index in range(len(self._all_terms)):
            for column, terms in zip(group.columns, by_column, strict=True):
                for value_position, weight in self._match_column(column, index):
                    if weight > PREFIX:
                        terms.setdefault(index, set()).add(value_position)
                    position = ancestor_position(value_position, column.levels)
                    weights = matches.setdefault(position, {})
                    weights[index] = max(weights.get(index, 0.0), weight)
        return matches

    def _match_column(self, column: FieldColumn, index: int) -> Iterable[tuple[int, float]]:
        term, types = self._all_terms[index], column.node.types
        found = self._objects.texts(column.node).find(term)
        if types["integer"] + types["number"] and term.numbers:
            found |= self._objects.numbers(column.node).find(term)
        if types["boolean"] and (term.text in ("true", "false") or index in self._names.columns[id(column)]):
            # A field such as `is_current` fits "current" where it is true.
            found |= {i: WORD for i, value in enumerate(column.node.values) if value is (term.text != "false")}
        return found.items()

    def _match_quotes(self) -> None:
        """Look in the quotes, if some words stand in no value and no name."""
        missing = [term for index, term in enumerate(self._terms.terms) if not self._is_found(index)]
        if self._document.metadata is None or not missing:
            return
        for group, own in zip(self._objects.groups, self._own, strict=True):
            for column in group.columns:
                for at, text in self._objects.quotes(column.node).find(missing):
                    position = ancestor_position(at, column.levels)
                    own[position] = merge_weights(own.get(position, {}), self._weigh_quote(text))

    def _is_found(self, index: int) -> bool:
        """Whether a term stands in any value or name."""
        is_named = any(index in weights for weights in self._names.groups.values())
        return is_named or any(index in weights for own in self._own for weights in own.values())

    def _weigh_quote(self, text: str) -> Weights:
        weights = {index: term.weigh(text) * _QUOTE for index, term in enumerate(self._all_terms)}
        return {index: weight for index, weight in weights.items() if weight}

    def _weigh_elsewhere(self) -> Weights:
        """Return how well what the document says once, outside its lists, fits each term."""
        weights: Weights = {}
        for group, own in zip(self._objects.groups, self._own, strict=True):
            if group.is_single:
                for index, weight in own.get(0, {}).items():
                    weights[index] = max(weights.get(index, 0.0), weight * _ELSEWHERE)
        return weights

    def _measure_idf(self) -> list[float]:
        num_objects = sum(len(group.node.values) for group in self._objects.groups)
        idf = []
        for index in range(len(self._all_terms)):
            named = {key for key, weights in self._names.groups.items() if index in weights}
            count = sum(
                len(group.node.values) if id(group) in named else sum(index in w for w in own.values())
                for group, own in zip(self._objects.groups, self._own, strict=True)
            )
            idf.append(math.log(1 + num_objects / count) if count else 0.0)
        return idf

    def _score_group(self, index: int, limit: int) -> tuple[list[Hit], list[tuple[float, int]]]:
        """Return the best hits of a group, and how many of its objects have each score."""
        group, own = self._objects.groups[index], self._own[index]
        candidates = set(own)
        candidates.update(islice(self._inside_matches(group), _MAX_CANDIDATES))
        hits = [self._hit(group, position, own) for position in sorted(candidates)]
        counts = [(hit.score, 1) for hit in hits]
        if self._names.groups[id(group)]:
            named = self._named_positions(group)
            members = named if isinstance(named, range) else frozenset(named)
            others = (position for position in named if position not in candidates)
            plain = [self._hit(group, position, own) for position in islice(others, limit)]
            hits += plain
            if plain:
                counts.append((plain[0].score, len(named) - sum(position in members for position in candidates)))
        return heapq.nlargest(limit, hits), counts

    def _named_positions(self, group: Group) -> Sequence[int]:
        """Return the objects that the names fit: all, or those that have the field whose name fits best."""
        if self._names.paths[id(group)] or not group.columns:
            return range(len(group.node.values))
        best = max(group.columns, key=lambda column: self._sum(self._names.columns[id(column)]))
        return list(dict.fromkeys(ancestor_position(at, best.levels) for at in range(len(best.node.values))))

    def _sum(self, weights: Weights) -> float:
        return self._sum_alternatives({term: self._idf[term] * weight for term, weight in weights.items()})

    def _share(self, weights: Weights) -> float:
        """Return the share of the terms that are found; one that fits half, as in a description, counts half."""
        num_terms = len(self._terms.terms)
        shares = {term: min(weight, 1.0) for term, weight in weights.items() if term < num_terms}
        return self._sum_alternatives(shares) / len(set(self._alternatives[:num_terms]))

    def _sum_alternatives(self, weights: Weights) -> float:
        """Return the sum of the weights, where only the highest of several alternatives counts."""
        best: dict[int, float] = {}
        for term, weight in weights.items():
            kind = self._alternatives[term]
            best[kind] = max(best.get(kind, 0.0), weight)
        return sum(best.values())

    def _find_alternatives(self) -> list[int]:
        """Return a number for each term, the same for terms that stand in values of one field but never in one value.

        Of these, an object has one at most: a row is about "EMEA" or about "APJC". It may be about "Q2" and "FY2025".
        """
        alternatives: set[tuple[int, int]] = set()
        together: set[tuple[int, int]] = set()
        for group, found in zip(self._objects.groups, self._columns_of_terms, strict=True):
            for terms in found:
                for first, second in combinations(sorted(terms), 2):
                    if not terms[first].isdisjoint(terms[second]):
                        together.add((first, second))
                    elif not group.is_single:
                        alternatives.add((first, second))
        kinds = list(range(len(self._all_terms)))
        for first, second in sorted(alternatives - together):
            if kinds[second] == second:
                kinds[second] = kinds[first]
        return kinds

    def _inside_matches(self, group: Group) -> Iterator[int]:
        """Yield the objects of a group that are within an object that matches."""
        parent, levels = group.parent, group.levels
        while parent is not None:
            if not parent.is_single:
                for position in self._own[self._index[id(parent)]]:
                    yield from descendant_positions(position, levels)
            levels = [*levels, *parent.levels]
            parent = parent.parent

    def _hit(self, group: Group, position: int, own: dict[int, Weights]) -> Hit:
        matched = own.get(position, {})
        named = self._share_names(group, position)
        around = list(self._around(group, position))
        # Many objects fit in the same way, such as all rows that have a common word.
        key = (id(group), *matched.items(), *named, *map(id, around))
        if key not in self._scores:
            self._scores[key] = self._score(group, matched, named, around)
        return Hit(self._scores[key][0], position, group, *self._scores[key][1:])

    def _score(
        self, group: Group, matched: Weights, named: list[tuple[FieldColumn, float]], around: list[Weights]
    ) -> tuple[float, frozenset[int], frozenset[int]]:
        """Return the score of an object, the terms that it has, and those that are words of its own."""
        weights = merge_weights(self._names.paths[id(group)], matched)
        for column, share in named:
            names = self._names.columns[id(column)]
            weights = merge_weights(weights, {term: weight * share for term, weight in names.items()})
        for outer in around:
            weights = merge_weights(weights, {term: weight * _AROUND for term, weight in outer.items()})
        found = frozenset(term for term in weights if term < len(self._terms.terms))
        words = frozenset(term for term in found if weights[term] >= _OWN_WORD)
        weights = merge_weights(weights, self._elsewhere)
        return self._sum(weights) * self._share(weights), found, words

    def _share_names(self, group: Group, position: int) -> list[tuple[FieldColumn, float]]:
        """Return the fields of an object whose names fit, and how much each name counts."""
        return [
            (column, 1.0 if is_scalar(column.node.values[at]) else _EMPTY)
            for column in group.columns
            if self._names.columns[id(column)] and (at := column.position_in(position)) is not None
        ]

    def _around(self, group: Group, position: int) -> Iterator[Weights]:
        """Yield how well the values of each object that contains an object fit, innermost first."""
        for container, at in group.containers(position):
            if outer := self._own[self._index[id(container)]].get(at):
                yield outer
