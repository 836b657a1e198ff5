"""`llx-mcp extract` creates jobs, asks before they cost anything, prints or writes results, and can be interrupted."""

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from llama_cloud import LlamaCloud

from llx_mcp.cli.extract import check_output, choose_format, list_documents, read_schema
from llx_mcp.errors import ArgumentError
from llx_mcp.local import SAMPLES, open_store
from llx_mcp.local.embedded import EmbeddedApi, run_embedded
from llx_mcp.local.samples import read_document
from tests.cli.command import ID_BY_NAME, run_command
from tests.cli.terminal import run_on_terminal
from tests.conftest import ROOT

SCHEMA = {"type": "object", "properties": {"invoice_number": {"type": "string"}, "bank": {"type": "string"}}}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with two of the sample documents and a schema, which the command starts in."""
    for sample in SAMPLES[:2]:
        (tmp_path / f"{sample.document}.pdf").write_bytes(read_document(sample))
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedApi]:
    """Serve the embedded API, which stands for LlamaCloud."""
    with run_embedded(with_samples=True) as served:
        monkeypatch.setenv("LLAMA_CLOUD_API_KEY", served.api_key)
        monkeypatch.setenv("LLAMA_CLOUD_BASE_URL", served.base_url)
        yield served


def count(api: EmbeddedApi, method: str, path: str) -> int:
    """Count the requests."""
    return sum((request.method, request.path) == (method, path) for request in api.requests)


def test_one_result_is_printed_as_json(folder: Path) -> None:
    run = run_command("extract", "invoice.pdf", "--schema", "schema.json", "--local")
    assert json.loads(run.stdout) == {"invoice_number": "NL-2026-0417", "bank": None}
    assert "COMPLETED" in run.stderr.splitlines()[-1]
    assert "(1 of 1 done)" in run.stderr.splitlines()[-1]


def test_several_results_are_printed_as_lines_of_json_with_their_files(folder: Path) -> None:
    (folder / "other.txt").write_text("nothing is known of this")
    run = run_command("extract", ".", "missing.pdf", "--schema", "schema.json", "--local", exit_status=2)
    lines = {line["file"]: line for line in map(json.loads, run.stdout.splitlines())}
    assert {file: line["status"] for file, line in lines.items()} == {
        "invoice.pdf": "COMPLETED", "statement.pdf": "COMPLETED", "other.txt": "FAILED", "missing.pdf": "ERROR",
    }  # fmt: skip
    assert lines["statement.pdf"]["result"] == {"invoice_number": None, "bank": "Harbour & Vale Bank"}
    assert "llx-mcp local record JOB_ID" in lines["other.txt"]["error"]
    assert lines["missing.pdf"]["error"] == 'FILE: "missing.pdf" does not exist. Check the path.'
    assert lines["missing.pdf"]["job_id"] is None


def test_results_are_written_to_a_folder_in_a_format_of_export(folder: Path) -> None:
    like = ID_BY_NAME["invoice"]
    run = run_command(
        "extract", "invoice.pdf", "--like", like, "--format", "csv", "--output", "results/new", "--local",
        "--provenance",
    )  # fmt: skip
    (row,) = csv.DictReader((folder / "results/new/invoice.pdf.csv").read_text().splitlines())
    assert (row["invoice_number"], row["invoice_number.page"]) == ("NL-2026-0417", "1")
    assert run.stdout.split()[0] == "invoice.pdf"
    assert " COMPLETED " in run.stdout


@pytest.mark.parametrize(("format_name", "library"), [("xlsx", "openpyxl"), ("parquet", "pyarrow")])
def test_format_without_its_library_is_refused_before_anything_is_uploaded(
    folder: Path, api: EmbeddedApi, monkeypatch: pytest.MonkeyPatch, format_name: str, library: str
) -> None:
    (folder / "without").mkdir()
    (folder / "without" / f"{library}.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder / "without"), str(ROOT)]))
    arguments = ("--schema", "schema.json", "--yes", "--output", "results", "--format", format_name)
    run = run_command("extract", "invoice.pdf", *arguments, exit_status=2)
    reason = f"--format {format_name} needs the extra export. Install llx-mcp with it: see Extras in docs/install.md."
    assert run.stderr == f"llx-mcp: {reason}\n"
    export = ("export", ID_BY_NAME["invoice"], "--output", f"values.{format_name}")
    assert run_command(*export, exit_status=2).stderr == run.stderr
    assert api.requests == []
    assert not (folder / "results").exists()


def test_table_is_shown_on_a_terminal(folder: Path) -> None:
    run = run_on_terminal(
        "extract", "invoice.pdf", "statement.pdf", "--schema", "schema.json", "--local", "--output", "r"
    )
    assert run.exit_status == 0
    shown = "\n".join(run.lines)
    assert "0 of 2 done" in shown
    assert "2 of 2 done" in shown
    assert [line.split()[0] for line in run.lines if "COMPLETED" in line][-2:] == _ids(run.lines)[-2:]
    assert {path.name for path in (folder / "r").iterdir()} == {"invoice.pdf.json", "statement.pdf.json"}


def _ids(lines: list[str]) -> list[str]:
    return [word for line in lines for word in line.split() if word.startswith("ext-")]


def test_without_a_terminal_the_cost_needs_yes(folder: Path, api: EmbeddedApi) -> None:
    arguments = ("extract", "invoice.pdf", "statement.pdf", "--schema", "schema.json", "--tier", "agentic")
    run = run_command(*arguments, exit_status=2)
    assert "--yes" in run.stderr
    assert (
        "Nothing was uploaded. 2 jobs to create. Tier agentic: about 25 credits a page. 42 pages, about 1,050 credits."
    ) in run.stderr
    assert {request.path for request in api.requests if request.method == "POST"} == {
        "/api/v2/extract/schema/validation"
    }
    run_command(*arguments, "--yes", "--output", "results")
    assert count(api, "POST", "/api/v2/extract") == 2
    # There is nothing left to ask, because both jobs exist.
    again = run_command(*arguments, "--output", "results")
    assert count(api, "POST", "/api/v2/extract") == 2
    assert again.stdout.count("COMPLETED") == 2


def test_job_that_had_ended_before_counts_as_done(folder: Path, api: EmbeddedApi) -> None:
    arguments = ("extract", "invoice.pdf", "--schema", "schema.json", "--yes")
    run_command(*arguments)
    again = run_command(*arguments)
    assert count(api, "POST", "/api/v2/extract") == 1
    (line,) = [line for line in again.stderr.splitlines() if "COMPLETED" in line]
    assert "(1 of 1 done)" in line


@pytest.mark.parametrize(("typed", "num_jobs", "exit_status"), [("y\n", 1, 0), ("n\n", 0, 2), ("\n", 0, 2)])
def test_on_a_terminal_the_person_is_asked(
    folder: Path, api: EmbeddedApi, typed: str, num_jobs: int, exit_status: int
) -> None:
    run = run_on_terminal("extract", "invoice.pdf", "--schema", "schema.json", typed=typed)
    assert run.exit_status == exit_status, run.raw
    assert "Create 1 job? [y/N]" in run.raw
    assert ("nothing was uploaded or created" in run.raw) == (num_jobs == 0)
    assert count(api, "POST", "/api/v2/extract") == count(api, "POST", "/api/v1/beta/files") == num_jobs


def test_documents_whose_pages_are_not_known_are_counted(folder: Path, api: EmbeddedApi) -> None:
    (folder / "a.txt").write_text("a text")
    (folder / "copy.pdf").write_bytes((folder / "invoice.pdf").read_bytes())
    arguments = ("a.txt", "invoice.pdf", "copy.pdf", "missing.pdf", "--schema", "schema.json")
    run = run_command("extract", *arguments, exit_status=2)
    assert (
        "2 jobs to create, 1 file that cannot be used. Tier cost_effective: about 8 credits a page. 2 pages, about 16 "
        "credits. The number of pages of 1 document is not known."
    ) in run.stderr


def test_damaged_pdf_makes_a_job_only_where_the_person_agrees(folder: Path, api: EmbeddedApi) -> None:
    path = folder / "cut.pdf"
    path.write_bytes((folder / "invoice.pdf").read_bytes()[:2_000])
    arguments = ("extract", "cut.pdf", "--schema", "schema.json")
    assert "1 damaged PDF cannot be opened on this machine: cut.pdf." in run_command(*arguments, exit_status=2).stderr
    refused = run_command(*arguments, "--yes", exit_status=2)
    assert 'FILE: "cut.pdf" is a damaged PDF' in refused.stderr
    assert count(api, "POST", "/api/v2/extract") == count(api, "POST", "/api/v1/beta/files") == 0
    run_command(*arguments, "--yes", "--allow-damaged", exit_status=1)
    assert count(api, "POST", "/api/v2/extract") == 1
    # The job exists, so nothing more is paid.
    assert "FAILED" in run_command(*arguments, "--yes", exit_status=1).stderr


def test_reason_of_a_failure_is_shown_in_full_also_for_a_job_that_is_found(folder: Path, api: EmbeddedApi) -> None:
    (folder / "other.txt").write_text("nothing is known of this")
    arguments = ("extract", "other.txt", "--schema", "schema.json", "--yes")
    first, again = (run_command(*arguments, exit_status=1).stderr.splitlines()[-1] for _ in range(2))
    advice = "then run llx-mcp local record JOB_ID --local-db PATH"
    assert advice in first
    assert advice in again
    assert "(found: it has the same document and options; --again creates another)" in again


def test_limit_of_pages_is_kept(folder: Path, api: EmbeddedApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLX_MCP_MAX_PAGES", "5")
    (folder / "a.txt").write_text("a text")
    run = run_command("extract", "a.txt", "statement.pdf", "--schema", "schema.json", exit_status=2)
    assert "statement.pdf  ERROR  The document has 40 pages, and 40 of them would be read" in run.stderr
    assert "1 document is not known. Of these, no more than 5 pages each are read (LLX_MCP_MAX_PAGES)." in run.stderr


def test_store_that_lasts_keeps_the_jobs(folder: Path) -> None:
    open_store(folder / "jobs.db").close()
    arguments = ("extract", "invoice.pdf", "--schema", "schema.json", "--local-db", "jobs.db", "--output", "results")
    ids = [run_command(*arguments).stdout.split()[1] for _ in range(2)]
    assert ids[0] == ids[1]
    assert run_command(*arguments, "--again").stdout.split()[1] != ids[0]


# A shell starts what it runs in the background with SIGINT ignored, and Python leaves it so.
INTERRUPTIBLE = (
    sys.executable,
    "-c",
    "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "runpy.run_module('llx_mcp', run_name='__main__')",
)


def interrupt(arguments: list[str], *, after: str) -> subprocess.CompletedProcess[str]:
    """Run the command, and send it SIGINT after it has printed a line with this text to stderr."""
    command = [*INTERRUPTIBLE, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        seen = ""
        for line in process.stderr:
            seen += line
            if after in line:
                process.send_signal(signal.SIGINT)
                break
        rest, output = process.stderr.read(), process.stdout.read()
        return subprocess.CompletedProcess(command, process.wait(60), output, seen + rest)


def test_interrupted_jobs_go_on_and_are_found_again(folder: Path, api: EmbeddedApi) -> None:
    arguments = ["extract", ".", "--schema", "schema.json", "--yes", "--output", "results"]
    run = interrupt(arguments, after="RUNNING")
    assert run.returncode == 130, run.stderr
    assert "stopped; 2 jobs go on. The same command again, without --again, finds" in run.stderr
    again = run_command(*arguments)
    assert again.stdout.count("COMPLETED") == 2
    assert count(api, "POST", "/api/v2/extract") == count(api, "POST", "/api/v1/beta/files") == 2


def test_interrupted_while_it_creates_it_says_what_is_known(folder: Path, api: EmbeddedApi) -> None:
    # One answer comes late, so that the other job alone is known.
    api.set_faults("slow:seconds=3,when=after,method=POST,path=/extract$,times=1")
    arguments = ["extract", ".", "--schema", "schema.json", "--yes", "--output", "results"]
    run = interrupt(arguments, after="PENDING")
    assert run.returncode == 130, run.stderr
    assert "stopped; at least 1 job goes on. The same command again" in run.stderr
    assert run_command(*arguments).stdout.count("COMPLETED") == 2
    assert count(api, "POST", "/api/v2/extract") == 2


def test_interrupted_on_the_embedded_api_it_says_what_is_kept(folder: Path) -> None:
    run = interrupt(["extract", "invoice.pdf", "--schema", "schema.json", "--local"], after="PENDING")
    assert (run.returncode, run.stderr.splitlines()[-1]) == (
        130, "llx-mcp: stopped. The embedded API keeps jobs only with --local-db."
    )  # fmt: skip


def test_prompt_can_be_interrupted(folder: Path, api: EmbeddedApi) -> None:
    import pty

    controller, terminal = pty.openpty()
    command = [*INTERRUPTIBLE, "extract", "invoice.pdf", "--schema", "schema.json"]
    with subprocess.Popen(command, stdin=terminal, stdout=subprocess.DEVNULL, stderr=terminal) as process:
        os.close(terminal)
        seen = b""
        while b"[y/N]" not in seen:
            seen += os.read(controller, 4096)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    os.close(controller)
    assert count(api, "POST", "/api/v1/beta/files") == 0


@pytest.mark.parametrize(
    "fault",
    ["disconnect:method=POST,path=/extract$",
     "disconnect:method=POST,path=/files$", "disconnect:when=before,method=POST,path=/files$",
     "disconnect:method=GET,path=/files$", "disconnect:method=POST,path=/validation",
     "disconnect:method=GET,path=/extract$", "disconnect:method=GET,path=/extract/",
     "truncated:method=POST,path=/extract$"],
)  # fmt: skip
def test_lost_connections_make_one_job(folder: Path, api: EmbeddedApi, fault: str) -> None:
    (folder / "invoice.pdf").rename(folder / "invoice--instant.pdf")
    api.set_faults(f"{fault},times=1")
    run = run_command("extract", "invoice--instant.pdf", "--schema", "schema.json", "--yes")
    assert json.loads(run.stdout)["invoice_number"] == "NL-2026-0417"
    with LlamaCloud(api_key=api.api_key, base_url=api.base_url) as client:
        # The samples are jobs of other documents.
        created = [job.id for job in client.extract.list() if job.id not in ID_BY_NAME.values()]
    assert len(created) == 1


def test_documents_of_folders_are_those_that_the_service_takes(tmp_path: Path) -> None:
    for name in ("b.pdf", "a.PNG", ".hidden.pdf", "notes.json", "no-ending"):
        (tmp_path / name).touch()
    (tmp_path / "sub.pdf").mkdir()
    single = tmp_path / "notes.json"
    found = [str(tmp_path / "a.PNG"), str(tmp_path / "b.pdf"), str(single)]
    assert list_documents([tmp_path, single, tmp_path / "b.pdf"]) == found
    with pytest.raises(ArgumentError, match="has no file of a type"):
        list_documents([tmp_path / "sub.pdf"])


@pytest.mark.parametrize("content", ["", "{", "[]", '"text"', "[" * 100_000])
def test_file_that_holds_no_schema_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "schema.json"
    path.write_text(content)
    with pytest.raises(ArgumentError, match=r"^--schema .*schema\.json: "):
        read_schema(path)


def test_results_that_cannot_be_told_apart_are_refused(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "invoice.pdf").write_bytes(b"%PDF-1.7")
    run = run_command(
        "extract", "invoice.pdf", "sub", "--schema", "schema.json", "--local", "--output", "r", exit_status=2
    )
    assert "2 files have the name invoice.pdf" in run.stderr
    assert not (folder / "r").exists()


def test_results_that_the_next_run_would_take_for_documents_are_refused(tmp_path: Path) -> None:
    documents = [tmp_path / name for name in ("a.pdf", "b.pdf")]
    for path in documents:
        path.touch()
    (tmp_path / "sub").mkdir()
    for paths in ([tmp_path], [tmp_path / "sub" / ".."], documents):
        for format_name in ("csv", "xlsx"):
            with pytest.raises(ArgumentError, match=f"--output: .* would take the {format_name} files in it for doc"):
                check_output(tmp_path, format_name, paths)
        check_output(tmp_path, "json", paths)
        check_output(tmp_path / "results", "csv", paths)
        check_output(None, "csv", paths)
    check_output(tmp_path, "csv", documents[:1])


def test_format_of_several_printed_results_is_lines() -> None:
    assert choose_format(None, None, num_files=2) == choose_format("jsonl", None, num_files=2) == "jsonl"
    assert choose_format(None, None, num_files=1) == choose_format(None, Path("out"), num_files=2) == "json"
    assert choose_format("csv", Path("out"), num_files=2) == choose_format("csv", None, num_files=1) == "csv"
    with pytest.raises(ArgumentError, match="--output DIR"):
        choose_format("json", None, num_files=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--schema", "missing.json"], "missing.json: No such file"),
     (["--configuration", "cfg-none"], 'llx-mcp: --configuration: configuration "cfg-none" cannot be seen'),
     (["--like", "ext-none"], "ext-none"), (["--schema", "schema.json", "--target-pages", "x"], "--target-pages: "),
     (["statement.pdf", "--schema", "schema.json", "--provenance"], "--provenance: "),
     (["--schema", "schema.json", "--configuration", "cfg-1"], "not allowed with argument"),
     ([], "one of the arguments --schema --configuration")],
)  # fmt: skip
def test_error_names_the_flag(folder: Path, arguments: list[str], message: str) -> None:
    run = run_command("extract", "invoice.pdf", *arguments, "--local", exit_status=2)
    assert message in run.stderr
