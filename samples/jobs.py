"""Jobs over what was drawn, in the service's wire format."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

from samples.canvas import Mark, Read

PROJECT_ID = "5a3d1f0e-6c1b-4e0a-9f57-2b6d8c4e1a90"
_CREATED, _UPDATED = "2026-01-05T09:00:00Z", "2026-01-05T09:01:36Z"
_OPTIONS_OF_BOTH = (
    "data_schema", "cite_sources", "confidence_scores", "extraction_target", "max_pages", "parse_tier",
)  # fmt: skip
_CREDITS_A_PAGE = {"extract_credits": 15.0, "parse_credits": 10.0}


def result_of(tree: Any) -> Any:
    """The result as the service gives it."""
    if isinstance(tree, dict):
        return {name: result_of(child) for name, child in tree.items()}
    if isinstance(tree, list):
        return [result_of(child) for child in tree]
    return tree.value if isinstance(tree, Read) else tree


def metadata_of(tree: Any) -> Any:
    """The field metadata as the service gives it: a tree like the data, without entries for nulls."""
    lines = Counter((mark.page, mark.text) for read in _reads(tree) for mark in read.marks)
    return _metadata(tree, "", lines)


def schema_of(tree: Any) -> dict[str, Any]:
    """A JSON Schema that the result satisfies, every field required and any scalar nullable."""
    if isinstance(tree, dict):
        properties = {name: schema_of(child) for name, child in tree.items()}
        return {"type": "object", "properties": properties, "required": list(properties)}
    if isinstance(tree, list):
        return {"type": "array", "items": _merged([schema_of(child) for child in tree])}
    value = tree.value if isinstance(tree, Read) else None
    kind = {bool: "boolean", int: "number", float: "number", str: "string"}.get(type(value), "string")
    return {"anyOf": [{"type": kind}, {"type": "null"}]}


def completed_job(job_id: str, file_id: str, tree: Any, num_pages: int, *, target: str = "per_doc") -> dict[str, Any]:
    """A completed job as the service answers it with every section expanded."""
    metadata = metadata_of(tree)
    is_rows = isinstance(tree, list)
    schema = schema_of(tree)
    return _job(job_id, file_id, "COMPLETED", num_pages, schema["items"] if is_rows else schema, target) | {
        "extract_result": result_of(tree),
        "extract_metadata": {
            "field_metadata": {
                "document_metadata": None if is_rows else metadata,
                "page_metadata": None,
                "row_metadata": metadata if is_rows else None,
            },
            "parse_job_id": "pjb-sample00000000000000000000",
            "parse_tier": "agentic",
        },
    }


def ended_job(
    job_id: str, file_id: str, status: str, tree: Any, num_pages: int, *, reason: str | None = None
) -> dict[str, Any]:
    """A job that ended without a result."""
    return _job(job_id, file_id, status, num_pages, schema_of(tree), "per_doc") | {"error_message": reason}


def older_job(job: dict[str, Any]) -> dict[str, Any]:
    """The same job as the older generation of the service sent it."""
    configuration = job["configuration"]
    older = {name: job[name] for name in ("id", "created_at")}
    older |= {"document_input_value": job["file_input"], "project_id": job["project_id"], "status": job["status"]}
    older |= {"updated_at": job["updated_at"]}
    older["configuration"] = {name: configuration[name] for name in (*_OPTIONS_OF_BOTH, "tier")} | {
        "extract_version": configuration["version"],
        "lang": "en",
    }
    older |= {name: job[name] for name in ("configuration_id", "error_message", "extract_metadata", "extract_result")}
    pages = job["metadata"]["usage"]["num_pages_extracted"]
    usage = {"num_document_tokens": 2_612, "num_output_tokens": 1_180, "num_pages_extracted": pages}
    return older | {"metadata": {"usage": usage}}


def _job(job_id: str, file_id: str, status: str, num_pages: int, schema: dict[str, Any], target: str) -> dict[str, Any]:
    billed = {name: value * num_pages for name, value in _CREDITS_A_PAGE.items()}
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


def _metadata(tree: Any, path: str, lines: Counter[tuple[int, str]]) -> Any:
    if isinstance(tree, dict):
        entries = {name: _metadata(child, f"{path}.{name}", lines) for name, child in tree.items()}
        return {name: entry for name, entry in entries.items() if entry is not None}
    if isinstance(tree, list):
        return [_metadata(child, f"{path}[{index}]", lines) for index, child in enumerate(tree)]
    return None if tree is None else _entry(tree, path, lines)


def _entry(read: Read, path: str, lines: Counter[tuple[int, str]]) -> dict[str, Any]:
    """An entry by the rule that the package's docstring states."""
    digest = hashlib.sha256(path.encode()).digest()
    extraction = 0.9 + 0.099 * digest[0] / 255
    parsing = 0.95 + 0.049 * digest[1] / 255
    if not read.marks:
        extraction *= 0.5
    if any(mark.is_faint for mark in read.marks):
        parsing *= 0.6
    if _is_ambiguous(read.marks, lines):
        extraction *= 0.9
    entry: dict[str, Any] = {"citation": [mark.citation() for mark in read.marks]} if read.marks else {}
    return entry | {
        "confidence": round(extraction * parsing, 6),
        "extraction_confidence": round(extraction, 6),
        "parsing_confidence": round(parsing, 6),
    }


def _is_ambiguous(marks: tuple[Mark, ...], lines: Counter[tuple[int, str]]) -> bool:
    """Whether other values were read from the very same prose."""
    return any(lines[mark.page, mark.text] > 1 and len(mark.text) > 100 for mark in marks)


def _reads(tree: Any) -> Iterator[Read]:
    if isinstance(tree, dict):
        for child in tree.values():
            yield from _reads(child)
    elif isinstance(tree, list):
        for child in tree:
            yield from _reads(child)
    elif isinstance(tree, Read):
        yield tree


def _merged(schemas: list[dict[str, Any]]) -> dict[str, Any]:
    """The schema of the elements of a list: the first that does not only hold nulls, field by field."""
    first = schemas[0]
    if first.get("type") != "object":
        return first
    merged = {
        name: next((schema["properties"][name] for schema in schemas if _says_more(schema["properties"][name])), kind)
        for name, kind in first["properties"].items()
    }
    return first | {"properties": merged}


def _says_more(schema: dict[str, Any]) -> bool:
    return "anyOf" not in schema or schema["anyOf"][0] != {"type": "string"}
