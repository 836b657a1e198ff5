"""Jobs of the drawn documents, in the service's format."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NotRequired, TypedDict

from samples.canvas import Citation, Field, Region, Tree

PROJECT_ID = "5a3d1f0e-6c1b-4e0a-9f57-2b6d8c4e1a90"
# After the day of every document: the latest is the end of the statement, 2026-06-30.
_CREATED, _UPDATED = "2026-07-06T09:00:00Z", "2026-07-06T09:01:36Z"
_OPTIONS_OF_BOTH_FORMATS = (
    "data_schema", "cite_sources", "confidence_scores", "extraction_target", "max_pages", "parse_tier",
)  # fmt: skip
_CREDITS_PER_PAGE = {"extract_credits": 15.0, "parse_credits": 10.0}
# An upper bound of the length of a line; a longer text is a paragraph.
_MAX_LINE_CHARS = 100


class FieldMetadata(TypedDict):
    """The metadata of one value, in the service's format."""

    citation: NotRequired[list[Citation]]
    confidence: float
    extraction_confidence: float
    parsing_confidence: float


def build_result(tree: Tree) -> Any:
    """Build `extract_result`."""
    if isinstance(tree, Field):
        return tree.value
    if isinstance(tree, Mapping):
        return {name: build_result(child) for name, child in tree.items()}
    return None if tree is None else [build_result(child) for child in tree]


def build_metadata(tree: Tree) -> Any:
    """Build the field metadata: the structure of the result, without nulls in objects."""
    values_per_text = Counter((region.page, region.text) for field in _iterate_fields(tree) for region in field.regions)
    return _build_metadata(tree, "", values_per_text)


def build_schema(tree: Tree) -> dict[str, Any]:
    """Build a JSON Schema that the result satisfies. Every field is required, and every scalar nullable."""
    if isinstance(tree, Mapping):
        properties = {name: build_schema(child) for name, child in tree.items()}
        return {"type": "object", "properties": properties, "required": list(properties)}
    if isinstance(tree, Sequence):
        return {"type": "array", "items": _merge_schemas([build_schema(child) for child in tree])}
    value = tree.value if isinstance(tree, Field) else None
    kind = {bool: "boolean", int: "number", float: "number", str: "string"}.get(type(value), "string")
    return {"anyOf": [{"type": kind}, {"type": "null"}]}


def build_completed_job(
    job_id: str, file_id: str, tree: Tree, num_pages: int, *, target: str = "per_doc"
) -> dict[str, Any]:
    """Build a completed job with all its sections."""
    metadata = build_metadata(tree)
    is_rows = isinstance(tree, Sequence)
    schema = build_schema(tree)
    return _build_job(job_id, file_id, "COMPLETED", num_pages, schema["items"] if is_rows else schema, target) | {
        "extract_result": build_result(tree),
        "extract_metadata": {
            "field_metadata": {
                "document_metadata": None if is_rows else metadata,
                "page_metadata": None,
                "row_metadata": metadata if is_rows else None,
            },
            # One parse job for each document, which all its extract jobs share.
            "parse_job_id": file_id.replace("dfl-", "pjb-"),
            "parse_tier": "agentic",
        },
    }


def build_job_without_result(
    job_id: str, file_id: str, status: str, tree: Tree, num_pages: int, *, reason: str | None = None
) -> dict[str, Any]:
    """Build a job that ended without a result."""
    return _build_job(job_id, file_id, status, num_pages, build_schema(tree), "per_doc") | {"error_message": reason}


def convert_to_older_format(job: dict[str, Any]) -> dict[str, Any]:
    """Convert a job to the older format of the service."""
    configuration = job["configuration"]
    older = {name: job[name] for name in ("id", "created_at")}
    older |= {"document_input_value": job["file_input"], "project_id": job["project_id"], "status": job["status"]}
    older |= {"updated_at": job["updated_at"]}
    older["configuration"] = {name: configuration[name] for name in (*_OPTIONS_OF_BOTH_FORMATS, "tier")} | {
        "extract_version": configuration["version"],
        "lang": "en",
    }
    older |= {name: job[name] for name in ("configuration_id", "error_message", "extract_metadata", "extract_result")}
    pages = job["metadata"]["usage"]["num_pages_extracted"]
    usage = {"num_document_tokens": 2_612, "num_output_tokens": 1_180, "num_pages_extracted": pages}
    return older | {"metadata": {"usage": usage}}


