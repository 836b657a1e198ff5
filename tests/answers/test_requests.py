"""Requests become calls that can be repeated, and budgets that the service of this server allows."""

from typing import Any

import pytest

from llx_mcp.answers.limits import DEFAULT_CHARS, MAX_CHARS
from llx_mcp.answers.requests import (
    SAME,
    JobListRequest,
    JobRequest,
    ReadOptions,
    WaitRequest,
    build_call,
    format_call,
    round_chars,
)
from llx_mcp.scope import Scope

FILE_ID = "11111111-2222-4333-8444-555555555555"


@pytest.mark.parametrize(("given", "rounded"), [(0, 0), (1, 100), (99, 100), (100, 100), (101, 200), (1_950, 2_000)])
def test_budget_is_rounded_up_to_a_full_hundred(given: int, rounded: int) -> None:
    assert round_chars(given) == rounded


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("x" * 64, "x" * 64),
        ("x" * 65, SAME),
        ("a\u202eb", SAME),
        (0, 0),
        (False, False),
        (["x" * 65], ["x" * 65]),
    ],
)
def test_argument_that_no_call_should_have_is_replaced(value: Any, shown: Any) -> None:
    assert build_call("tool", {"given": value}).arguments == {"given": shown}


def test_arguments_that_were_not_given_are_left_out() -> None:
    call = build_call("tool", {"a": None, "b": "", "c": [], "d": 0, "e": "x y", "f": SAME})
    assert call.arguments == {"c": [], "d": 0, "e": "x y", "f": SAME}
    assert format_call(call) == 'tool(c=[], d=0, e="x y", f=<the same>)'


def test_larger_call_names_the_sections_and_the_rounded_budget() -> None:
    request = JobRequest("ext-1", ("usage",), 1_000, Scope("prj", None))
    call = request.larger_call(2_001, "read_extract_result", path="rows")
    assert call is not None
    assert format_call(call) == (
        'read_extract_result(job_id="ext-1", expand=["usage"], path="rows", max_chars=2100, project_id="prj")'
    )
    plain = JobRequest("ext-1").larger_call(MAX_CHARS)
    assert plain is not None
    assert format_call(plain) == f'get_extract_job(job_id="ext-1", max_chars={MAX_CHARS})'
    assert request.larger_call(MAX_CHARS + 1) is None


@pytest.mark.parametrize(
    ("job_id", "section", "uri"),
    [
        ("ext-1", "", "llx://jobs/ext-1"),
        ("ext-1", "result", "llx://jobs/ext-1/result"),
        ("a/b c", "result", "llx://jobs/a%2Fb%20c/result"),
        ("e" * 64, "", f"llx://jobs/{'e' * 64}"),
        ("e" * 65, "result", f"llx://jobs/{SAME}/result"),
    ],
)
def test_resource_of_a_job_is_a_uri(job_id: str, section: str, uri: str) -> None:
    assert JobRequest(job_id).resource(section) == uri


@pytest.mark.parametrize(
    ("include", "max_chars", "arguments"),
    [
        (("provenance",), DEFAULT_CHARS, {}),
        ((), DEFAULT_CHARS, {"include": []}),
        (("provenance", "boxes"), 2_000, {"include": ["provenance", "boxes"], "max_chars": 2_000}),
    ],
)
def test_call_for_the_next_page_repeats_what_is_not_the_default(
    include: tuple[str, ...], max_chars: int, arguments: dict[str, Any]
) -> None:
    call = ReadOptions("rows", None, include).next_call(JobRequest("ext-1", max_chars=max_chars), "the-cursor")
    assert call.tool == "read_extract_result"
    assert call.arguments == {"job_id": "ext-1", "path": "rows", **arguments, "cursor": "the-cursor"}


def test_request_about_one_of_many_jobs_has_their_sections_and_budget() -> None:
    request = WaitRequest(("a", "b"), "any", ("usage",), 5_000, Scope("prj", "org"))
    assert request.job_request("b") == JobRequest("b", ("usage",), 5_000, Scope("prj", "org"))
    assert request.job_request("b", 1_500).max_chars == 1_500


def test_call_that_waits_repeats_what_is_not_the_default() -> None:
    request = WaitRequest(("a", "b"), "any", ("usage",), 5_000, Scope("prj", "org"))
    assert format_call(request.call(["b"], timeout_seconds=0)) == (
        'wait_for_extract_job(job_ids=["b"], until="any", expand=["usage"], timeout_seconds=0, project_id="prj", '
        'organization_id="org")'
    )
    assert WaitRequest(("a",)).call(["a"]).arguments == {"job_ids": ["a"]}


@pytest.mark.parametrize(
    ("job_ids", "is_short"),
    [
        # With quotation marks and comma, 10 ids take 100 characters: a tenth of the budget.
        (["1234567"] * 10, True),
        (["1234567"] * 9 + ["12345678"], False),
        (["a\u202eb"], False),
        (["a\nb"], False),
        (["x" * 65], False),
        (["x" * 64], True),
    ],
)
def test_many_or_odd_ids_are_not_repeated(job_ids: list[str], is_short: bool) -> None:
    call = WaitRequest(tuple(job_ids), max_chars=1_000).call(job_ids)
    assert call.arguments["job_ids"] == (job_ids if is_short else SAME)


@pytest.mark.parametrize(
    ("document", "file_input", "name_part"),
    [
        ("dfl-1", "dfl-1", None),
        ("PJB-1", "PJB-1", None),
        (FILE_ID, FILE_ID, None),
        (FILE_ID.upper(), FILE_ID.upper(), None),
        (f"{FILE_ID}0", None, f"{FILE_ID}0"),
        ("Invoice dfl-1.PDF", None, "invoice dfl-1.pdf"),
        ("STRASSE ß", None, "strasse ss"),
        ("", None, ""),
        (None, None, None),
    ],
)
def test_document_is_given_by_its_id_or_by_a_part_of_its_name(
    document: str | None, file_input: str | None, name_part: str | None
) -> None:
    request = JobListRequest(document=document)
    assert (request.file_input, request.name_part) == (file_input, name_part)


def test_call_for_the_next_jobs_repeats_the_filters() -> None:
    request = JobListRequest("FAILED", "dfl-1", None, "2026-01-01", None, 2_000, Scope("prj", None))
    assert request.filters == {"status": "FAILED", "document": "dfl-1", "created_since": "2026-01-01"}
    cursor = "c" * 100
    assert format_call(request.call(cursor=cursor)) == (
        'list_extract_jobs(status="FAILED", document="dfl-1", created_since="2026-01-01", max_chars=2000, '
        f'project_id="prj", cursor="{cursor}")'
    )
    assert JobListRequest().call().arguments == {}


def test_cursor_is_bound_to_the_filters_and_the_scope_of_a_list() -> None:
    requests = [
        JobListRequest(),
        JobListRequest("FAILED"),
        JobListRequest(created_since="2026"),
        JobListRequest(created_until="2026"),
        JobListRequest(configuration_id="cfg"),
        JobListRequest(scope=Scope("prj", None)),
        JobListRequest(scope=Scope(None, "prj")),
    ]
    assert len({request.cursor_source for request in requests}) == len(requests)
    assert JobListRequest(max_chars=9_000).cursor_source == JobListRequest().cursor_source
