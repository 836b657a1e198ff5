"""A search leaves nothing of a list out without saying so."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llx_mcp.answers.budget import Answer
from llx_mcp.errors import ArgumentError
from llx_mcp.models import Job
from tests.answers.searches import find_in, hits
from tests.example_jobs import build_job, cited
from tests.generated_jobs import jobs
from tests.structured import omissions

GRANTS = ["Humboldt Fund", "Curie Trust", "Noether Fund", "Lise Foundation", "Hertz Fund"]
PERIODS = ["2023", "2024", "2025 Q3", "2025 Q2", "2022"]


def numbers(answer: Answer) -> tuple[int, int]:
    """Return how many matches there are, and how many related objects and values are shown with them."""
    found = answer.structured["found"]
    return found["matches"], found.get("related", 0)


def deposits(*periods: str) -> list[dict[str, Any]]:
    """Return a list with one row for each period."""
    return [{"period": period, "amount": 700 + index} for index, period in enumerate(periods)]


def test_list_whose_name_was_searched_is_shown_whole_with_the_matches_first() -> None:
    answer = find_in(build_job({"grants": GRANTS}), "grants fund")
    assert numbers(answer) == (3, 2)
    ((path, values),) = hits(answer)
    assert path == "grants"
    assert list(values.items()) == [(f"[{index}]", GRANTS[index]) for index in (0, 2, 4, 1, 3)]
    assert answer.text.splitlines()[1] == "3 matches, then 2 related."
    assert omissions(answer.structured) == []


@pytest.mark.parametrize("holder", ["grants", "sponsors"])
def test_list_is_about_the_words_of_its_description_and_of_its_holder(holder: str) -> None:
    job = build_job(
        {holder: {"names": GRANTS}},
        configuration={"data_schema": {"properties": {"sponsors": {"description": "Grants that were received"}}}},
    )
    assert numbers(find_in(job, "grants fund")) == (3, 2)


def test_long_list_says_how_many_elements_are_left_out_and_which_call_reads_them() -> None:
    theses = [f"{GRANTS[index % 5]}: {'word ' * 30}{index}" for index in range(40)]
    answer = find_in(build_job({"thesis": {"theses": theses}}), "theses lise")
    ((path, values),) = hits(answer)[:1]
    assert (path, list(values)) == ("thesis.theses", [f"[{index}]" for index in range(3, 40, 5)])
    call = 'read_extract_result(job_id="ext-1", path="thesis.theses")'
    assert omissions(answer.structured) == [f"32 of 40 elements of thesis.theses: {call}"]
    assert f"\nLeft out: 32 of 40 elements of thesis.theses: {call}\n" in answer.text


def test_call_for_a_list_with_a_long_path_has_the_whole_path() -> None:
    name = "theses_" + "x" * 90
    (note,) = omissions(find_in(build_job({name: ["word " * 60 + str(i) for i in range(40)]}), "theses 17").structured)
    assert note.endswith(f'path="{name}")')
    endless = {"theses_" + "x" * 900: ["word " * 60 + str(i) for i in range(40)]}
    (note,) = omissions(find_in(build_job(endless), "theses 17").structured)
    assert note == f"39 of 40 elements of theses_{'x' * 193}…[+707]"


@pytest.mark.parametrize(
    ("marks", "expected", "more"),
    [
        (["gold"], {"value": "gold"}, []),
        (["silver", "gold"], {"[1]": "gold", "[0]": "silver"}, []),
        (["gold", "x" * 200], {"value": "gold"}, ["1 element"]),
        (["gold", None], {"[0]": "gold", "[1]": None}, []),
    ],
)
def test_other_elements_of_a_list_that_was_not_named_are_shown_or_counted(
    marks: list[Any], expected: dict[str, Any], more: list[str]
) -> None:
    answer = find_in(build_job({"rows": [{"marks": marks}]}), "gold")
    ((_, values, *rest),) = answer.structured["hits"]["rows"]
    assert (list(values.items()), rest) == (list(expected.items()), more)


def test_elements_that_fit_differently_share_the_row_of_their_list() -> None:
    ((path, values),) = hits(find_in(build_job({"funds": GRANTS}), "funds"))
    assert (path, list(values)) == ("funds", ["[0]", "[2]", "[4]", "[1]", "[3]"])


@pytest.mark.parametrize(
    ("text", "shown", "expected"),
    [
        # Each of several periods keeps its row, though one has more of the words.
        ("deposits 2024, Q3 2025", [2, 1], (2, 0)),
        ("deposits end of 2023, end of third quarter 2025, end of second quarter 2025", [2, 3, 0], (3, 0)),
        ("deposits", [0, 1, 2, 3], (5, 0)),
    ],
)
def test_each_period_of_the_words_is_shown(text: str, shown: list[int], expected: tuple[int, int]) -> None:
    result = {"deposits": deposits(*PERIODS), "loans": deposits(*PERIODS), "report": {"period_end": "2025-09-30"}}
    answer = find_in(build_job(result), text)
    assert [path for path, _ in hits(answer)] == [f"deposits[{index}]" for index in shown]
    assert numbers(answer) == expected
    assert len(omissions(answer.structured)) == 1


def test_few_rows_that_lack_a_word_are_shown_after_the_matches() -> None:
    answer = find_in(build_job({"deposits": deposits("2024", "2025 Q3")}), "deposits Q3 2025")
    assert hits(answer) == [
        ("deposits[1]", {"period": "2025 Q3", "amount": 701}),
        ("deposits[0]", {"period": "2024", "amount": 700}),
    ]
    assert numbers(answer) == (1, 1)
    assert answer.text.splitlines()[1] == "1 match, then 1 related."


def test_quote_of_the_only_match_is_shown_beside_related_rows() -> None:
    quote = cited(0.9, 1, "Deposits at the end of 2025 Q3 were 701")
    tree = [{"period": quote, "amount": quote} for _ in range(2)]
    rows = hits(find_in(build_job({"deposits": deposits("2024", "2025 Q3")}, {"deposits": tree}), "deposits Q3 2025"))
    assert len(rows[0][1]["period"]) == 4


@pytest.mark.parametrize(
    ("result", "text", "note"),
    [
        ({"deposits": deposits(*PERIODS)}, "deposits Q3 2025", "4 of 5 rows of deposits that differ in period"),
        (
            {"grants": [{"by": name, "year": 2020 + i, "sum": i} for i, name in enumerate(GRANTS)]},
            "grants by hertz in 2024",
            "4 of 5 rows of grants that differ in by or year",
        ),
        # The words are not about the list, but all are names of fields besides the period.
        ({"rows": deposits(*PERIODS)}, "amount Q3 2025", "4 of 5 rows of rows that differ in period"),
        # The topic is a value that other rows have, too.
        (
            {"rows": [{"kind": kind, "at": at} for at in PERIODS for kind in ("cash", "debt")]},
            "cash Q3 2025",
            "4 of 5 rows of rows that differ in at",
        ),
        (
            {"years": [{"at": at, "rows": [{"kind": "cash"}, {"kind": "debt"}]} for at in PERIODS]},
            "cash Q3 2025",
            "4 of 5 rows of years[*].rows that differ in years[*].at",
        ),
    ],
)
def test_rows_that_lack_a_word_are_counted_with_what_tells_them_apart(
    result: dict[str, Any], text: str, note: str
) -> None:
    answer = find_in(build_job(result), text)
    assert numbers(answer) == (1, 0)
    assert omissions(answer.structured) == [note]
    assert f"\nLeft out: {note}\n" in answer.text


def test_row_that_has_a_name_of_its_own_says_nothing_of_the_others() -> None:
    staff = [{"name": name, "salary": index} for index, name in enumerate(GRANTS)]
    answer = find_in(build_job({"staff": staff}), "salary of hertz")
    assert [path for path, _ in hits(answer)] == ["staff[4]"]
    assert omissions(answer.structured) == []


@pytest.mark.parametrize(
    ("num", "named", "rest"),
    [(3, ["long", "short", "fixed"], []), (4, ["long", "short"], ["8 rows of 2 other lists"])],
)
def test_lists_beyond_the_first_few_share_a_note(num: int, named: list[str], rest: list[str]) -> None:
    result = {f"{name}_deposits": deposits(*PERIODS) for name in ("long", "short", "fixed", "other", "old")[:num]}
    notes = omissions(find_in(build_job(result), "deposits Q3 2025").structured)
    assert notes == [*(f"4 of 5 rows of {name}_deposits that differ in period" for name in named), *rest]


def test_related_rows_take_no_more_than_some_characters() -> None:
    rows = [{"period": period, "note": letter * 240} for period, letter in (("2024", "y"), ("2025 Q3", "z"))]
    answer = find_in(build_job({"deposits": rows}), "deposits Q3 2025")
    assert numbers(answer) == (1, 0)
    assert omissions(answer.structured) == ["1 of 2 rows of deposits that differ in period"]


def test_more_matches_leave_less_room_for_related_rows() -> None:
    job = build_job({"deposits": deposits("2024", "2025 Q3", "2025 Q3", "2025 Q3")})
    assert numbers(find_in(job, "deposits Q3 2025")) == (3, 1)
    assert numbers(find_in(job, "deposits Q3 2025", limit=3)) == (3, 0)


def test_related_rows_that_do_not_fit_are_counted() -> None:
    rows = [{"period": period, "note": "y" * 90} for period in ("2025 Q3", "2024", "2023")]
    answer = find_in(build_job({"deposits": rows, "z": 1}), "deposits Q3 2025", max_chars=1_000)
    shown = [path for path, _ in hits(answer)]
    assert shown[0] == "deposits[0]"
    assert sum(note["count"] for note in answer.structured.get("omitted", [])) == len(rows) - len(shown)


def test_each_of_several_values_has_its_share_of_the_rows() -> None:
    rows = [{"port": port, "ship": index} for index, port in enumerate(["Bergen"] * 6 + ["Oslo"] * 6 + ["Moss"] * 6)]
    answer = find_in(build_job({"calls": rows}), "calls at Bergen and Moss")
    assert [path for path, _ in hits(answer)] == ["calls[0]", "calls[1]", "calls[12]", "calls[13]"]
    assert numbers(answer) == (12, 0)


def test_rows_that_fit_as_well_as_the_further_one_are_counted() -> None:
    notes = [{"v": f"{word} visit"} for word in ("first", "other", "new", "red")]
    answer = find_in(build_job({"staff": [{"name": "Ada"}], "notes": [*notes, {"v": "x"}]}), "ada visit")
    assert [path for path, _ in hits(answer)] == ["staff[0]", "notes[0]"]
    assert omissions(answer.structured) == ["3 of 4 rows of notes that differ in v"]


def test_number_within_a_time_is_not_what_tells_matches_apart() -> None:
    laps = [{"runner": name, "time": time} for name, time in (("Ada", "1:03.50"), ("Bo", "1:08.30"), ("Cy", "0:59.99"))]
    answer = find_in(build_job({"laps": laps}), "runner 30")
    assert numbers(answer) == (3, 0)


@pytest.mark.parametrize(
    ("result", "text", "paths"),
    [
        (
            {"bilanz": {"rückstellungen": deposits("2024", "2025 Q2")}, "stichtag_ende": "2025-06-30"},
            "Rückstellungen Ende 2024, Ende Q2 2025",
            ["bilanz.rückstellungen[1]", "bilanz.rückstellungen[0]"],
        ),
        (
            {"bilan": {"provisions": deposits("2024", "2025 Q2")}, "fin_exercice": "2025-06-30"},
            "provisions fin 2024, fin 2025 Q2",
            ["bilan.provisions[1]", "bilan.provisions[0]"],
        ),
        (
            {"貸借対照表": {"引当金": deposits("2024", "2025 Q2")}, "期末": "2025-06-30"},
            "引当金 2024 期末, 2025 Q2 期末",
            ["貸借対照表.引当金[1]", "貸借対照表.引当金[0]"],
        ),
        ({"銀行団": ["青木銀行", "東京信託"]}, "銀行 銀行団", ["銀行団"]),
        ({"prêteurs": ["Banque Haxo", "Crédit Lyon"]}, "prêteurs banque", ["prêteurs"]),
        ({"kreditgeber": ["Bank Weiß", "Kasse Süd"]}, "Kreditgeber Bank", ["kreditgeber"]),
    ],
)
def test_periods_and_lists_of_other_languages_are_kept_together(
    result: dict[str, Any], text: str, paths: list[str]
) -> None:
    answer = find_in(build_job(result), text)
    assert [path for path, _ in hits(answer)] == paths
    assert omissions(answer.structured) == []


def shown_values(answer: Answer) -> Iterator[str]:
    """Yield the path of each object and element that is shown."""
    for path, values in hits(answer):
        elements = [name for name in values if re.fullmatch(r"\[\d+\]", name)]
        yield from (f"{path}{element}" for element in elements) if elements else [path]


@given(jobs(), st.lists(st.sampled_from(["a", "name", "2024", "q2", "1", "x", "value"]), min_size=1, max_size=4))
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
def test_each_match_is_shown_once_or_counted_as_left_out(wire: dict[str, Any], words: list[str]) -> None:
    try:
        answer = find_in(Job.parse(json.dumps(wire).encode()), " ".join(words), 3, 4_000)
    except ArgumentError:
        return
    if "found" not in answer.structured or answer.structured.get("omitted", [{}])[-1].get("what") == "further parts":
        return
    shown = list(shown_values(answer))
    assert len(shown) == len(set(shown))
    matches, related = numbers(answer)
    left = sum(note["count"] for note in answer.structured.get("omitted", []) if note["what"] == "matches")
    assert matches - left <= len(shown) <= matches - left + related
