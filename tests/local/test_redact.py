"""A redacted job keeps its structure and reveals nothing of its document."""

import json
import random
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from llx_mcp.local import SAMPLES, Sample
from llx_mcp.local.redact import redact_job
from llx_mcp.local.samples import read_sample
from llx_mcp.models import Job, MalformedJobError
from tests.conftest import CORPUS_JOBS

SEED = 7
WORD = re.compile(r"[^\W\d_]{4,}")
# Words of the service and of JSON Schema, which stay under their own keys.
SERVICE_WORDS = set(
    WORD.findall(
        "PENDING THROTTLED RUNNING COMPLETED FAILED CANCELLED cost_effective agentic agentic_plus turbo fast latest "
        "per_doc per_page per_table_row string number integer boolean object array null date date-time "
        "duration email uuid defs definitions"
    )
)


def redacted(job: object, *, with_names: bool = False) -> Any:
    """Return the redacted job, decoded."""
    body = job if isinstance(job, bytes) else json.dumps(job).encode()
    return json.loads(redact_job(body, with_names=with_names, rng=random.Random(SEED)))


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield the path and the value of each leaf."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        yield path, value
    else:
        for key, child in items:
            yield from leaves(child, (*path, key))


def words(value: Any, *, in_names: bool = False) -> set[str]:
    """Return the words of four letters or more in all strings, and optionally in keys."""
    texts = [leaf for _, leaf in leaves(value) if isinstance(leaf, str)]
    if in_names:
        texts += [part for path, _ in leaves(value) for part in path if isinstance(part, str)]
    return {word.casefold() for text in texts for word in WORD.findall(text)}


def assert_redacted(body: bytes) -> None:
    """Assert that no word of four letters remains and that the structure is the same."""
    before, after = json.loads(body), redacted(body)
    before_leaves, after_leaves = dict(leaves(before)), dict(leaves(after))
    assert list(before_leaves) == list(after_leaves)
    for path, old in before_leaves.items():
        new = after_leaves[path]
        assert type(new) is type(old), path
        if isinstance(old, str):
            assert len(new) == len(old), path
            assert len(new.encode()) == len(old.encode()), path
    # `required` lists field names, and field names stay.
    names = {word.casefold() for path in before_leaves for part in path for word in WORD.findall(str(part))}
    allowed = {word.casefold() for word in SERVICE_WORDS} | names
    assert (words(after) & words(before)) - allowed == set()
    Job.parse(redact_job(body))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_no_word_of_a_sample_remains(sample: Sample) -> None:
    assert_redacted(read_sample(sample))


@pytest.mark.parametrize("name", [path.name for path in CORPUS_JOBS] or ["missing"])
def test_no_word_of_a_real_job_remains(corpus: Path, name: str) -> None:
    assert_redacted((corpus / name).read_bytes())


def test_quotes_still_contain_their_values() -> None:
    num_quotes = 0
    for sample in SAMPLES[:4]:
        body = read_sample(sample)
        before, after = json.loads(body), redacted(body)
        new_data = dict(leaves(after["extract_result"]))
        old_quotes, new_quotes = dict(leaves(before["extract_metadata"])), dict(leaves(after["extract_metadata"]))
        for path, value in leaves(before["extract_result"]):
            quote = ("field_metadata", "document_metadata", *path, "citation", 0, "matching_text")
            old_quote = old_quotes.get(quote)
            if isinstance(value, str) and old_quote and re.search(rf"(?<!\w){re.escape(value)}(?!\w)", old_quote):
                num_quotes += 1
                assert new_data[path] in new_quotes[quote], path
    assert num_quotes > 50