def _build_job(
    job_id: str, file_id: str, status: str, num_pages: int, schema: dict[str, Any], target: str
) -> dict[str, Any]:
    billed = {name: value * num_pages for name, value in _CREDITS_PER_PAGE.items()}
    is_completed = status == "COMPLETED"
    return {
        "file_input": file_id,
        "id": job_id,
        "project_id": PROJECT_ID,
        "configuration_id": None,
        "configuration": {
            "target_pages": None,
            "max_pages": None,
            "tier": "agentic",
            "version": "2.5",
            "disable_cache": False,
            "data_schema": schema,
            "extraction_target": target,
            "system_prompt": None,
            "cite_sources": True,
            "confidence_scores": True,
            "advanced_citations": None,
            "spreadsheet_mode": False,
            "sheet_names": None,
            "parse_tier": "agentic",
            "parse_config_id": None,
        },
        "status": status,
        "error_message": None,
        "extract_result": None,
        "extract_metadata": None,
        "metadata": {"usage": {"num_pages_extracted": num_pages, "num_pages_billed": num_pages}}
        if is_completed
        else None,
        "usage": {"credits": sum(billed.values()), **billed} if is_completed else None,
        "created_at": _CREATED,
        "updated_at": _UPDATED,
    }


def _build_metadata(tree: Tree, path: str, values_per_text: Counter[tuple[int, str]]) -> Any:
    if tree is None:
        return None
    if isinstance(tree, Field):
        return _build_field_metadata(tree, path, values_per_text)
    if isinstance(tree, Mapping):
        entries = {name: _build_metadata(child, f"{path}.{name}", values_per_text) for name, child in tree.items()}
        return {name: entry for name, entry in entries.items() if entry is not None}
    return [_build_metadata(child, f"{path}[{index}]", values_per_text) for index, child in enumerate(tree)]


def _build_field_metadata(field: Field, path: str, values_per_text: Counter[tuple[int, str]]) -> FieldMetadata:
    """Build the metadata of one value by the rules in the docstring of the package."""
    digest = hashlib.sha256(path.encode()).digest()
    extraction = 0.9 + 0.099 * digest[0] / 255
    parsing = 0.95 + 0.049 * digest[1] / 255
    if not field.regions:
        extraction *= 0.5
    if any(region.is_faint for region in field.regions):
        parsing *= 0.6
    if _shares_paragraph(field.regions, values_per_text):
        extraction *= 0.9
    metadata: FieldMetadata = {
        "confidence": round(extraction * parsing, 6),
        "extraction_confidence": round(extraction, 6),
        "parsing_confidence": round(parsing, 6),
    }
    if field.regions:
        # First, as the service sends it.
        return {"citation": [region.to_citation() for region in field.regions], **metadata}
    return metadata


def _shares_paragraph(regions: tuple[Region, ...], values_per_text: Counter[tuple[int, str]]) -> bool:
    """Return whether other values were read from the same paragraph."""
    return any(
        values_per_text[region.page, region.text] > 1 and len(region.text) > _MAX_LINE_CHARS for region in regions
    )


def _iterate_fields(tree: Tree) -> Iterator[Field]:
    if isinstance(tree, Field):
        yield tree
    elif isinstance(tree, Mapping):
        for child in tree.values():
            yield from _iterate_fields(child)
    elif tree is not None:
        for child in tree:
            yield from _iterate_fields(child)


def _merge_schemas(schemas: list[dict[str, Any]]) -> dict[str, Any]:
    """Merge the schemas of a list's elements: for each field, take the first schema that is not of nulls only."""
    first = schemas[0]
    if first.get("type") != "object":
        return first
    merged = {
        name: next(
            (schema["properties"][name] for schema in schemas if _is_informative(schema["properties"][name])), default
        )
        for name, default in first["properties"].items()
    }
    return first | {"properties": merged}


def _is_informative(schema: dict[str, Any]) -> bool:
    """Return whether a schema is not that of a null, which `build_schema` types as a string."""
    return "anyOf" not in schema or schema["anyOf"][0] != {"type": "string"}
