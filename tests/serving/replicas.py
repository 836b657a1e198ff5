"""Replicas of the server over HTTP in this process, and a service with a store for each key."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

import httpx
from pydantic import SecretStr
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from llx_mcp.backends import BuildSource, OpenShared, local_settings
from llx_mcp.jobs.clock import Clock, SystemClock
from llx_mcp.jobs.reader_options import ReaderOptions
from llx_mcp.llamacloud.opening import open_shared_clients
from llx_mcp.local import create_app, open_store
from llx_mcp.local.job_store import JobStore
from llx_mcp.local.scenarios import apply_scenario, get_scenario
from llx_mcp.local.seeding import PROJECT_ID
from llx_mcp.serving.app import HttpApp, HttpOptions
from llx_mcp.serving.settings import HttpSettings
from llx_mcp.settings import Settings, read_settings
from tests.pdf_files import build_text_pdf, write_lines
from tests.waiting import until

PORT = 8000
URL = f"http://127.0.0.1:{PORT}/mcp"
LEGACY, MODERN = "2025-11-25", "2026-07-28"
_HEADERS = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
_ids = count(1)


class KeyedService:
    """The embedded API with a store for each key. A key without a store is refused.

    Attributes:
        requests: the key and the path of each request.
    """

    def __init__(self) -> None:
        self.stores: dict[str, JobStore] = {}
        self.requests: list[tuple[str, str]] = []
        self._apps: dict[str, ASGIApp] = {}

    def add_job(
        self, key: str, job_id: str, result: Any, scenario: str = "instant", file_id: str | None = None
    ) -> None:
        """Add a finished job to the store of a key."""
        if key not in self.stores:
            self.stores[key] = JobStore()
            self._apps[key] = create_app(self.stores[key])
        job = {"id": job_id, "status": "COMPLETED", "created_at": "2026-01-01T00:00:00Z", "extract_result": result}
        if file_id is not None:
            job["file_input"] = file_id
        chosen = get_scenario(scenario)
        self.stores[key].import_job(apply_scenario(json.dumps(job).encode(), chosen), chosen.timeline)

    def add_document(self, key: str, file_id: str, text: str) -> None:
        """Add a document of one line to the store of a key, which has jobs."""
        content = build_text_pdf(write_lines(text))
        now = datetime(2026, 1, 1, tzinfo=UTC)
        self.stores[key].files.put_file(content, f"{text}.pdf", now, project_id=PROJECT_ID, file_id=file_id)

    def add_samples(self, key: str) -> JobStore:
        """Give a key a store with the samples and their documents."""
        self.stores[key] = open_store(None, with_samples=True)
        self._apps[key] = create_app(self.stores[key])
        return self.stores[key]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer from the store of the request's key."""
        authorization = dict(scope["headers"]).get(b"authorization", b"").decode()
        key = authorization.removeprefix("Bearer ")
        self.requests.append((key, scope["path"]))
        app = self._apps.get(key) or JSONResponse({"detail": "Invalid API key"}, 401)
        if not key and scope["path"].startswith("/_files/"):
            app = await self._fetch_signed(f"{scope['path']}?{scope['query_string'].decode()}")
        await app(scope, receive, send)

    async def _fetch_signed(self, url: str) -> ASGIApp:
        """Return the answer to a request for a file with a signature, which only the store that signed accepts."""
        for app in self._apps.values():
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as http:
                response = await http.get(url)
            if response.status_code == 200:
                return Response(response.content)
        return Response(status_code=403)

    def share(self, settings: Settings | None = None) -> OpenShared:
        """Return a function that opens this service for many keys."""
        base = settings or local_settings()

        @asynccontextmanager
        async def open_shared() -> AsyncIterator[BuildSource]:
            async with open_shared_clients(base.max_body_bytes, app=self) as build_client:

                def build(key: SecretStr | None) -> Any:
                    return build_client(
                        base if key is None else base.model_copy(update={"api_key": key}), key is not None
                    )

                yield build

        return open_shared

    def close(self) -> None:
        """Close all stores."""
        for store in self.stores.values():
            store.close()


@dataclass
class Answer:
    """The answer to a message.

    Attributes:
        status: HTTP status.
        headers: HTTP headers.
        text: the body as it was sent.
        message: the JSON-RPC response, or the body of a refusal.
    """

    status: int
    headers: Mapping[str, str]
    text: str
    message: dict[str, Any] = field(default_factory=dict)

    @property
    def content(self) -> dict[str, Any]:
        """The structured content of a tool's answer."""
        content: dict[str, Any] = self.message["result"]["structuredContent"]
        return content


class Replica:
    """One server, and a client of it."""

    async def await_open_calls(self, number: int) -> None:
        """Wait until so many requests are open."""
        await until(lambda: self.app.calls.num_open >= number)

    def __init__(self, app: HttpApp, http: httpx.AsyncClient) -> None:
        self.app = app
        self.http = http

    async def send(
        self,
        method: str,
        parameters: Mapping[str, Any],
        token: str | None = None,
        version: str = MODERN,
        **headers: str,
    ) -> Answer:
        """Send a request of the protocol."""
        content, sent = build_message(method, parameters, version)
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        response = await self.http.post(URL, content=content, headers=sent | headers)
        return read_answer(response)

    async def call(self, tool: str, token: str | None = None, version: str = MODERN, **arguments: Any) -> Answer:
        """Call a tool."""
        return await self.send("tools/call", {"name": tool, "arguments": arguments}, token, version)


def build_message(method: str, parameters: Mapping[str, Any], version: str = MODERN) -> tuple[bytes, dict[str, str]]:
    """Return a request and its headers."""
    parameters = dict(parameters)
    headers = {**_HEADERS, "mcp-protocol-version": version}
    if version == MODERN:
        prefix = "io.modelcontextprotocol"
        meta = {f"{prefix}/protocolVersion": version, f"{prefix}/clientCapabilities": {}}
        parameters["_meta"] = meta | parameters.get("_meta", {})
        headers["mcp-method"] = method
        if name := parameters.get("name") or parameters.get("uri") or parameters.get("taskId"):
            headers["mcp-name"] = name
    message = {"jsonrpc": "2.0", "id": next(_ids), "method": method, "params": parameters}
    return json.dumps(message).encode(), headers


def read_answer(response: httpx.Response) -> Answer:
    """Return the last message of a response."""
    text = response.text
    if response.headers.get("content-type", "").startswith("text/event-stream"):
        messages = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
        return Answer(response.status_code, response.headers, text, messages[-1])
    return Answer(response.status_code, response.headers, text, json.loads(text) if text.startswith("{") else {})


@asynccontextmanager
async def open_replica(
    service: KeyedService,
    *,
    clock: Clock | None = None,
    base: Settings | None = None,
    reader: ReaderOptions | None = None,
    **settings: Any,
) -> AsyncIterator[Replica]:
    """Run one server over a service.

    Args:
        service: the service.
        clock: its clock.
        base: settings of the service; by default, those of the embedded API.
        reader: how jobs are polled and cached.
        settings: settings of HTTP.
    """
    base = base or local_settings()
    options = HttpOptions(service.share(base), base, reader or ReaderOptions(), clock or SystemClock())
    app = HttpApp(read_settings(HttpSettings, **settings), options, PORT)
    async with app.run(), httpx.AsyncClient(transport=httpx.ASGITransport(app)) as http:
        yield Replica(app, http)


@asynccontextmanager
async def open_replicas(service: KeyedService, number: int, **settings: Any) -> AsyncIterator[list[Replica]]:
    """Run several servers over a service."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(open_replica(service, **settings)) for _ in range(number)]
