"""The field metadata, which mirrors the data, laid beside it field by field.

The metadata mirrors the data by name and position, sparsely, in one tree for an object or one for each
element of a list. The data leads, so that a field that is itself named `citation` or `confidence` is a
field. Large metadata is decoded into types made from the shape of the data, which leaves citations as
bytes until one is asked for: a tenth of the time and of the memory. What these types do not fit is decoded
as it comes, and reads the same.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import msgspec

from llx_mcp.raw_json import decode_json, is_empty, is_null, split_json
from llx_mcp.result.outline import Node, walk_nodes

TREES = ("document_metadata", "page_metadata", "row_metadata")
CONFIDENCES = ("confidence", "extraction_confidence", "parsing_confidence")

_RESERVED = frozenset((*CONFIDENCES, "citation", "error"))
_MOST_TYPES = 2_000
_UNCITED = (b"null", b"[]")


class MetadataReader(Protocol):
    """How entries of the metadata are read, in either of the ways in which they are decoded."""

    def members(self, entries: list[Any], name: str) -> list[Any]:
        """For each entry of an object, the entry of a member."""
        ...

    def own(self, entry: Any) -> Any:
        """The entry, if it says something of a container itself, beside or instead of its members."""
        ...

    def is_leaf(self, entry: Any) -> bool:
        """Whether an entry may speak for a scalar."""
        ...

    def confidences(self, entries: list[Any]) -> list[float | None]:
        """For each entry or None, the confidence, 0 to 1."""
        ...

    def cited(self, entries: list[Any]) -> list[bool]:
        """For each entry or None, whether there is a citation."""
        ...

    def citations(self, entry: Any) -> list[dict[str, Any]]:
        """The citations, decoded."""
        ...

    def quotes(self, entry: Any) -> list[str]:
        """The quoted words of the citations."""
        ...

    def first(self, entry: Any) -> tuple[Any, Any]:
        """Page and words of the first citation, whatever stands there."""
        ...


class AlignedMetadata:
    """The entries of a tree of metadata, for each node of an outline."""

    def __init__(self, root: Node, tree: Any, reader: MetadataReader) -> None:
        self.reader = reader
        self._entries: dict[int, list[Any] | None] = {}
        self._enclosing: dict[int, list[Any] | None] = {}
        self._attach(root, [tree], None)
        for node in walk_nodes(root):
            entries, enclosing = self._entries[id(node)], self._enclosing[id(node)]
            if not node.members and node.element is None:
                continue
            if entries is not None and (own := list(map(reader.own, entries))) and any(own):
                # A leaf in place of a list of leaves speaks for all elements.
                enclosing = own if enclosing is None else [a or b for a, b in zip(own, enclosing, strict=True)]
            for name, member in node.members.items():
                held = _at(entries, member.parent_positions)
                self._attach(member, held and reader.members(held, name), _at(enclosing, member.parent_positions))
            if node.element is not None:
                self._attach(
                    node.element, _elements(entries, node.element), _at(enclosing, node.element.parent_positions)
                )

    def of_scalars(self, node: Node) -> list[Any]:
        """For each value of a node, the entry that speaks for it, or None."""
        entries, enclosing = self._entries[id(node)], self._enclosing[id(node)]
        if entries is None:
            return enclosing if enclosing is not None else [None] * len(node.values)
        is_leaf = self.reader.is_leaf
        if enclosing is None:
            return [entry if is_leaf(entry) else None for entry in entries]
        return [a if is_leaf(a) else b for a, b in zip(entries, enclosing, strict=True)]

    def of_lists(self, node: Node) -> list[Any]:
        """For each value of a node, whatever mirrors it; for a list that is met by a list, that list."""
        return self._entries[id(node)] or [None] * len(node.values)

    def _attach(self, node: Node, entries: list[Any] | None, enclosing: list[Any] | None) -> None:
        self._entries[id(node)] = entries if entries and any(entry is not None for entry in entries) else None
        self._enclosing[id(node)] = enclosing if enclosing and any(enclosing) else None


def align_metadata(
    root: Node, extract_metadata: msgspec.Raw | None, *, typed_from_bytes: int
) -> tuple[AlignedMetadata | None, str]:
    """The metadata beside an outline, None where there is none, and what the service says went wrong with it.

    Args:
        root: the outline of the result.
        extract_metadata: the section as it came.
        typed_from_bytes: how large a tree must be to be decoded by types.

    Raises:
        ValueError: the metadata is not JSON that can be read.
    """
    raw, fields = _find_tree(root.values[0], extract_metadata)
    if raw is None:
        return None, _error(None, fields, extract_metadata)
    if memoryview(raw).nbytes >= typed_from_bytes and (kind := _type_of(root)) is not None:
        try:
            typed = msgspec.json.decode(raw, type=kind)
        except (msgspec.DecodeError, RecursionError):
            pass
        else:
            return AlignedMetadata(root, typed, _TypedMirror(root)), _error(typed, fields, extract_metadata)
    tree = decode_json(raw)
    return (AlignedMetadata(root, tree, _PlainMirror()) if tree else None), _error(tree, fields, extract_metadata)


def number(value: Any) -> float | None:
    """The value if it is a number that a rating or a page can be."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # A rating that is infinite or not a number says nothing, and an integer may be beyond a double.
    return value if abs(value) < 1e15 else None


