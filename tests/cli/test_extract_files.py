"""Many files go through a small rate limit, and nothing is created twice, whatever is interrupted or fails."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llx_mcp.backends import local_settings
from llx_mcp.cli.extract_files import FileExtractor, FileState
from llx_mcp.cli.extract_results import Output, ResultWriter
from llx_mcp.cli.extract_run import build_options
from llx_mcp.cli.job_rows import get_exit_status
from llx_mcp.errors import LlxError, OutOfCreditsError
from llx_mcp.jobs.creation_plan import CreationRequest
from llx_mcp.jobs.reader import JobReader, open_reader
from llx_mcp.jobs.reader_options import ReaderOptions
from llx_mcp.jobs.source import JobSource, OpenSource
from llx_mcp.llamacloud import open_client
from llx_mcp.local import JobStore, create_app
from llx_mcp.local.extraction import Document, Extraction
from llx_mcp.local.faults import FaultInjector, parse_fault
from tests.jobs.virtual_time import VirtualClock, virtual

SCHEMA: Any = {"type": "object", "properties": {"words": {"type": "array", "items": {"type": "string"}}}}
REQUEST = CreationRequest(data_schema=SCHEMA)


class Words:
    """An engine that extracts the words of a text. A text that begins with `fail` fails."""

    def extract(self, document: Document, configuration: Mapping[str, Any]) -> Extraction:
        """Split the text into words."""
        words = (document.read_content() or b"").decode().split()
        if words[0] == "fail":
            return Extraction("FAILED", "no words")
        return Extraction("COMPLETED", sections={"extract_result": msgspec.Raw(msgspec.json.encode({"words": words}))})


class SharedClock(VirtualClock):
    """The virtual clock, for threads too."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def monotonic(self) -> float:
        """Return the seconds since the loop began."""
        return self._loop.time()


