"""The values of a result with their provenance: confidence, page and quote.

Values are stored by column. Objects for single values are built only for values that are shown.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

import msgspec

from llx_mcp.result.metadata import AlignedMetadata, align_metadata
from llx_mcp.result.metadata_reader import RawCitation, parse_number
from llx_mcp.result.outline import Node, build_outline, walk_nodes, walk_values

# Building struct types for one result pays off only for larger metadata.
STRUCT_MIN_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on a page, in PDF points from the top left corner."""

    x: float
    y: float
    w: float
    h: float


@dataclass(frozen=True, slots=True)
class Citation:
    """A passage of the document that supports a value.

    Attributes:
        page: the page number, from 1.
        quote: the text that the service quotes; None where it quotes none.
        boxes: where the quote is on the page.
    """

    page: int | float | None
    quote: str | None
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True)
class Leaf:
    """One scalar value that is not null.

    Attributes:
        path: the exact path of the value.
        value: a string, number or boolean.
        confidence: 0 to 1; None where the job has none.
        citations: the passages that support the value.
    """

    path: str
    value: Any
    confidence: float | None
    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """All values of one field, with their metadata.

    Attributes:
        node: the field.
        entries: for each value of the node, its metadata entry or None; only `AlignedMetadata.reader` can read it.
        confidences: for each value of the node, its confidence; None where it has none or is not a scalar.
    """

    node: Node
    entries: list[object]
    confidences: list[float | None]

    @property
    def is_mixed(self) -> bool:
        """Whether the column also holds nulls, objects or lists."""
        return self.node.nulls > 0 or self.node.types["object"] + self.node.types["list"] > 0


class Document:
    """All values of a result, with their provenance.

    Attributes:
        root: the outline of the result.
        metadata: the metadata of single values; None where the job has none.
        error: the error that the service reported for the metadata, or "".
    """

    def __init__(self, root: Node, metadata: AlignedMetadata | None, error: str) -> None:
        self.root = root
        self.metadata = metadata
        self.error = error
        self._columns: dict[int, Column] = {}

    @property
    def has_metadata(self) -> bool:
        """Whether the job has metadata of single values."""
        return self.metadata is not None

    @cached_property
    def has_provenance(self) -> bool:
        """Whether any value has a confidence or a citation."""
        if self.metadata is None:
            return False
        confidences = (confidence for column in self.columns for confidence in column.confidences)
        return any(c is not None for c in confidences) or any(any(self.cited(column)) for column in self.columns)

    @cached_property
    def columns(self) -> list[Column]:
        """The columns that hold scalars."""
        return [self.column(node) for node in walk_nodes(self.root) if node.has_scalars]

    @cached_property
    def num_values(self) -> int:
        """The number of scalars; nulls are not counted."""
        nodes = (column.node.types for column in self.columns)
        return sum(types.total() - types["object"] - types["list"] for types in nodes)

    @cached_property
    def num_fields(self) -> int:
        """The number of fields of all objects."""
        return self.root.num_fields

    @cached_property
    def num_nulls(self) -> int:
        """The number of nulls; absent fields are not counted."""
        return sum(node.nulls for node in walk_nodes(self.root))

    @cached_property
    def num_with_confidence(self) -> int:
        """The number of scalars with a confidence."""
        return sum(len(column.confidences) - column.confidences.count(None) for column in self.columns)

    @cached_property
    def num_with_citation(self) -> int:
        """The number of scalars with a citation."""
        return sum(sum(self.cited(column)) for column in self.columns)

    def cited(self, column: Column) -> list[bool]:
        """For each value of a column, return whether it is a scalar with a citation."""
        if self.metadata is None:
            return [False] * len(column.entries)
        cited = self.metadata.reader.cited(column.entries)
        if not column.is_mixed:
            return cited
        return [is_scalar(value) and has for value, has in zip(column.node.values, cited, strict=True)]

    def num_below(self, threshold: float) -> int:
        """Return the number of scalars with a confidence below the threshold."""
        confidences = (confidence for column in self.columns for confidence in column.confidences)
        return sum(confidence is not None and confidence < threshold for confidence in confidences)

    @property
    def leaves(self) -> Iterator[Leaf]:
        """All scalars, in document order."""
        for node, position in walk_values(self.root):
            if node.values[position] is not None:
                yield self.leaf(self.column(node), position)

    def column(self, node: Node) -> Column:
        """Return the values of a node with their metadata; the column is cached."""
        if id(node) not in self._columns:
            self._columns[id(node)] = self._build_column(node)
        return self._columns[id(node)]

    def leaf(self, column: Column, position: int) -> Leaf:
        """Return one value of a column with its provenance."""
        return Leaf(
            column.node.path_of(position),
            column.node.values[position],
            column.confidences[position],
            self.citations(column.entries[position]),
        )

    def citations(self, entry: object) -> tuple[Citation, ...]:
        """Return the citations of a metadata entry."""
        if entry is None or self.metadata is None:
            return ()
        return tuple(map(parse_citation, self.metadata.reader.citations(entry)))

    def first_citation(self, entry: object) -> tuple[int | float | None, str | None]:
        """Return page and quote of the first citation of a metadata entry."""
        if entry is None or self.metadata is None:
            return None, None
        page, quote = self.metadata.reader.first_citation(entry)
        return _parse_page(page), _parse_quote(quote)

    def quotes(self, entry: object) -> list[str]:
        """Return the quotes of all citations of a metadata entry."""
        return [] if entry is None or self.metadata is None else self.metadata.reader.quotes(entry)

    def ranked(self, limit: int) -> Iterator[Leaf]:
        """Yield the `limit` least certain scalars: lowest confidence first, then those without a confidence."""
        lowest = self._lowest_confidences(limit)
        for column, position in lowest:
            yield self.leaf(column, position)
        if len(lowest) < limit:
            yield from islice(self._leaves_without_confidence(), limit - len(lowest))

    def lowest_informative(self, limit: int) -> Iterator[Leaf]:
        """Yield the least certain of the `limit` scalars with the lowest confidence that are no constant or index."""
        skipped: dict[int, bool] = {}
        for column, position in self._lowest_confidences(limit):
            node = column.node
            if id(node) not in skipped:
                skipped[id(node)] = node.is_constant or node.counts_elements
            if not skipped[id(node)]:
                yield self.leaf(column, position)

    def _leaves_without_confidence(self) -> Iterator[Leaf]:
        for node, position in walk_values(self.root):
            if node.values[position] is not None and self.column(node).confidences[position] is None:
                yield self.leaf(self.column(node), position)

    def _lowest_confidences(self, limit: int) -> list[tuple[Column, int]]:
        """Return column and position of the `limit` scalars with the lowest confidence, lowest first."""
        confidences = [
            confidence for column in self.columns for confidence in column.confidences if confidence is not None
        ]
        # Only the values that can be returned are put in document order, since a result can have a million values.
        highest = sorted(confidences)[limit - 1] if 0 < limit < len(confidences) else None
        found: list[tuple[float, tuple[int, ...], Column, int]] = []
        for column in self.columns:
            for position, confidence in enumerate(column.confidences):
                if confidence is not None and (highest is None or confidence <= highest):
                    found.append((confidence, document_order(column.node, position), column, position))
        found.sort(key=lambda item: item[:2])
        return [(column, position) for _, _, column, position in found[:limit]]

    def _build_column(self, node: Node) -> Column:
        if self.metadata is None:
            return Column(node, [None] * len(node.values), [None] * len(node.values))
        entries = self.metadata.of_scalars(node)
        confidences = self.metadata.reader.confidences(entries)
        column = Column(node, entries, confidences)
        if column.is_mixed:
            for position, value in enumerate(node.values):
                if not is_scalar(value):
                    confidences[position] = None
        return column


