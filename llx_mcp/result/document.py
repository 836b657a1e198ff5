"""Each value of a result joined with what the job knows of it: confidence, page, quoted words.

A null value counts as a null, an empty list or object as nothing. Values are read by column, and joined
one by one only where they are shown.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

from llx_mcp.result.metadata import AlignedMetadata, align_metadata, number
from llx_mcp.result.outline import Node, build_outline, walk_nodes, walk_values

# Below this, types made for the one result cost more than they save.
TYPED_FROM_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on a page, in PDF points from the top left."""

    x: float
    y: float
    w: float
    h: float


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a value stands: 1-based page, the text that the service quotes for it, and boxes."""

    page: int | float | None
    quote: str | None
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True)
class Leaf:
    """One scalar value that is not null. `confidence` is 0 to 1, or None where the job gives none."""

    path: str
    value: Any
    confidence: float | None
    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """The scalars of one node with what is said of them.

    Attributes:
        node: the field.
        entries: for each of the node's values, its entry of the metadata or None.
        ratings: for each of them, the confidence or None; None, too, where no scalar stands.
    """

    node: Node
    entries: list[Any]
    confidences: list[float | None]

    @property
    def is_mixed(self) -> bool:
        """Whether nulls or containers stand among the scalars."""
        return self.node.nulls > 0 or self.node.types["object"] + self.node.types["list"] > 0


class Document:
    """All values of a result, and what is said of them and of the whole.

    Attributes:
        root: the outline.
        error: what the service says went wrong with the metadata; empty where nothing did.
    """

    def __init__(self, root: Node, beside: AlignedMetadata | None, error: str) -> None:
        self.root = root
        self.error = error
        self.beside = beside
        self._columns: dict[int, Column] = {}

    @property
    def has_metadata(self) -> bool:
        """Whether the job says anything of single values."""
        return self.beside is not None

    @cached_property
    def columns(self) -> list[Column]:
        """The columns in which scalars stand."""
        return [self.column(node) for node in walk_nodes(self.root) if node.has_scalars]

    @cached_property
    def num_values(self) -> int:
        """Scalars that are not null."""
        nodes = (column.node.types for column in self.columns)
        return sum(types.total() - types["object"] - types["list"] for types in nodes)

    @cached_property
    def num_nulls(self) -> int:
        """Nulls; fields that are absent are none."""
        return sum(node.nulls for node in walk_nodes(self.root))

    @cached_property
    def num_with_confidence(self) -> int:
        """Scalars that have a confidence."""
        return sum(len(column.confidences) - column.confidences.count(None) for column in self.columns)

    @cached_property
    def num_with_citation(self) -> int:
        """Scalars that have a citation."""
        return sum(sum(self.cited(column)) for column in self.columns)

    def cited(self, column: Column) -> list[bool]:
        """For each value of a column, whether it is a scalar with a citation."""
        if self.beside is None:
            return [False] * len(column.entries)
        cited = self.beside.reader.cited(column.entries)
        if not column.is_mixed:
            return cited
        return [is_scalar(value) and has for value, has in zip(column.node.values, cited, strict=True)]

    def num_below(self, threshold: float) -> int:
        """Scalars with a confidence below the threshold."""
        confidences = (confidence for column in self.columns for confidence in column.confidences)
        return sum(confidence is not None and confidence < threshold for confidence in confidences)

    @property
    def leaves(self) -> Iterator[Leaf]:
        """Every value that is not null, in the order of the document."""
        for node, position in walk_values(self.root):
            if node.values[position] is not None:
                yield self.leaf(self.column(node), position)

    def column(self, node: Node) -> Column:
        """The values of one node with what is said of them."""
        if id(node) not in self._columns:
            self._columns[id(node)] = self._build_column(node)
        return self._columns[id(node)]

    def leaf(self, column: Column, position: int) -> Leaf:
        """One value with its provenance."""
        value = column.node.values[position]
        return Leaf(
            column.node.path_of(position), value, column.confidences[position], self.citations(column.entries[position])
        )

    def citations(self, entry: Any) -> tuple[Citation, ...]:
        """The citations of an entry."""
        if entry is None or self.beside is None:
            return ()
        return tuple(map(_citation, self.beside.reader.citations(entry)))

    def first_citation(self, entry: Any) -> tuple[int | float | None, str | None]:
        """Page and words of the first citation of an entry."""
        if entry is None or self.beside is None:
            return None, None
        page, text = self.beside.reader.first(entry)
        return _page(page), text if isinstance(text, str) and text else None

    def ranked(self, most: int) -> Iterator[Leaf]:
        """The `most` values that deserve a look first: lowest confidence first, those without any after them."""
        confidences = [
            confidence for column in self.columns for confidence in column.confidences if confidence is not None
        ]
        # Of a million values only those that can be shown are put in order.
        last = sorted(confidences)[most - 1] if 0 < most < len(confidences) else None
        found: list[tuple[float, tuple[Any, ...], Column, int]] = []
        for column in self.columns:
            for position, confidence in enumerate(column.confidences):
                if confidence is not None and (last is None or confidence <= last):
                    found.append((confidence, document_order(column.node, position), column, position))
        found.sort(key=lambda item: item[:2])
        for _, _, column, position in found[:most]:
            yield self.leaf(column, position)
        if most > len(confidences):
            for node, position in walk_values(self.root):
                if node.values[position] is not None and self.column(node).confidences[position] is None:
                    yield self.leaf(self.column(node), position)

    def _build_column(self, node: Node) -> Column:
        if self.beside is None:
            nothing = [None] * len(node.values)
            return Column(node, nothing, list(nothing))
        entries = self.beside.of_scalars(node)
        confidences = self.beside.reader.confidences(entries)
        column = Column(node, entries, confidences)
        if column.is_mixed:
            for position, value in enumerate(node.values):
                if not is_scalar(value):
                    confidences[position] = None
        return column


def read_document(
    result: Any, extract_metadata: msgspec.Raw | None, *, typed_from_bytes: int = TYPED_FROM_BYTES
) -> Document:
    """Join a decoded result with its undecoded `extract_metadata`, either of which may be None.

    Raises:
        ValueError: the metadata is not JSON that can be read.
    """
    root = build_outline(result)
    beside, error = align_metadata(root, extract_metadata, typed_from_bytes=typed_from_bytes)
    return Document(root, beside, error)


def is_scalar(value: Any) -> bool:
    """Whether a value is neither null nor a container."""
    return value is not None and not isinstance(value, dict | list)


def document_order(node: Node, position: int) -> tuple[int, ...]:
    """A key that puts values of different nodes in the order of the document."""
    keys: list[int] = []
    while node.parent is not None:
        if node.indices is not None:
            keys.append(node.indices[position])
        else:
            keys.append(node.ordinal)
        position = position if node.parent_positions is None else node.parent_positions[position]
        node = node.parent
    return tuple(reversed(keys))


def _citation(item: dict[str, Any]) -> Citation:
    text = item.get("matching_text")
    raw = item.get("bounding_boxes")
    boxes = tuple(filter(None, map(_box, raw))) if isinstance(raw, list) else ()
    return Citation(_page(item.get("page")), text if isinstance(text, str) and text else None, boxes)


def _page(value: Any) -> int | float | None:
    page = number(value)
    return int(page) if page is not None and page == int(page) else page


def _box(item: Any) -> Box | None:
    sides = [number(item.get(side)) for side in "xywh"] if isinstance(item, dict) else [None]
    return None if None in sides else Box(*sides)
