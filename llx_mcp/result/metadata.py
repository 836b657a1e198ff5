"""The field metadata of a job, aligned with the values of its result.

The metadata repeats the shape of the result by name and position, but may be incomplete. It is one tree for an object
result, and one tree for each element of a list result. The result decides what is a field: a field that is named
`citation` or `confidence` is a field, not metadata. Large metadata is decoded into structs. Metadata that does not
fit them is decoded into dictionaries and reads the same.
"""

from collections.abc import Iterable, Mapping

import msgspec

from llx_mcp.raw_json import decode_json, first_byte, is_empty, is_null, split_json
from llx_mcp.result.metadata_reader import DictReader, MetadataReader
from llx_mcp.result.metadata_structs import StructReader, build_entry_type
from llx_mcp.result.outline import Node, walk_nodes

_TREE_KEYS = ("document_metadata", "page_metadata", "row_metadata")


class AlignedMetadata:
    """The metadata entries of a result, by node of its outline.

    An entry of an object or list applies to each value inside it that has no entry of its own.

    Attributes:
        reader: reads confidences and citations from the entries.
    """

    def __init__(self, root: Node, tree: object, reader: MetadataReader) -> None:
        self.reader = reader
        # By the id of a node: one item for each value of the node, or None where no value has one.
        self._entries: dict[int, list[object] | None] = {}
        self._inherited: dict[int, list[object] | None] = {}
        self._add(root, [tree], None)
        for node in walk_nodes(root):
            if node.members or node.element is not None:
                self._align_children(node)

    def of_scalars(self, node: Node) -> list[object]:
        """For each value of a node, return the entry that applies to it, or None."""
        entries, inherited = self._entries[id(node)], self._inherited[id(node)]
        if entries is None:
            return inherited if inherited is not None else [None] * len(node.values)
        is_value_entry = self.reader.is_value_entry
        if inherited is None:
            return [entry if is_value_entry(entry) else None for entry in entries]
        pairs = zip(entries, inherited, strict=True)
        return [entry if is_value_entry(entry) else container_entry for entry, container_entry in pairs]

    def of_lists(self, node: Node) -> list[object]:
        """For each value of a node, return the metadata in its place: a list of entries for a list."""
        return self._entries[id(node)] or [None] * len(node.values)

    def _add(self, node: Node, entries: list[object] | None, inherited: list[object] | None) -> None:
        self._entries[id(node)] = entries if entries and any(entry is not None for entry in entries) else None
        self._inherited[id(node)] = inherited if inherited and any(inherited) else None

    def _align_children(self, node: Node) -> None:
        entries, inherited = self._entries[id(node)], self._inherited[id(node)]
        if entries is not None and any(new := list(map(self.reader.container_entry, entries))):
            inherited = new if inherited is None else [a or b for a, b in zip(new, inherited, strict=True)]
        for name, member in node.members.items():
            of_parents = _pick(entries, member.parent_positions)
            found = None if of_parents is None else self.reader.members(of_parents, name)
            self._add(member, found, _pick(inherited, member.parent_positions))
        if node.element is not None:
            self._add(
                node.element,
                _entries_of_elements(entries, node.element),
                _pick(inherited, node.element.parent_positions),
            )


def align_metadata(
    root: Node, extract_metadata: msgspec.Raw | None, *, struct_min_bytes: int
) -> tuple[AlignedMetadata | None, str]:
    """Decode the field metadata and align it with an outline.

    Args:
        root: the outline of the result.
        extract_metadata: the undecoded section of the job.
        struct_min_bytes: metadata of at least this size is decoded into structs.

    Returns:
        The aligned metadata, None where the job has none, and the error that the service reported for it, or "".

    Raises:
        ValueError: the metadata is not valid JSON.
    """
    raw, siblings = find_tree(root.values[0], extract_metadata)
    if raw is None:
        return None, _find_error(None, siblings, extract_metadata)
    tree: object = None
    reader: MetadataReader = StructReader()
    if memoryview(raw).nbytes >= struct_min_bytes:
        tree = _decode_structs(raw, root)
    if tree is None:
        tree, reader = decode_json(raw), DictReader()
    return AlignedMetadata(root, tree, reader) if tree else None, _find_error(tree, siblings, extract_metadata)


