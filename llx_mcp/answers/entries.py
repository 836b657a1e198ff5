"""A metadata entry as part of an answer: the keys that are known, each under its name, and all others as they are."""

from collections.abc import Collection
from typing import Any, cast

from llx_mcp.answers.cells import list_boxes
from llx_mcp.answers.citation_checks import LABELS, CitationChecks, describe, list_place_boxes
from llx_mcp.answers.read_outputs import Citation, Entry, Place
from llx_mcp.evidence.places import Place as FoundPlace
from llx_mcp.result.document import Column, parse_box, parse_citation
from llx_mcp.result.metadata_reader import RawCitation, parse_number
from llx_mcp.result.sanitize import sanitize_json, sanitize_text, truncate

_WORDS_CHARS = 160
_NUMBERS = ("confidence", "extraction_confidence", "parsing_confidence")


def build_entry(entry: dict[str, Any], include: Collection[str]) -> Entry | None:
    """Build what the metadata says of an object or list; None where it says nothing."""
    return Entry(**facts) if (facts := describe_entry(entry, include)) else None


def describe_entry(entry: dict[str, Any], include: Collection[str]) -> dict[str, Any]:
    """Return the fields of `Entry` that a decoded metadata entry has.

    Args:
        entry: the decoded entry.
        include: `boxes` adds the rectangles of citations, and the sizes of their pages.
    """
    rest = dict(entry)
    facts: dict[str, Any] = {name: rest.pop(name) for name in _NUMBERS if parse_number(rest.get(name)) is not None}
    if isinstance(rest.get("reasoning"), str):
        facts["reasoning"] = sanitize_json(rest.pop("reasoning"))
    cited = rest.pop("citation", None)
    items = cited if isinstance(cited, list) else [] if cited is None else [cited]
    if citations := [_build_citation(item, include) for item in items if isinstance(item, dict)]:
        facts["citations"] = citations
    if others := [item for item in items if not isinstance(item, dict)]:
        rest["citation"] = others
    if rest:
        facts["more"] = sanitize_json(rest)
    return facts


def describe_checks(
    citations: list[Citation], checks: CitationChecks, column: Column, position: int, include: Collection[str]
) -> dict[str, Any]:
    """Return the citations of a value with what their check found, or where the value stands without a citation."""
    if checks.missing is not None:
        return {}

    def show(place: FoundPlace) -> Place:
        words = str(truncate(sanitize_text(checks.evidence.words(place)), _WORDS_CHARS))
        boxes = {"boxes": list_place_boxes(place)} if "boxes" in include and place.boxes else {}
        return Place(page=place.page, words=words, **boxes)

    if not citations:
        places = checks.find(column.node.values[position])
        return {"found": list(map(show, places.places)) or None, "num_found": places.total}
    check = checks.check(column, position)
    shown: list[Citation] = []
    for citation, found in zip(citations, check.citations, strict=False):
        words = describe(found, citation.page)
        if check.verdict == "value_not_in_quote" and found.verdict == "verified":
            words = f"stands on its page, but {LABELS[check.verdict]}"
        stands = found.elsewhere.places or (found.places if "boxes" in include else ())
        shown.append(citation.model_copy(update={"check": words, "places": list(map(show, stands)) or None}))
    return {"citations": shown + citations[len(shown) :]}


def _build_citation(raw: dict[str, Any], include: Collection[str]) -> Citation:
    rest = dict(raw)
    known = parse_citation(cast("RawCitation", raw))
    shown: dict[str, Any] = {"page": known.page, "quote": sanitize_json(known.quote)}
    for name, fact in (("page", known.page), ("matching_text", known.quote)):
        if fact is not None:
            del rest[name]
    boxes, size = rest.pop("bounding_boxes", None), rest.pop("page_dimensions", None)
    if "boxes" in include:
        shown["boxes"] = list_boxes(known)
        shown["page_size"] = _read_size(size)
        odd = [box for box in boxes if not _is_plain(box)] if isinstance(boxes, list) else boxes
        rest |= {"bounding_boxes": odd, "page_dimensions": None if shown["page_size"] else size}
    if more := {name: value for name, value in rest.items() if value not in (None, [], {}, "")}:
        shown["more"] = sanitize_json(more)
    return Citation(**{name: value for name, value in shown.items() if value is not None})


def _is_plain(box: Any) -> bool:
    """Whether a rectangle has its four numbers and nothing else."""
    return parse_box(box) is not None and len(box) == len("xywh")


def _read_size(dimensions: Any) -> list[float] | None:
    """Return [width, height] where the dimensions of a page are these two numbers and nothing else."""
    if not isinstance(dimensions, dict) or dimensions.keys() != {"width", "height"}:
        return None
    width, height = parse_number(dimensions["width"]), parse_number(dimensions["height"])
    return None if width is None or height is None else [width, height]
