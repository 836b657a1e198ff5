"""Bodies that are too large are refused with 413, and a large file takes little memory."""

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from llx_mcp.local import JobStore, create_app
from llx_mcp.local.body_limit import DEFAULT_UPLOAD_BYTES, BodyLimitMiddleware
from tests.local.clients import KEY, connect, serve

FILES = "/api/v1/beta/files"
JOBS = "/api/v2/extract"
# Uploads a file of 200 MB to a store on disk, and prints by how much the peak of the memory grew, in bytes.
MEASURE = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
from llx_mcp.local.job_store import JobStore
store = JobStore(Path(sys.argv[1]) / "jobs.db")
with open(Path(sys.argv[1]) / "large.bin", "w+b") as file:
    file.truncate(200_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    stored = store.files.put_file(file, "large.bin", datetime.now(UTC), project_id="p")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(grown * (1 if sys.platform == "darwin" else 1024), stored.sha256)
"""


@pytest.fixture
def store() -> Iterator[JobStore]:
    opened = JobStore()
    yield opened
    opened.close()


async def chunks(num_bytes: int) -> AsyncIterator[bytes]:
    """Yield a body in chunks, so that its length is not declared. It begins like an upload."""
    yield b'--a\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    for _ in range(num_bytes // 10_000):
        yield b" " * 10_000


async def test_file_larger_than_the_limit_is_refused_and_not_stored(store: JobStore) -> None:
    async with connect(create_app(store, max_upload_bytes=1_000_000)) as client:
        for size, status in ((1_000_000, 201), (1_200_000, 413)):
            response = await client.post(FILES, files={"file": ("a.bin", bytes(size))}, data={"purpose": "extract"})
            assert response.status_code == status
        assert response.json()["detail"].startswith("The file is larger than 1 MB. ")
        assert "--max-upload-mb" in response.json()["detail"]
    assert len(store.files.list_files()) == 1


@pytest.mark.parametrize(
    ("path", "size"), [(JOBS, 4_010_000), (f"{JOBS}/schema/validation", 4_010_000), (FILES, 1_200_000)]
)
async def test_body_without_declared_length_is_counted(store: JobStore, path: str, size: int) -> None:
    async with connect(create_app(store, max_upload_bytes=1_000_000, admin_token="t")) as client:
        headers = {"Content-Type": "multipart/form-data; boundary=a"} if path == FILES else {}
        response = await client.post(path, content=chunks(size), headers=headers)
    assert response.status_code == 413
    assert "larger than" in response.json()["detail"]


@pytest.mark.parametrize("path", [JOBS, "/_admin/faults"])
async def test_json_body_of_more_than_4_mb_is_refused(store: JobStore, path: str) -> None:
    async with connect(create_app(store, admin_token="t")) as client:
        response = await client.request("PUT" if "admin" in path else "POST", path, content=b" " * 4_000_001)
    assert (response.status_code, response.json()) == (413, {"detail": "The body is larger than 4 MB"})


def test_client_on_a_socket_gets_the_refusal(store: JobStore) -> None:
    with serve(create_app(store)) as url:
        response = httpx.post(f"{url}{JOBS}", content=bytes(8_000_000), headers=KEY, timeout=60)
    assert response.status_code == 413


def test_storing_a_large_file_takes_little_memory(tmp_path: Path) -> None:
    run = subprocess.run([sys.executable, "-c", MEASURE, str(tmp_path)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    grown_bytes, sha256 = run.stdout.split()
    # The SHA-256 of 200 MB of zeros.
    assert sha256 == "d162f6594b643795442d4c7bba3a1711962b9e63717625d9f1f9696df315c86b"
    assert int(grown_bytes) < 30_000_000


async def send(path: str, *, declared: str | None = None, received: int = 0) -> int:
    """Send a request with a declared length and a number of bytes through the limit; return its status."""
    statuses: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            while (await receive())["more_body"]:
                pass
        except HTTPException as exc:
            await Response(status_code=exc.status_code)(scope, receive, send)
            return
        await Response(status_code=200)(scope, receive, send)

    async def note(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    # The body comes in two parts.
    parts = iter([(received // 2, True), (received - received // 2, False)])

    async def receive() -> Message:
        num_bytes, is_followed = next(parts)
        return {"type": "http.request", "body": bytes(num_bytes), "more_body": is_followed}

    headers = [] if declared is None else [(b"content-length", declared.encode())]
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers}
    await BodyLimitMiddleware(app, FILES, DEFAULT_UPLOAD_BYTES)(scope, receive, note)
    return statuses[0]


@pytest.mark.parametrize(
    ("path", "limit"), [(JOBS, 4_000_000), (f"{FILES}/1", 4_000_000), (FILES, 100_100_000), (f"{FILES}/", 100_100_000)]
)
async def test_declared_length_may_be_as_large_as_the_limit(path: str, limit: int) -> None:
    assert [await send(path, declared=str(length)) for length in (limit, limit + 1)] == [200, 413]
    assert await send(path, declared="9" * 5_000) == 413
    assert await send(path, declared="many") == 200


async def test_body_may_be_as_large_as_the_limit() -> None:
    assert [await send(JOBS, received=size) for size in (4_000_000, 4_000_001)] == [200, 413]
