"""A list says how many jobs it shows, and goes on exactly after the last of them."""

from typing import Any

import pytest

from llx_mcp.answers.budget import Answer
from llx_mcp.answers.cursors import CursorError
from llx_mcp.answers.job_list import JobListBuilder, ListPosition, decode_position, parse_time
from llx_mcp.answers.requests import JobListRequest
from llx_mcp.answers.wait_report import JobRow
from llx_mcp.errors import ArgumentError
from llx_mcp.scope import Scope
from tests.generated_jobs import NOW
from tests.structured import next_steps, omissions

ROWS = [
    JobRow("ext-1", "COMPLETED", 34.4, "dfl-1", name="Invoice May.pdf", created_at="2026-01-05T09:00:02Z"),
    JobRow("ext-2", "FAILED", None, "dfl-2", "no such page", name=None, created_at="2026-01-05T09:00:01Z"),
    JobRow("ext-3", "RUNNING", 9.5, "DFL-3", name="Report.pdf", created_at="2026-01-05T09:00:00Z"),
]


def list_of(
    request: JobListRequest, rows: list[JobRow] = ROWS, next_token: str | None = None, num_unreadable: int = 0
) -> Answer:
    """Return the list of one page of jobs."""
    builder = JobListBuilder(request)
    builder.add(rows, None, num_unreadable)
    return builder.build(next_token, NOW)


def test_list_has_a_row_for_each_job_and_the_time_of_the_service() -> None:
    structured = list_of(JobListRequest(scope=Scope("prj", None))).structured
    assert structured["listed"] == {"jobs": 3, "now": "2026-01-01T00:00:00Z"}
    assert structured["jobs"]["columns"] == ["job_id", "status", "created_at", "seconds", "document", "name", "note"]
    assert structured["jobs"]["rows"][0] == [
        "ext-1", "COMPLETED", "2026-01-05T09:00:02Z", 34, "dfl-1", "Invoice May.pdf", None
    ]  # fmt: skip
    assert next_steps(structured) == 'To read the first: get_extract_job(job_id="ext-1", project_id="prj")'
    assert structured.keys().isdisjoint({"omitted", "cursor"})
    assert "not instructions" in structured["notice"]


@pytest.mark.parametrize(
    ("document", "ids"),
    [
        ("MAY", ["ext-1"]),
        (".pdf", ["ext-1", "ext-3"]),
        ("dfl3", []),
        # The id of a document counts only as a whole.
        ("x", []),
        (None, ["ext-1", "ext-2", "ext-3"]),
        ("dfl-9", ["ext-1", "ext-2", "ext-3"]),
    ],
)
def test_jobs_are_filtered_by_a_part_of_the_name(document: str | None, ids: list[str]) -> None:
    structured = list_of(JobListRequest(document=document)).structured
    assert [row[0] for row in structured.get("jobs", {"rows": []})["rows"]] == ids
    assert structured["listed"]["jobs"] == len(ids)
    # A part of a name is searched for here, an id by the service.
    is_name = document is not None and not document.startswith("dfl-")
    assert structured["listed"].get("searched") == (3 if is_name else None)
    assert structured["listed"].get("filters") == (None if document is None else {"document": document})


def test_document_of_unusual_id_is_found_by_the_whole_of_it() -> None:
    rows = [JobRow("ext-1", "RUNNING", document="My-File"), JobRow("ext-2", "RUNNING", document="My-File-2")]
    structured = list_of(JobListRequest(document="my-file"), rows).structured
    assert [row[0] for row in structured["jobs"]["rows"]] == ["ext-1"]


@pytest.mark.parametrize(
    ("request_keys", "next_token", "num_unreadable", "words"),
    [
        ({}, None, 0, "This key sees no job here"),
        ({}, "token", 0, "Older jobs may follow: go on with the cursor"),
        ({"status": "FAILED"}, "token", 0, "No job passes these filters so far"),
        ({"status": "FAILED"}, None, 2, "None of these items is a job"),
    ],
)
def test_empty_list_says_what_to_do(
    request_keys: dict[str, Any], next_token: str | None, num_unreadable: int, words: str
) -> None:
    structured = list_of(JobListRequest(**request_keys), [], next_token, num_unreadable).structured
    assert words in next_steps(structured)
    assert "notice" not in structured


def test_items_that_are_not_jobs_are_counted_over_all_pages() -> None:
    builder = JobListBuilder(JobListRequest(document="e"))
    builder.add(ROWS[:1], None, 1)
    builder.add(ROWS[1:], "token", 2)
    structured = builder.build(None, NOW).structured
    assert omissions(structured) == ["3 items that are not jobs; the service sent them without an id or a status"]
    assert structured["listed"]["searched"] == 3


def test_next_page_is_named_in_the_cursor() -> None:
    request = JobListRequest()
    structured = list_of(request, next_token="token").structured
    assert decode_position(structured["cursor"], request) == ListPosition("token")
    assert omissions(structured) == [f'older jobs: list_extract_jobs(cursor="{structured["cursor"]}")']


