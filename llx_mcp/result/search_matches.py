"""Where the terms of a search stand in the values, names and quotes of a result, and how much each term counts."""

import math
from collections.abc import Iterable, Sequence
from itertools import combinations

from llx_mcp.result.document import Document
from llx_mcp.result.name_weights import merge_weights, weigh_names
from llx_mcp.result.outline import ancestor_position
from llx_mcp.result.search_groups import FieldColumn, Group
from llx_mcp.result.search_texts import FieldIndex
from llx_mcp.result.words import PREFIX, WORD, Term, Terms, Weights

# How much less words count that stand elsewhere, or in a quote.
_ELSEWHERE, _QUOTE = 0.3, 0.5


class SearchMatches:
    """Where the terms of a search stand.

    The terms are numbered. After those of the search come the options of joined terms, and the whole phrase. An object
    is not worse for lacking one of these.

    Attributes:
        names: how well names and descriptions fit.
        own: by the id of each group, how well the values of its objects fit, by position; without those that do not.
        values: by the id of each group, for each of its columns, the positions of the values that have a term as a
            word.
        elsewhere: how well what the document says once, outside its lists, fits.
        num_terms: the number of the terms of the search.
        num_words: that of the terms and options.
        absent: the terms that stand nowhere.
        generic: the terms and options that only say when, or are short numbers.
        topics: the terms of the search that stand somewhere and are not generic.
    """

    def __init__(
        self, document: Document, groups: Sequence[Group], index: FieldIndex, descriptions: dict[int, str], terms: Terms
    ) -> None:
        self._document = document
        self._groups = groups
        self._fields = index
        self._terms = [*terms.terms, *terms.options]
        self.num_terms, self.num_words = len(terms.terms), len(self._terms)
        if terms.terms and terms.phrase != terms.terms[0].text:
            self._terms.append(Term(terms.phrase, (terms.phrase,)))
        self.names = weigh_names(groups, descriptions, terms)
        self.values: dict[int, list[dict[int, set[int]]]] = {id(group): [{} for _ in group.columns] for group in groups}
        self.own = {id(group): self._match_values(group) for group in groups}
        self._match_quotes()
        self.elsewhere = self._weigh_elsewhere()
        self._idf = self._measure_idf()
        self._kinds = self._find_kinds()
        self.absent = frozenset(term for term in range(self.num_terms) if not self._idf[term])
        self.generic = frozenset(term for term in range(self.num_words) if self._terms[term].is_generic)
        self.topics = frozenset(range(self.num_terms)) - self.absent - self.generic

    def sum(self, weights: Weights) -> float:
        """Return the sum of the inverse document frequencies of the terms, times their weights."""
        return self._sum_kinds({term: self._idf[term] * weight for term, weight in weights.items()})

    def share(self, weights: Weights) -> float:
        """Return the share of the terms that are found; one that fits half, as in a description, counts half."""
        shares = {term: min(weight, 1.0) for term, weight in weights.items() if term < self.num_terms}
        return self._sum_kinds(shares) / len(set(self._kinds[: self.num_terms]))

    def _sum_kinds(self, weights: Weights) -> float:
        """Return the sum of the weights, where only the highest of several alternatives counts."""
        best: dict[int, float] = {}
        for term, weight in weights.items():
            kind = self._kinds[term]
            best[kind] = max(best.get(kind, 0.0), weight)
        return sum(best.values())

    def _match_values(self, group: Group) -> dict[int, Weights]:
        """For each object with a value that matches, return how well its values fit each term."""
        matches: dict[int, Weights] = {}
        for index in range(len(self._terms)):
            for column, values in zip(group.columns, self.values[id(group)], strict=True):
                for value_position, weight in self._match_column(column, index):
                    if weight > PREFIX:
                        values.setdefault(index, set()).add(value_position)
                    position = ancestor_position(value_position, column.levels)
                    weights = matches.setdefault(position, {})
                    weights[index] = max(weights.get(index, 0.0), weight)
        return matches

    def _match_column(self, column: FieldColumn, index: int) -> Iterable[tuple[int, float]]:
        term, types = self._terms[index], column.node.types
        found = self._fields.texts(column.node).find(term)
        if types["integer"] + types["number"] and term.numbers:
            found |= self._fields.numbers(column.node).find(term)
        if types["boolean"] and (term.text in ("true", "false") or index in self.names.columns[id(column)]):
            # A field such as `is_current` fits "current" where it is true.
            found |= {i: WORD for i, value in enumerate(column.node.values) if value is (term.text != "false")}
        return found.items()

    def _match_quotes(self) -> None:
        """Look in the quotes, if some words stand in no value and no name."""
        missing = [term for index, term in enumerate(self._terms[: self.num_terms]) if not self._is_found(index)]
        if self._document.metadata is None or not missing:
            return
        for group in self._groups:
            own = self.own[id(group)]
            for column in group.columns:
                for at, text in self._fields.quotes(column.node).find(missing):
                    position = ancestor_position(at, column.levels)
                    own[position] = merge_weights(own.get(position, {}), self._weigh_quote(text))

    def _is_found(self, index: int) -> bool:
        """Whether a term stands in any value or name."""
        is_named = any(index in weights for weights in self.names.groups.values())
        return is_named or any(index in weights for own in self.own.values() for weights in own.values())

    def _weigh_quote(self, text: str) -> Weights:
        weights = {index: term.weigh(text) * _QUOTE for index, term in enumerate(self._terms)}
        return {index: weight for index, weight in weights.items() if weight}

    def _weigh_elsewhere(self) -> Weights:
        weights: Weights = {}
        for group in self._groups:
            if group.is_single:
                for index, weight in self.own[id(group)].get(0, {}).items():
                    weights[index] = max(weights.get(index, 0.0), weight * _ELSEWHERE)
        return weights

    def _measure_idf(self) -> list[float]:
        num_objects = sum(len(group.node.values) for group in self._groups)
        idf = []
        for index in range(len(self._terms)):
            named = {key for key, weights in self.names.groups.items() if index in weights}
            count = sum(
                len(group.node.values) if id(group) in named else sum(index in w for w in self.own[id(group)].values())
                for group in self._groups
            )
            # The term that an option belongs to counts for it.
            is_option = self.num_terms <= index < self.num_words
            idf.append(math.log(1 + num_objects / count) if count and not is_option else 0.0)
        return idf

    def _find_kinds(self) -> list[int]:
        """Return a number for each term, the same for terms that stand in values of one field but never in one value.

        Of these, an object has one at most: a row is about "EMEA" or about "APJC". It may be about "Q2" and "FY2025".
        """
        alternatives: set[tuple[int, int]] = set()
        together: set[tuple[int, int]] = set()
        for group in self._groups:
            for values in self.values[id(group)]:
                for first, second in combinations(sorted(values), 2):
                    if not values[first].isdisjoint(values[second]):
                        together.add((first, second))
                    elif not group.is_single:
                        alternatives.add((first, second))
        kinds = list(range(len(self._terms)))
        for first, second in sorted(alternatives - together):
            if kinds[second] == second:
                kinds[second] = kinds[first]
        return kinds
