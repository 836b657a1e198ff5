"""Neither form of an answer exceeds its budget, for any job."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llx_mcp.answers.budget import AnswerBuilder, Cost, TableBuilder, build_table, head_cost, part_cost
from llx_mcp.answers.header import build_header
from llx_mcp.answers.requests import JobRequest
from llx_mcp.answers.summary import summarize
from llx_mcp.models import Job
from llx_mcp.outputs import JobOutput, NextStep, Omission, Output
from llx_mcp.result.sanitize import dump_json
from llx_mcp.result.sections import JobSections
from llx_mcp.scope import Scope
from tests.generated_jobs import NOW, jobs
from tests.structured import omissions


@given(
    jobs(),
    st.one_of(st.integers(1_000, 3_000), st.integers(1_000, 60_000)),
    st.sets(st.sampled_from(["configuration", "extract_metadata", "usage", "metadata"])),
    st.booleans(),
)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_both_forms_stay_within_the_budget(
    wire: dict[str, Any], max_chars: int, expand: set[str], has_scope: bool
) -> None:
    scope = "12345678-1234-1234-1234-123456789abc" if has_scope else None
    request = JobRequest(wire["id"], tuple(sorted(expand)), max_chars, Scope(scope, scope))

    job = Job.parse(json.dumps(wire).encode())
    answer = summarize(JobSections(job.sections), build_header(job, request, now=NOW, waited_seconds=3599.9), request)

    assert len(answer.text) <= max_chars, answer.text
    assert len(dump_json(answer.structured)) <= max_chars, answer.structured


HEAD = JobOutput(job_id="ext-1", status="COMPLETED")
MORE = "further parts; raise max_chars"


def builder_with(room: int) -> AnswerBuilder:
    """Return a builder that has room for this many characters in the tighter form, besides its head."""
    taken = AnswerBuilder(HEAD, 10_000)
    return AnswerBuilder(HEAD, 10_000 - min(taken.room.text, taken.room.data) + room)


def test_costs_are_compared_and_added_in_both_forms() -> None:
    cost = Cost(3, 5)
    assert (cost + Cost(1, 2), cost - Cost(1, 2), cost.chars) == (Cost(4, 7), Cost(2, 3), 5)
    assert [cost.fits(Cost(*room)) for room in ((3, 5), (2, 5), (3, 4))] == [True, False, False]
    assert Cost(7, 10).share(0.5) == Cost(3, 5)
    assert Cost() == Cost(0, 0)


@pytest.mark.parametrize(
    "parts", [{}, {"error": "x\u202e"}, {"error": 'a"b', "counts": {"values": 1, "nulls": 0}, "shape": "s"}]
)
def test_size_of_an_answer_is_that_of_its_head_and_its_parts(parts: dict[str, Any]) -> None:
    builder = AnswerBuilder(HEAD, 5_000)
    before = builder.spent
    output = JobOutput.model_validate({**HEAD.structured(), **parts})
    for name in parts:
        assert builder.add(name, getattr(output, name))
    answer = builder.build()
    reserved = part_cost("omitted", [Omission(what="further parts", hint="raise max_chars")])
    spent = builder.spent - reserved
    assert (len(answer.text), len(dump_json(answer.structured))) == (spent.text, spent.data)
    assert before.chars <= builder.spent.chars
    assert head_cost(HEAD).data == len(dump_json(HEAD.structured()))


@pytest.mark.parametrize("name", ["error", "result"])
def test_part_is_added_where_it_just_fits(name: str) -> None:
    # The text form of an error takes more, the structured form of a result with quotation marks.
    value = "e" * 50 if name == "error" else '"' * 300
    room, cost = AnswerBuilder(HEAD, 5_000).room, part_cost(name, value)
    need = 5_000 - min(room.text - cost.text, room.data - cost.data)
    enough, too_small = AnswerBuilder(HEAD, need), AnswerBuilder(HEAD, need - 1)
    assert (enough.add(name, value), enough.unmet) == (True, Cost())
    assert (too_small.add(name, value), too_small.unmet) == (False, cost)
    assert omissions(enough.build().structured) == []
    assert omissions(too_small.build().structured) == [MORE]
    # With a further part that does not fit, the answer takes all of the budget.
    enough.add("shape", "s" * 5_000)
    full = enough.build()
    assert need - 1 <= max(len(full.text), len(dump_json(full.structured))) <= need


def test_unmet_parts_are_summed() -> None:
    builder = builder_with(10)
    cost = part_cost("error", "e" * 50) + part_cost("shape", "s" * 60)
    assert [builder.add("error", "e" * 50), builder.add("shape", "s" * 60)] == [False, False]
    assert builder.unmet == cost


def test_omissions_share_one_list() -> None:
    first, second = Omission(what="first", count=1), Omission(what="second", count=2)
    builder = AnswerBuilder(HEAD, 5_000)
    both = builder.omissions_cost(first, second)
    assert both == part_cost("omitted", [first, second])
    builder.omit(first)
    assert builder.omissions_cost() == Cost()
    assert builder.omissions_cost(second) == both - part_cost("omitted", [first])
    builder.omit(second)
    assert omissions(builder.build().structured) == ["1 first", "2 second"]


def test_omission_that_does_not_fit_is_among_further_parts() -> None:
    builder = builder_with(60)
    builder.omit(Omission(what="few"))
    builder.omit(Omission(what="w" * 200))
    answer = builder.build()
    assert omissions(answer.structured) == ["few", MORE]


def test_next_steps_take_at_most_their_share_of_the_room() -> None:
    long, short = [NextStep(text="l" * 300)], [NextStep(text="short")]
    cost = part_cost("next_steps", long).data
    for room, shown in ((int(cost / 0.6) + 20, long), (int(cost / 0.6) - 20, short), (20, None)):
        builder = builder_with(room)
        builder.add_next_steps(long, short)
        structured = builder.build().structured
        assert structured.get("next_steps") == (None if shown is None else [{"text": shown[0].text}])
        assert omissions(structured) == ([MORE] if shown is None else [])


def line(row: Any) -> str:
    """Render a row of a table."""
    return dump_json(row)


def table_of(num_rows: int) -> TableBuilder:
    """Return a table of rows that take as much each."""
    rows = iter([[f"path{index}", 1, 0.5, 2] for index in range(num_rows)])
    return TableBuilder("lowest_confidence", ["path", "value", "confidence", "page"], rows, line)


def test_table_takes_rows_as_long_as_they_fit() -> None:
    whole = table_of(9)
    cost = whole.fill(Cost(9_999, 9_999))
    assert (len(whole.rows), whole.spent) == (9, cost)
    exact = table_of(9)
    assert exact.fill(cost) == cost
    for room in (cost - Cost(1, 0), cost - Cost(0, 1)):
        short = table_of(9)
        short.fill(room)
        assert len(short.rows) == 8
        # The row that did not fit is not lost.
        spent = short.spent
        assert short.fill(Cost(9_999, 9_999)) == cost - spent
        assert (short.rows, short.spent) == (whole.rows, cost)
    assert table_of(0).fill(cost) == Cost()


def test_table_of_one_row_has_the_cost_of_the_table() -> None:
    one, two = table_of(1), table_of(2)
    one.fill(Cost(9_999, 9_999))
    two.fill(Cost(9_999, 9_999))
    row = Cost(len(line(two.rows[1])) + 1, len(dump_json(two.rows[1])) + 1)
    assert two.spent - one.spent == row
    empty = part_cost("lowest_confidence", build_table(one.columns, []))
    assert one.spent == empty + row


def test_table_says_what_its_lists_stand_for() -> None:
    output: Output = JobOutput(**HEAD.structured(), lowest_confidence=build_table(["a"], [[1]], "[value, page]"))
    assert output.structured()["lowest_confidence"] == {"columns": ["a"], "cells": "[value, page]", "rows": [[1]]}
    assert "cells" not in build_table(["a"], []).model_fields_set
