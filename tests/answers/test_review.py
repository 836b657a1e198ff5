"""A review lists values to check, and reports no fault for data that the job did not request."""

import itertools
import json
import re
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
from llx_mcp.answers.requests import REVIEW_CHARS, JobRequest
from llx_mcp.answers.review import review_job
from llx_mcp.models import Job
from llx_mcp.outputs import ReviewCounts
from llx_mcp.result.jsonpath import find_locations, parse_path
from llx_mcp.result.outline import build_outline
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
    assert review.keys() == ReviewCounts.model_fields.keys() - of_text - {"also_without_citation"}


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
    assert "\nrequired | jobs[*].title | 3 of 9: [0] [3] [7] | absent\n" in answer.text


def test_low_confidence_in_one_field_is_one_row_with_the_lowest_as_the_example() -> None:
    confidences = [0.9, 0.5, 0.31, 0.95, 0.72, 0.4, 0.6, 0.7]
    rows = [{"n": f"value {index}"} for index in range(8)]
    tree = [{"n": cited(confidence, 2, f"value {index}")} for index, confidence in enumerate(confidences)]
    tree[2] = {"n": {"confidence": 0.31}}
    answer = review_of(build_job({"rows": rows}, {"rows": tree}))
    assert answer.structured["findings"]["rows"] == [
        ["confidence", "rows[*].n", 6, 8, None, "rows[2].n", ["value 2", None, 0.31], "up to 0.72, 1 without citation"]
    ]
    assert answer.structured["counts"]["without_citation"] == answer.structured["counts"]["also_without_citation"] == 1
    (step,) = answer.structured["next_steps"]
    assert step["call"]["arguments"] == {"job_id": "ext-1", "path": "rows[*].n"}


def test_quote_is_shown_where_it_tells_more_than_the_value() -> None:
    quote = "the total amount due in euros is 12.50, to be paid by the end of the month that follows delivery, in full"
    tree = {"a": cited(0.3, 1, quote), "b": cited(0.4, 1, "7")}
    rows = rows_of(review_of(build_job({"a": 12.5, "b": 7}, tree)).structured, "confidence")
    assert [row[5] for row in rows] == [[12.5, 1, 0.3, quote[:100] + "…"], [7, 1, 0.4]]


def test_like_fields_of_lists_with_the_same_fields_are_one_group() -> None:
    names = ("cash", "debt", "loans", "stock")
    result = {
        "sheet": {
            name: [{"value": len(name) + index, "period": f"{name} {index}"} for index in range(3)] for name in names
        }
    }
    tree = {
        "sheet": {
            name: [
                {"value": cited(0.5 + index / 10, 1, "99"), "period": cited(0.9, 1, f"{name} {index}")}
                for index in range(3)
            ]
            for name in names
        }
    }
    review = review_of(build_job(result, tree)).structured
    assert rows_of(review, "quote") == [
        ["sheet.*[*].value", 12, 12, None, "sheet.cash[0].value", [4, 1, 0.5, "value not in quote: 99"], None]
    ]
    locations = find_locations(parse_path("sheet.*[*].value"), build_outline(result))
    assert len(list(locations)) == 12


def test_group_takes_in_further_fields_that_its_path_names() -> None:
    lists = {name: [{"value": f"{name} {index}", "period": index} for index in range(3)] for name in ("a", "b", "c")}
    sheet: dict[str, Any] = {**lists, "d": [{"value": "d", "other": 1}]}
    tree = {name: [{"value": confidence_of(0.5)} for _ in rows] for name, rows in sheet.items()}
    rows = rows_of(review_of(build_job({"sheet": sheet}, {"sheet": tree})).structured, "confidence")
    assert [row[:4] for row in rows] == [["sheet.*[*].value", 10, 10, None]]


def test_group_is_of_all_values_that_its_path_names() -> None:
    """The total of a pattern is what reading the pattern shows."""
    row = {"value": 1, "period": "Q1", "n": 0}
    result = {
        "sheet": {name: [{**row, "n": index} for index in range(3)] for name in ("a", "b", "c")},
        "flow": {"d": [row, {"value": 3, "period": "Q2"}], "e": [{"value": 4, "other": 5}, {"value": 6, "other": 7}]},
        "rows": [{"n": "x"}, {"n": "y"}],
    }
    tree = low_confidence(result)
    rows = rows_of(review_of(build_job(result, tree), max_chars=20_000).structured, "confidence")
    root = build_outline(result)
    for shown, count, total, *_ in rows:
        assert count <= total == len(list(find_locations(parse_path(shown), root))) or count == 1
    assert sum(row[1] for row in rows) == review_of(build_job(result, tree)).structured["counts"]["low_confidence"]


def test_field_whose_name_is_a_wildcard_is_quoted() -> None:
    review = review_of(build_job({"*": 1, "rows": [{"*": 2, "n": 3}, {"*": 4, "n": 5}]}, low_confidence({"*": 1})))
    assert [row[0] for row in rows_of(review.structured, "confidence")] == ["['*']"]
    result = {"*": [{"*": index} for index in range(3)]}
    review = review_of(build_job(result, low_confidence(result)))
    assert [row[0] for row in rows_of(review.structured, "confidence")] == ["['*'][*]['*']"]


def test_very_long_name_does_not_hide_the_other_findings() -> None:
    result = {"n" * 3_000: "a", "b": "c"}
    tree = {"n" * 3_000: confidence_of(0.1), "b": confidence_of(0.5)}
    structured = review_of(build_job(result, tree), max_chars=2_000).structured
    assert [row[0] for row in rows_of(structured, "confidence")] == ["b"]
    assert groups_omitted(structured) == ["groups of findings (confidence 1)"]


