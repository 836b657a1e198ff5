"""Findings of like fields are one group, and groups that are left out are counted."""

from typing import Any

import pytest

from llx_mcp.answers.requests import REVIEW_CHARS
from llx_mcp.models import Job
from llx_mcp.result.jsonpath import find_locations, parse_path
from llx_mcp.result.outline import build_outline
from llx_mcp.result.sections import JobSections
from tests.answers.reviews import confidence_of, groups_omitted, low_confidence, review_of, rows_of
from tests.example_jobs import build_job, cited


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
    sure = {"sure": [f"value {at}" for at in range(200)]}
    tree = low_confidence(result) | {"sure": [confidence_of(0.9)] * 200}
    structured = review_of(build_job(result | sure, tree), max_chars=2_000).structured
    shown = structured["findings"]["rows"]
    (omitted,) = structured["omitted"]
    assert (omitted["count"] + len(shown), omitted["total"]) == (40, 40)
    assert omitted["what"] == f"groups of findings (confidence {820 - sum(row[2] for row in shown)})"
    assert omitted["call"]["arguments"] == {"job_id": "ext-1", "max_chars": 8_000}


def nearly_all_low(num_sure: int) -> Job:
    """Return a job of 18 fields with 5 values each of low confidence, and some with a high one."""
    result: dict[str, Any] = {f"list_{index}": [f"value {index} {at}" for at in range(5)] for index in range(18)}
    tree = low_confidence(result)
    tree["list_7"][3] = confidence_of(0.31)
    tree["list_8"][1] = confidence_of(0.79)
    # These repeat, and their findings come after all others.
    result["unit"], tree["unit"] = (
        ["EUR"] * 10,
        [confidence_of(0.9)] * num_sure + [confidence_of(0.6)] * (10 - num_sure),
    )
    schema = {"properties": {"name": {}}, "required": ["name"]}
    return build_job(result, tree, configuration={"data_schema": schema})


def test_nearly_all_confidence_below_the_threshold_is_one_row() -> None:
    answer = review_of(nearly_all_low(9), max_chars=2_000)
    structured = answer.structured
    assert [row[:2] for row in structured["findings"]["rows"]] == [["required", "name"], ["confidence", "$"]]
    assert rows_of(structured, "confidence") == [
        ["$", 91, 100, "in 19 fields", "list_7[3]", ["value 7 3", None, 0.31], "up to 0.79"]
    ]
    assert structured["omitted"] == [
        {
            "what": "groups of findings",
            "count": 19,
            "total": 20,
            "call": {"tool": "review_extract_job", "arguments": {"job_id": "ext-1", "max_chars": 8_000}},
        }
    ]
    assert '\nconfidence | $ | 91 of 100: in 19 fields | list_7[3] = "value 7 3" [0.31] | up to 0.79\n' in answer.text
    assert "next_steps" not in structured


def test_groups_of_nearly_all_values_are_shown_where_all_have_room() -> None:
    structured = review_of(nearly_all_low(9), max_chars=8_000).structured
    assert [row[0] for row in rows_of(structured, "confidence")] == [
        "list_7[*]", *(f"list_{index}[*]" for index in range(18) if index != 7), "unit[9]"
    ]  # fmt: skip
    assert "omitted" not in structured
    assert structured["next_steps"][0]["call"]["arguments"]["path"] == "list_7[*]"


@pytest.mark.parametrize(("num_sure", "is_summed"), [(10, True), (11, False)])
def test_low_confidence_of_fewer_values_is_shown_by_field(num_sure: int, is_summed: bool) -> None:
    result = {f"list_{index}": [f"value {index} {at}" for at in range(5)] for index in range(18)}
    tree = low_confidence(result) | {"sure": [confidence_of(0.9)] * num_sure}
    job = build_job(result | {"sure": [f"sure {at}" for at in range(num_sure)]}, tree)
    rows = rows_of(review_of(job, max_chars=2_000).structured, "confidence")
    assert (rows[0][0] == "$") == is_summed
    assert (len(rows) == 1) == is_summed


def test_default_answers_about_real_jobs_are_short_and_name_a_path_to_each_group(corpus_job: bytes) -> None:
    job = Job.parse(corpus_job)
    answer = review_of(job, max_chars=REVIEW_CHARS)
    root = JobSections(job.sections).bare_document.root
    for _, path, count, total, *_, why in answer.structured["findings"]["rows"]:
        # The result itself stands for all of its values.
        if why != "absent" and path != "$":
            found = len(list(find_locations(parse_path(path), root)))
            assert found >= total if count > 1 else found == 1


def test_groups_left_out_of_the_largest_answer_have_a_hint_and_no_call() -> None:
    result = {f"field_{index:05}": "x" * 40 for index in range(9_000)}
    job = build_job(result, {name: cited(0.5, 1, "other") for name in result})
    (omitted,) = review_of(job, max_chars=400_000).structured["omitted"]
    assert omitted["count"] > 0
    assert "call" not in omitted
    assert "query_extract_result" in omitted["hint"]
