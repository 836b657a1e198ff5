"""A creator over the embedded API, whose connection can be cut between any two requests."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import httpx

from llx_mcp.backends import local_settings
from llx_mcp.jobs.creation import JobCreator
from llx_mcp.jobs.creation_options import CreationOptions
from llx_mcp.jobs.creation_plan import CreatedJob, CreationRequest
from llx_mcp.jobs.reader import JobReader, open_reader
from llx_mcp.jobs.reader_options import ReaderOptions
from llx_mcp.llamacloud import open_client
from llx_mcp.local import SAMPLES, JobStore, create_app, open_store
from llx_mcp.local.samples import read_document
from llx_mcp.local.seeding import PROJECT_ID
from tests.fake_clock import FakeClock

INVOICE = SAMPLES[0].job_id
SCHEMA = {"type": "object", "properties": {"invoice_number": {"type": "string", "description": "As printed."}}}
CREATE_PATH = "/api/v2/extract"
FILES_PATH = "/api/v1/beta/files"
# The requests that create a job from a file that is not uploaded yet.
FIRST_REQUESTS = [
    ("POST", f"{CREATE_PATH}/schema/validation"),
    ("GET", FILES_PATH),
    ("POST", FILES_PATH),
    ("POST", CREATE_PATH),
]


class ProcessEnded(BaseException):
    """The process of the server ends here: nothing handles it."""


class QuickClock(FakeClock):
    """The clock of this machine, whose sleeps pass at once."""

    def now(self) -> datetime:
        """Return the time of day in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that include those slept."""
        return anyio.current_time() + self.seconds


@dataclass
class Line(httpx.AsyncBaseTransport):
    """A connection to an application, which records its requests.

    Attributes:
        app: the application.
        on_request: is called with each request before it is sent; may raise, or return a response in place of it.
        on_response: is called with each request once it was answered; may raise or return another response.
        sent: method and path of each request.
    """

    app: Any
    on_request: Callable[[httpx.Request, int], httpx.Response | None] = lambda *_: None
    on_response: Callable[[httpx.Request, int], httpx.Response | None] = lambda *_: None
    sent: list[tuple[str, str]] = field(default_factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request."""
        number = len(self.sent)
        self.sent.append((request.method, request.url.path))
        if (early := self.on_request(request, number)) is not None:
            return early
        response = await httpx.ASGITransport(self.app).handle_async_request(request)
        return self.on_response(request, number) or response


def copy_invoice(folder: Path, name: str = "invoice.pdf") -> Path:
    """Write the sample invoice into a folder."""
    path = folder / name
    content = read_document(SAMPLES[0])
    assert content is not None
    path.write_bytes(content)
    return path


class Workshop:
    """A store with the samples, and the creators over it, one after the other or at the same time.

    Attributes:
        store: the jobs and files.
        folder: where files may be read.
        clock: the clock of all.
        call_seconds: the time for one call of a server; None for the default.
    """

    def __init__(self, folder: Path, **options: Any) -> None:
        self.store: JobStore = open_store(None, with_samples=True)
        self.folder = folder
        self.clock = FakeClock()
        self._num_jobs = len(self.store.list_jobs())
        self._num_files = len(self.store.files.list_files())
        self._options = options
        self.call_seconds: float | None = None

    @property
    def new_jobs(self) -> list[str]:
        """Ids of the jobs that were created."""
        return [job_id for job_id, _ in self.store.list_jobs()][self._num_jobs :]

    @property
    def num_new_files(self) -> int:
        """Number of files that were uploaded."""
        return len(self.store.files.list_files()) - self._num_files

    def line(self, **hooks: Any) -> Line:
        """Return a connection to the embedded API over the store."""
        return Line(create_app(self.store, clock=self.clock.now), **hooks)

    @asynccontextmanager
    async def open(self, line: Line | None = None) -> AsyncIterator[JobReader]:
        """Start a server, which has no memory of earlier ones."""
        given = {"allowed": frozenset({"create", "cancel", "delete"}), "folders": (self.folder,), **self._options}
        options = ReaderOptions(creation=CreationOptions(**given))
        if self.call_seconds is not None:
            options = replace(options, call_seconds=self.call_seconds)
        transport = line or self.line()
        async with open_reader(
            lambda: open_client(local_settings(), transport=transport), self.clock, options
        ) as reader:
            yield reader

    async def create(self, line: Line | None = None, **request: Any) -> CreatedJob:
        """Plan and create a job with a server of its own."""
        async with self.open(line) as reader:
            return await run(reader.writer.creator, **request)


async def run(creator: JobCreator, **request: Any) -> CreatedJob:
    """Plan and create a job; by default of the invoice, with a short schema."""
    given: dict[str, Any] = dict(request)
    if not {"file", "url", "document_id"} & given.keys():
        given["file"] = "invoice.pdf"
    if not {"data_schema", "like_job", "configuration_id"} & given.keys():
        given["data_schema"] = SCHEMA
    return await creator.create(await creator.plan(CreationRequest(**given)))


def lose_at(number: int) -> Callable[[httpx.Request, int], httpx.Response | None]:
    """Return a hook that loses the answer to one request, by its number from 0."""

    def hook(request: httpx.Request, sent: int) -> None:
        if sent == number:
            raise httpx.ReadError("lost", request=request)

    return hook


def end_at(number: int) -> Callable[[httpx.Request, int], httpx.Response | None]:
    """Return a hook that ends the process at one request, by its number from 0."""

    def hook(_: httpx.Request, sent: int) -> None:
        if sent == number:
            raise ProcessEnded

    return hook


def count(sent: Sequence[tuple[str, str]], method: str, path: str) -> int:
    """Return how many of the requests have a method and a path."""
    return sent.count((method, path))


def save_configuration(store: JobStore, workshop: Workshop, **parameters: Any) -> str:
    """Save a configuration in the store, and return its id."""
    saved = store.configurations.put(
        "saved", "extract_v2", {"data_schema": SCHEMA, **parameters}, workshop.clock.now(), project_id=PROJECT_ID
    )
    return saved.configuration_id
