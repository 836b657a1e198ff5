"""A review lists values to check, and reports no fault for data that the job did not request."""

import itertools
import json
import re
from collections import Counter
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llx_mcp.models import Job
from llx_mcp.outputs import ReviewCounts
from llx_mcp.result.sanitize import dump_json
from tests.answers.reviews import groups_omitted, review_of, rows_of
from tests.example_jobs import build_job, cited
from tests.generated_jobs import jobs
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


def test_each_kind_of_finding_is_counted_and_shown_with_its_provenance() -> None:
    answer = review_of(build_job(RESULT, TREE, configuration={"data_schema": SCHEMA}))
    assert answer.structured["counts"] == {
        "values": 7,
        "threshold": 0.8,
        "schema_violations": 3,
        "missing_required": 2,
        "incomplete_objects": 1,
        "quote_mismatches": 1,
        "broken_sums": 0,
        "broken_orders": 0,
        "low_confidence": 1,
        "duplicates": 1,
        "short_metadata": 1,
        "without_citation": 3,
        "also_without_citation": 2,
    }
    assert answer.structured["findings"]["rows"] == [
        ["schema", "currency", 1, 1, None, None, ["GBP", 1, 0.95], 'breaks enum "EUR", "USD" of the schema'],
        ["schema", "seller", 1, 1, None, None, ["acme", None, 0.9], "breaks pattern ^[A-Z] of the schema"],
        ["schema", "rows[3].n", 1, 4, None, None, ["x", None, None], "the schema says integer"],
        ["required", "paid", 1, 1, None, None, None, "null"],
        ["required", "order", 1, 1, None, None, None, "absent"],
        ["quote", "total", 1, 1, None, None, [12.5, 2, 0.3, "value not in quote: Total 99.00"], None],
        ["confidence", "total", 1, 1, None, None, [12.5, 2, 0.3, "value not in quote: Total 99.00"], None],
        ["duplicate", "rows[2]", 1, 4, None, None, '{"n":1}', "the same as rows[0]"],
        ["metadata", "rows", 1, 1, None, None, None, "metadata for the first 2 of 4 elements"],
        ["citation", "rows[2].n", 1, 4, None, None, [1, None, None], None],
    ]
    assert "unavailable_checks" not in answer.structured
    assert '\nquote | total = 12.5 [p. 2, 0.3, "value not in quote: Total 99.00"]\n' in answer.text
    assert "\nrequired | order | absent\n" in answer.text
    assert "confidence 1 (below 0.8), " in answer.text
    assert "citation 3 (2 listed under another kind).\n" in answer.text


def test_counts_have_every_kind_of_finding() -> None:
    review = review_of(build_job({"a": 1})).structured["counts"]
    # The others need the text of the document, or something to count.
    of_text = {"not_on_page", "ambiguous_citations", "verified", "unchecked_citations"}
    assert review.keys() == ReviewCounts.model_fields.keys() - of_text - {"incomplete_objects", "also_without_citation"}


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


def test_broken_sum_names_the_value_that_mends_it_with_its_page_and_the_numbers() -> None:
    amounts = [12.5, 80.25, 99.9, 1_041.85]
    result = {
        "issue_date": "2026-03-01",
        "due_date": "2026-02-01",
        "line_items": [{"quantity": at + 1, "amount": amount} for at, amount in enumerate(amounts)],
        "total": 1_334.5,
    }
    tree = {"total": cited(0.9, 3, "Total 1,334.50")}
    answer = review_of(build_job(result, tree))
    assert answer.structured["counts"]["broken_sums"] == answer.structured["counts"]["broken_orders"] == 1
    why = "sum of line_items[*].amount 1,234.50, but total 1,334.50: difference 100.00"
    assert rows_of(answer.structured, "sum") == [["total", 1, 1, None, None, [1334.5, 3, 0.9], why]]
    assert rows_of(answer.structured, "order") == [
        [
            "due_date",
            1,
            1,
            None,
            None,
            ["2026-02-01", None, None],
            "due_date 2026-02-01 is before issue_date 2026-03-01",
        ]
    ]
    assert f"\nsum | total = 1334.5 [p. 3, 0.9] | {why}\n" in answer.text
    kinds = [row[0] for row in answer.structured["findings"]["rows"]]
    assert kinds[:2] == ["sum", "order"]
    assert set(kinds[2:]) == {"citation"}


def test_broken_sums_of_one_field_are_one_group() -> None:
    rows = [{"net": 100 + 7 * at, "tax": 19 + 3 * at, "gross": 119 + 10 * at} for at in range(60)]
    rows[5]["gross"] += 300
    rows[50]["gross"] += 300
    review = review_of(build_job({"invoices": rows})).structured
    assert review["counts"]["broken_sums"] == 2
    (group,) = rows_of(review, "sum")
    assert group[:5] == ["invoices[*].gross", 2, 60, "[5] [50]", "invoices[50].gross"]
    assert "= 619, but gross 919: difference 300" in group[6]


