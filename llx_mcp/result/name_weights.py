"""How well the names and descriptions of fields fit the terms of a search."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, reduce

from llx_mcp.result.outline import Node
from llx_mcp.result.search_groups import Group
from llx_mcp.result.words import Terms, Weights

# How much less words count that stand in a field's name, or in its description.
_NAME, _DESCRIPTION = 0.9, 0.5


@dataclass(frozen=True)
class NameWeights:
    """How well names and descriptions fit each term.

    Attributes:
        paths: those on the path of each group, by the id of the group.
        columns: those of each column within the objects of its group, by the id of the column.
        groups: the best of a group's path and columns, by the id of the group.
        lists: those of the list of a group's objects, and of the object that holds the list, by the id of the group.
    """

    paths: dict[int, Weights] = field(default_factory=dict)
    columns: dict[int, Weights] = field(default_factory=dict)
    groups: dict[int, Weights] = field(default_factory=dict)
    lists: dict[int, Weights] = field(default_factory=dict)


def weigh_names(groups: Sequence[Group], descriptions: dict[int, str], terms: Terms) -> NameWeights:
    """Return how well the names and descriptions of some groups fit each term.

    Args:
        groups: the groups.
        descriptions: what the schema says of fields, by the id of the node.
        terms: the terms.
    """
    by_node: dict[int, Weights] = {}
    # Many fields have the same name and description.
    weigh_text = cache(terms.weigh_name)

    def weigh(node: Node) -> Weights:
        if id(node) not in by_node:
            named = weigh_text(node.step) if node.step else {}
            weights = {term: weight * _NAME for term, weight in named.items()}
            if text := descriptions.get(id(node)):
                described = weigh_text(text)
                weights = merge_weights(weights, {term: weight * _DESCRIPTION for term, weight in described.items()})
            by_node[id(node)] = weights
        return by_node[id(node)]

    found = NameWeights()
    for group in groups:
        weights: Weights = {}
        node: Node | None = group.node
        while node is not None:
            weights = merge_weights(weights, weigh(node))
            node = node.parent
        found.paths[id(group)] = weights
        found.lists[id(group)] = reduce(merge_weights, map(weigh, _list_nodes(group.node)), {})
        for column in group.columns:
            below: Weights = {}
            node = column.node
            while node is not None and node is not group.node:
                below = merge_weights(below, weigh(node))
                node = node.parent
            found.columns[id(column)] = below
            weights = merge_weights(weights, below)
        found.groups[id(group)] = weights
    return found


def _list_nodes(node: Node) -> Iterator[Node]:
    """Yield the elements of a list, the list, and the object that holds it unless that is the whole result or a row."""
    if node.indices is not None and node.parent is not None:
        yield node
        yield node.parent
        if (holder := node.parent.parent) is not None and holder.step is not None:
            yield holder


def merge_weights(weights: Weights, others: Weights) -> Weights:
    """Return the higher weight of each term."""
    merged = dict(weights)
    for term, weight in others.items():
        if weight > merged.get(term, 0.0):
            merged[term] = weight
    return merged
