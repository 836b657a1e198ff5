"""Nothing of a job is out of reach: every value that the service sends is shown by some tool call, in both forms."""

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from mcp import Client

from llx_mcp.result.document import STRUCT_MIN_BYTES
from llx_mcp.result.paths import ROOT, join_index, join_name, show_path
from llx_mcp.result.sanitize import dump_json
from llx_mcp.server.app import build_server
from tests.clients import call, structured, text_of
from tests.conftest import SHARED, need_shared
from tests.sources import Bodies, open_bodies

SECTIONS = ["job", "configuration", "extract_metadata", "usage", "metadata"]
INCLUDE = ["provenance", "quotes", "boxes"]
# What a job needs as it is, so that it can be read at all.
FIXED = {"id", "status", "created_at", "updated_at"}


def citation(page: int) -> dict[str, Any]:
    """Return a citation with every documented key, and with keys that no one documents."""
    box = {"x": 1.25, "y": 2.25, "w": 3.25, "h": 4.25}
    return {
        "page": page,
        "matching_text": "words",
        "bounding_boxes": [box, {**box, "angle": 90}, {"x": 1.75}, "a box as text"],
        "page_dimensions": {"width": 612.5, "height": 792.5},
        "origin": {"engine": "ocr"},
    }


def entry() -> dict[str, Any]:
    """Return the entry of a value with every documented key, and with a key that no one documents."""
    return {
        "citation": [citation(1), citation(2), "a citation as text"],
        "confidence": 0.91234567,
        "extraction_confidence": 0.9,
        "parsing_confidence": 0.8,
        "reasoning": "why",
        "reviewer": {"name": "someone"},
    }


RESULT = {
    "total": 12.5,
    "note": "none",
    "empty": None,
    "vendor": {"name": "Acme", "address": {"city": "Leeds"}},
    "rows": [{"sku": "A", "net": 1.5}, {"sku": "B", "net": 2.5}],
    "tags": ["x", "y"],
}
TREE: dict[str, Any] = {
    **{name: entry() for name in ("total", "empty", "absent")},
    "note": "text where an entry belongs",
    "reasoning": "why the whole",
    "vendor": {"name": entry(), "address": {"city": entry(), "reasoning": "why the address"}, **entry()},
    "rows": [{"sku": entry(), "net": entry(), "reasoning": "why the row"}, {"sku": entry()}, {"sku": entry()}],
    "tags": [entry(), None, entry()],
}
CONFIGURATION = {
    "target_pages": "1,3",
    "max_pages": 7,
    "tier": "agentic",
    "version": "2.5",
    "disable_cache": True,
    "data_schema": {"type": "object", "properties": {"total": {"type": "number", "description": "As printed."}}},
    "extraction_target": "per_doc",
    "system_prompt": "Be exact.",
    "cite_sources": True,
    "confidence_scores": True,
    "spreadsheet_mode": False,
    "sheet_names": ["Sheet"],
    "parse_tier": "agentic",
    "parse_config_id": "cfg-1",
    "advanced_citations": True,
    "an_option": "new",
}
JOB = {
    "id": "ext-1",
    "status": "COMPLETED",
    "created_at": "2026-11-20T09:00:31Z",
    "updated_at": "2026-11-20T09:12:11Z",
    "project_id": "prj-1",
    "file_input": "dfl-1",
    "document_input_value": "dfl-2",
    "configuration_id": "cfg-2",
    "error_message": "half of it failed",
    "configuration": CONFIGURATION,
    "usage": {"credits": 1.5, "extract_credits": 1, "parse_credits": 0.5},
    "metadata": {"usage": {"num_pages_extracted": 3, "num_pages_billed": 2, "num_document_tokens": 100}, "seen": "x"},
    "a_key": {"of": ["the", "future"]},
    "extract_result": RESULT,
    "extract_metadata": {
        "field_metadata": {
            "document_metadata": TREE,
            "page_metadata": [{"total": entry()}],
            "row_metadata": [{"total": entry()}],
            "sheet_metadata": {"of": "the future"},
            "error": "some entries are missing",
        },
        "parse_job_id": "pjb-1",
        "parse_tier": "agentic",
        "error": "another error",
        "a_key": "of the future",
    },
}