def test_values_that_are_not_compared_in_time_are_counted() -> None:
    looks = itertools.count()
    rows = [{"a": at, "b": at * 2, "c": at * 3} for at in range(50)]
    structured = review_of(build_job({"rows": rows}), clock=lambda: next(looks) * 3.0).structured
    reasons = [reason for reason in structured["unavailable_checks"] if "compared with one another" in reason]
    assert reasons == ["150 values were not compared with one another: the time for the review was up"]


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
    assert rows_of(review, "quote") == [["rows[5].n", 1, 4, None, None, [5, 2, 0.9, "value not in quote: 6"], None]]


def test_duplicates_are_listed_by_list() -> None:
    row = {"a": 1}
    result: dict[str, Any] = {
        "groups": [{"x": [row, row], "y": [row, row]}, {"x": [row, row], "y": [row, row]}],
        "end": [row, row],
    }
    review = review_of(build_job(result), max_chars=20_000).structured
    # The second group repeats the first.
    same = '{"a":1}'
    assert rows_of(review, "duplicate") == [
        ["groups[*].x[*]", 2, 4, "[0][1] [1][1]", "groups[0].x[1]", same, "the same as groups[0].x[0]"],
        ["groups[*].y[*]", 2, 4, "[0][1] [1][1]", "groups[0].y[1]", same, "the same as groups[0].y[0]"],
        ["groups[1]", 1, 2, None, None, dump_json(result["groups"][1]), "the same as groups[0]"],
        ["end[1]", 1, 2, None, None, same, "the same as end[0]"],
    ]


def test_absent_field_of_some_elements_names_these() -> None:
    schema = {"properties": {"jobs": {"items": {"required": ["title", "text"]}}}}
    jobs_list = [{"text": "x"} if index in {0, 3, 7} else {"title": f"t{index}", "text": "x"} for index in range(9)]
    for job in jobs_list:
        del job["text"]
    answer = review_of(build_job({"jobs": jobs_list}, configuration={"data_schema": schema}))
    assert rows_of(answer.structured, "required") == [
        ["jobs[*].text", 9, 9, None, None, None, "absent"],
        ["jobs[*].title", 3, 9, "[0] [3] [7]", None, None, "absent"],
    ]
    assert "\nrequired | jobs[*].title | 3 of 9 rows: [0] [3] [7] | absent\n" in answer.text
    # Three objects lack both fields.
    assert answer.structured["counts"]["incomplete_objects"] == 9
    assert "required 12 (in 9 objects), " in answer.text


def test_configuration_that_cannot_be_decoded_does_not_end_the_review() -> None:
    body = b'{"id":"ext-1","status":"COMPLETED","extract_result":{"a":1},"configuration":{"tier":"\xff"}}'
    structured = review_of(Job.parse(body)).structured
    assert structured["counts"]["values"] == 1
    assert "the job shows no data_schema: nothing can be checked against it" in structured["unavailable_checks"]


def test_large_value_that_breaks_the_schema_is_shown_by_its_beginning() -> None:
    schema = {"properties": {"a": {"type": "string"}}}
    review = review_of(build_job({"a": [{"n": 1}] * 9_000}, configuration={"data_schema": schema})).structured
    row = review["findings"]["rows"][0]
    assert row[6] == json.dumps([{"n": 1}] * 99, separators=(",", ":"))[:80] + "…"


def test_each_row_of_a_list_result_is_checked_against_the_schema() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    structured = review_of(build_job([{"n": 1}, {"n": "2"}, {}], configuration={"data_schema": schema})).structured
    assert (structured["counts"]["schema_violations"], structured["counts"]["missing_required"]) == (1, 1)


def test_objects_that_lack_a_required_field_are_counted_once_each() -> None:
    item = {"required": ["a", "b"], "properties": {"a": {"type": "string"}, "at": {"required": ["x"]}}}
    schema = {"required": ["no", "date"], "properties": {"rows": {"items": item}}}
    objects = [{"a": None}, {"a": None, "b": 1}, {"a": "x", "b": 1}, {"a": "x", "b": 1, "at": {}}]
    for rows in (objects, ["no object", *objects]):
        counts = review_of(build_job({"rows": rows}, configuration={"data_schema": schema})).structured["counts"]
        # The result itself, two rows, and the object in the last row.
        assert (counts["missing_required"], counts["incomplete_objects"]) == (6, 4)


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
    assert "A result needs a new job" in next_steps(review_of(build_job(None, status="FAILED")).structured)


@given(jobs(), st.integers(1_000, 5_000), st.floats(0, 1))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_answer_fits_its_budget_and_counts_every_finding(
    wire: dict[str, Any], max_chars: int, threshold: float
) -> None:
    answer = review_of(Job.parse(json.dumps(wire).encode()), threshold, max_chars)
    assert max(len(answer.text), len(dump_json(answer.structured))) <= max_chars
    structured = answer.structured
    counts = structured.get("counts", {})
    counted = sum(count for name, count in counts.items() if name not in ("values", "threshold", "incomplete_objects"))
    counted -= 2 * counts.get("also_without_citation", 0)
    shown = sum(row[2] for row in structured.get("findings", {"rows": []})["rows"])
    omitted = sum(map(int, re.findall(r"[a-z] (\d+)", next(iter(groups_omitted(structured)), ""))))
    assert shown + omitted == counted or "further parts; raise max_chars" in omissions(structured)
