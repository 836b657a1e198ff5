"""A review lists values to check, and reports no fault for data that the job did not request."""

import itertools
import json
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llx_mcp.answers.budget import Answer
from llx_mcp.answers.header import build_header
from llx_mcp.answers.requests import JobRequest
from llx_mcp.answers.review import review_job
from llx_mcp.models import Job
from llx_mcp.outputs import ReviewCounts
from llx_mcp.result.sanitize import dump_json
from llx_mcp.result.sections import JobSections
from tests.example_jobs import build_job, cited
from tests.generated_jobs import NOW, jobs
from tests.structured import next_steps, omissions

SCHEMA = {
    "type": "object",
    "properties": {
        "total": {"type": "number"},
        "currency": {"enum": ["EUR", "USD"]},
        "seller": {"type": "string", "pattern": "^[A-Z]"},
        "due": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "paid": {"type": "boolean"},
        "rows": {"type": "array", "items": {"$ref": "#/$defs/row"}},
    },
    "required": ["total", "due", "paid", "order"],
    "$defs": {"row": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}},
}
RESULT = {
    "total": 12.5,
    "currency": "GBP",
    "seller": "acme",
    "due": None,
    "paid": None,
    "rows": [{"n": 1}, {"n": 2}, {"n": 1}, {"n": "x"}],
}
TREE = {
    "total": cited(0.3, 2, "Total 99.00"),
    "currency": cited(0.95, 1, "GBP"),
    "seller": {"confidence": 0.9},
    "rows": [{"n": cited(0.99, 1, "1")}, {"n": cited(0.85, 1, "2")}],
}


def review_of(
    job: Job, threshold: float = 0.8, max_chars: int = 8_000, clock: Callable[[], float] = time.thread_time
) -> Answer:
    """Return the review of a job."""
    request = JobRequest(job.id, max_chars=max_chars)
    return review_job(JobSections(job.sections), build_header(job, request, now=NOW), request, threshold, clock)


def test_each_kind_of_finding_is_counted_and_shown_with_its_provenance() -> None:
    answer = review_of(build_job(RESULT, TREE, configuration={"data_schema": SCHEMA}))
    assert answer.structured["counts"] == {
        "values": 7,
        "threshold": 0.8,
        "schema_violations": 3,
        "missing_required": 2,
        "quote_mismatches": 1,
        "low_confidence": 1,
        "duplicates": 1,
        "short_metadata": 1,
        "without_citation": 3,
    }
    assert answer.structured["findings"]["rows"] == [
        ["schema", "currency", "GBP", None, None, None, "breaks enum of the schema"],
        ["schema", "seller", "acme", None, None, None, "breaks pattern ^[A-Z] of the schema"],
        ["schema", "rows[3].n", "x", None, None, None, "the schema says integer"],
        ["required", "paid", None, None, None, None, "required, and null"],
        ["required", "$", None, None, None, None, "required field 'order' is absent"],
        ["quote", "total", 12.5, 0.3, 2, "Total 99.00", "not in its quote"],
        ["confidence", "total", 12.5, 0.3, 2, "Total 99.00", None],
        ["duplicate", "rows[2]", '{"n":1}', None, None, None, "the same as rows[0]"],
        ["metadata", "rows", None, None, None, None, "metadata for the first 2 of 4 elements"],
        ["citation", "seller", "acme", 0.9, None, None, None],
        ["citation", "rows[2].n", 1, None, None, None, None],
        ["citation", "rows[3].n", "x", None, None, None, None],
    ]
    assert "unavailable_checks" not in answer.structured
    assert '\nquote | 0.3 | p. 2 | total = 12.5 | "Total 99.00" | not in its quote\n' in answer.text


def test_counts_have_every_kind_of_finding() -> None:
    review = review_of(build_job({"a": 1})).structured["counts"]
    assert review.keys() == ReviewCounts.model_fields.keys()