def test_every_section_is_redacted() -> None:
    job = {
        "id": "ext-0a1b2c3d4e5f6g7h8i9j0k1l2m3n",
        "status": "COMPLETED",
        "version_of_tomorrow": {"note": "Torvald said so"},
        "file_input": "dfl-5a3d1f0e-6c1b-4e0a-9f57-2b6d8c4e1a90",
        "project_id": "5a3d1f0e-6c1b-4e0a-9f57-2b6d8c4e1a90",
        "created_at": "2026-01-05T09:00:00Z",
        "error_message": "Could not read Torvald.pdf",
        "configuration": {
            "tier": "agentic",
            "version": "2.5",
            "system_prompt": "Look for Torvald",
            "max_pages": 12,
            "data_schema": {
                "properties": {"name": {"type": "string", "pattern": "^Tor", "enum": ["Torvald", 17]}},
                "required": ["name"],
            },
        },
        "usage": {"credits": 125.0},
        "extract_result": {"name": "Torvald", "total": -1234.50, "day": "2026-05-18", "is_paid": True, "none": None},
    }
    after = redacted(job)
    data, configuration = after["extract_result"], after["configuration"]
    assert after["usage"] == job["usage"]
    assert (after["status"], after["created_at"]) == ("COMPLETED", "2026-01-05T09:00:00Z")
    assert re.fullmatch(r"ext-[0-9a-z]{28}", after["id"])
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", after["project_id"])
    assert after["project_id"] != job["project_id"]
    assert re.fullmatch(r"dfl-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", after["file_input"])
    assert data["name"] in after["error_message"]
    assert data["name"] in after["version_of_tomorrow"]["note"]
    assert (configuration["tier"], configuration["version"], configuration["max_pages"]) == ("agentic", "2.5", 12)
    field = configuration["data_schema"]["properties"]["name"]
    assert (field["type"], field["pattern"], field["enum"][0]) == ("string", "....", data["name"])
    assert field["enum"][1] != 17
    assert configuration["data_schema"]["required"] == ["name"]
    assert -9999.9 <= data["total"] <= -1000.0
    assert date.fromisoformat(data["day"]).year >= 1950
    assert (data["is_paid"], data["none"]) == (True, None)


def test_field_names_are_redacted_on_request() -> None:
    job = {
        "id": "ext-1",
        "status": "COMPLETED",
        "configuration": {
            "data_schema": {
                "type": "object",
                "$defs": {"Vessel": {"type": "object", "properties": {"page": {"type": "string"}}}},
                "properties": {"vessel": {"$ref": "#/$defs/Vessel"}, "confidence": {"type": "number"}},
                "required": ["vessel"],
            }
        },
        "extract_result": {"vessel": {"page": "Solveig"}, "confidence": 4},
        "extract_metadata": {
            "field_metadata": {
                "document_metadata": {
                    "vessel": {"page": {"confidence": 0.5, "citation": [{"page": 3, "matching_text": "of Solveig"}]}},
                    "confidence": {"confidence": 0.25},
                }
            }
        },
    }
    after = redacted(job, with_names=True)
    assert words(after, in_names=True).isdisjoint({"vessel", "solveig"})
    ((vessel, inside), (confidence, _)) = after["extract_result"].items()
    ((page, name),) = inside.items()
    tree = after["extract_metadata"]["field_metadata"]["document_metadata"]
    assert confidence != "confidence"
    assert tree[confidence] == {"confidence": 0.25}
    assert tree[vessel][page]["confidence"] == 0.5
    assert tree[vessel][page]["citation"][0]["page"] == 3
    assert tree[vessel][page]["citation"][0]["matching_text"].endswith(name)
    schema = after["configuration"]["data_schema"]
    assert schema["required"] == [vessel]
    ((defined, _),) = schema["$defs"].items()
    assert schema["properties"] == {vessel: {"$ref": f"#/$defs/{defined}"}, confidence: {"type": "number"}}
    assert defined.lower() == vessel


def test_service_numbers_keep_digits_and_others_keep_shape() -> None:
    body = (
        b'{"id":"a","status":"COMPLETED","usage":{"credits":125.000},"extract_result":[12345678901234567890.10,0,1E5]}'
    )
    after = redact_job(body, rng=random.Random(SEED)).decode()
    assert '"credits":125.000' in after
    assert re.search(r'"extract_result":\[[1-9]\d{19}\.[1-9]0,0,[1-9]E5\]', after)


@pytest.mark.parametrize("body", [b"[]", b'{"id":"a"}', b'{"id":', b'{"id":"a","status":"X","b":' + b"[" * 100_000])
def test_malformed_job_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedJobError):
        redact_job(body)