def are_citations(value: Any) -> bool:
    """Whether a value is a list of citations, and not a field that is named so."""
    return isinstance(value, list) and any(
        isinstance(item, dict)
        and (
            number(item.get("page")) is not None
            or isinstance(item.get("matching_text"), str)
            or isinstance(item.get("bounding_boxes"), list)
        )
        for item in value
    )


class _PlainMirror:
    """Entries as Python dictionaries."""

    def members(self, entries: list[Any], name: str) -> list[Any]:
        found = [entry.get(name) if isinstance(entry, dict) else None for entry in entries]
        if name != "citation":
            return found
        # Of an entry on the object itself, `citation` is a list of citations and not a field's metadata.
        return [None if are_citations(entry) else entry for entry in found]

    def own(self, entry: Any) -> Any:
        if not isinstance(entry, dict):
            return None
        rated = any(number(entry.get(name)) is not None for name in CONFIDENCES)
        return entry if rated or are_citations(entry.get("citation")) else None

    def is_leaf(self, entry: Any) -> bool:
        return isinstance(entry, dict)

    def confidences(self, entries: list[Any]) -> list[float | None]:
        return [
            None
            if entry is None
            else next((confidence for name in CONFIDENCES if (confidence := number(entry.get(name))) is not None), None)
            for entry in entries
        ]

    def cited(self, entries: list[Any]) -> list[bool]:
        return [entry is not None and bool(self.citations(entry)) for entry in entries]

    def citations(self, entry: Any) -> list[dict[str, Any]]:
        raw = entry.get("citation")
        return [item for item in raw if isinstance(item, dict)] if isinstance(raw, list) else []

    def quotes(self, entry: Any) -> list[str]:
        return _quotes(self.citations(entry))

    def first(self, entry: Any) -> tuple[Any, Any]:
        return _first(self.citations(entry))


def _quotes(citations: list[dict[str, Any]]) -> list[str]:
    texts = (item.get("matching_text") for item in citations)
    return [text for text in texts if isinstance(text, str) and text]


def _first(citations: list[dict[str, Any]]) -> tuple[Any, Any]:
    return (citations[0].get("page"), citations[0].get("matching_text")) if citations else (None, None)


class _Brief(msgspec.Struct, gc=False):
    """A citation without its boxes."""

    page: float | None = None
    matching_text: str | None = None


_brief_decoder = msgspec.json.Decoder(list[_Brief] | None)


class _Entry(msgspec.Struct, gc=False):
    """An entry without its citations decoded."""

    confidence: float | None = None
    extraction_confidence: float | None = None
    parsing_confidence: float | None = None
    citation: msgspec.Raw = msgspec.Raw(b"null")


class _TypedMirror:
    """Entries as `_Entry`, and as types made for the objects of this result."""

    def __init__(self, root: Node) -> None:
        self._getters: dict[str, Callable[[Any], Any]] = {}

    def members(self, entries: list[Any], name: str) -> list[Any]:
        field = _field_name(name)
        return [getattr(entry, field, None) for entry in entries]

    def own(self, entry: Any) -> Any:
        if not isinstance(entry, _Entry):
            return None
        rated = self.confidences([entry])[0] is not None
        return (
            entry if rated or (bytes(entry.citation) not in _UNCITED and are_citations(self.citations(entry))) else None
        )

    def is_leaf(self, entry: Any) -> bool:
        return entry is not None

    def confidences(self, entries: list[Any]) -> list[float | None]:
        return [
            None if entry is None else entry.confidence if _is_rating(entry.confidence) else _other_rating(entry)
            for entry in entries
        ]

    def cited(self, entries: list[Any]) -> list[bool]:
        return [
            entry is not None and (bytes(entry.citation)[:2] == b"[{" or self._is_cited(entry)) for entry in entries
        ]

    def _is_cited(self, entry: Any) -> bool:
        return bytes(entry.citation) not in _UNCITED and bool(self.citations(entry))

    def citations(self, entry: Any) -> list[dict[str, Any]]:
        raw = decode_json(entry.citation)
        return [item for item in raw if isinstance(item, dict)] if isinstance(raw, list) else []

    def quotes(self, entry: Any) -> list[str]:
        try:
            found = _brief_decoder.decode(entry.citation) or ()
        except msgspec.DecodeError:
            return _quotes(self.citations(entry))
        return [item.matching_text for item in found if item.matching_text]

    def first(self, entry: Any) -> tuple[Any, Any]:
        try:
            found = _brief_decoder.decode(entry.citation)
        except msgspec.DecodeError:
            return _first(self.citations(entry))
        return (found[0].page, found[0].matching_text) if found else (None, None)


