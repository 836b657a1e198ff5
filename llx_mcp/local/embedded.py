"""The embedded API on a free port of this machine, in a thread, for tests of other programs."""

import hashlib
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llx_mcp.local.app import create_app
from llx_mcp.local.faults import Faults, parse_fault
from llx_mcp.local.job_store import JobStore
from llx_mcp.local.outbox import deliver_webhooks
from llx_mcp.local.samples import SAMPLES, read_sample
from llx_mcp.local.scenarios import get_scenario
from llx_mcp.local.seeding import PROJECT_ID, open_store
from llx_mcp.models import Job

API_KEY = "llx-test"

_HOST = "127.0.0.1"
_DOCUMENT = "document.pdf"


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """One request as it came.

    Attributes:
        path: percent-decoded.
        query: names and values in their order; a name may be repeated.
        headers: by their names in lower case.
        body: what had come of it when the answer was ready.
    """

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class EmbeddedApi:
    """The embedded API while it runs: where it is, what it holds, what it was asked, and its faults.

    Attributes:
        base_url: where it listens.
        api_key: one that it takes; so does any that begins with `llx-`.
        requests: what came, in the order in which it was answered.
    """

    def __init__(self, base_url: str, store: JobStore) -> None:
        self.base_url = base_url
        self.api_key = API_KEY
        self.requests: list[SeenRequest] = []
        self._store = store
        self._faults = Faults()
        self._ahead = timedelta()

    def add_job(
        self, job: Mapping[str, Any] | bytes | None = None, *, scenario: str = "instant", document: bytes | None = None
    ) -> str:
        """Add a job, in place of one with the same id; returns its id.

        Args:
            job: as the service answers it, decoded or as JSON; None takes the sample invoice under an id of its own.
            scenario: how it goes, from when it is first asked for; `llx-mcp local scenarios` lists them.
            document: what it was made from: a job that is created for a document of this content ends as this one.

        Raises:
            MalformedJobError: it is no job.
            UnknownScenarioError: no scenario has this name.
        """
        plot = get_scenario(scenario)
        if job is None:
            job = json.loads(read_sample(SAMPLES[0])) | {"id": f"ext-{uuid4()}"}
        body = job if isinstance(job, bytes) else json.dumps(job).encode()
        parsed = Job.parse(body)
        whole: dict[str, Any] = {}
        if plot.ending is not None:
            whole |= {"status": plot.ending, "error_message": plot.error_message}
        if plot.empty or plot.ending in ("FAILED", "CANCELLED"):
            whole |= {"extract_result": None, "extract_metadata": None}
        if whole:
            body = json.dumps(json.loads(body) | whole).encode()
        sha256 = None if document is None else hashlib.sha256(document).hexdigest()
        if document is not None and parsed.document:
            project_id = parsed.project_id or PROJECT_ID
            self._store.files.put_file(
                document, _DOCUMENT, self.now(), project_id=project_id, purpose="extract", file_id=parsed.document
            )
        return self._store.import_job(body, plot.timeline, document_sha256=sha256)

    def set_faults(self, *faults: str) -> None:
        """What goes wrong from now on, in the words of `llx-mcp local serve --fault`; none puts all right.

        Raises:
            ValueError: a fault that there is not; the message says which there are.
        """
        self._faults.set([parse_fault(words) for words in faults])

    def advance(self, seconds: float) -> None:
        """Let time pass for the jobs, at once."""
        self._ahead += timedelta(seconds=seconds)

    def now(self) -> datetime:
        """The time of day by which the jobs live, aware."""
        return datetime.now(UTC) + self._ahead

    def build_app(self) -> ASGIApp:
        """The application with its requests written down."""
        lifespan = deliver_webhooks(self._store, clock=self.now)
        return _Recorder(create_app(self._store, clock=self.now, faults=self._faults, lifespan=lifespan), self.requests)


class _Recorder:
    def __init__(self, app: ASGIApp, requests: list[SeenRequest]) -> None:
        self._app = app
        self._requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        chunks: list[bytes] = []

        async def receive_recorded() -> Message:
            message = await receive()
            chunks.append(message.get("body", b""))
            return message

        async def send_recorded(message: Message) -> None:
            # Before the answer goes out: whoever has it finds the request here.
            if message["type"] == "http.response.start":
                self._requests.append(_seen(scope, b"".join(chunks)))
            await send(message)

        await self._app(scope, receive_recorded, send_recorded)


def _seen(scope: Scope, body: bytes) -> SeenRequest:
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return SeenRequest(scope["method"], scope["path"], query, headers, body)


@contextmanager
def run_embedded(*, with_samples: bool = False) -> Iterator[EmbeddedApi]:
    """Serve a store in memory until the end of the block, empty or with the samples."""
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