@pytest.mark.parametrize(
    ("configuration", "words"),
    [
        ({"cite_sources": False}, "cite_sources was off"),
        ({"confidence_scores": False}, "confidence_scores was off"),
        ({"spreadsheet_mode": True}, "spreadsheet_mode gives neither"),
        ({"tier": "turbo"}, "tier turbo"),
        ({}, "shows no data_schema"),
        ({}, "has no citations"),
        ({}, "no confidence for any value"),
    ],
)
def test_check_without_its_data_is_unavailable_and_finds_nothing(configuration: dict[str, Any], words: str) -> None:
    structured = review_of(build_job({"a": 1}, configuration=configuration)).structured
    assert any(words in reason for reason in structured["unavailable_checks"])
    assert structured["counts"]["without_citation"] == 0


def test_large_document_has_no_confidence_above_100_pages() -> None:
    metadata = {"usage": {"num_pages_extracted": 112}}
    assert any(
        "stops above 100 pages" in reason
        for reason in review_of(build_job({"a": 1}, metadata=metadata)).structured["unavailable_checks"]
    )


def test_threshold_decides_which_confidence_is_low() -> None:
    tree = {"a": cited(0.5, 1, "1"), "b": cited(0.6, 1, "2")}
    counts = [
        review_of(build_job({"a": 1, "b": 2}, tree), threshold).structured["counts"]["low_confidence"]
        for threshold in (0.5, 0.55, 1)
    ]
    assert counts == [0, 1, 2]


@pytest.mark.parametrize(
    "schema",
    [{"$ref": "#"}, {"$ref": "https://example.com/x"}, {"type": 5}, {"properties": 3}, [], "x", {"pattern": "("},
     {"anyOf": [{"$ref": "#/anyOf/0"}]}, {"properties": {"a": {"pattern": "[", "type": "string"}}}, {"not": {}}],
)  # fmt: skip
def test_invalid_or_recursive_schema_is_reviewed_without_an_error(schema: Any) -> None:
    assert review_of(build_job({"a": "x"}, configuration={"data_schema": schema})).structured["counts"]["values"] == 1


@pytest.mark.timeout(30)
def test_pattern_of_a_schema_cannot_hold_up_a_review() -> None:
    schema = {"properties": {"a": {"type": "string", "pattern": "^(a+)+$"}, "b": {"pattern": "(?=b)b"}}}
    job = build_job({"a": "a" * 60 + "!", "b": "b"}, configuration={"data_schema": schema})
    structured = review_of(job).structured
    assert structured["counts"]["schema_violations"] == 1
    assert structured["unavailable_checks"][0] == (
        "1 value was not checked against the schema: RE2 cannot run the pattern (?=b)b"
    )


@given(st.floats(0, 3))
@settings(max_examples=60, deadline=None)
def test_review_counts_what_it_does_not_reach_in_its_time(step: float) -> None:
    rows = [{"n": number, "text": "acme"} for number in range(500)]
    tree = {"rows": [{"n": cited(0.9, 1, "x"), "text": cited(0.9, 1, "x")} for _ in rows]}
    schema = {"properties": {"rows": {"items": {"properties": {"n": {"maximum": -1}}}}}}
    job = build_job({"rows": [*rows, *rows]}, {"rows": tree["rows"] * 2}, configuration={"data_schema": schema})
    looks = itertools.count()
    answer = review_of(job, clock=lambda: next(looks) * step / 100).structured
    counts, unchecked = answer["counts"], Counter[str]()
    for reason in answer.get("unavailable_checks", []):
        count, _, check = reason.partition(" values were not ")
        unchecked[check.partition(":")[0]] += int(count.replace(",", ""))
        assert reason.endswith("the time for the review was up")
    assert counts["quote_mismatches"] + unchecked["compared with their quotes"] == 2_000
    assert counts["duplicates"] + unchecked["compared with other rows"] >= 500
    assert counts["schema_violations"] + unchecked["checked against the schema"] >= 1_000
    assert counts["without_citation"] == 0
    assert bool(unchecked) == (answer["counts"] != {**counts, **_COMPLETE})


_COMPLETE = {"quote_mismatches": 2_000, "duplicates": 500, "schema_violations": 1_000}