def read_document(
    result: Any, extract_metadata: msgspec.Raw | None, *, struct_min_bytes: int = STRUCT_MIN_BYTES
) -> Document:
    """Join a decoded result with its metadata.

    Args:
        result: the decoded `extract_result`, or None.
        extract_metadata: the undecoded section of the job, or None.
        struct_min_bytes: metadata of at least this size is decoded into structs.

    Raises:
        ValueError: the metadata is not valid JSON.
    """
    root = build_outline(result)
    metadata, error = align_metadata(root, extract_metadata, struct_min_bytes=struct_min_bytes)
    return Document(root, metadata, error)


def is_scalar(value: Any) -> bool:
    """Whether a value is a string, number or boolean."""
    return value is not None and not isinstance(value, dict | list)


def document_order(node: Node, position: int) -> tuple[int, ...]:
    """Return a sort key that puts values of different nodes in document order."""
    keys: list[int] = []
    while node.parent is not None:
        keys.append(node.ordinal if node.indices is None else node.indices[position])
        position = position if node.parent_positions is None else node.parent_positions[position]
        node = node.parent
    return tuple(reversed(keys))


def parse_citation(raw: RawCitation) -> Citation:
    """Return a decoded citation; what is not valid in it is left out."""
    raw_boxes = raw.get("bounding_boxes")
    boxes = tuple(filter(None, map(parse_box, raw_boxes))) if isinstance(raw_boxes, list) else ()
    return Citation(_parse_page(raw.get("page")), _parse_quote(raw.get("matching_text")), boxes)


def _parse_page(value: object) -> int | float | None:
    page = parse_number(value)
    return int(page) if page is not None and page == int(page) else page


def _parse_quote(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def parse_box(value: object) -> Box | None:
    """Return a decoded rectangle, or None where it is not valid."""
    if not isinstance(value, dict):
        return None
    x, y, w, h = (parse_number(value.get(side)) for side in "xywh")
    if x is None or y is None or w is None or h is None:
        return None
    return Box(x, y, w, h)