def test_list_that_is_cut_goes_on_in_its_own_page_before_the_next() -> None:
    request = JobListRequest(max_chars=1_000)
    rows = [JobRow(f"ext-{n}", "RUNNING", name="x" * 60, created_at="2026-01-05T09:00:00Z") for n in range(20)]
    structured = list_of(request, rows, "token").structured
    shown = structured["jobs"]["rows"]
    assert 0 < len(shown) < 20
    position = ListPosition(None, shown[-1][0], "2026-01-05T09:00:00Z")
    assert decode_position(structured["cursor"], request) == position
    assert structured["listed"]["jobs"] == len(shown)


@pytest.mark.parametrize(
    ("position", "ids"),
    [
        (ListPosition(None, None, None), ["ext-1", "ext-2", "ext-3"]),
        (ListPosition(None, "ext-2", "2026-01-05T09:00:01Z"), ["ext-3"]),
        (ListPosition(None, "ext-3", None), []),
        (ListPosition(None, "gone", None), ["ext-1", "ext-2", "ext-3"]),
        (ListPosition(None, "gone", "2026-01-05T09:00:01Z"), ["ext-3"]),
    ],
)
def test_list_goes_on_after_the_last_job_even_where_it_is_gone(position: ListPosition, ids: list[str]) -> None:
    assert [row.job_id for row in position.skip(ROWS)] == ids


def test_jobs_without_a_time_are_never_skipped_where_the_last_job_is_gone() -> None:
    rows = [JobRow("ext-1", "RUNNING"), JobRow("ext-2", "RUNNING", created_at="2026-01-05T09:00:00Z")]
    assert ListPosition(None, "gone", "2026-01-05T09:00:00Z").skip(rows) == rows[:1]


def test_room_is_judged_by_the_jobs_so_far() -> None:
    builder = JobListBuilder(JobListRequest(max_chars=2_000))
    assert builder.has_room(1_000_000)
    builder.add(ROWS, None)
    fits = [builder.has_room(count) for count in range(40)]
    num_more = fits.count(True)
    assert fits == [True] * num_more + [False] * (40 - num_more)
    assert 8 < num_more < 25
    # As many of the longest of these jobs as there is room for do fit.
    whole = JobListBuilder(JobListRequest(max_chars=2_000))
    whole.add(ROWS * (1 + num_more // 3), None)
    assert len(whole.build(None, NOW).structured["jobs"]["rows"]) == 3 * (1 + num_more // 3)


def test_cursor_still_works_after_jobs_are_added_or_deleted() -> None:
    request = JobListRequest()
    rows = [JobRow(f"ext-{n}", "RUNNING", created_at=f"2026-01-05T09:00:{59 - n:02}Z") for n in range(20)]
    builder = JobListBuilder(JobListRequest(max_chars=1_000))
    builder.add(rows, None)
    answer = builder.build(None, NOW)
    position = decode_position(answer.structured["cursor"], request)
    shown = len(answer.structured["jobs"]["rows"])
    deleted = [row for row in rows if row.job_id != position.job_id]
    assert position.skip(deleted) == rows[shown:]
    newer = [JobRow("ext-new", "PENDING", created_at="2026-01-05T09:01:59Z"), *rows]
    assert position.skip(newer) == rows[shown:]


@pytest.mark.parametrize("cursor", ["x", "AAAA", "é", "", "AVtudWxs"])
def test_invalid_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(CursorError, match="eave it out to start again"):
        decode_position(cursor, JobListRequest())


def test_cursor_of_another_list_is_refused() -> None:
    builder = JobListBuilder(JobListRequest(status="FAILED"))
    with pytest.raises(CursorError, match="belongs to another list of jobs"):
        decode_position(builder.build("token", NOW).structured["cursor"], JobListRequest(status="RUNNING"))


@pytest.mark.parametrize(
    ("text", "is_end", "moment"),
    [
        ("2026-01-31", False, "2026-01-31T00:00:00+00:00"),
        ("2026-01-31", True, "2026-01-31T23:59:59.999999+00:00"),
        ("2026-01-31T08:00:00Z", True, "2026-01-31T08:00:00+00:00"),
        ("2026-01-31T08:00:00+02:00", False, "2026-01-31T06:00:00+00:00"),
        (" 2026-01-31 08:00 ", False, "2026-01-31T08:00:00+00:00"),
    ],
)
def test_time_is_iso_8601_and_a_date_covers_its_whole_day(text: str, is_end: bool, moment: str) -> None:
    found = parse_time("created_since", text, is_end=is_end)
    assert found is not None
    assert found.isoformat() == moment


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_invalid_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ArgumentError, match="ISO 8601, such as 2026-01-31"):
        parse_time("created_since", text)
