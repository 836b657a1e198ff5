"""The embedded API on a free port, served by a thread, for the tests of other programs."""

import hashlib
import json
import math
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llx_mcp.local.app import create_app
from llx_mcp.local.faults import FaultInjector, parse_fault
from llx_mcp.local.host_check import list_loopback_hosts
from llx_mcp.local.job_store import JobStore
from llx_mcp.local.outbox import deliver_webhooks
from llx_mcp.local.samples import SAMPLES, read_document, read_sample
from llx_mcp.local.scenarios import apply_scenario, get_scenario
from llx_mcp.local.seeding import PROJECT_ID, open_store
from llx_mcp.models import Job

API_KEY = "llx-test"

_HOST = "127.0.0.1"
_DOCUMENT_NAME = "document.pdf"


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One request that the API received.

    Attributes:
        path: The path, percent-decoded.
        query: Names and values in order; a name may repeat.
        headers: Values by lower-case name.
        body: The part of the body that had arrived when the response began.
    """

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class EmbeddedApi:
    """The running API: its address, its jobs, its faults, its clock, and the requests it has received.

    Attributes:
        base_url: The URL of the API.
        api_key: An accepted key; any other that begins with `llx-` is accepted too.
        requests: The received requests, in the order of their responses.
    """

    def __init__(self, base_url: str, store: JobStore) -> None:
        self.base_url = base_url
        self.api_key = API_KEY
        self.requests: list[ReceivedRequest] = []
        self._store = store
        self._injector = FaultInjector()
        self._clock_offset = timedelta()

    def add_job(
        self,
        job: Mapping[str, Any] | str | bytes | None = None,
        *,
        scenario: str = "instant",
        document: str | Path | bytes | None = None,
    ) -> str:
        """Add a job, replacing one with the same id, and return its id.

        Args:
            job: The job in the service's format, decoded or as JSON; None adds the sample invoice and its document,
                under a new id.
            scenario: The job's scenario, which starts at the first request for the job. `llx-mcp local scenarios`
                lists the names.
            document: The job's document: its content, or the path of its file. New jobs of the same document end like
                this one. A job without `file_input` gets one.

        Raises:
            MalformedJobError: The job has no id or no status, or is not a JSON object.
            UnknownScenarioError: No scenario has this name.
            OSError: The file of the document cannot be read.
        """
        chosen = get_scenario(scenario)
        if job is None:
            job = json.loads(read_sample(SAMPLES[0])) | {"id": f"ext-{uuid4()}"}
            document = read_document(SAMPLES[0]) if document is None else document
        name = _DOCUMENT_NAME
        if isinstance(document, str | Path):
            name, document = Path(document).name, Path(document).read_bytes()
        body = apply_scenario(_encode(job), chosen)
        parsed = Job.parse(body)
        if document is not None and not parsed.document:
            # Without it, the stored document could not be found for the citations.
            body = json.dumps(json.loads(body) | {"file_input": f"dfl-{uuid4()}"}).encode()
            parsed = Job.parse(body)
        if document is not None and parsed.document:
            project_id = parsed.project_id or PROJECT_ID
            self._store.files.put_file(
                document, name, self.now(), project_id=project_id, purpose="extract", file_id=parsed.document
            )
        sha256 = None if document is None else hashlib.sha256(document).hexdigest()
        return self._store.import_job(body, chosen.timeline, document_sha256=sha256)

    def set_faults(self, *faults: str) -> None:
        """Replace the injected faults; without arguments, stop fault injection.

        Args:
            faults: Faults in the syntax of `llx-mcp local serve --fault`.

        Raises:
            ValueError: A fault is invalid. The message says what is allowed.
        """
        self._injector.set_faults([parse_fault(text) for text in faults])

    def advance(self, seconds: float) -> None:
        """Move the clock forward.

        Raises:
            ValueError: The seconds are negative, or no number.
        """
        if not 0 <= seconds < math.inf:
            raise ValueError(f"seconds must be 0 or more, and not {seconds}: the clock of the jobs goes forward only")
        self._clock_offset += timedelta(seconds=seconds)

    def now(self) -> datetime:
        """Return the current time of the API's clock, aware."""
        return datetime.now(UTC) + self._clock_offset

    def build_app(self) -> ASGIApp:
        """Build the application, which records its requests."""
        lifespan = deliver_webhooks(self._store, clock=self.now)
        hosts = list_loopback_hosts(urlsplit(self.base_url).port or 80)
        app = create_app(self._store, clock=self.now, faults=self._injector, allowed_hosts=hosts, lifespan=lifespan)
        return _RequestRecorder(app, self.requests)


def _encode(job: Mapping[str, Any] | str | bytes) -> bytes:
    if isinstance(job, bytes):
        return job
    return (job if isinstance(job, str) else json.dumps(job)).encode()


class _RequestRecorder:
    """Middleware that appends each request to a list."""

    def __init__(self, app: ASGIApp, requests: list[ReceivedRequest]) -> None:
        self._app = app
        self._requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        chunks: list[bytes] = []

        async def receive_chunk() -> Message:
            message = await receive()
            chunks.append(message.get("body", b""))
            return message

        async def send_recorded(message: Message) -> None:
            # Recorded before the response is sent, so that a client that has the response finds the request.
            if message["type"] == "http.response.start":
                self._requests.append(_build_request(scope, b"".join(chunks)))
            await send(message)

        await self._app(scope, receive_chunk, send_recorded)


def _build_request(scope: Scope, body: bytes) -> ReceivedRequest:
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return ReceivedRequest(scope["method"], scope["path"], query, headers, body)


@contextmanager
def run_embedded(*, with_samples: bool = False) -> Iterator[EmbeddedApi]:
    """Serve a store in memory until the end of the block.

    Args:
        with_samples: Start with the sample jobs; otherwise the store is empty.
    """
    store = open_store(with_samples=with_samples)
    with socket.create_server((_HOST, 0)) as listener:
        api = EmbeddedApi(f"http://{_HOST}:{listener.getsockname()[1]}", store)
        config = uvicorn.Config(
            api.build_app(), log_config=None, server_header=False, ws="none", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="llamaextract", daemon=True)
        thread.start()
        try:
            yield api
        finally:
            server.should_exit = True
            thread.join()
            store.close()