class Service:
    """The embedded API in virtual time.

    Attributes:
        responses: the time in seconds, the method, the path and the status of each response.
    """

    def __init__(self, *faults: str) -> None:
        self.clock = SharedClock()
        self.store = JobStore()
        self.faults = FaultInjector(map(parse_fault, faults), clock=self.clock.monotonic, sleep=self.clock.sleep)
        self.responses: list[tuple[float, str, str, int]] = []
        self._app: ASGIApp = create_app(self.store, clock=self.clock.now, faults=self.faults, engine=Words())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def record(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.responses.append((self.clock.monotonic(), scope["method"], scope["path"], message["status"]))
            await send(message)

        # Each answer takes some time, so that requests overlap.
        await self.clock.sleep(0.05)
        await self._app(scope, receive, record)

    def open_source(self) -> OpenSource:
        @asynccontextmanager
        async def open_source() -> AsyncIterator[JobSource]:
            async with open_client(local_settings(), app=self) as client:
                yield client

        return open_source

    @asynccontextmanager
    async def open_reader(self) -> AsyncIterator[JobReader]:
        async with open_reader(self.open_source(), self.clock, build_options(ReaderOptions(), None)) as reader:
            yield reader

    def count(self, method: str, path: str, status: int = 200) -> int:
        """Count responses."""
        return sum(response[1:] == (method, path, status) for response in self.responses)

    @property
    def num_created(self) -> int:
        """The number of jobs."""
        return self.store.count()


def write_files(folder: Path, texts: Sequence[str]) -> list[str]:
    """Write files, and return their paths."""
    paths = [folder / f"{number:03}.txt" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    return list(map(str, paths))


async def extract(
    service: Service,
    files: Sequence[str],
    output: Output,
    request: CreationRequest = REQUEST,
    seconds: float = 36_000,
    *,
    is_planned: bool = False,
) -> list[FileState]:
    """Extract files as the command does; all are planned first where a person is asked."""
    async with service.open_reader() as reader:
        extractor = FileExtractor(reader, request, files)
        await extractor.prepare()
        if is_planned:
            await extractor.plan()
        await extractor.create()
        await extractor.wait(seconds, ResultWriter(reader, output, request.scope).write)
        return extractor.states


def build_output(folder: Path) -> Output:
    return Output(folder, "json", provenance=False, is_single=False)


@pytest.mark.parametrize("parameters", ["", ",retry_after=5", ",retry_after=30", ",retry_after=60"])
def test_two_hundred_files_go_through_a_limit_of_twenty_requests_a_minute(tmp_path: Path, parameters: str) -> None:
    files = write_files(tmp_path, [f"document {number}" for number in range(200)])
    (tmp_path / "out").mkdir()

    @virtual
    async def run() -> None:
        service = Service(f"rate-limit:per_minute=20{parameters}")
        states = await extract(service, files, build_output(tmp_path / "out"))
        assert get_exit_status({state.status for state in states}) == 0
        assert service.num_created == 200
        refused = [seconds for seconds, *_, status in service.responses if status == 429]
        assert refused
        assert max(refused) < 60
        assert service.count("POST", "/api/v2/extract/schema/validation") == 1
        # Free keys get no more than 20 requests in any minute; 600 are needed to create, and 200 to read.
        assert service.responses[-1][0] < 65 * 60

    run()
    results = {path.name: json.loads(path.read_text()) for path in (tmp_path / "out").iterdir()}
    assert results == {f"{number:03}.txt.json": {"words": ["document", str(number)]} for number in range(200)}


@virtual
async def test_without_a_limit_many_files_take_few_list_requests(tmp_path: Path) -> None:
    files = write_files(tmp_path, [f"document {number}" for number in range(120)])
    service = Service()
    states = await extract(service, files, build_output(tmp_path))
    assert {state.status for state in states} == {"COMPLETED"}
    counts = Counter((method, path.partition("/ext-")[0]) for _, method, path, _ in service.responses)
    assert counts[("POST", "/api/v1/beta/files")] == counts[("POST", "/api/v2/extract")] == 120
    assert counts[("GET", "/api/v1/beta/files")] == 120
    assert counts[("GET", "/api/v2/extract")] < 150


@virtual
async def test_same_command_again_creates_nothing(tmp_path: Path) -> None:
    files = write_files(tmp_path, ["one", "two", "one"])
    service = Service()
    first = await extract(service, files, build_output(tmp_path))
    assert (first[0].job_id, service.num_created) == (first[2].job_id, 2)
    again = await extract(service, files, build_output(tmp_path), is_planned=True)
    assert [state.job_id for state in again] == [state.job_id for state in first]
    assert [state.created and state.created.is_new for state in again] == [False, False, False]
    assert service.num_created == 2
    await extract(service, files[:1], build_output(tmp_path), CreationRequest(data_schema=SCHEMA, again=True))
    assert service.num_created == 3


@pytest.mark.parametrize("seconds", [0.0, 0.12, 0.2, 0.3, 0.42, 0.55, 0.7, 1.0, 2.0])
def test_interrupted_at_any_moment_it_goes_on_where_it_was(tmp_path: Path, seconds: float) -> None:
    files = write_files(tmp_path, [f"document {number}" for number in range(12)])

    @virtual
    async def run() -> None:
        service = Service()
        with anyio.move_on_after(seconds):
            await extract(service, files, build_output(tmp_path))
        # A request that was on its way may still have an effect.
        await anyio.sleep(1)
        states = await extract(service, files, build_output(tmp_path))
        assert {state.status for state in states} == {"COMPLETED"}
        assert service.num_created == 12
        assert len(service.store.files.list_files()) <= 16

    run()


@pytest.mark.parametrize(
    "fault",
    ["unavailable:method=POST,path=/extract$,when=after,skip=1,times=2", "unavailable:method=POST,path=/files$,times=3",
     "unavailable:method=GET,path=/files$,times=3", "rate-limited:retry_after=3,times=4",
     "not-json:method=POST,path=/extract$,when=after,times=1",
     "unavailable:method=POST,path=/extract$,times=2",
     # The answer is lost, and the jobs cannot be listed either.
     "not-json:method=POST,path=/extract$,when=after,times=1 unavailable:method=GET,path=/extract$,times=6",
     "unavailable:method=GET,path=/extract,share=0.3,seed=4"],
)  # fmt: skip
def test_faults_neither_lose_nor_repeat_a_job(tmp_path: Path, fault: str) -> None:
    files = write_files(tmp_path, [f"document {number}" for number in range(8)])

    @virtual
    async def run() -> None:
        service = Service(*fault.split())
        states = await extract(service, files, build_output(tmp_path))
        assert {state.status for state in states} == {"COMPLETED"}
        assert service.num_created == 8

    run()


@virtual
async def test_request_on_which_the_service_still_works_is_waited_for(tmp_path: Path) -> None:
    files = write_files(tmp_path, ["one"])
    service = Service()
    app = service._app
    is_first = True

    async def answer_late(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal is_first
        if not (is_first and scope["method"] == "POST" and scope["path"] == "/api/v2/extract"):
            return await app(scope, receive, send)
        is_first = False
        messages = [await receive()]
        while messages[-1].get("more_body"):
            messages.append(await receive())

        async def work() -> None:
            await service.clock.sleep(100)
            await app(scope, replay, ignore)

        async def replay() -> Message:
            return messages.pop(0)

        async def ignore(_: Message) -> None:
            pass

        tasks.append(asyncio.create_task(work()))
        # A gateway gives up.
        await send({"type": "http.response.start", "status": 504, "headers": []})
        return await send({"type": "http.response.body", "body": b"<html>"})

    tasks: list[asyncio.Task[None]] = []
    service._app = answer_late
    shown: list[str] = []
    async with service.open_reader() as reader:
        extractor = FileExtractor(reader, REQUEST, files, lambda _: shown.append(extractor.states[0].status))
        await extractor.prepare()
        await extractor.create()
    states = extractor.states
    # The person sees why it takes minutes.
    assert shown[0] == "unclear"
    assert service.num_created == 1
    assert [state.created and state.created.is_new for state in states] == [False]


@virtual
async def test_out_of_credits_ends_the_creation_and_keeps_what_there_is(tmp_path: Path) -> None:
    files = write_files(tmp_path, [f"document {number}" for number in range(30)])
    service = Service("out-of-credits:method=POST,path=/extract$,skip=5")
    states = await extract(service, files, build_output(tmp_path))
    assert sum(state.status == "COMPLETED" for state in states) == service.num_created == 5
    assert all(isinstance(state.error, OutOfCreditsError) for state in states if state.status != "COMPLETED")
    assert get_exit_status({state.status for state in states}) == 2
    # The files that were tried at the same time were refused too, and no others were sent.
    assert service.count("POST", "/api/v2/extract", 402) <= 4
    assert len(service.store.files.list_files()) <= 9


@virtual
async def test_one_bad_file_does_not_stop_the_others(tmp_path: Path) -> None:
    files = write_files(tmp_path, ["one", "", "fail two", "three"])
    missing = str(tmp_path / "missing.txt")
    states = await extract(Service(), [*files, missing], build_output(tmp_path))
    assert [state.status for state in states] == ["COMPLETED", "ERROR", "FAILED", "COMPLETED", "ERROR"]
    assert ["is empty" in str(states[1].error), "does not exist" in str(states[4].error)] == [True, True]
    assert (tmp_path / "003.txt.json").exists()
    assert not (tmp_path / "002.txt.json").exists()
    assert get_exit_status({state.status for state in states}) == 2
    assert get_exit_status([states[0].status, states[2].status]) == 1


@virtual
async def test_files_that_are_planned_first_are_looked_for_again_once_that_took_long(tmp_path: Path) -> None:
    files = write_files(tmp_path, ["one", "two"])
    service = Service()
    async with service.open_reader() as reader:
        extractor = FileExtractor(reader, REQUEST, files)
        await extractor.prepare()
        await extractor.plan()
        assert [state.status for state in extractor.states] == ["ready", "ready"]
        # The person thinks, and someone else extracts one of the files.
        await extract(service, files[:1], build_output(tmp_path))
        await service.clock.sleep(60)
        await extractor.create()
    assert [state.created and state.created.is_new for state in extractor.states] == [False, True]
    assert service.num_created == 2


@virtual
async def test_schema_that_is_not_accepted_stops_before_any_file(tmp_path: Path) -> None:
    service = Service()
    request = CreationRequest(data_schema={"type": "object", "properties": {"a": {"type": "text"}}})
    with pytest.raises(LlxError, match=r"data_schema"):
        await extract(service, write_files(tmp_path, ["one"]), build_output(tmp_path), request)
    assert [path for _, _, path, _ in service.responses] == ["/api/v2/extract/schema/validation"]


@virtual
async def test_configuration_and_earlier_job_are_read_once(tmp_path: Path) -> None:
    service = Service()
    saved = service.store.configurations.put(
        "words", "extract_v2", {"data_schema": SCHEMA, "tier": "agentic"}, service.clock.now(),
        project_id="5a3d1f0e-6c1b-4e0a-9f57-2b6d8c4e1a90",
    )  # fmt: skip
    files = write_files(tmp_path, ["one", "two", "three"])
    by_id = await extract(
        service, files, build_output(tmp_path), CreationRequest(configuration_id=saved.configuration_id)
    )
    assert {state.created and state.created.job.configuration_id for state in by_id} == {saved.configuration_id}
    assert service.count("GET", f"/api/v1/beta/configurations/{saved.configuration_id}") == 1
    job_id = by_id[0].job_id
    service.responses.clear()
    more = write_files(tmp_path, ["four", "five"])
    like = await extract(service, more, build_output(tmp_path), CreationRequest(like_job=job_id))
    assert {state.status for state in like} == {"COMPLETED"}
    assert service.count("GET", f"/api/v2/extract/{job_id}") == 1


@virtual
async def test_wait_ends_at_the_timeout_with_its_exit_status(tmp_path: Path) -> None:
    path = tmp_path / "a--stuck.txt"
    path.write_text("one")
    states = await extract(Service(), [str(path)], build_output(tmp_path), seconds=30)
    assert (states[0].status, get_exit_status({state.status for state in states})) == ("RUNNING", 3)
