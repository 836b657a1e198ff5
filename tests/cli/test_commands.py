"""The commands on a terminal, in a pipe and with wrong flags."""

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from llx_mcp.answers.outputs import JobListOutput, JobOutput, WaitOutput
from llx_mcp.local import SAMPLE_RUNNING_ID, SAMPLES
from llx_mcp.local.embedded import run_embedded
from tests.cli.command import ID_BY_NAME, run_command
from tests.cli.terminal import read_terminal, run_on_terminal

LLX = [sys.executable, "-m", "llx_mcp"]
INVOICE, STATEMENT = ID_BY_NAME["invoice"], ID_BY_NAME["statement"]
# Stands for a folder of the test.
FOLDER = "<folder>"
COMMAND_LINE = re.compile(r"(Next|Left out): ")


@pytest.mark.parametrize("arguments", [("serve", "--http", "--local"), ("local", "serve")])
def test_busy_port_is_one_line(arguments: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        run = run_command(*arguments, "--port", port, exit_status=2)
    assert run.stdout == ""
    assert run.stderr == f"llx-mcp: --port: port {port} is in use. Choose another, or 0 for a free one.\n"


def test_http_server_says_where_it_listens_on_a_free_port() -> None:
    with subprocess.Popen([*LLX, "serve", "--http", "--port", "0", "--local"], stderr=subprocess.PIPE) as process:
        assert process.stderr
        line = process.stderr.readline().decode()
        process.terminate()
    assert re.search(r" at http://127\.0\.0\.1:[1-9]\d*/mcp ", line)


def test_json_log_begins_with_where_the_server_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLX_MCP_LOG_FORMAT", "json")
    command = [*LLX, "serve", "--http", "--port", "0", "--metrics-port", "0", "--local", "--log-level", "error"]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        assert process.stderr
        lines = [json.loads(process.stderr.readline()) for _ in range(2)]
        process.terminate()
    assert [line["level"] for line in lines] == ["INFO", "INFO"]
    assert re.match(r"MCP over streamable HTTP at http://127\.0\.0\.1:[1-9]\d*/mcp ", lines[0]["message"])
    assert re.fullmatch(r"metrics at http://127\.0\.0\.1:[1-9]\d*/metrics", lines[1]["message"])


@pytest.mark.parametrize(
    "arguments",
    [
        ("list", "--local", "--max-chars", "400000"),
        ("get", STATEMENT, "--local", "--max-chars", "200000"),
        ("export", STATEMENT, "--local", "--path", "transactions", "--format", "csv"),
        ("local", "scenarios"),
        ("demo", "--output", FOLDER),
        ("demo", "--full", "--output", FOLDER),
        ("--help",),
        ("completion", "bash"),
    ],
)
def test_closed_pipe_ends_a_command_silently(arguments: tuple[str, ...], tmp_path: Path) -> None:
    pipe = subprocess.PIPE
    words = [str(tmp_path) if argument == FOLDER else argument for argument in arguments]
    with subprocess.Popen([*LLX, *words], stdout=pipe, stderr=pipe, env=os.environ | {"PYTHONUNBUFFERED": "1"}) as run:
        assert run.stdout
        assert run.stderr
        assert run.stdout.readline()
        run.stdout.close()
        assert run.stderr.read() == b""
    assert run.returncode in (0, 141)


@pytest.mark.parametrize(
    "arguments", [("local", "export", "--to"), ("export", STATEMENT, "--local", "--format", "xlsx")]
)
def test_pipe_that_is_closed_at_the_start_ends_an_export_silently(arguments: tuple[str, ...], tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [*LLX, *arguments, *([str(tmp_path)] if arguments[-1] == "--to" else [])]
    run = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    os.close(writing)
    assert (run.returncode, run.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("arguments", [("list", "--local"), ("export", INVOICE, "--local"), ("--help",)])
def test_output_that_cannot_be_written_is_one_line(arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        run = subprocess.run([*LLX, *arguments], stdout=full, stderr=subprocess.PIPE, text=True)
    assert (run.returncode, run.stderr) == (2, "llx-mcp: No space left on device\n")


def test_output_that_is_closed_is_not_written() -> None:
    run = subprocess.run(["sh", "-c", f"{LLX[0]} -m llx_mcp list --local >&-"], capture_output=True)
    assert (run.returncode, run.stderr) == (0, b"")


@pytest.mark.parametrize("arguments", [("get", INVOICE, "--foo"), ("local", "list", "--foo"), ("demo", "--foo")])
def test_unknown_flag_shows_the_usage_of_its_command(arguments: tuple[str, ...]) -> None:
    run = run_command(*arguments, exit_status=2)
    command = " ".join(word for word in arguments[:2] if word.isalpha())
    assert run.stderr.startswith(f"usage: llx-mcp {command} ")
    assert run.stderr.endswith(f"llx-mcp {command}: error: unrecognized arguments: --foo\n")


def test_port_without_http_is_refused() -> None:
    run = run_command("serve", "--local", "--port", "8000", exit_status=2)
    assert run.stderr.startswith("llx-mcp: --port: only with --http")


def test_folder_with_http_is_refused(tmp_path: Path) -> None:
    run = run_command("serve", "--http", "--local", "--files", str(tmp_path), exit_status=2)
    assert run.stderr.startswith("llx-mcp: --files: only without --http")


@pytest.mark.parametrize("key", ["", " "])
def test_http_without_a_mode_needs_a_key(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_CLOUD_API_KEY", key)
    run = run_command("serve", "--http", "--port", "0", exit_status=2)
    assert run.stderr.startswith("llx-mcp: --http without --auth: all callers use the key of the server, and LLAMA_")
    assert "pass-through" in run.stderr


@pytest.mark.parametrize("name", ["items.foo", "items"])
def test_unknown_ending_asks_for_a_format(tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    run = run_command("export", INVOICE, "--local", "--output", str(target), exit_status=2)
    assert "Add --format, one of json, jsonl, csv, parquet, xlsx." in run.stderr
    assert not target.exists()
    run_command("export", INVOICE, "--local", "--output", str(target), "--format", "JSON")
    assert json.loads(target.read_bytes())["invoice_number"] == "NL-2026-0417"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("get", INVOICE, "--base-url", "http://example.com"), "argument --base-url: must be https"),
        (("list", "--local", "--status", "done"), "'PENDING', 'THROTTLED', 'RUNNING', 'COMPLETED'"),
        (("get", INVOICE, "--local", "--expand", "all"), "'configuration', 'extract_metadata', 'usage', 'metadata'"),
        (("check", "--region", "us"), "'na', 'eu'"),
        (("serve", "--log-level", "all"), "'DEBUG', 'INFO', 'WARNING', 'ERROR'"),
        (("local", "redact", "/nowhere/job.json"), "/nowhere/job.json: No such file or directory"),
        (
            ("export", INVOICE, "--local", "--output", "/nowhere/x.csv"),
            "--output /nowhere/x.csv: the folder /nowhere does not exist. Create it",
        ),
        (("wait", INVOICE, "--timeout", "soon"), "argument --timeout: give a number of seconds from 0"),
        (("serve", "--http", "--port", "x"), "argument --port: a port is a number from 0 to 65535"),
        (("local", "serve", "--max-upload-mb", "many"), "give a number of megabytes up to 1000"),
        (("serve", "--http", "--path", "mcp"), "These settings cannot be used. --path: must match ^/"),
        (
            ("serve", "--http", "--trusted-proxies", "proxy"),
            "--trusted-proxies: 'proxy' is no address or network such as 10.0.0.0/8",
        ),
    ],
)
def test_error_names_the_flag_or_file_and_what_is_allowed(arguments: tuple[str, ...], words: str) -> None:
    assert words in run_command(*arguments, exit_status=2).stderr


def test_case_of_a_word_does_not_matter(tmp_path: Path) -> None:
    run_command("list", "--local", "--status", "Completed", "--log-level", "debug", "--region", "EU")
    run_command("get", INVOICE, "--local", "--expand", "Usage")
    job = tmp_path / "job.json"
    job.write_text('{"id":"ext-mine","status":"COMPLETED"}')
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        assert (
            "is in use"
            in run_command("local", "serve", "--fault", "Slow:times=1", "--port", port, exit_status=2).stderr
        )
    run_command("local", "import", str(job), "--scenario", "Slow", "--local-db", str(tmp_path / "jobs.db"))


def test_value_of_a_variable_is_reported_under_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_CLOUD_REGION", "us")
    monkeypatch.setenv("LLX_MCP_POLL_MAX_SECONDS", "soon")
    monkeypatch.setenv("LLX_MCP_CACHE_BYTES", "-1")
    assert run_command("check", exit_status=2).stderr == (
        "llx-mcp: These settings cannot be used. LLAMA_CLOUD_REGION: must be na or eu; LLX_MCP_CACHE_BYTES: must be "
        "at least 0; LLX_MCP_POLL_MAX_SECONDS: must be a number\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("get", INVOICE),
        ("wait", INVOICE),
        ("wait", INVOICE, STATEMENT),
        ("list",),
        ("export", INVOICE),
        ("check",),
        ("serve",),
        ("local", "list"),
        ("local", "export", "--to", "jobs"),
    ],
)
def test_reading_command_refuses_a_database_that_does_not_exist(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = run_command(*arguments, "--local-db", "mistyped.db", exit_status=2)
    assert run.stderr.startswith("llx-mcp: --local-db: mistyped.db does not exist.")
    assert list(tmp_path.iterdir()) == []


def test_database_has_samples_only_where_they_are_asked_for(tmp_path: Path) -> None:
    job = tmp_path / "job.json"
    job.write_text('{"id":"ext-mine","status":"COMPLETED","extract_result":{"a":1}}')
    store = str(tmp_path / "jobs.db")
    run_command("local", "import", str(job), "--local-db", store)
    assert run_command("local", "list", "--local-db", store).stdout == "ext-mine  COMPLETED\n"
    assert "1 job in" in run_command("check", "--local-db", store).stdout
    run_command("local", "import", str(job), "--local-db", store, "--with-samples")
    assert len(run_command("local", "list", "--local-db", store).stdout.splitlines()) == 1 + len(SAMPLES)


def test_answers_name_commands_that_work(tmp_path: Path) -> None:
    outputs = [
        run_command("get", STATEMENT, "--local", "--max-chars", "3000").stdout,
        run_command("get", ID_BY_NAME["failed_reason"], "--local").stdout,
        run_command("list", "--local", "--max-chars", "1000", "--status", "completed").stdout,
        run_command("wait", SAMPLE_RUNNING_ID, "--local", "--timeout", "0", exit_status=3).stdout,
    ]
    lines = [line for output in outputs for line in output.splitlines() if COMMAND_LINE.match(line)]
    lines = [line for line in lines if not line.endswith("llx-mcp export shows those at a path")]
    commands = [line[line.index("llx-mcp ") :].split() for line in lines if "llx-mcp " in line]
    assert {words[1] for words in commands} == {"get", "list", "wait"}
    for words in commands:
        status = 3 if words[1] == "wait" else 0
        run_command(*words[1:], *(["--timeout", "0"] if status else []), exit_status=status)
    for line in lines:
        if "llx-mcp " not in line:
            text = line.replace("_extract_result (in an MCP client)", "")
            assert line.endswith(") in an MCP client") or not re.search(r"_extract_|_id=|max_chars", text)


@pytest.mark.parametrize("columns", [60, 80, 140])
@pytest.mark.parametrize(
    "arguments",
    [
        ("list",),
        ("get", STATEMENT),
        ("get", ID_BY_NAME["loan_agreement"]),
        ("wait", INVOICE, STATEMENT, SAMPLE_RUNNING_ID),
    ],
)
def test_tables_fit_the_terminal_and_ids_are_whole(arguments: tuple[str, ...], columns: int) -> None:
    run = run_on_terminal(*arguments, "--local", columns=columns)
    assert run.exit_status == 0
    wide = [line for line in run.lines if len(line) > columns]
    # A command is one line, which the terminal wraps.
    assert all(COMMAND_LINE.match(line) for line in wide)
    shown = "\n".join(run.lines)
    for sample in SAMPLES if arguments == ("list",) else []:
        assert sample.job_id in shown
    for job_id in arguments[1:]:
        assert job_id in shown


def test_terminal_shows_a_table_and_a_pipe_shows_text() -> None:
    shown = "\n".join(run_on_terminal("get", ID_BY_NAME["lab_report"], "--local").lines)
    assert re.search(r"analyte +value +unit", shown)
    assert re.search(r"Potassium +5\.3 +mmol/l", shown)
    assert "```" not in shown
    assert "```text" in run_command("get", ID_BY_NAME["lab_report"], "--local").stdout


@pytest.mark.parametrize(
    ("arguments", "output_type"),
    [
        (("get", STATEMENT), JobOutput),
        (("list",), JobListOutput),
        (("wait", INVOICE), WaitOutput),
        (("wait", INVOICE, STATEMENT), WaitOutput),
    ],
)
def test_json_is_the_structured_form_of_the_tool(
    arguments: tuple[str, ...], output_type: type[JobOutput | JobListOutput | WaitOutput]
) -> None:
    for shown in (
        run_command(*arguments, "--local", "--json", "--max-chars", "5000").stdout,
        run_on_terminal(*arguments, "--local", "--json", "--max-chars", "5000").lines[-1],
    ):
        answer = json.loads(shown[shown.index("{") :])
        assert output_type.model_validate(answer).structured() == answer


def test_command_that_waits_for_the_service_says_so_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_CLOUD_API_KEY", "llx-test")
    with run_embedded(with_samples=True) as api:
        monkeypatch.setenv("LLAMA_CLOUD_BASE_URL", api.base_url)
        api.set_faults("slow:seconds=3.5,times=1,path=/extract")
        run = run_on_terminal("get", INVOICE)
        assert "\r\x1b[Kwaiting for the service: 2 s" in run.raw
        assert "\r\x1b[K" in run.raw.partition("NL-2026-0417")[0].rpartition("waiting for the service")[2]
        api.set_faults("slow:seconds=3.5,times=1,path=/extract")
        assert run_command("get", INVOICE).stderr == ""


def test_server_on_a_terminal_says_what_it_waits_for() -> None:
    controller, terminal = pty.openpty()
    with subprocess.Popen(
        [*LLX, "serve", "--local"], stdin=terminal, stderr=terminal, stdout=subprocess.DEVNULL
    ) as run:
        os.close(terminal)
        shown = b""
        while b"To stop" not in shown:
            shown += read_terminal(controller)
        # Its own handler of the signal may not be there yet.
        while run.poll() is None:
            run.send_signal(signal.SIGINT)
            try:
                run.wait(timeout=1)
            except subprocess.TimeoutExpired:
                continue
    os.close(controller)
    assert b"waiting for an MCP client on standard input" in shown