def test_wrong_quote_after_nulls_and_values_without_metadata_is_found() -> None:
    rows = [{"n": None}, {"n": 1}, {"n": [2]}, {"n": 3}, {"m": 4}, {"n": 5}]
    tree = {"rows": [{"n": None}, {}, {"n": []}, {"n": cited(0.9, 1, "3")}, {}, {"n": cited(0.9, 2, "6")}]}
    review = review_of(build_job({"rows": rows}, tree), max_chars=20_000).structured
    assert review["counts"]["quote_mismatches"] == 1
    assert [row[:6] for row in review["findings"]["rows"] if row[0] == "quote"] == [
        ["quote", "rows[5].n", 5, 0.9, 2, "6"]
    ]


def test_duplicates_of_several_lists_are_in_document_order() -> None:
    row = {"a": 1}
    result = {"groups": [{"x": [row, row], "y": [row, row]}, {"x": [row, row], "y": [row, row]}], "end": [row, row]}
    review = review_of(build_job(result), max_chars=20_000).structured
    # The second group repeats the first.
    assert [row[1] for row in review["findings"]["rows"] if row[0] == "duplicate"] == [
        "groups[0].x[1]", "groups[0].y[1]", "groups[1]", "groups[1].x[1]", "groups[1].y[1]", "end[1]"
    ]  # fmt: skip


def test_configuration_that_cannot_be_decoded_does_not_end_the_review() -> None:
    body = b'{"id":"ext-1","status":"COMPLETED","extract_result":{"a":1},"configuration":{"tier":"\xff"}}'
    structured = review_of(Job.parse(body)).structured
    assert structured["counts"]["values"] == 1
    assert "the job shows no data_schema: nothing can be checked against it" in structured["unavailable_checks"]


def test_large_value_that_breaks_the_schema_is_shown_by_its_beginning() -> None:
    schema = {"properties": {"a": {"type": "string"}}}
    review = review_of(build_job({"a": [{"n": 1}] * 9_000}, configuration={"data_schema": schema})).structured
    row = review["findings"]["rows"][0]
    assert row[2] == json.dumps([{"n": 1}] * 99, separators=(",", ":"))[:120] + "…"


def test_each_row_of_a_list_result_is_checked_against_the_schema() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    structured = review_of(build_job([{"n": 1}, {"n": "2"}, {}], configuration={"data_schema": schema})).structured
    assert (structured["counts"]["schema_violations"], structured["counts"]["missing_required"]) == (1, 1)


def test_check_by_column_finds_the_same_violations_as_jsonschema(corpus_job: bytes) -> None:
    wire = json.loads(corpus_job)
    schema, result = wire["configuration"]["data_schema"], wire["extract_result"]
    validator = jsonschema.Draft202012Validator(schema)
    instances = result if isinstance(result, list) and schema.get("type") != "array" else [result]
    broken = [
        error
        for instance in instances
        for error in validator.iter_errors(instance)
        if error.validator != "required" and error.instance is not None
    ]
    assert review_of(Job.parse(corpus_job)).structured["counts"]["schema_violations"] == len(broken)


def test_job_without_a_result_has_a_next_step() -> None:
    assert "create a new job" in next_steps(review_of(build_job(None, status="FAILED")).structured)


@given(jobs(), st.integers(1_000, 5_000), st.floats(0, 1))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_answer_fits_its_budget_and_counts_every_finding(
    wire: dict[str, Any], max_chars: int, threshold: float
) -> None:
    answer = review_of(Job.parse(json.dumps(wire).encode()), threshold, max_chars)
    assert max(len(answer.text), len(dump_json(answer.structured))) <= max_chars
    omitted = sum(omission["count"] or 0 for omission in answer.structured.get("omitted", []) if "count" in omission)
    counts = answer.structured.get("counts", {})
    counted = sum(count for name, count in counts.items() if name not in ("values", "threshold"))
    shown = len(answer.structured.get("findings", {"rows": []})["rows"])
    assert shown + omitted == counted or "further parts; raise max_chars" in omissions(answer.structured)