def test_two_redactions_differ() -> None:
    body = read_sample(SAMPLES[0])
    assert redact_job(body) != redact_job(body)


def redact_section(name: str, value: Any, **options: Any) -> Any:
    """Return one redacted section of a job that has nothing else."""
    return redacted({"id": "ext-1", "status": "COMPLETED", name: value}, **options)[name]


@pytest.mark.parametrize(
    ("section", "value"),
    [("status", "THROTTLED"), ("created_at", "2026-01-05T09:00:00.25+02:00"), ("updated_at", "2026-01-05T09:00:00Z"),
     ("configuration", {"tier": "turbo", "parse_tier": "fast", "extraction_target": "per_page", "version": "latest"}),
     ("configuration", {"extract_version": "latest", "max_pages": 7, "cite_sources": True, "sheet_names": None}),
     ("configuration", {"version": "2026-03-01"}), ("configuration", {"extract_version": "2.5"}),
     ("configuration", None), ("extract_metadata", None), ("extract_metadata", {"field_metadata": None}),
     ("usage", {"credits": 1.50, "by_page": [1, 2]}), ("metadata", {"usage": {"num_pages_extracted": 3}}),
     ("configuration", {"data_schema": {"type": ["string", "null"], "format": "date", "minimum": 5, "items": True}})],
)  # fmt: skip
def test_values_of_the_service_stay(section: str, value: Any) -> None:
    assert redact_section(section, value) == value


@pytest.mark.parametrize(
    ("section", "value"),
    [("extract_result", {"status": "PENDING"}), ("error_message", "PENDING"), ("status", "TORVALD"),
     ("extract_result", {"created_at": "Torvald"}), ("created_at", "Torvald"), ("created_at", "2026-01-05 Torvald"),
     ("configuration", {"tier": "per_page"}), ("configuration", {"version": "2.5 of Torvald"}),
     ("configuration", {"system_prompt": "latest"}), ("configuration", {"sheet_names": ["Torvald"]}),
     ("configuration", "Torvald"), ("extract_metadata", "Torvald"), ("configuration_id", "cfg-torvald"),
     ("configuration", {"data_schema": {"type": "Torvald"}}), ("configuration", {"data_schema": {"format": "string"}}),
     ("configuration", {"data_schema": {"title": "number"}}),
     *(("configuration", {"data_schema": {key: "Torvald"}}) for key in ("const", "default", "example", "description")),
     *(("configuration", {"data_schema": {key: [4711]}}) for key in ("enum", "examples")),
     ("configuration", {"data_schema": {"properties": {"a": {"default": {"b": 4711}}}}}),
     ("extract_metadata", {"parse_job_id": "pjb-torvald"}),
     *(("extract_metadata", {"field_metadata": {"document_metadata": tree}})
       for tree in ({"reasoning": "Torvald"}, {"error": "Torvald"}, {"page": "Torvald"}, {"a": [{"reasoning": "Tor"}]},
                    {"a": {"citation": [{"matching_text": "Torvald"}]}}, {"citation": [{"quote": "Torvald"}]},
                    {"a": {"citation": [{"page": 3, "amount": 4711}]}}, {"confidence": {"citation": "Torvald"}}))],
)  # fmt: skip
def test_anything_else_is_replaced(section: str, value: Any) -> None:
    before, after = list(leaves(value)), list(leaves(redact_section(section, value)))
    assert [path for path, _ in after] == [path for path, _ in before]
    # The last value is the one of the document.
    assert after[-1][1] != before[-1][1]


def test_citation_with_every_key_of_the_service_keeps_its_numbers() -> None:
    citation = {
        "page": 3,
        "matching_text": "Solveig",
        "bounding_boxes": [{"x": 1.25, "y": 20, "w": 300, "h": 41}],
        "page_dimensions": {"width": 612, "height": 792},
    }
    metadata = {"field_metadata": {"document_metadata": {"name": {"citation": [citation]}}}}
    job = redacted({"id": "ext-1", "status": "COMPLETED", "extract_metadata": metadata})
    (after,) = job["extract_metadata"]["field_metadata"]["document_metadata"]["name"]["citation"]
    assert after.pop("matching_text") != citation.pop("matching_text")
    assert after == citation