def decode_besides_fields(result: object, extract_metadata: msgspec.Raw) -> dict[str, object]:
    """Decode what the metadata of an extraction holds besides the tree that belongs to its result.

    Returns:
        Its keys that are not null; under `field_metadata` what belongs to no value of the result.
    """
    level = _split_object(extract_metadata)
    rest: dict[str, object] = {
        name: decode_json(raw) for name, raw in level.items() if name != "field_metadata" and not is_null(raw)
    }
    if unused := _decode_unused(result, extract_metadata, level.get("field_metadata")):
        rest["field_metadata"] = unused
    return rest


def _decode_unused(result: object, extract_metadata: msgspec.Raw, fields: msgspec.Raw | None) -> object:
    """Decode what the field metadata holds besides the tree that belongs to a result; empty where that is all."""
    if fields is None or first_byte(fields) not in (b"{", b"["):
        return None if fields is None else decode_json(fields)
    used, level = find_tree(result, extract_metadata)
    if used is fields:
        return None
    unused = {name: decode_json(raw) for name, raw in level.items() if raw is not used}
    return {name: value for name, value in unused.items() if value not in (None, {}, [])}


def _decode_structs(raw: msgspec.Raw, root: Node) -> object:
    """Decode a tree into structs; None where it does not fit them."""
    entry_type = build_entry_type(root)
    if entry_type is None:
        return None
    try:
        return msgspec.json.decode(raw, type=entry_type)
    except (msgspec.DecodeError, RecursionError):
        return None


def find_tree(
    result: object, extract_metadata: msgspec.Raw | None
) -> tuple[msgspec.Raw | None, Mapping[str, msgspec.Raw]]:
    """Return the undecoded tree of `extract_metadata` that belongs to a decoded result, and the keys next to it."""
    fields = _split_object(extract_metadata).get("field_metadata")
    if fields is None or is_null(fields):
        return None, {}
    if first_byte(fields) == b"[":
        return (None if is_empty(fields) else fields), {}
    level = _split_object(fields)
    trees = [level[name] for name in _TREE_KEYS if name in level]
    # Samples in the service's documentation leave this level out: then the fields themselves are the tree.
    if not trees or not all(is_null(tree) or first_byte(tree) in (b"{", b"[") for tree in trees):
        return (fields if level else None), level
    wanted = b"[" if isinstance(result, list) else b"{"
    return next((tree for tree in trees if first_byte(tree) == wanted and not is_empty(tree)), None), level


def _entries_of_elements(entries: list[object] | None, element: Node) -> list[object] | None:
    """From what belongs to lists, return what belongs to each of their elements."""
    if entries is None or element.parent_positions is None or element.indices is None:
        return None
    if len(entries) == 1:
        only = entries[0]
        if not isinstance(only, list):
            return None
        num_missing = len(element.values) - len(only)
        return [*only[: len(element.values)], *[None] * num_missing]
    lists: list[list[object]] = [entry if isinstance(entry, list) else [] for entry in entries]
    pairs = zip(element.parent_positions, element.indices, strict=True)
    return [lists[parent][index] if index < len(lists[parent]) else None for parent, index in pairs]


def _pick(entries: list[object] | None, positions: list[int] | None) -> list[object] | None:
    """Return the entries at some positions; all of them where `positions` is None."""
    return entries if entries is None or positions is None else [entries[position] for position in positions]


def _split_object(raw: msgspec.Raw | None) -> dict[str, msgspec.Raw]:
    return split_json(raw) if raw is not None and first_byte(raw) == b"{" else {}


def _find_error(tree: object, siblings: Mapping[str, msgspec.Raw], extract_metadata: msgspec.Raw | None) -> str:
    """Return the first error that the service reported for the metadata, or ""."""
    elements: Iterable[object] = tree if isinstance(tree, list) else [tree]
    for element in elements:
        error = element.get("error") if isinstance(element, dict) else getattr(element, "error", None)
        if isinstance(error, str) and error:
            return error
    for level in (siblings, _split_object(extract_metadata)):
        error = decode_json(level["error"]) if "error" in level else None
        if isinstance(error, str) and error:
            return error
    return ""
