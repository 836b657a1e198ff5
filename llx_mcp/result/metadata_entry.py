"""The metadata entry of a single value with all its keys, whatever they are.

The entry is found in the undecoded tree, of which only the objects and lists on its path are taken apart. So it is
complete where the rest of the metadata is decoded into structs, which drop what they do not know.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from llx_mcp.raw_json import decode_json, first_byte, split_json, split_list
from llx_mcp.result.location import Location
from llx_mcp.result.metadata import find_tree
from llx_mcp.result.metadata_reader import DictReader, is_citation_list

# Names for what an entry holds that is no object.
_ENTRIES, _VALUE = "entries", "value"
# A smaller object or list is taken apart again each time, which takes less than a millisecond.
_CACHED_MIN_BYTES = 1 << 18


class MetadataEntries:
    """The metadata entries of single values.

    Args:
        result: the decoded result.
        extract_metadata: the undecoded section of the job.
    """

    def __init__(self, result: object, extract_metadata: msgspec.Raw | None) -> None:
        self._tree: object = find_tree(result, extract_metadata)[0]
        # Large parts of the tree that were taken apart, each with its undecoded form, by the id of that form.
        self._opened: dict[int, tuple[msgspec.Raw, object]] = {}

    def read(self, location: Location) -> dict[str, Any]:
        """Return what the metadata says of one value itself, without the entries of its members and elements.

        A scalar without an entry of its own has that of the nearest object or list around it, if that has a confidence
        or a citation. Metadata that has no place in the value is included: that of absent fields, and of further
        elements.

        Raises:
            ValueError: the metadata is not valid JSON.
        """
        lineage = location.lineage()
        entries = self._walk(lineage)
        own = _take_own(entries[-1], location.value)
        if isinstance(location.value, dict | list) or isinstance(entries[-1], dict):
            return own
        return own | _find_inherited(entries, lineage)

    def _walk(self, lineage: Sequence[Location]) -> list[object]:
        """Return the opened entries of a value and of all around it, outermost first; None where there is none."""
        entries = [self._open(self._tree)]
        for location in lineage[1:]:
            around, step = entries[-1], location.step
            if isinstance(step, int):
                found = around[step] if isinstance(around, list) and step < len(around) else None
            else:
                found = around.get(step) if isinstance(around, dict) else None
            entries.append(self._open(found))
        return entries

    def _open(self, entry: object) -> object:
        if not isinstance(entry, msgspec.Raw) or memoryview(entry).nbytes < _CACHED_MIN_BYTES:
            return _open(entry)
        if id(entry) not in self._opened:
            self._opened[id(entry)] = entry, _open(entry)
        return self._opened[id(entry)][1]


def _open(entry: object) -> object:
    """Return an undecoded object or list with its parts undecoded, and any other undecoded value decoded."""
    if not isinstance(entry, msgspec.Raw):
        return entry
    first = first_byte(entry)
    if first == b"{":
        return split_json(entry)
    return split_list(entry) if first == b"[" else decode_json(entry)


def _take_own(entry: object, value: object) -> dict[str, Any]:
    """Return what an opened entry says of its value itself, by key; decoded, without nulls."""
    if isinstance(entry, dict):
        members = value if isinstance(value, dict) else {}
        own = {name: _decode(item) for name, item in entry.items() if name not in members or _is_own(name, item)}
        return {name: item for name, item in own.items() if item is not None}
    if isinstance(entry, list):
        further = [_decode(item) for item in entry[len(value) if isinstance(value, list) else 0 :]]
        return {_ENTRIES: further} if any(item is not None for item in further) else {}
    return {} if entry is None else {_VALUE: entry}


def _is_own(name: str, item: object) -> bool:
    """Whether a key that is also the name of a field belongs to the object itself: `citation`, or a plain value."""
    if isinstance(item, msgspec.Raw) and name != "citation" and first_byte(item) in (b"{", b"["):
        # Not decoded, because it may be nearly all of the metadata.
        return False
    decoded = _decode(item)
    if isinstance(decoded, dict | list):
        return name == "citation" and is_citation_list(decoded)
    return decoded is not None


def _find_inherited(entries: Sequence[object], lineage: Sequence[Location]) -> dict[str, Any]:
    for entry, location in list(zip(entries, lineage, strict=True))[-2::-1]:
        own = _take_own(entry, location.value) if isinstance(entry, dict) else {}
        if DictReader().container_entry(own):
            return own
    return {}


def _decode(item: object) -> Any:
    return decode_json(item) if isinstance(item, msgspec.Raw) else item