def _is_rating(value: float | None) -> bool:
    return value is not None and -1e15 < value < 1e15


def _other_rating(entry: Any) -> float | None:
    return next((r for r in (entry.extraction_confidence, entry.parsing_confidence) if _is_rating(r)), None)


def _field_name(name: str) -> str:
    # Any name can be a field's, so it is written in characters that an attribute can have.
    return "f_" + name.encode().hex()


def _type_of(root: Node) -> Any:
    """A type for the metadata of a result, or None where one object stands for more than one thing."""
    types: dict[int, Any] = {}
    nodes = list(walk_nodes(root))
    if len(nodes) > _MOST_TYPES:
        return None
    for node in reversed(nodes):
        kinds = set(+node.types)
        if kinds & {"object", "list"} and len(kinds) > 1:
            return None
        if kinds == {"object"}:
            if not _RESERVED.isdisjoint(node.members):
                return None
            types[id(node)] = _object_type(node, types) | None
        elif kinds == {"list"} and node.element is not None:
            types[id(node)] = list[types[id(node.element)]] | _Entry | None  # type: ignore[misc]
        else:
            types[id(node)] = _Entry | None
    return types[id(root)]


def _object_type(node: Node, types: Mapping[int, Any]) -> Any:
    names = {_field_name(name): name for name in node.members}
    fields = [(field, types[id(node.members[name])], None) for field, name in names.items()]
    is_top = node.parent is None or (node.parent.parent is None and node.step is None)
    errors = [("error", Any, None)] if is_top else []
    return msgspec.defstruct("Entries", [*fields, *errors], bases=(_Entry,), rename=names, gc=False)


def _find_tree(result: Any, extract_metadata: msgspec.Raw | None) -> tuple[msgspec.Raw | None, Mapping[str, Any]]:
    """The tree that mirrors a result, undecoded, and what lies beside it."""
    fields = _object(extract_metadata).get("field_metadata")
    if fields is None or is_null(fields):
        return None, {}
    if _opens(fields) == b"[":
        return (None if is_empty(fields) else fields), {}
    level = _object(fields)
    known = [level[name] for name in TREES if name in level]
    # The documentation's samples leave this level out: then the fields are the tree itself.
    if not known or not all(is_null(child) or _opens(child) in (b"{", b"[") for child in known):
        return (fields if level else None), level
    wanted = b"[" if isinstance(result, list) else b"{"
    return next((child for child in known if _opens(child) == wanted and not is_empty(child)), None), level


def _elements(entries: list[Any] | None, element: Node) -> list[Any] | None:
    if entries is None or element.parent_positions is None or element.indices is None:
        return None
    if len(entries) == 1:
        only = entries[0]
        missing = len(element.values) - len(only) if isinstance(only, list) else 0
        return [*only[: len(element.values)], *[None] * missing] if isinstance(only, list) else None
    lists = [entry if isinstance(entry, list) else () for entry in entries]
    pairs = zip(element.parent_positions, element.indices, strict=True)
    return [lists[holder][index] if index < len(lists[holder]) else None for holder, index in pairs]


def _at(entries: list[Any] | None, positions: list[int] | None) -> list[Any] | None:
    return entries if entries is None or positions is None else [entries[position] for position in positions]


def _object(raw: msgspec.Raw | None) -> dict[str, msgspec.Raw]:
    return split_json(raw) if raw is not None and _opens(raw) == b"{" else {}


def _opens(raw: msgspec.Raw) -> bytes:
    return bytes(memoryview(raw)[:64]).lstrip()[:1]


def _error(tree: Any, fields: Mapping[str, msgspec.Raw], extract_metadata: msgspec.Raw | None) -> str:
    elements: Iterable[Any] = tree if isinstance(tree, list) else [tree]
    for node in elements:
        error = node.get("error") if isinstance(node, dict) else getattr(node, "error", None)
        if isinstance(error, str) and error:
            return error
    for level in (fields, _object(extract_metadata)):
        error = decode_json(level["error"]) if "error" in level else None
        if isinstance(error, str) and error:
            return error
    return ""
