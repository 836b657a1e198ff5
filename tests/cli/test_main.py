"""The command prints the answers that models get, and its exit status says how it went."""

import argparse
import json
import re
from pathlib import Path

import pytest

from llx_mcp.cli.main import build_parser
from llx_mcp.local import SAMPLES
from llx_mcp.local.samples import read_sample
from tests.cli.command import ID_BY_NAME, run_command
from tests.structured import result_of

COMMANDS = (
    "serve", "get", "wait", "list", "export", "extract", "show", "report", "check", "hash-token", "demo", "completion",
)  # fmt: skip
ACTIONS = ("serve", "record", "import", "export", "redact", "list", "scenarios")


def list_parsers(parser: argparse.ArgumentParser, prefix: str = "") -> dict[str, argparse.ArgumentParser]:
    """Return the parsers of all subcommands, by their words on the command line."""
    found: dict[str, argparse.ArgumentParser] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, child in action.choices.items():
                found |= {f"{prefix}{name}": child} | list_parsers(child, f"{prefix}{name} ")
    return found


def test_get_prints_the_text_form() -> None:
    out = run_command("get", ID_BY_NAME["lab_report"], "--local", "--max-chars", "3000").stdout
    assert out.startswith(f"**COMPLETED** {ID_BY_NAME['lab_report']}\n")
    assert len(out) <= 3_000


def test_get_prints_the_structured_form() -> None:
    arguments = ("--local", "--json", "--expand", "usage", "--expand", "metadata", "--max-chars", "100000")
    view = json.loads(run_command("get", ID_BY_NAME["lab_report"], *arguments).stdout)
    assert result_of(view) == json.loads(read_sample(SAMPLES[2]))["extract_result"]
    assert view["sections"]["usage"]["credits"] == 25.0
    assert "evidence" not in view


@pytest.mark.parametrize(("name", "status"), [("invoice", 0), ("failed_reason", 1), ("cancelled", 1)])
def test_exit_status_of_wait_depends_on_the_job(name: str, status: int) -> None:
    run = run_command("wait", ID_BY_NAME[name], "--local", exit_status=status)
    assert run.stdout.startswith("**")
    assert run.stderr.splitlines()[-1] in ("COMPLETED", "FAILED", "CANCELLED")


def test_wait_ends_at_its_timeout() -> None:
    run = run_command("wait", ID_BY_NAME["running"], "--local", "--timeout", "0", exit_status=3)
    assert run.stdout.startswith("**PENDING**")


def test_unknown_job_is_one_line_that_names_the_next_command() -> None:
    run = run_command("get", "ext-nowhere", "--local", exit_status=2)
    assert run.stderr.startswith('llx-mcp: No job "ext-nowhere" can be seen with this key.')
    assert "llx-mcp list lists the jobs that this key can see." in run.stderr
    assert len(run.stderr.splitlines()) == 1


def test_missing_key_is_reported_with_its_variable() -> None:
    assert "LLAMA_CLOUD_API_KEY" in run_command("get", "ext-1", exit_status=2).stderr
    assert "not set" in run_command("check", exit_status=1).stdout


def test_invalid_setting_is_named() -> None:
    assert "must be https" in run_command("get", "ext-1", "--base-url", "http://example.com", exit_status=2).stderr
    assert "--max-chars" in run_command("get", "ext-1", "--local", "--max-chars", "5", exit_status=2).stderr


def test_token_needs_a_name_and_recording_needs_a_key(tmp_path: Path) -> None:
    run = run_command("hash-token", " ", exit_status=2)
    assert (run.stdout, run.stderr) == (
        "", "llx-mcp: NAME: it is empty. Say who will have the token, such as build-server.\n"
    )  # fmt: skip
    database = tmp_path / "jobs.db"
    run = run_command("local", "record", "ext-1", "--local-db", str(database), exit_status=2)
    assert run.stderr == "llx-mcp: LLAMA_CLOUD_API_KEY is not set. Set it: the jobs are copied from LlamaCloud.\n"
    assert not database.exists()


def test_check_counts_the_jobs_of_the_embedded_api() -> None:
    assert f"{len(SAMPLES)} jobs" in run_command("check", "--local").stdout


def test_imported_job_can_be_read_and_listed(tmp_path: Path) -> None:
    job = tmp_path / "job.json"
    job.write_text('{"id":"ext-mine","status":"COMPLETED","extract_result":{"a":1}}')
    broken = tmp_path / "broken.json"
    broken.write_text('{"id":"ext-mine","sta')
    store = str(tmp_path / "jobs.db")
    run = run_command(
        "local", "import", str(job), str(broken), str(tmp_path / "missing.json"), "--local-db", store, exit_status=2
    )
    assert run.stdout.startswith("ext-mine  ")
    assert "broken.json was not imported: the body is not a JSON object" in run.stderr
    assert "missing.json was not imported: No such file" in run.stderr
    assert "ext-mine  COMPLETED" in run_command("local", "list", "--local-db", store).stdout
    assert json.loads(run_command("get", "ext-mine", "--local-db", store, "--json").stdout)["result"] == {"a": 1}


def test_file_that_is_not_a_database_is_an_error_without_a_traceback(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no store " * 200)
    for arguments in (["local", "list"], ["get", "ext-1"], ["check"]):
        run = run_command(*arguments, "--local-db", str(path), exit_status=2)
        assert "cannot be opened as a store" in run.stderr
        assert "Traceback" not in run.stderr


def test_every_command_has_help_with_an_example() -> None:
    parsers = list_parsers(build_parser())
    assert set(parsers) == {"local", *COMMANDS, *(f"local {action}" for action in ACTIONS)}
    for command, parser in parsers.items():
        shown = parser.format_help()
        assert re.match(r"[A-Z][a-z]+ [a-z ]+", shown), command
        assert shown.index("usage: ") > shown.index(".")
        *_, title, example = shown.splitlines()
        assert title == "Example:"
        assert f"  llx-mcp {command}" in f"  {example.strip()}".replace('eval "$(', ""), command


def test_list_is_printed_as_text_and_as_json() -> None:
    run = run_command("list", "--local", "--document", "loan", "--status", "completed")
    assert run.stdout.startswith('**2 jobs**, newest first · status "COMPLETED", document "loan"')
    view = json.loads(run_command("list", "--local", "--since", "2026-07-06", "--max-chars", "1000", "--json").stdout)
    older = json.loads(
        run_command("list", "--local", "--since", "2026-07-06", "--cursor", view["cursor"], "--json").stdout
    )
    assert len(view["jobs"]["rows"]) + len(older["jobs"]["rows"]) == len(SAMPLES)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--since", "soon"), "--since (given: 'soon'): a date or time in ISO 8601"),
        (("--max-chars", "5"), "argument --max-chars: give a whole number from 1,000 to 400,000"),
        (("--cursor", "x"), "llx-mcp: --cursor: this server did not create it"),
        (("--status", "done"), "invalid choice"),
    ],
)
def test_invalid_list_argument_is_reported_as_a_flag(arguments: tuple[str, ...], words: str) -> None:
    assert words in run_command("list", "--local", *arguments, exit_status=2).stderr
