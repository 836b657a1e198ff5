"""Each value of a result joined once with what the job knows of it: confidence, page, quoted words.

The metadata mirrors the data by name and position, sparsely, in one tree for an object or one for each
element of a list. The data leads the walk, so that a field that is itself named `citation` or
`confidence` is a field. A null value counts as a null, an empty list or object as nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from llx_mcp.reading.paths import ROOT, join_index, join_name

_TREES = ("document_metadata", "page_metadata", "row_metadata")
_RATINGS = ("confidence", "extraction_confidence", "parsing_confidence")


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a value stands: 1-based page, and the text that the service quotes for it."""

    page: int | float | None
    quote: str | None


@dataclass(frozen=True, slots=True)
class Leaf:
    """One scalar value that is not null. `confidence` is 0 to 1, or None where the job gives none."""

    path: str
    value: Any
    confidence: float | None
    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """All values of a result in the order of the document, and what is said of the whole."""

    leaves: list[Leaf] = field(default_factory=list)
    nulls: int = 0
    has_metadata: bool = False
    error: str | None = None


def read_document(result: Any, extract_metadata: Any) -> Document:
    """Join a decoded result with its decoded `extract_metadata`, either of which may be None."""
    tree = _metadata_tree(result, extract_metadata)
    leaves: list[Leaf] = []
    nulls = 0
    for path, value, node in _walk(result, tree):
        if value is None:
            nulls += 1
        else:
            leaves.append(_leaf(path, value, node))
    return Document(leaves, nulls, tree is not None, _error(tree, extract_metadata))


def _walk(result: Any, tree: Any) -> Iterator[tuple[str, Any, Any]]:
    """Each scalar and null with its path and its metadata node; iterative, so depth costs no stack."""
    stack: list[tuple[str, Any, Any, Any]] = [(ROOT, result, tree, None)]
    while stack:
        path, value, node, enclosing = stack.pop()
        if isinstance(value, dict):
            enclosing = _entry(node) or enclosing
            stack.extend(
                (join_name(path, name), value[name], _member(node, name), enclosing) for name in reversed(value)
            )
        elif isinstance(value, list):
            # A leaf in place of a list of leaves speaks for all elements.
            enclosing = _entry(node) or enclosing
            nodes = node if isinstance(node, list) else []
            for index in range(len(value) - 1, -1, -1):
                child = nodes[index] if index < len(nodes) else None
                stack.append((join_index(path, index), value[index], child, enclosing))
        else:
            yield path, value, node if isinstance(node, dict) else enclosing


def _member(node: Any, name: str) -> Any:
    child = node.get(name) if isinstance(node, dict) else None
    # Of an entry on the object itself, `citation` is a list of citations and not a field's metadata.
    return None if name == "citation" and _are_citations(child) else child


def _entry(node: Any) -> dict[str, Any] | None:
    """The node, if it says something of a container itself, beside or instead of its members."""
    if not isinstance(node, dict):
        return None
    rated = any(_number(node.get(name)) is not None for name in _RATINGS)
    return node if rated or _are_citations(node.get("citation")) else None


def _are_citations(value: Any) -> bool:
    return isinstance(value, list) and any(
        isinstance(item, dict)
        and (
            _number(item.get("page")) is not None
            or isinstance(item.get("matching_text"), str)
            or isinstance(item.get("bounding_boxes"), list)
        )
        for item in value
    )


def _leaf(path: str, value: Any, node: dict[str, Any] | None) -> Leaf:
    if node is None:
        return Leaf(path, value, None, ())
    confidence = next((rating for name in _RATINGS if (rating := _number(node.get(name))) is not None), None)
    raw = node.get("citation")
    citations = tuple(_citation(item) for item in raw if isinstance(item, dict)) if isinstance(raw, list) else ()
    return Leaf(path, value, confidence, citations)


def _citation(item: dict[str, Any]) -> Citation:
    page = _number(item.get("page"))
    text = item.get("matching_text")
    whole = int(page) if page is not None and page == int(page) else page
    return Citation(whole, text if isinstance(text, str) and text else None)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # A rating that is infinite or not a number says nothing, and an integer may be beyond a double.
    return value if abs(value) < 1e15 else None


def _metadata_tree(result: Any, extract_metadata: Any) -> Any:
    fields = extract_metadata.get("field_metadata") if isinstance(extract_metadata, dict) else None
    if isinstance(fields, list):
        return fields or None
    if not isinstance(fields, dict):
        return None
    known = [fields[name] for name in _TREES if name in fields]
    # The documentation's samples leave this level out: then the fields are the tree itself.
    if not known or not all(child is None or isinstance(child, dict | list) for child in known):
        return fields or None
    wanted = list if isinstance(result, list) else dict
    fitting = [child for child in known if isinstance(child, wanted) and child]
    return fitting[0] if fitting else None


def _error(tree: Any, extract_metadata: Any) -> str | None:
    fields = extract_metadata.get("field_metadata") if isinstance(extract_metadata, dict) else None
    elements = tree if isinstance(tree, list) else [tree]
    for node in (*elements, fields, extract_metadata):
        error = node.get("error") if isinstance(node, dict) else None
        if isinstance(error, str) and error:
            return error
    return None