def of_pages(job: dict[str, Any]) -> dict[str, Any]:
    """Return a job with one result for each page, whose metadata has the tree of a document besides."""
    fields = job["extract_metadata"]["field_metadata"]
    pages = {"page_metadata": [fields["document_metadata"]] * 2, "document_metadata": {"total": entry()}}
    metadata = {**job["extract_metadata"], "field_metadata": fields | pages}
    return job | {"extract_result": [job["extract_result"]] * 2, "extract_metadata": metadata}


def of_many(job: dict[str, Any]) -> dict[str, Any]:
    """Return a job with so much metadata that it is decoded into structs."""
    fields = job["extract_metadata"]["field_metadata"]
    filler = [{"confidence": 0.5, "citation": []}] * (STRUCT_MIN_BYTES // 20)
    tree = {**fields["document_metadata"], "filler": filler}
    metadata = {**job["extract_metadata"], "field_metadata": fields | {"document_metadata": tree}}
    return job | {"extract_result": RESULT | {"filler": [1] * len(filler)}, "extract_metadata": metadata}


def make_distinct(value: Any, numbers: Iterator[int], name: str = "") -> Any:
    """Return JSON with every string and number replaced by one that stands nowhere else."""
    if name == "filler" or name in FIXED or name == "type" or isinstance(value, bool):
        return value
    if isinstance(value, dict):
        return {key: make_distinct(item, numbers, key) for key, item in value.items()}
    if isinstance(value, list):
        return [make_distinct(item, numbers) for item in value]
    if isinstance(value, str):
        return f"text-{next(numbers)}"
    return value if value is None else next(numbers) / 100_000 if isinstance(value, float) else next(numbers)


def paths_of(value: Any, path: str = ROOT) -> Iterator[str]:
    """Yield the path of every value of a result: objects, lists and scalars."""
    yield show_path(path)
    if isinstance(value, dict):
        for name, item in value.items():
            if name != "filler":
                yield from paths_of(item, join_name(path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from paths_of(item, join_index(path, index))


def leaves_of(value: Any, path: str = "job") -> Iterator[tuple[str, Any]]:
    """Yield path and value of every scalar of a job that is not null."""
    if isinstance(value, dict):
        for name, item in value.items():
            # Schemas are shown as text, in which `{…}` is the type of an object.
            if name != "type":
                yield from leaves_of(item, f"{path}.{name}")
    elif isinstance(value, list):
        for index, item in enumerate(value[:10]):
            yield from leaves_of(item, f"{path}[{index}]")
    elif value is not None:
        yield path, value


async def find_unshown(job: dict[str, Any]) -> dict[str, list[str]]:
    """Ask for every section and for every path of a job; return for each form the values that no answer shows."""
    body = json.dumps(job).encode()
    async with Client(build_server(open_bodies(Bodies(lambda _: body)))) as client:
        answers = [await call(client, "get_extract_job", job_id="ext-1", expand=[name]) for name in SECTIONS]
        answers += [
            await call(client, "read_extract_result", job_id="ext-1", path=path, include=INCLUDE)
            for path in paths_of(job["extract_result"])
        ]
    forms = {
        "text": "\n".join(map(text_of, answers)),
        "structured": "\n".join(dump_json(structured(answer)) for answer in answers),
    }
    leaves = list(leaves_of(job))
    return {
        form: [path for path, leaf in leaves if dump_json(leaf).strip('"') not in shown]
        for form, shown in forms.items()
    }


@pytest.mark.parametrize("is_distinct", [False, True], ids=["as documented", "distinct values"])
async def test_every_value_of_the_documented_example_is_shown(is_distinct: bool) -> None:
    example = json.loads(need_shared(SHARED / "upstream" / "documented-example.json").read_bytes())
    job = make_distinct(example, count(10_001)) if is_distinct else example
    assert await find_unshown(job) == {"text": [], "structured": []}


@pytest.mark.parametrize("shape", [lambda job: job, of_pages, of_many], ids=["document", "pages", "large metadata"])
async def test_every_value_of_a_job_with_every_key_is_shown(shape: Any) -> None:
    job = make_distinct(shape(JOB), count(10_001))
    assert await find_unshown(job) == {"text": [], "structured": []}
