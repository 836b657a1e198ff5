"""A search finds the objects and values that fit its words best, and shows them with their provenance."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llx_mcp.answers.budget import Answer
from llx_mcp.answers.header import build_header
from llx_mcp.answers.requests import DEFAULT_HITS, MAX_HITS, JobRequest
from llx_mcp.answers.search import find_text
from llx_mcp.errors import ArgumentError
from llx_mcp.models import Job
from llx_mcp.result.sanitize import dump_json
from llx_mcp.result.sections import JobSections
from tests.answers.searches import find_in, hits
from tests.example_jobs import build_job, cited
from tests.generated_jobs import NOW, jobs
from tests.structured import next_steps, omissions

RESULT = {
    "totalAmount": 1234.5,
    "vendor": "Société  Générale",
    "line_items": [{"net_price": "1.234,50 EUR", "paid": True}, {"net_price": "12", "paid": False}],
    "note": None,
    "code": "AB-007",
    "big": 10**18,
}
TREE = {"vendor": cited(0.9, 3, "Sold to the Bank,\n12 Rue Haxo"), "totalAmount": cited(0.7, 4, "TOTAL 1 234,50")}

REPORT = {
    "company": "Fjord Pumps",
    "income": {
        "revenue": [
            {"period": "FY2025 Q2", "segment": "Americas", "unit": "USD", "value": 8202},
            {"period": "FY2025 Q2", "segment": "EMEA", "unit": "USD", "value": 3834},
            {"period": "FY2024 Q2", "segment": "Americas", "unit": "USD", "value": 7510},
            {"period": "FY2025 H1", "segment": "Americas", "unit": "USD", "value": 15902},
        ],
        "revenue_growth": [{"period": "FY2025 Q2", "segment": "Americas", "unit": "%", "value": 9}],
        "op_income": [
            {"period": "FY2025 Q2", "segment": "NA", "unit": "USD", "value": 3113},
            {"period": "FY2025 H1", "segment": "NA", "unit": "USD", "value": 5471},
        ],
        "guidance": None,
    },
    "races": [
        {"group": "85-89", "results": [{"rank": 1, "swimmer": {"name": "Ada Lund"}}, {"rank": 2, "swimmer": None}]},
        {"group": "90-94", "results": [{"rank": 1, "swimmer": {"name": "Bo Ek"}}]},
    ],
    "banks": ["Citibank", "BNP Paribas", "Barclays"],
}
SCHEMA = {
    "properties": {
        "income": {
            "properties": {
                "op_income": {"$ref": "#/$defs/entries", "description": "EBIT: earnings before interest and tax"},
                "guidance": {"type": "string", "description": "Outlook for the year"},
            }
        }
    },
    "$defs": {"entries": {"type": "array", "items": {"type": "object"}}},
}


def find(text: str) -> Answer:
    """Search the small result above."""
    return find_in(build_job(RESULT, TREE), text)


def more(answer: Answer) -> list[str | None]:
    """Return what each hit has besides what is shown."""
    hits = answer.structured["hits"]
    assert hits["columns"] == ["path", "values", "more"]
    return [more for _, _, more in hits["rows"]]


def paths_in_report(text: str) -> list[str]:
    """Search the report above, and return the paths of the hits."""
    job = build_job(REPORT, configuration={"data_schema": SCHEMA})
    return [path for path, _ in hits(find_in(job, text, MAX_HITS))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,234.50", {"$": "totalAmount", "line_items[0]": "net_price"}),
        ("1234.5", {"$": "totalAmount", "line_items[0]": "net_price"}),
        ("$1,234.50", {"$": "totalAmount", "line_items[0]": "net_price"}),
        ("1.234,5", {"$": "totalAmount", "line_items[0]": "net_price"}),
        ("societe generale", {"$": "vendor"}),
        ("GÉNÉRALE", {"$": "vendor"}),
        ("générale société", {"$": "vendor"}),
        ("bank, 12 rue", {"$": "vendor"}),
        ("true", {"line_items[0]": "paid"}),
        ("ab-007", {"$": "code"}),
        ("AB‑007", {"$": "code"}),
        ("1000000000000000000", {"$": "big"}),
        ("nowhere at all", {}),
    ],
)
def test_search_ignores_case_accents_spacing_and_number_format(text: str, expected: dict[str, str]) -> None:
    found = dict(hits(find(text)))
    assert found.keys() == expected.keys()
    for path, name in expected.items():
        assert name in found[path]


@pytest.mark.parametrize("text", ["total amount", "TotalAmount", "total_amount", "totals amounts"])
def test_search_finds_names_as_words(text: str) -> None:
    assert hits(find(text)) == [("$", {"totalAmount": [1234.5, 4, 0.7]})]
    assert more(find(text)) == ["3 fields"]


@pytest.mark.parametrize(
    ("text", "best"),
    [
        ("americas revenue q2 fy2025", "income.revenue[0]"),
        ("revenue americas second quarter 2025", "income.revenue[0]"),
        ("revenue of the americas in the first half of 2025", "income.revenue[3]"),
        ("emea", "income.revenue[1]"),
        ("americas revenue growth", "income.revenue_growth[0]"),
        ("ebit q2", "income.op_income[0]"),
        ("earnings before tax first half", "income.op_income[1]"),
        ("rank of ada lund", "races[0].results[0]"),
        ("90-94 winner rank 1", "races[1].results[0]"),
        ("barclays bank", "banks"),
        ("fjord pumps", "$"),
    ],
)
def test_object_with_most_of_the_words_comes_first(text: str, best: str) -> None:
    assert paths_in_report(text)[0] == best


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("americas emea revenue q2 2025", ["income.revenue[0]", "income.revenue[1]"]),
        ("q2 2025 revenue emea americas", ["income.revenue[0]", "income.revenue[1]"]),
        ("americas revenue q2 2025 2024", ["income.revenue[0]", "income.revenue[2]"]),
        ("americas revenue 2025 second quarter and first half", ["income.revenue[0]", "income.revenue[3]"]),
    ],
)
def test_words_of_which_a_row_has_one_at_most_are_alternatives(text: str, paths: list[str]) -> None:
    assert sorted(paths_in_report(text)[:2]) == paths


def test_best_object_with_a_word_that_no_other_match_has_is_shown_too() -> None:
    cash = {"dividends_paid": [{"period": "H1", "n": 1}], "share_repurchases": [{"period": "H1", "n": 2}]}
    found = hits(find_in(build_job({"cash": cash}), "dividends paid and repurchases h1"))
    assert [path for path, _ in found] == ["cash.dividends_paid[0]", "cash.share_repurchases[0]"]


def test_field_with_just_the_name_comes_before_one_with_a_longer_name() -> None:
    assert paths_in_report("revenue")[:4] == [f"income.revenue[{index}]" for index in range(4)]
    assert not any("growth" in path for path in paths_in_report("revenue"))


def test_small_object_is_shown_with_all_its_values() -> None:
    job = build_job({"loan": {"amount": 5, "currency": "USD", "note": None}})
    assert hits(find_in(job, "loan amount")) == [("loan", {"amount": 5, "currency": "USD"})]


def test_element_of_a_list_names_its_object_by_a_text() -> None:
    rows = [{"rank": 1, "swimmer": "Ada", "records": ["WR"]}, {"rank": "NA", "swimmer": "Bo", "records": ["ER"]}]
    ((path, values),) = hits(find_in(build_job({"rows": rows}), "wr"))
    assert (path, values) == ("rows[0].records[0]", {"rows[0].swimmer": "Ada", "value": "WR"})


def test_rows_of_one_list_do_not_crowd_out_those_of_another() -> None:
    result = {"share_buyback": [{"n": i} for i in range(9)], "share_issue": [{"n": i} for i in range(9)]}
    paths = [path for path, _ in hits(find_in(build_job(result), "shares"))]
    assert paths == ["share_buyback[0]", "share_buyback[1]", "share_issue[0]", "share_issue[1]"]


def test_list_of_scalars_is_one_row_where_its_name_was_searched() -> None:
    assert hits(find_in(build_job(REPORT), "banks")) == [
        ("banks", {"[0]": "Citibank", "[1]": "BNP Paribas", "[2]": "Barclays"})
    ]


def test_field_that_is_there_and_empty_is_shown_as_null() -> None:
    job = build_job(REPORT, configuration={"data_schema": SCHEMA})
    assert hits(find_in(job, "outlook")) == [("income", {"guidance": None})]


def test_null_field_of_a_row_is_shown() -> None:
    rows = [{"period": "Q2", "value": None, "n": 1}, {"period": "Q3", "value": 5, "n": 2}]
    assert hits(find_in(build_job({"rows": rows}), "q2")) == [("rows[0]", {"period": "Q2", "value": None, "n": 1})]


def test_long_constant_is_cut() -> None:
    rows = [{"name": name, "note": "word " * 1_200} for name in ("red", "blue")]
    ((_, values),) = hits(find_in(build_job({"rows": rows}), "red"))
    assert len(values["note"]) < 200


def test_match_beyond_the_others_that_does_not_fit_is_counted() -> None:
    result = {"paid": [{"red": "x" * 200}], "bought": [{"blue": "y" * 200, "red": None}]}
    answer = find_in(build_job(result), "red blue", max_chars=1_000)
    assert answer.structured["found"]["matches"] == len(hits(answer)) + sum(
        omission["count"] for omission in answer.structured.get("omitted", [])
    )


def test_suggested_call_keeps_budget_and_limit() -> None:
    job = build_job({"rows": [{"word": f"needle {index}"} for index in range(300)]})
    (note,) = omissions(find_in(job, "needle", 10, max_chars=20_000).structured)
    assert "limit=200, max_chars=20000" in note
    (note,) = omissions(find_in(job, "needle", MAX_HITS, max_chars=100_000).structured)
    assert note == "100 of 300 matches; count and filter with query_extract_result"


def test_true_and_one_are_not_the_same_in_all_hits() -> None:
    rows = [{"word": "needle", "a": 1}, {"word": "needle", "a": True}]
    assert "a" not in find_in(build_job({"rows": rows}), "needle").structured.get("shared", {})


def test_hit_names_the_objects_that_contain_it() -> None:
    ((path, values),) = hits(find_in(build_job(REPORT), "bo ek"))
    assert path == "races[1].results[0]"
    assert values == {"races[1].group": "90-94", "rank": 1, "swimmer.name": "Bo Ek"}


def test_true_field_fits_better_than_a_false_one() -> None:
    jobs = [{"employer": "A", "is_current": False}, {"employer": "B", "is_current": True}]
    assert hits(find_in(build_job({"jobs": jobs}), "current employer"))[0][0] == "jobs[1]"


def test_constant_is_shown_without_provenance_unless_it_matches() -> None:
    rows = [{"unit": "USD", "n": 1, "name": "alpha"}, {"unit": "USD", "n": 2, "name": "beta"}]
    tree = [{name: cited(0.9, 1, "x") for name in row} for row in rows]
    job = build_job({"rows": rows}, {"rows": tree})
    assert hits(find_in(job, "alpha"))[0][1]["unit"] == "USD"
    assert hits(find_in(job, "usd alpha"))[0][1]["unit"][:3] == ["USD", 1, 0.9]


def test_only_match_has_its_page_and_the_quote_that_tells_more() -> None:
    answer = find("rue haxo")
    assert answer.structured["found"] == {"matches": 1}
    assert answer.structured["hits"]["cells"] == "[value, page, confidence]"
    quote = "value not in quote: Sold to the Bank,\n12 Rue Haxo"
    assert hits(answer) == [("$", {"vendor": ["Société  Générale", 3, 0.9, quote]})]
    assert more(answer) == ["3 fields"]
    line = '$: vendor = "Société  Générale" [p. 3, 0.9, "value not in quote: Sold to the Bank,\\n12 Rue Haxo"]'
    assert f"\n{line} (+3 fields)\n" in answer.text


def test_words_that_stand_nowhere_are_named() -> None:
    answer = find("societe anonyme")
    assert answer.structured["found"] == {"matches": 1, "absent_words": ["anonyme"]}
    assert '1 match; nowhere in the result: "anonyme".' in answer.text


def test_long_value_is_cut_around_the_match() -> None:
    ((_, values),) = hits(find_in(build_job({"text": "a " * 500 + "needle in hay" + " b" * 500}), "Needle"))
    assert "needle in hay" in values["text"]
    assert len(values["text"]) < 200


def test_object_with_many_fields_shows_those_that_match() -> None:
    row = {f"field_{index}": f"text {index}" for index in range(30)} | {"needle_name": "hay", "amount": 7}
    answer = find_in(build_job({"rows": [row, {"field_1": "other"}]}), "needle")
    ((_, values),) = hits(answer)
    assert values["needle_name"] == "hay"
    assert more(answer) == ["22 fields"]


def test_object_with_few_more_fields_than_are_shown_counts_them() -> None:
    values = {f"f{index}": f"v{index}" for index in range(10)}
    other = {"f1": "z"}
    answer = find_in(build_job({"rows": [values | {"f9": "needle"}, other]}), "needle")
    ((_, whole),) = hits(answer)
    assert list(whole) == list(values)
    assert answer.structured["hits"]["columns"] == ["path", "values"]
    answer = find_in(build_job({"rows": [values | {"f10": "needle"}, other]}), "needle")
    ((_, cut),) = hits(answer)
    assert list(cut) == [*list(values)[:9], "f10"]
    assert more(answer) == ["1 field"]
    assert " (+1 field)\n" in answer.text


def test_hits_with_and_without_more_fields_are_rows_of_one_table() -> None:
    answer = find_in(build_job({"part": {"name": "needle", "a": 1, "b": 2, "c": 3}, "tags": ["needle"]}), "needle")
    assert dict(zip(dict(hits(answer)), more(answer), strict=True)) == {"part": "3 fields", "tags[0]": None}
    assert answer.text.count("(+") == 1


def test_single_object_shows_only_the_fields_that_match() -> None:
    part = {"name": "Ada Lund", "n": 1, "note": "y", "lund": None, "ad": [], "birth": "of Ada Lund"}
    answer = find_in(build_job({"part": part}), "ada lund")
    assert hits(answer) == [("part", {"name": "Ada Lund", "birth": "of Ada Lund"})]
    assert more(answer) == ["3 fields"]


def test_what_all_hits_have_is_shown_once() -> None:
    rows = [{"unit": "USD", "name": "red", "n": 1}, {"unit": "USD", "name": "red", "n": 2}, {"unit": "X", "n": 3}]
    answer = find_in(build_job({"rows": rows}), "red")
    assert answer.structured["shared"] == {"unit": "USD", "name": "red"}
    assert hits(answer) == [("rows[0]", {"n": 1}), ("rows[1]", {"n": 2})]
    # A row is never left without a field.
    bare = find_in(build_job({"rows": [{"name": "red"}, {"name": "red"}]}), "red")
    assert hits(bare) == [("rows[0]", {"name": "red"}), ("rows[1]", {"name": "red"})]


def test_quote_of_several_matches_is_left_out() -> None:
    quote = cited(0.9, 1, "Ada and three more words")
    tree = {"a": {"x": quote}, "b": {"x": quote}}
    assert hits(find_in(build_job({"a": {"x": "Ada"}, "b": {"x": "Bo"}}, tree), "ada")) == [
        ("a", {"x": ["Ada", 1, 0.9, "Ada and three more words"]})
    ]
    assert hits(find_in(build_job({"a": {"x": "Ada"}, "b": {"x": "Ada"}}, tree), "ada")) == [
        ("a", {"x": ["Ada", 1, 0.9]}),
        ("b", {"x": ["Ada", 1, 0.9]}),
    ]


@pytest.mark.parametrize(("num_chars", "name"), [(80, "title"), (81, "place")])
def test_object_that_contains_a_hit_is_named_by_its_first_short_text(num_chars: int, name: str) -> None:
    first = {"n": 1, "title": "x" * num_chars, "place": "Oslo", "rows": [{"who": "Bo"}]}
    result = {"races": [first, {"n": 2, "title": "y", "place": "Bergen", "rows": [{"who": "Cy"}]}]}
    assert hits(find_in(build_job(result), "bo")) == [
        ("races[0].rows[0]", {f"races[0].{name}": first[name], "who": "Bo"})
    ]


def test_boolean_is_no_number() -> None:
    rows = [{"paid": True, "n": 1, "name": "alpha"}, {"paid": True, "n": 2, "name": "beta"}]
    tree = [{name: cited(0.9, 1, "x") for name in row} for row in rows]
    assert hits(find_in(build_job({"rows": rows}, {"rows": tree}), "1 alpha"))[0][1]["paid"] is True


def test_search_without_a_match_names_the_nearest_fields_for_each_word() -> None:
    fields = {f"vendor{letter}": 1 for letter in "abcdef"} | {"totale": 1}
    names = find_in(build_job(fields), "vendorx totalo").structured["similar_names"]
    assert names == ["vendorf", "vendore", "vendord", "totale"]


@pytest.mark.parametrize(("num_rows", "is_many"), [(20, False), (21, True)])
def test_many_matches_are_better_counted_by_a_query(num_rows: int, is_many: bool) -> None:
    answer = find_in(build_job({"rows": [{"word": f"needle {index}"} for index in range(num_rows)]}), "needle")
    (note,) = omissions(answer.structured)
    assert note.endswith("or count and filter with query_extract_result") is is_many
    assert f"limit={num_rows})" in note


def test_search_without_a_match_names_similar_fields() -> None:
    answer = find("vandor")
    assert answer.structured["similar_names"] == ["vendor"]
    assert "get_extract_job(" in next_steps(answer.structured)


@pytest.mark.parametrize("text", ["", "  ", "\u0301", "?!"])
def test_empty_search_text_is_an_error(text: str) -> None:
    with pytest.raises(ArgumentError, match="nothing to search for"):
        find(text)


def test_search_of_stop_words_alone_searches_them() -> None:
    assert [path for path, _ in hits(find_in(build_job({"a": "To be or not to be"}), "to be"))] == ["$"]


def test_omitted_matches_are_counted_with_the_call_that_shows_them() -> None:
    job = build_job({"rows": [{"word": f"needle {index}"} for index in range(90)]})
    answer = find_in(job, "needle")
    assert answer.structured["found"] == {"matches": 90}
    assert len(hits(answer)) == DEFAULT_HITS
    (note,) = omissions(answer.structured)
    call = 'find_in_extract_result(job_id="ext-1", text="needle", limit=90)'
    assert note == f"86 of 90 matches: {call}; give more words, or count and filter with query_extract_result"
    assert len(hits(find_in(job, "needle", 90))) == 90


def test_matches_beyond_the_budget_are_counted_with_a_larger_one() -> None:
    job = build_job({"rows": [{"word": f"needle {index} {'x' * 100}"} for index in range(90)]})
    answer = find_in(job, "needle", 90, max_chars=2_000)
    (note,) = omissions(answer.structured)
    assert note.startswith(f'{90 - len(hits(answer))} of 90 matches: find_in_extract_result(job_id="ext-1", text="nee')
    assert "max_chars=8000" in note


@given(jobs(), st.text(min_size=1, max_size=40), st.integers(1_000, 5_000))
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
def test_answer_fits_its_budget(wire: dict[str, Any], text: str, max_chars: int) -> None:
    try:
        answer = find_in(Job.parse(json.dumps(wire).encode()), text, 50, max_chars)
    except ArgumentError:
        return
    assert max(len(answer.text), len(dump_json(answer.structured))) <= max_chars


def test_search_finds_every_value_of_a_real_job_by_its_text(corpus_job: bytes) -> None:
    job = Job.parse(corpus_job)
    sections, request = JobSections(job.sections), JobRequest(job.id, max_chars=400_000)
    header = build_header(job, request, now=NOW)
    for leaf in [leaf for leaf in sections.document.leaves if not isinstance(leaf.value, bool)][::37]:
        answer = find_text(sections, header, request, str(leaf.value)[:200], MAX_HITS)
        paths = [path for path, _ in hits(answer)]
        assert any(path == "$" or leaf.path.startswith(path) for path in paths), leaf


@pytest.mark.parametrize(
    ("result", "text", "path", "value"),
    [
        pytest.param("alpha beta", "beta", "$", "alpha beta", id="a scalar"),
        pytest.param(1234.5, "1,234.50", "$", 1234.5, id="a number"),
        pytest.param(["beta"], "beta", "[0]", "beta", id="a list of scalars"),
        pytest.param({"rows": [1, "beta", None, {"n": "x"}, [2]]}, "beta", "rows[1]", "beta", id="beside objects"),
        pytest.param({"rows": [[["alpha"]], [["beta"]]]}, "beta", "rows[1][0][0]", "beta", id="lists in lists"),
    ],
)
def test_scalar_that_is_no_field_is_found(result: Any, text: str, path: str, value: Any) -> None:
    job = build_job(result)
    request = JobRequest(job.id)
    answer = find_text(JobSections(job.sections), build_header(job, request, now=NOW), request, text)
    assert answer.structured["hits"]["rows"] == [[path, {"value": value}]]


def test_configuration_that_cannot_be_decoded_does_not_end_the_search() -> None:
    job = Job.parse(
        b'{"id":"ext-1","status":"COMPLETED","extract_result":{"a":"Oslo"},"configuration":{"tier":"\xff"}}'
    )
    assert [path for path, _ in hits(find_in(job, "oslo"))] == ["$"]
