"""The command gives people the answers that models get, and says in its exit status how it went."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from llx_mcp.local import SAMPLES
from llx_mcp.local.samples import read_sample

BY_NAME = {sample.name: sample.job_id for sample in SAMPLES}


def llx(*arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    run = subprocess.run([sys.executable, "-m", "llx_mcp", *arguments], capture_output=True, text=True, timeout=60)
    assert run.returncode == status, run.stderr
    return run


def test_get_prints_the_text_form() -> None:
    out = llx("get", BY_NAME["lab_report"], "--local", "--max-chars", "3000").stdout
    assert out.startswith(f"**COMPLETED** {BY_NAME['lab_report']}\n")
    assert len(out) <= 3_000


def test_get_prints_the_structured_form() -> None:
    arguments = ("--local", "--json", "--expand", "usage", "--expand", "metadata", "--max-chars", "100000")
    view = json.loads(llx("get", BY_NAME["lab_report"], *arguments).stdout)
    assert view["result"] == json.loads(read_sample(SAMPLES[2]))["extract_result"]
    assert view["sections"]["usage"]["credits"] == 25.0
    assert "lowest_confidence" not in view


@pytest.mark.parametrize(("name", "status"), [("invoice", 0), ("failed_reason", 1), ("cancelled", 1)])
def test_wait_says_in_its_exit_status_how_the_job_ended(name: str, status: int) -> None:
    run = llx("wait", BY_NAME[name], "--local", status=status)
    assert run.stdout.startswith("**")
    assert run.stderr.splitlines()[-1] in ("COMPLETED", "FAILED", "CANCELLED")


def test_wait_gives_up_at_its_timeout_and_leaves_the_job() -> None:
    run = llx("wait", BY_NAME["running"], "--local", "--timeout", "0", status=3)
    assert run.stdout.startswith("**PENDING**")


def test_an_unknown_job_is_an_error_without_a_traceback() -> None:
    run = llx("get", "ext-nowhere", "--local", status=2)
    assert run.stderr.startswith('llx-mcp: No job "ext-nowhere" can be seen with this key.')
    assert len(run.stderr.splitlines()) == 1


def test_without_a_key_the_command_says_how_to_set_one() -> None:
    assert "LLAMA_CLOUD_API_KEY" in llx("get", "ext-1", status=2).stderr
    assert "not set" in llx("check", status=1).stdout


def test_a_setting_that_cannot_be_used_is_named() -> None:
    assert "must be https" in llx("get", "ext-1", "--base-url", "http://example.com", status=2).stderr
    assert "--max-chars" in llx("get", "ext-1", "--local", "--max-chars", "5", status=2).stderr


def test_check_says_whether_the_embedded_api_can_be_read() -> None:
    assert f"{len(SAMPLES)} jobs" in llx("check", "--local").stdout


def test_what_is_imported_can_be_read_and_listed(tmp_path: Path) -> None:
    job = tmp_path / "job.json"
    job.write_text('{"id":"ext-mine","status":"COMPLETED","extract_result":{"a":1}}')
    broken = tmp_path / "broken.json"
    broken.write_text('{"id":"ext-mine","sta')
    store = str(tmp_path / "jobs.db")
    run = llx("local", "import", str(job), str(broken), str(tmp_path / "missing.json"), "--local-db", store, status=2)
    assert run.stdout.startswith("ext-mine  ")
    assert "broken.json was not imported: the body is not a JSON object" in run.stderr
    assert "missing.json was not imported: No such file" in run.stderr
    assert "ext-mine  COMPLETED" in llx("local", "list", "--local-db", store).stdout
    assert json.loads(llx("get", "ext-mine", "--local-db", store, "--json").stdout)["result"] == {"a": 1}


def test_a_file_that_is_no_store_is_an_error_without_a_traceback(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no store " * 200)
    for arguments in (["local", "list"], ["get", "ext-1"], ["check"]):
        run = llx(*arguments, "--local-db", str(path), status=2)
        assert "cannot be opened as a store" in run.stderr
        assert "Traceback" not in run.stderr


def test_the_demo_shows_the_main_job() -> None:
    out = llx("demo").stdout
    assert "RUNNING" in out
    assert "characters as text" in out
    assert "NL-2026-0417" in out
    assert "transactions: list of object ×1200" in out


def test_every_command_explains_itself() -> None:
    commands = ("serve", "get", "wait", "check", "demo", "local")
    actions = ("serve", "record", "import", "export", "redact", "list")
    for command in (*commands, *(f"local {action}" for action in actions)):
        assert "usage: llx-mcp" in llx(*command.split(), "--help").stdout


def test_a_list_is_printed_as_a_model_sees_it_and_as_json() -> None:
    run = llx("list", "--local", "--document", "loan", "--status", "completed")
    assert run.stdout.startswith('**2 jobs**, newest first · status "COMPLETED", document "loan"')
    view = json.loads(llx("list", "--local", "--since", "2026-01-05", "--max-chars", "1000", "--json").stdout)
    older = json.loads(llx("list", "--local", "--since", "2026-01-05", "--cursor", view["cursor"], "--json").stdout)
    assert len(view["jobs"]["rows"]) + len(older["jobs"]["rows"]) == len(SAMPLES)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--since", "soon"), "ISO 8601"),
        (("--max-chars", "5"), "--max-chars takes a whole number from 1,000"),
        (("--cursor", "x"), "cursor: this server did not give it"),
        (("--status", "done"), "invalid choice"),
    ],
)
def test_a_list_that_cannot_be_made_says_why(arguments: tuple[str, ...], words: str) -> None:
    assert words in llx("list", "--local", *arguments, status=2).stderr