def test_constants_units_and_indices_come_last() -> None:
    names = ("amount", "text", "unit", "source", "array_index")
    values: list[dict[str, Any]] = [
        {"amount": index * 3, "text": f"t{index}", "unit": f"u{index}", "source": "all", "array_index": index}
        for index in range(4)
    ]
    tree = [dict(zip(names, map(confidence_of, (0.7, 0.6, 0.1, 0.2, 0.3)), strict=True)) for _ in values]
    review = review_of(build_job({"rows": values}, {"rows": tree})).structured
    assert [row[0] for row in rows_of(review, "confidence")] == [
        "rows[*].text", "rows[*].amount", "rows[*].unit", "rows[*].array_index", "rows[*].source"
    ]  # fmt: skip


def test_index_fields_of_several_lists_are_one_group() -> None:
    lists = {name: [{"i": index, name: f"{name} {index}"} for index in range(2)] for name in ("a", "b", "c")}
    lists["d"] = [{"i": 0, "d": "x"}]
    tree = {name: [{"i": confidence_of(0.5), name: confidence_of(0.9)} for _ in rows] for name, rows in lists.items()}
    review = review_of(build_job(lists, tree)).structured
    assert [row[:4] for row in rows_of(review, "confidence")] == [["*[*].i", 7, 7, None]]


def test_fields_that_repeat_few_labels_come_after_others() -> None:
    rows = [{"country": "JPN" if index % 2 else "USA", "year": 1930 + index} for index in range(12)]
    tree = [{"country": confidence_of(0.3), "year": confidence_of(0.6)} for _ in rows]
    review = review_of(build_job({"rows": rows}, {"rows": tree})).structured
    assert [row[0] for row in rows_of(review, "confidence")] == ["rows[*].year", "rows[*].country"]


def test_each_kind_shows_its_worst_group_before_any_kind_shows_more() -> None:
    result: dict[str, Any] = {f"text_{index}": f"{index} {'some long value ' * 4}" for index in range(20)}
    tree = {name: cited(0.5, 1, "other words that are quoted at some length") for name in result}
    # These have no metadata, and their rows are short.
    result |= {f"number_{index}": index for index in range(20)}
    rows = review_of(build_job(result, tree), max_chars=1_500).structured["findings"]["rows"]
    assert [row[0] for row in rows] == ["quote", "confidence", "citation"]


def test_groups_that_are_left_out_are_counted_with_their_findings() -> None:
    result = {f"list_{index}": [f"value {index} {at}" for at in range(index + 1)] for index in range(40)}
    structured = review_of(build_job(result, low_confidence(result)), max_chars=2_000).structured
    shown = structured["findings"]["rows"]
    (omitted,) = structured["omitted"]
    assert (omitted["count"] + len(shown), omitted["total"]) == (40, 40)
    assert omitted["what"] == f"groups of findings (confidence {820 - sum(row[2] for row in shown)})"
    assert omitted["call"]["arguments"] == {"job_id": "ext-1", "max_chars": 8_000}


def test_default_answers_about_real_jobs_are_short_and_name_a_path_to_each_group(corpus_job: bytes) -> None:
    job = Job.parse(corpus_job)
    answer = review_of(job, max_chars=REVIEW_CHARS)
    root = JobSections(job.sections).bare_document.root
    for _, path, count, total, *_, why in answer.structured["findings"]["rows"]:
        if why != "absent":
            found = len(list(find_locations(parse_path(path), root)))
            assert found >= total if count > 1 else found == 1


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
    counted = sum(count for name, count in counts.items() if name not in ("values", "threshold"))
    counted -= 2 * counts.get("also_without_citation", 0)
    shown = sum(row[2] for row in structured.get("findings", {"rows": []})["rows"])
    omitted = sum(map(int, re.findall(r"[a-z] (\d+)", next(iter(groups_omitted(structured)), ""))))
    assert shown + omitted == counted or "further parts; raise max_chars" in omissions(structured)


def groups_omitted(structured: dict[str, Any]) -> list[str]:
    """Return what an answer says of the groups that it leaves out."""
    return [omission["what"] for omission in structured.get("omitted", []) if "groups" in omission["what"]]


def rows_of(structured: dict[str, Any], kind: str) -> list[list[Any]]:
    """Return the groups of one kind, without the kind."""
    return [row[1:] for row in structured["findings"]["rows"] if row[0] == kind]


def confidence_of(confidence: float) -> dict[str, float]:
    """Return the metadata of a value without a citation."""
    return {"confidence": confidence}


def low_confidence(value: Any) -> Any:
    """Return metadata with a low confidence for every value."""
    if isinstance(value, dict):
        return {name: low_confidence(child) for name, child in value.items()}
    return [low_confidence(child) for child in value] if isinstance(value, list) else confidence_of(0.5)


def test_groups_left_out_of_the_largest_answer_have_a_hint_and_no_call() -> None:
    result = {f"field_{index:05}": "x" * 40 for index in range(9_000)}
    job = build_job(result, {name: cited(0.5, 1, "other") for name in result})
    (omitted,) = review_of(job, max_chars=400_000).structured["omitted"]
    assert omitted["count"] > 0
    assert "call" not in omitted
    assert "query_extract_result" in omitted["hint"]
