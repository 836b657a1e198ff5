"""The command `llx-mcp local serve`."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from llx_mcp.local import SAMPLES
from llx_mcp.local.scenarios import SCENARIOS
from tests.pdf_files import build_heavy_pdf
from tests.platforms import HAS_PROC
from tests.processes import is_running, list_children

LLX = [sys.executable, "-m", "llx_mcp"]
KEY = {"Authorization": "Bearer llx-test"}


def llx(*arguments: str, status: int = 0, **environment: str) -> str:
    """Run the command and return its output."""
    run = subprocess.run([*LLX, *arguments], capture_output=True, text=True, env=os.environ | environment)
    assert run.returncode == status, run.stderr
    return run.stdout + run.stderr


@contextmanager
def run_server(*arguments: str) -> Iterator[tuple[str, list[str]]]:
    """Run the server; yield its URL and the lines that it printed."""
    command = [*LLX, "local", "serve", "--port", "0", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr
        lines = [server.stderr.readline() for _ in range(5)]
        try:
            yield lines[0].split(" at ")[1].split(",")[0], lines
        finally:
            server.terminate()
            server.communicate(timeout=10)


def test_startup_message_has_url_job_count_and_admin_token() -> None:
    with run_server("--fault", "unavailable:times=1,path=/extract") as (url, lines):
        assert f"(not LlamaCloud) at http://127.0.0.1:{url.rpartition(':')[2]}, with {len(SAMPLES)} jobs." in lines[0]
        token = lines[3].rpartition(": ")[2].strip()
        with httpx.Client(base_url=url, headers=KEY) as client:
            assert [client.get("/api/v2/extract").status_code for _ in range(2)] == [503, 200]
            assert client.put("/_admin/faults", json=["out-of-credits"]).status_code == 401
            headers = {"X-Llx-Admin-Token": token}
            assert client.put("/_admin/faults", json=["out-of-credits"], headers=headers).status_code == 200
            assert client.get("/api/v2/extract").status_code == 402


@HAS_PROC
def test_stopped_server_ends_the_drawing_of_a_heavy_page() -> None:
    command = [*LLX, "local", "serve", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr
        url = server.stderr.readline().split(" at ")[1].split(",")[0]
        upload = {"file": ("heavy.pdf", build_heavy_pdf())}
        files = f"{url}/api/v1/beta/files"
        file_id = httpx.post(files, files=upload, data={"purpose": "extract"}, headers=KEY).json()["id"]
        with httpx.Client(headers=KEY) as client, ThreadPoolExecutor() as pool:
            path = f"{url}/api/v1/files/{file_id}/page_screenshots/0"
            drawing = pool.submit(client.get, path, timeout=60)
            while not (children := list_children(server.pid)):
                assert not drawing.done()
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=60)
            assert isinstance(drawing.exception() or drawing.result(), httpx.HTTPError | httpx.Response)
    # A killed process may remain as a zombie until the system removes it.
    assert [child for child in children if is_running(child)] == []


def test_page_of_the_printed_address_shows_the_jobs() -> None:
    with run_server() as (url, lines):
        address = lines[4].rpartition(" ")[2].strip()
        assert address.startswith(f"{url}/?token=")
        assert SAMPLES[0].job_id in httpx.get(address).text
        assert SAMPLES[0].job_id not in httpx.get(url).text


def test_options_allow_a_host_and_limit_uploads() -> None:
    with run_server("--allowed-host", "api.test:9000", "--max-upload-mb", "0.5") as (url, _):
        for host, status in (("api.test:9000", 200), ("evil.example", 421)):
            assert httpx.get(f"{url}/api/v2/extract", headers=KEY | {"Host": host}).status_code == status
        upload = {"file": ("a.bin", bytes(700_000))}
        response = httpx.post(f"{url}/api/v1/beta/files", files=upload, data={"purpose": "extract"}, headers=KEY)
        assert (response.status_code, "0.5 MB" in response.json()["detail"]) == (413, True)


@pytest.mark.parametrize("size", ["0", "-1", "1001", "nan", "x"])
def test_invalid_upload_size_is_refused(size: str) -> None:
    assert "--max-upload-mb" in llx("local", "serve", "--port", "0", "--max-upload-mb", size, status=2)


def test_check_command_accepts_local_server() -> None:
    with run_server() as (url, _):
        output = llx("check", "--base-url", url, LLAMA_CLOUD_API_KEY="llx-test")
    assert "the key is accepted" in output


def test_two_servers_and_an_import_share_one_store(tmp_path: Path) -> None:
    store, job = str(tmp_path / "jobs.db"), tmp_path / "job.json"
    job.write_text('{"id":"ext-mine","status":"COMPLETED","extract_result":{"a":1}}')
    with (
        run_server("--local-db", store, "--with-samples") as (first, _),
        run_server("--local-db", store) as (second, _),
    ):
        llx("local", "import", str(job), "--local-db", store)
        body = {"file_input": "dfl-sample0invoice00000000000000", "configuration": {"data_schema": {}}}
        headers = KEY | {"X-Llx-Scenario": "instant"}
        created = httpx.post(f"{first}/api/v2/extract", json=body, headers=headers).json()["id"]
        for url in (first, second):
            assert httpx.get(f"{url}/api/v2/extract/ext-mine", headers=KEY).json()["extract_result"] == {"a": 1}
            assert httpx.get(f"{url}/api/v2/extract/{created}", headers=KEY).json()["status"] == "COMPLETED"
        assert httpx.delete(f"{second}/api/v2/extract/{created}", headers=KEY).status_code == 200
        assert httpx.get(f"{first}/api/v2/extract/{created}", headers=KEY).status_code == 404


@pytest.mark.parametrize("fault", ["nothing", "disconnect:share=2"])
def test_invalid_fault_option_is_refused(fault: str) -> None:
    assert "--fault:" in llx("local", "serve", "--port", "0", "--fault", fault, status=2)


def test_scenarios_command_lists_every_scenario() -> None:
    output = llx("local", "scenarios")
    for scenario in SCENARIOS.values():
        assert f"{scenario.name:<14} {scenario.description}\n" in output
