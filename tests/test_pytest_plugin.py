"""The fixture gives each test its own LlamaExtract API, and the example in the documentation passes."""

import hashlib
import hmac
import http.client
import json
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from typing import Any
from urllib.parse import urlsplit

import pytest
from llama_cloud import LlamaCloud

from llx_mcp.local.embedded import EmbeddedApi, ReceivedRequest
from llx_mcp.local.samples import SAMPLES, read_document, read_sample
from llx_mcp.local.scenarios import UnknownScenarioError
from llx_mcp.models import MalformedJobError
from tests.cli.command import run_command
from tests.conftest import ROOT

EXAMPLE = re.compile(r"<!-- example: pytest -->\n```python\n(.*?)```\n<!-- /example -->", re.DOTALL)


def send_request(api: EmbeddedApi, path: str, method: str = "GET", body: bytes | None = None) -> tuple[int, Any]:
    """Send one request; return the status and the decoded body."""
    connection = http.client.HTTPConnection(urlsplit(api.base_url).netloc, timeout=20)
    try:
        connection.request(method, path, body, {"Authorization": f"Bearer {api.api_key}", "X-Mine": "1"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def test_example_in_documentation_passes(tmp_path: Path) -> None:
    match = EXAMPLE.search((ROOT / "docs" / "offline-and-testing.md").read_text())
    assert match
    (tmp_path / "test_example.py").write_text(match.group(1))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio"]
    command += ["-W", "error", str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert run.returncode == 0, run.stdout
    assert "1 passed" in run.stdout


def test_fixture_starts_empty_and_returns_added_jobs(llamaextract: EmbeddedApi) -> None:
    assert send_request(llamaextract, "/api/v2/extract/ext-1")[0] == 404
    job = {"id": "ext-1", "status": "COMPLETED", "extract_result": {"a": 1.5}}
    assert llamaextract.add_job(job) == "ext-1"
    assert llamaextract.add_job(json.dumps(job | {"id": "ext-2"}).encode()) == "ext-2"
    assert llamaextract.add_job(json.dumps(job | {"id": "ext-3"})) == "ext-3"
    for job_id in ("ext-1", "ext-2", "ext-3"):
        assert send_request(llamaextract, f"/api/v2/extract/{job_id}") == (200, job | {"id": job_id})


def test_add_job_without_job_adds_sample_invoice_with_new_id(llamaextract: EmbeddedApi) -> None:
    first, second = llamaextract.add_job(), llamaextract.add_job()
    assert first != second
    expected = json.loads(read_sample(SAMPLES[0]))
    assert send_request(llamaextract, f"/api/v2/extract/{second}")[1]["extract_result"] == expected["extract_result"]


def test_document_is_kept_whether_given_as_bytes_or_as_a_path(llamaextract: EmbeddedApi, tmp_path: Path) -> None:
    path = tmp_path / "mine.pdf"
    path.write_bytes(read_document(SAMPLES[0]))
    job = {"id": "ext-1", "status": "COMPLETED", "extract_result": {"a": 1.5}}
    client = LlamaCloud(api_key=llamaextract.api_key, base_url=llamaextract.base_url, max_retries=0)
    kept: list[str | None] = []
    for document in (path, str(path), path.read_bytes()):
        llamaextract.add_job(job, document=document)
        file_id = client.extract.get("ext-1").file_input
        assert client.files.content(file_id).url
        kept += [file.name for file in client.files.list() if file.id == file_id]
    assert kept == ["mine.pdf", "mine.pdf", "document.pdf"]
    llamaextract.add_job(job | {"file_input": "dfl-mine"}, document=path)
    assert client.extract.get("ext-1").file_input == "dfl-mine"
    assert client.files.content("dfl-mine").url
    client.close()


def test_citations_of_the_sample_invoice_are_checked(
    llamaextract: EmbeddedApi, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LLAMA_CLOUD_API_KEY", llamaextract.api_key)
    monkeypatch.setenv("LLAMA_CLOUD_BASE_URL", llamaextract.base_url)
    run = run_command("show", llamaextract.add_job(), "totals.gross", "-o", str(tmp_path / "page.png"))
    assert '"Total due 51,487.48" | verified' in run.stdout


@pytest.mark.parametrize("seconds", [-5, -0.1, float("nan"), float("inf")])
def test_clock_goes_forward_only(llamaextract: EmbeddedApi, seconds: float) -> None:
    with pytest.raises(ValueError, match="seconds must be 0 or more"):
        llamaextract.advance(seconds)


def test_created_job_gets_result_added_for_same_document(llamaextract: EmbeddedApi) -> None:
    added = {"id": "ext-1", "status": "COMPLETED", "extract_result": {"a": 1.5}}
    llamaextract.add_job(added, document=b"%PDF-1")
    client = LlamaCloud(api_key=llamaextract.api_key, base_url=llamaextract.base_url, max_retries=0)
    file = client.files.create(file=("mine.pdf", b"%PDF-1"), purpose="extract")
    created = client.extract.create(file_input=file.id, configuration={"data_schema": {"type": "object"}})
    assert created.id != "ext-1"
    llamaextract.advance(60)
    assert client.extract.get(created.id).extract_result == {"a": 1.5}
    client.close()


@pytest.mark.parametrize(
    ("scenario", "first", "last", "has_result", "message"),
    [
        ("slow", "PENDING", "COMPLETED", True, None),
        ("stuck", "PENDING", "RUNNING", False, None),
        ("failed", "RUNNING", "FAILED", False, "The document could not be parsed: it is encrypted."),
        ("failed-silent", "RUNNING", "FAILED", False, None),
        ("cancelled", "RUNNING", "CANCELLED", False, None),
        ("empty", "RUNNING", "COMPLETED", False, None),
    ],
)
def test_job_follows_scenario_when_clock_advances(
    llamaextract: EmbeddedApi, scenario: str, first: str, last: str, has_result: bool, message: str | None
) -> None:
    job_id = llamaextract.add_job(scenario=scenario)
    job = send_request(llamaextract, f"/api/v2/extract/{job_id}")[1]
    if first != "RUNNING":
        assert (job["status"], job["extract_result"]) == (first, None)
    llamaextract.advance(86_400)
    job = send_request(llamaextract, f"/api/v2/extract/{job_id}")[1]
    assert (job["status"], job["extract_result"] is not None, job["error_message"]) == (last, has_result, message)


def test_faults_last_until_replaced(llamaextract: EmbeddedApi) -> None:
    path = f"/api/v2/extract/{llamaextract.add_job()}"
    llamaextract.set_faults("out-of-credits")
    assert [send_request(llamaextract, path)[0] for _ in range(2)] == [402, 402]
    llamaextract.set_faults("unavailable:times=1,status=502")
    assert [send_request(llamaextract, path)[0] for _ in range(2)] == [502, 200]
    llamaextract.set_faults("wrong-region")
    llamaextract.set_faults()
    assert send_request(llamaextract, path)[0] == 200


def test_received_requests_are_recorded(llamaextract: EmbeddedApi) -> None:
    send_request(llamaextract, "/api/v2/extract/ext-%31?expand=usage&expand=metadata&empty=")
    send_request(llamaextract, "/api/v2/extract/schema/validation", "POST", b'{"data_schema":{"a":1}}')
    (get, post) = llamaextract.requests
    query = [("expand", "usage"), ("expand", "metadata"), ("empty", "")]
    assert get == ReceivedRequest("GET", "/api/v2/extract/ext-1", query, get.headers, b"")
    assert get.headers["x-mine"] == "1"
    assert (post.method, post.body) == ("POST", b'{"data_schema":{"a":1}}')


class Endpoint(BaseHTTPRequestHandler):
    """Accepts every event and puts it with its signature into a queue."""

    events: "Queue[tuple[str, bytes]]"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.events.put((self.headers["LC-Signature"], body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the library's own name
        pass


def test_webhooks_are_delivered_and_signed(llamaextract: EmbeddedApi) -> None:
    Endpoint.events = Queue()
    job_id = ""
    llamaextract.add_job({"id": "ext-recorded", "status": "FAILED", "file_input": "dfl-known"})
    with ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        # A daemon, so that a failed assertion does not hang the run.
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        webhook = {"webhook_url": f"http://127.0.0.1:{server.server_port}/", "webhook_signing_secret": "whsec"}
        create = {
            "file_input": "dfl-known",
            "configuration": {"data_schema": {}},
            "webhook_configurations": [webhook],
        }
        status, job = send_request(llamaextract, "/api/v2/extract", "POST", json.dumps(create).encode())
        assert status == 200
        job_id = job["id"]
        llamaextract.advance(60)
        received = [Endpoint.events.get(timeout=20) for _ in range(2)]
        server.shutdown()
        thread.join()
    for signature, body in received:
        assert signature == "sha256=" + hmac.new(b"whsec", body, hashlib.sha256).hexdigest()
    events = [json.loads(body) for _, body in received]
    assert [event["event_type"] for event in events] == ["extract.pending", "extract.error"]
    assert {event["data"]["id"] for event in events} == {job_id}


def test_invalid_job_scenario_or_fault_is_refused(llamaextract: EmbeddedApi) -> None:
    with pytest.raises(MalformedJobError):
        llamaextract.add_job({"id": "ext-1"})
    with pytest.raises(UnknownScenarioError, match="Use one of normal, instant"):
        llamaextract.add_job(scenario="sideways")
    with pytest.raises(ValueError, match="Use one of rate-limited"):
        llamaextract.set_faults("meteor")
