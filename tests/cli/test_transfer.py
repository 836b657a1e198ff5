"""Jobs are imported, recorded, exported byte for byte, and redacted."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from llx_mcp.local import SAMPLE_RUNNING_ID, SAMPLES, JobStore
from llx_mcp.local.embedded import EmbeddedApi, run_embedded
from llx_mcp.local.samples import Sample, read_document, read_sample
from llx_mcp.raw_json import split_json
from tests.cli.command import run_command

ODD_ID = "../ext/ö 1"


def export_all(store: Path, folder: Path) -> dict[str, bytes]:
    """Export every job of a database, and return the files by name."""
    run_command("local", "export", "--local-db", str(store), "--to", str(folder))
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def service() -> Iterator[EmbeddedApi]:
    """An embedded API with the samples on a port, in place of LlamaCloud."""
    with run_embedded(with_samples=True) as api:
        yield api


def test_export_and_import_round_trip_every_byte(tmp_path: Path) -> None:
    body = json.dumps({"id": ODD_ID, "status": "COMPLETED", "extract_result": {"a": 1.50}}, indent=3).encode() + b" \n"
    (tmp_path / "odd.json").write_bytes(body)
    odd, database = str(tmp_path / "odd.json"), str(tmp_path / "first.db")
    run_command("local", "import", odd, "--local-db", database, "--with-samples")
    first = export_all(tmp_path / "first.db", tmp_path / "first")
    assert first["..%2Fext%2F%C3%B6%201.job.json"] == body
    jobs = {content for name, content in first.items() if name.endswith(".job.json")}
    assert jobs == {read_sample(sample) for sample in SAMPLES} | {body}
    files = [str(path) for path in (tmp_path / "first").glob("*.job.json")]
    run_command("local", "import", *files, "--local-db", str(tmp_path / "second.db"))
    assert export_all(tmp_path / "second.db", tmp_path / "second") == first


def test_export_does_not_overwrite_and_reports_missing_jobs(tmp_path: Path) -> None:
    sample = SAMPLES[0]
    path = tmp_path / f"{sample.job_id}.job.json"
    path.write_bytes(b"mine")
    run = run_command("local", "export", sample.job_id, "ext-nowhere", "--to", str(tmp_path), exit_status=2)
    assert path.read_bytes() == b"mine"
    assert "exists with other content" in run.stderr
    assert "ext-nowhere was not exported: The database has no such job." in run.stderr
    path.unlink()
    for _ in range(2):
        assert (
            run_command("local", "export", sample.job_id, "--to", str(tmp_path)).stdout
            == f"{path}\n{path.with_name(sample.job_id)}.pdf\n"
        )


def show_citation(database: Path, sample: Sample, exit_status: int = 0) -> str:
    """Ask for a picture of a citation, and return what the command says."""
    picture = str(database.with_suffix(".png"))
    run = run_command(
        "show", sample.job_id, "totals.gross", "--local-db", str(database), "-o", picture, exit_status=exit_status
    )
    return run.stdout + run.stderr


def test_document_that_is_given_makes_evidence_work_offline(tmp_path: Path) -> None:
    sample = SAMPLES[0]
    job, document = tmp_path / "a.job.json", tmp_path / "scan of May.pdf"
    job.write_bytes(read_sample(sample))
    document.write_bytes(read_document(sample))
    without, database = tmp_path / "without.db", tmp_path / "with.db"
    run_command("local", "import", str(job), "--local-db", str(without))
    show_citation(without, sample, exit_status=1)
    run = run_command("local", "import", str(job), "--document", str(document), "--local-db", str(database))
    assert run.stdout == f"{sample.job_id}  {job}  with {document}\n"
    show_citation(database, sample)
    other = tmp_path / "other.pdf"
    other.write_bytes(b"%PDF-other")
    for path, note in (
        (other, f" (it replaces {document.name})"),
        (document, " (it replaces other.pdf)"),
        (document, ""),
    ):
        again = run_command("local", "import", str(job), "--document", str(path), "--local-db", str(database))
        assert again.stdout == f"{sample.job_id}  {job}  with {path}{note}\n"
    store = JobStore(database)
    (file,) = store.files.list_files()
    assert (file.file_id, file.name) == (json.loads(read_sample(sample))["file_input"], document.name)
    assert store.files.get_content(file) == read_document(sample)
    assert store.find_recorded_jobs(file.sha256, "")
    store.close()


@pytest.mark.parametrize(("job_name", "has_document"), [("a.job.json", True), ("a.json", True), ("b.json", False)])
def test_document_with_the_name_of_the_job_comes_along(job_name: str, has_document: bool, tmp_path: Path) -> None:
    (tmp_path / job_name).write_bytes(read_sample(SAMPLES[0]))
    (tmp_path / "a.pdf").write_bytes(read_document(SAMPLES[0]))
    run_command("local", "import", str(tmp_path / job_name), "--local-db", str(tmp_path / "jobs.db"))
    store = JobStore(tmp_path / "jobs.db")
    assert [file.name for file in store.files.list_files()] == (["a.pdf"] if has_document else [])
    store.close()


def test_document_of_a_parse_job_is_found_by_it(tmp_path: Path) -> None:
    job = json.loads(read_sample(SAMPLES[0])) | {"file_input": "pjb-1", "document_input_value": "pjb-1"}
    (tmp_path / "a.job.json").write_text(json.dumps(job))
    (tmp_path / "a.pdf").write_bytes(read_document(SAMPLES[0]))
    for _ in range(2):
        run_command("local", "import", str(tmp_path / "a.job.json"), "--local-db", str(tmp_path / "jobs.db"))
    store = JobStore(tmp_path / "jobs.db")
    (file,) = store.files.list_files()
    assert file.file_id.startswith("dfl-")
    found = store.parse_jobs.find("pjb-1", None)
    assert found is not None
    assert found.file == file
    store.close()
    assert export_all(tmp_path / "jobs.db", tmp_path / "out")[f"{job['id']}.pdf"] == read_document(SAMPLES[0])


def test_document_that_belongs_to_no_job_is_refused(tmp_path: Path) -> None:
    job, document = tmp_path / "a.json", tmp_path / "b.pdf"
    job.write_text(json.dumps({"id": "ext-1", "status": "COMPLETED"}))
    document.write_bytes(read_document(SAMPLES[0]))
    database = str(tmp_path / "jobs.db")

    def refuse(*arguments: object) -> str:
        run = run_command("local", "import", *map(str, arguments), "--local-db", database, exit_status=2)
        return run.stderr

    assert "Give one FILE" in refuse(job, job, "--document", document)
    assert "names no file_input" in refuse(job, "--document", document)
    picture = tmp_path / "page.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n")
    assert "page.png is no PDF, and citations are checked in PDFs only" in refuse(job, "--document", picture)
    assert "cannot be read: No such file" in refuse(job, "--document", tmp_path / "nowhere.pdf")
    assert not run_command("local", "list", "--local-db", database).stdout


def test_reading_a_body_does_not_start_the_job() -> None:
    store = JobStore()
    store.import_job(read_sample(SAMPLES[0]))
    assert store.read_body(SAMPLES[0].job_id) == read_sample(SAMPLES[0])
    assert store.read_body("ext-nowhere") is None
    assert store.read_body("\ud800") is None
    store.close()


def test_record_copies_jobs_and_documents_and_reports_the_others(
    tmp_path: Path, service: EmbeddedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMA_CLOUD_API_KEY", "llx-test")
    without = service.add_job({"id": "ext-without", "status": "FAILED", "file_input": "dfl-gone"})
    mine = service.add_job({"id": "ext-mine", "status": "COMPLETED", "file_input": "dfl-mine"}, document=b"%PDF-mine")
    store = tmp_path / "jobs.db"
    ids = [SAMPLE_RUNNING_ID, "ext-nowhere", SAMPLES[0].job_id, SAMPLES[10].job_id, mine, without]
    run = run_command("local", "record", *ids, "--local-db", str(store), "--base-url", service.base_url, exit_status=2)
    assert run.stdout.splitlines() == [*ids[2:5], f"{without}  (without its document)"]
    running, nowhere, document = run.stderr.splitlines()
    assert running.endswith(f"Wait for it first: llx-mcp wait {SAMPLE_RUNNING_ID}")
    assert nowhere.startswith('llx-mcp: ext-nowhere was not recorded: No job "ext-nowhere" can be seen')
    assert document.startswith("llx-mcp: the document of ext-without was not recorded: ")
    assert "dfl-gone" in document
    opened = JobStore(store)
    for sample in (SAMPLES[0], SAMPLES[10]):
        body = opened.read_body(sample.job_id)
        assert body is not None
        # A job of the older format has `file_input` too, as the service answers it today.
        expected = split_json(read_sample(sample))
        assert split_json(body) == expected | {"file_input": split_json(body)["file_input"]}
    (recorded,) = opened.find_recorded_jobs(hashlib.sha256(b"%PDF-mine").hexdigest(), "")
    assert bytes(recorded.sections["id"]) == b'"ext-mine"'
    file = opened.files.get_file("dfl-mine")
    assert file is not None
    assert (file.name, opened.files.get_content(file)) == ("document.pdf", b"%PDF-mine")
    opened.close()


def test_key_is_not_sent_to_the_download_url(
    tmp_path: Path, service: EmbeddedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMA_CLOUD_API_KEY", "llx-test")
    run_command(
        "local", "record", SAMPLES[0].job_id, "--local-db", str(tmp_path / "a.db"), "--base-url", service.base_url
    )
    keys = [(request.path.split("/")[1], request.headers.get("authorization")) for request in service.requests]
    assert keys[0] == ("api", "Bearer llx-test")
    assert keys[-1] == ("_files", None)


def test_record_needs_a_key(tmp_path: Path) -> None:
    run = run_command("local", "record", "ext-1", "--local-db", str(tmp_path / "jobs.db"), exit_status=2)
    assert "LLAMA_CLOUD_API_KEY" in run.stderr


def test_redact_replaces_the_words_of_a_job(tmp_path: Path) -> None:
    path = tmp_path / "job.json"
    path.write_bytes(read_sample(SAMPLES[3]))
    out = run_command("local", "redact", str(path)).stdout
    assert '"borrower"' in out
    assert "Torvald" not in out
    assert json.loads(out)["status"] == "COMPLETED"
    assert '"borrower"' not in run_command("local", "redact", str(path), "--names").stdout
    path.write_bytes(b"{}")
    assert run_command("local", "redact", str(path), exit_status=2).stderr.startswith(
        f"llx-mcp: {path} was not redacted: the body"
    )
