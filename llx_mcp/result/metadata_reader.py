"""How entries of the field metadata are read, and the reader for entries that are dictionaries.

The service sends one entry for each extracted value, with confidences and citations. An entry can also describe a
whole object or list. Any key of an entry may be absent, null or of the wrong type.
"""

from typing import Any, Protocol, TypedDict, cast

CONFIDENCE_KEYS = ("confidence", "extraction_confidence", "parsing_confidence")

# No confidence or page is this large. The limit also keeps out infinities and integers beyond a double.
NUMBER_LIMIT = 1e15


class RawCitation(TypedDict, total=False):
    """A citation as the service sends it; its values are not validated."""

    page: object
    matching_text: object
    bounding_boxes: object


class MetadataReader(Protocol):
    """Reads decoded metadata, which is either dictionaries or msgspec structs.

    Methods that take a list work on a whole column: one item for each value, None where there is no entry.
    """

    def members(self, entries: list[object], name: str) -> list[object]:
        """For the entries of objects, return what they hold for the member `name`."""
        ...

    def container_entry(self, entry: object) -> object:
        """Return the entry of an object or list if it has a confidence or citations of its own, else None."""
        ...

    def is_value_entry(self, entry: object) -> bool:
        """Whether this can be the entry of a scalar value."""
        ...

    def confidences(self, entries: list[object]) -> list[float | None]:
        """For each entry, return its confidence, 0 to 1."""
        ...

    def cited(self, entries: list[object]) -> list[bool]:
        """For each entry, return whether it has a citation."""
        ...

    def citations(self, entry: object) -> list[RawCitation]:
        """Return the decoded citations of an entry."""
        ...

    def quotes(self, entry: object) -> list[str]:
        """Return the quotes of an entry's citations; empty ones are left out."""
        ...

    def first_citation(self, entry: object) -> tuple[object, object]:
        """Return page and quote of the first citation, not validated."""
        ...


class DictReader:
    """Reads entries that are Python dictionaries."""

    def members(self, entries: list[object], name: str) -> list[object]:
        found = [entry.get(name) if isinstance(entry, dict) else None for entry in entries]
        if name != "citation":
            return found
        # A list of citations under this name belongs to the object itself, not to a field that is named `citation`.
        return [None if is_citation_list(item) else item for item in found]

    def container_entry(self, entry: object) -> object:
        if not isinstance(entry, dict):
            return None
        has_content = _find_confidence(entry) is not None or is_citation_list(entry.get("citation"))
        return entry if has_content else None

    def is_value_entry(self, entry: object) -> bool:
        return isinstance(entry, dict)

    def confidences(self, entries: list[object]) -> list[float | None]:
        return [_find_confidence(entry) if isinstance(entry, dict) else None for entry in entries]

    def cited(self, entries: list[object]) -> list[bool]:
        return [bool(self.citations(entry)) for entry in entries]

    def citations(self, entry: object) -> list[RawCitation]:
        return parse_citations(entry.get("citation")) if isinstance(entry, dict) else []

    def quotes(self, entry: object) -> list[str]:
        return list_quotes(self.citations(entry))

    def first_citation(self, entry: object) -> tuple[object, object]:
        return first_page_and_quote(self.citations(entry))


def parse_number(value: object) -> float | None:
    """Return the value if it is a number that can be a confidence or a page, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) < NUMBER_LIMIT else None


def is_citation_list(value: object) -> bool:
    """Whether a value is a list of citations, and not the metadata of a field that is named `citation`."""
    return isinstance(value, list) and any(
        isinstance(item, dict)
        and (
            parse_number(item.get("page")) is not None
            or isinstance(item.get("matching_text"), str)
            or isinstance(item.get("bounding_boxes"), list)
        )
        for item in value
    )


def parse_citations(value: Any) -> list[RawCitation]:
    """Return the citations in the decoded value of `citation`."""
    items = [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
    return cast("list[RawCitation]", items)


def list_quotes(citations: list[RawCitation]) -> list[str]:
    """Return the quotes of citations; empty ones are left out."""
    texts = (item.get("matching_text") for item in citations)
    return [text for text in texts if isinstance(text, str) and text]


def first_page_and_quote(citations: list[RawCitation]) -> tuple[object, object]:
    """Return page and quote of the first citation, not validated."""
    return (citations[0].get("page"), citations[0].get("matching_text")) if citations else (None, None)


def _find_confidence(entry: dict[str, object]) -> float | None:
    for key in CONFIDENCE_KEYS:
        confidence = parse_number(entry.get(key))
        if confidence is not None:
            return confidence
    return None
