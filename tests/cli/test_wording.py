"""Text for people names commands and flags where text for models names tools and arguments."""

import pytest

from llx_mcp.answers.markdown import render
from llx_mcp.answers.outputs import Call, JobOutput, NextStep, Omission
from llx_mcp.answers.requests import SAME, JobRequest, ReadOptions, WaitRequest
from llx_mcp.cli.wording import describe_error, describe_next_step, describe_omission, format_command, render_for_people
from llx_mcp.errors import ArgumentError, ConfigurationError, NotFoundError, RejectedError
from llx_mcp.scope import Scope

REQUEST = JobRequest("ext-1")


@pytest.mark.parametrize(
    ("call", "command"),
    [
        (REQUEST.call("get_extract_job", expand=["usage", "metadata"], max_chars=20_000),
         "llx-mcp get ext-1 --expand usage --expand metadata --max-chars 20000 --local"),
        (JobRequest("ext 1", scope=Scope("p", "o")).call("wait_for_extract_job"),
         "llx-mcp wait 'ext 1' --project-id p --organization-id o --local"),
        (WaitRequest(("a", "b"), until="any").call(("a", "b"), timeout_seconds=0, max_chars=9_000),
         "llx-mcp wait a b --timeout 0 --max-chars 9000 --local"),
        (Call(tool="wait_for_extract_job", arguments={"job_ids": SAME}), "llx-mcp wait ID --local"),
        (Call(tool="list_extract_jobs", arguments={"status": "FAILED", "created_since": "2026-01-01", "cursor": "x"}),
         "llx-mcp list --status FAILED --since 2026-01-01 --cursor x --local"),
        (ReadOptions("a[*].b").next_call(REQUEST, "x"), "llx-mcp export ext-1 --path 'a[*].b' --local"),
        (ReadOptions().next_call(REQUEST, "x"), "llx-mcp export ext-1 --local"),
        (REQUEST.call("review_extract_job"), 'review_extract_job(job_id="ext-1") in an MCP client'),
    ],
)  # fmt: skip
def test_call_becomes_a_command(call: Call, command: str) -> None:
    assert format_command(call, ("--local",)) == command


@pytest.mark.parametrize(
    ("omission", "text"),
    [
        (Omission(what="values", count=3, total=5, call=REQUEST.call("get_extract_job")),
         "3 of 5 values: llx-mcp get ext-1"),
        (Omission(what="further parts", hint="raise max_chars"), "further parts; raise --max-chars"),
        (Omission(what="values", call=REQUEST.call("read_extract_result"), resource="llx://jobs/ext-1/result"),
         "values: llx-mcp export ext-1"),
        (Omission(what="provenance", resource="llx://jobs/ext-1/metadata"),
         "provenance: llx-mcp export ext-1 --provenance"),
        (Omission(what="values", resource="llx://jobs/ext-1/configuration"),
         "values: the resource llx://jobs/ext-1/configuration in an MCP client"),
    ],
)  # fmt: skip
def test_omission_names_the_command_that_shows_it(omission: Omission, text: str) -> None:
    assert describe_omission(omission, ()) == text


def test_next_step_names_its_command() -> None:
    step = NextStep(text="To wait:", call=REQUEST.call("wait_for_extract_job"))
    assert (
        describe_next_step(step, ("--local-db", "my jobs.db")) == "To wait: llx-mcp wait ext-1 --local-db 'my jobs.db'"
    )
    assert describe_next_step(NextStep(text="Raise max_chars."), ()) == "Raise --max-chars."


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ArgumentError("created_since (given: 'x'): a date"), "--since (given: 'x'): a date"),
        (ArgumentError("no status in $"), "no status in $"),
        (NotFoundError("No job. list_extract_jobs lists them."), "No job. llx-mcp list lists them."),
        (ConfigurationError("Call with a longer timeout_seconds."), "Call with a longer --timeout."),
        (
            ArgumentError("path: use query_extract_result, with SQL."),
            "--path: use query_extract_result (in an MCP client), with SQL.",
        ),
        (ArgumentError('file: "a.pdf" is empty.'), 'FILE: "a.pdf" is empty.'),
        (
            ArgumentError("data_schema is not accepted. Give target_pages."),
            "--schema is not accepted. Give --target-pages.",
        ),
        (ArgumentError("like_job: it has none. Give data_schema."), "--like: it has none. Give --schema."),
        (NotFoundError("configuration_id: it cannot be seen."), "--configuration-id: it cannot be seen."),
        (RejectedError("HTTP 422. project_id (query): not a UUID."), "HTTP 422. --project-id: not a UUID."),
        (ArgumentError("This server allows 1 (--max-pages)."), "This server allows 1 (LLX_MCP_MAX_PAGES)."),
        (NotFoundError("Call again, without again=true."), "Call again, without --again."),
        (FileNotFoundError(2, "No such file or directory", "a.json"), "a.json: No such file or directory"),
        (OSError("odd"), "odd"),
    ],
)
def test_error_names_commands_flags_and_files(error: Exception, text: str) -> None:
    assert describe_error(error) == text


def test_error_names_an_argument_as_its_command_does() -> None:
    assert describe_error(ArgumentError("path a.b: no b in a."), {"path": "PATH"}) == "PATH a.b: no b in a."


def test_answer_without_calls_is_the_text_form() -> None:
    output = JobOutput.model_validate(
        {"job_id": "ext-1", "status": "COMPLETED", "facts": {"took_seconds": 96.0}, "notice": "n", "result": {"a": 1.5}}
    )
    assert render_for_people(output, ()) == render(output)


def test_call_that_shows_a_citation_is_a_whole_command() -> None:
    call = Call(tool="show_citation", arguments={"job_id": "ext-1", "path": ["a.b", "c[0]"], "max_width": 500})
    command = "llx-mcp show ext-1 a.b 'c[0]' --max-width 500 --local -o page.png"
    assert format_command(call, ["--local"]) == command
