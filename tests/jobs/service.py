"""A test service: the embedded API with a list endpoint, faults, and a log of its requests."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime
from typing import Any, Literal
from urllib.parse import parse_qs, quote, unquote

import anyio
from pydantic import SecretStr
from starlette.types import Message, Receive, Scope, Send

from llx_mcp.jobs.clock import Clock
from llx_mcp.jobs.reader import JobReader, open_reader
from llx_mcp.jobs.reader_options import ReaderOptions
from llx_mcp.jobs.source import OpenSource
from llx_mcp.llamacloud import open_client
from llx_mcp.local import JobStore, create_app
from llx_mcp.local.lifecycle import Timeline
from llx_mcp.models import TERMINAL_STATUSES
from llx_mcp.raw_json import join_json
from llx_mcp.settings import Settings

KEY = "llx-test-test"
LIST_PATH = "/api/v2/extract"

Lists = Literal["work", "are refused", "ignore ids", "ignore status", "take the last status", "come in pages of 3"]
Fault = Callable[["Seen"], tuple[int, dict[str, str]] | None]


@dataclass(frozen=True, slots=True)
class Seen:
    """One request.

    Attributes:
        at: time of the monotonic clock, in seconds.
        ids: the jobs that it asks for.
        is_list: whether it is a list request.
        expand: the sections that it asks for.
    """

    at: float
    ids: tuple[str, ...]
    is_list: bool
    expand: tuple[str, ...]


class Service:
    """An ASGI application that serves jobs and logs its requests.

    Attributes:
        clock: the clock that jobs live by.
        lists: how its list endpoint behaves.
        ahead: how far its own clock is ahead.
        fault: returns status and headers of an error for a request, or None.
        limit_per_minute: requests a minute that it allows; the others get a 429.
        deleted: ids of jobs that do not exist any more.
        mixed_up: by job id, the id of the job that is served in its place.
        shown: by job id, a function of the time that returns the status to show while the job is unfinished.
        seen: the log of requests.
        num_refused: number of 429 responses.
        answer_seconds: how long it takes to answer.
    """

    def __init__(self, clock: Clock, *, lists: Lists = "work", ahead_seconds: float = 0.0) -> None:
        self.clock = clock
        self.lists = lists
        self.ahead = timedelta(seconds=ahead_seconds)
        self.fault: Fault = lambda _: None
        self.limit_per_minute: int | None = None
        self.deleted: set[str] = set()
        self.mixed_up: dict[str, str] = {}
        self.shown: dict[str, Callable[[float], str]] = {}
        self.seen: list[Seen] = []
        self.num_refused = 0
        self.answer_seconds = 0.0
        self._passed: list[float] = []
        self._store = JobStore()
        self._app = create_app(self._store, clock=lambda: clock.now() + self.ahead)

    def add(
        self,
        job_id: str,
        seconds: float = 0.0,
        *,
        status: str = "COMPLETED",
        age: float = 0.0,
        credits_billed: float | None = 3,
    ) -> str:
        """Add a job that was created `age` seconds ago and ends `seconds` after its creation; return its id."""
        job = {
            "id": job_id,
            "status": status,
            "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-01T00:00:00Z",
            "extract_result": {"total": 12},
            "extract_metadata": {"field_metadata": {"document_metadata": {"total": {"confidence": 0.9}}}},
            "usage": {"credits": credits_billed},
        }
        self._store.import_job(json.dumps(job).encode(), Timeline(0.0, 0.0, seconds))
        self._store.get_job(job_id, self.clock.now() + self.ahead - timedelta(seconds=age))
        return job_id

    def poll_times(self, job_id: str) -> list[float]:
        """Return when a job was polled without its sections, alone or in a list."""
        return [seen.at for seen in self.seen if job_id in seen.ids and not seen.expand]

    def fetch_times(self, job_id: str) -> list[float]:
        """Return when a job was fetched with its sections."""
        return [seen.at for seen in self.seen if job_id in seen.ids and seen.expand]

    def close(self) -> None:
        """Close the database."""
        self._store.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        assert scope["type"] == "http"
        query = parse_qs(scope["query_string"].decode())
        path = scope["raw_path"].decode() if scope.get("raw_path") else scope["path"]
        is_list = path == LIST_PATH
        ids = tuple(query.get("job_ids", ())) if is_list else (unquote(path.rpartition("/")[2]),)
        seen = Seen(self.clock.monotonic(), ids, is_list, tuple(query.get("expand", ())))
        self.seen.append(seen)
        if self.answer_seconds:
            await anyio.sleep(self.answer_seconds)
        refusal = self._refuse(seen) or self.fault(seen)
        if refusal is not None:
            status, headers = refusal
            await self._send(send, status, b'{"detail":"as the test says"}', headers)
        elif is_list:
            await self._send(send, 200, self._list(query), {})
        elif ids[0] in self.deleted:
            await self._send(send, 404, b'{"detail":"not found"}', {})
        else:
            await self._get(self.mixed_up.get(ids[0], ids[0]), scope, receive, send)

    def _refuse(self, seen: Seen) -> tuple[int, dict[str, str]] | None:
        if seen.is_list and self.lists == "are refused":
            return 422, {}
        if self.limit_per_minute is None:
            return None
        self._passed = [at for at in self._passed if at > seen.at - 60]
        if len(self._passed) >= self.limit_per_minute:
            self.num_refused += 1
            return 429, {}
        self._passed.append(seen.at)
        return None

    def _list(self, query: dict[str, list[str]]) -> bytes:
        wanted = query.get("job_ids", [])
        statuses = query.get("status", [])
        if not wanted or self.lists == "ignore ids":
            wanted = [job_id for job_id, _ in self._store.list_jobs()]
        if self.lists == "ignore status":
            statuses = []
        if self.lists == "take the last status":
            statuses = statuses[-1:]
        wanted = [self.mixed_up.get(job_id, job_id) for job_id in wanted]
        rows = [row for job_id in wanted if (row := self._row(job_id)) and (not statuses or row["status"] in statuses)]
        size = 3 if self.lists == "come in pages of 3" else int(query.get("page_size", ["50"])[0])
        begin = int(query.get("page_token", ["0"])[0])
        token = str(begin + size) if begin + size < len(rows) else None
        return json.dumps({"items": rows[begin : begin + size], "next_page_token": token}).encode()

    def _row(self, job_id: str) -> dict[str, Any] | None:
        stored = None if job_id in self.deleted else self._store.get_job(job_id, self.clock.now() + self.ahead)
        if stored is None:
            return None
        row: dict[str, Any] = json.loads(join_json(stored.sections))
        return {**row, "status": self._status(job_id, row["status"]), "extract_metadata": None, "usage": None}

    def _status(self, job_id: str, status: str) -> str:
        if job_id not in self.shown or status in TERMINAL_STATUSES:
            return status
        return self.shown[job_id](self.clock.monotonic())

    async def _get(self, job_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        start: list[Message] = []

        async def pass_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.append(message)
                return
            job = json.loads(message["body"])
            body = json.dumps({**job, "status": self._status(job_id, job["status"])}) if "status" in job else None
            await self._send(send, start[0]["status"], body.encode() if body else message["body"], {})

        path = f"{LIST_PATH}/{quote(job_id, safe='')}"
        await self._app({**scope, "path": f"{LIST_PATH}/{job_id}", "raw_path": path.encode()}, receive, pass_on)

    async def _send(self, send: Send, status: int, body: bytes, headers: dict[str, str]) -> None:
        date = {"date": format_datetime(self.clock.now() + self.ahead, usegmt=True)} if self.ahead else {}
        sent = [(name.encode(), value.encode()) for name, value in {**date, **headers}.items()]
        await send({"type": "http.response.start", "status": status, "headers": sent})
        await send({"type": "http.response.body", "body": body})


def source_of(service: Service, key: str = KEY) -> OpenSource:
    """Return a function that opens a client of the service."""
    settings = Settings.model_construct(api_key=SecretStr(key), base_url_override="http://127.0.0.1")
    return lambda: open_client(settings, app=service)


@asynccontextmanager
async def reading(service: Service, options: ReaderOptions | None = None) -> AsyncIterator[JobReader]:
    """Open a reader of the service's jobs; on exit, close the service too."""
    async with AsyncExitStack() as stack:
        stack.callback(service.close)
        yield await stack.enter_async_context(open_reader(source_of(service), service.clock, options))
