"""Which questions fetch the text of a document, and what that may cost the others."""

import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from llx_mcp.answers.dispatch import ResultReader
from llx_mcp.answers.requests import JobRequest, JobsRequest, SourceOptions, WaitRequest
from llx_mcp.evidence.pages import STILL_READING, SourcePage, SourceText
from llx_mcp.jobs.poll_schedule import PollSchedule
from llx_mcp.jobs.reader import JobReader, open_reader
from llx_mcp.jobs.reader_options import ReaderOptions
from llx_mcp.jobs.source_texts import GONE, WAIT_SECONDS
from tests.jobs.virtual_time import VirtualClock, virtual
from tests.sources import Bodies, open_bodies

Ask = Callable[[JobReader], Coroutine[Any, Any, object]]
REQUEST = JobRequest("ext-1")
TEXT = SourceText("parse_job", [SourcePage(1, ["total", "12.50"], [0])])
ALWAYS: dict[str, Ask] = {
    "read_source_text": lambda reader: reader.read_source_text(REQUEST, SourceOptions()),
}
CHECKING: dict[str, Ask] = {
    "read": lambda reader: reader.read(REQUEST, "total", None, ("provenance",)),
    "find": lambda reader: reader.find(REQUEST, "total", 5),
    "find in jobs": lambda reader: reader.joined.find(JobsRequest(("ext-1", "ext-2")), "total", 5),
    "review": lambda reader: reader.review(REQUEST, 0.8),
}
FETCHING = ALWAYS | CHECKING
NEVER: dict[str, Ask] = {
    "get": lambda reader: reader.get(REQUEST),
    "wait": lambda reader: reader.wait(WaitRequest(("ext-1",), is_many=False), 0),
    "wait for jobs": lambda reader: reader.wait(WaitRequest(("ext-1", "ext-2")), 0),
    "query": lambda reader: reader.query(REQUEST, "SELECT total FROM document"),
    "query over jobs": lambda reader: reader.joined.query(
        JobsRequest(("ext-1", "ext-2")), "SELECT total FROM document"
    ),
    "review without citations": lambda reader: reader.review(REQUEST, 0.8, check_citations=False),
}


def body_of(job_id: str, status: str = "COMPLETED", result: object = None) -> bytes:
    """Make the body of a job with a parse job of its own."""
    wire = {
        "id": job_id,
        "status": status,
        "file_input": f"dfl-{job_id}",
        "extract_result": {"total": 12.5} if result is None else result,
        "extract_metadata": {"parse_job_id": f"pjb-{job_id}"},
        "usage": {"credits": 1},
    }
    return json.dumps(wire).encode()


def build_source() -> Bodies:
    """Make a source of jobs with documents."""
    source = Bodies(body_of)
    source.documents.parse_jobs |= {"pjb-ext-1": TEXT, "pjb-ext-2": TEXT}
    return source


@asynccontextmanager
async def reading(source: Bodies, *, check_citations: bool = True) -> AsyncIterator[JobReader]:
    """Open a reader of the source in virtual time."""
    options = ReaderOptions(schedule=PollSchedule(jitter=0), check_citations=check_citations)
    async with open_reader(open_bodies(source), VirtualClock(), options) as reader:
        yield reader


async def fetched_by(call: Ask, *, check_citations: bool = True) -> set[str]:
    """Return the documents that a call fetches."""
    source = build_source()
    async with reading(source, check_citations=check_citations) as reader:
        await call(reader)
    return set(source.documents.fetched)


@pytest.mark.parametrize("name", FETCHING)
@virtual
async def test_questions_about_the_document_fetch_its_text(name: str) -> None:
    assert "pjb-ext-1" in await fetched_by(FETCHING[name])


@pytest.mark.parametrize("name", NEVER)
@virtual
async def test_other_questions_fetch_no_text(name: str) -> None:
    assert await fetched_by(NEVER[name]) == set()


@pytest.mark.parametrize("name", FETCHING)
@virtual
async def test_setting_leaves_the_text_to_those_who_ask_for_it(name: str) -> None:
    assert bool(await fetched_by(FETCHING[name], check_citations=False)) == (name in ALWAYS)


@virtual
async def test_job_without_a_result_has_nothing_to_check() -> None:
    source = build_source()
    source.body_of = lambda job_id: body_of(job_id, "FAILED", {})
    async with reading(source) as reader:
        await reader.read(REQUEST, "$", None, ())
    assert source.documents.fetched == []


@pytest.mark.parametrize("name", [name for name in CHECKING if name != "review"])
@virtual
async def test_answer_is_given_with_the_text_or_without(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[SourceText | None] = []
    answer = ResultReader.answer

    def record(self: ResultReader, *arguments: object, **named: object) -> object:
        seen.append(self.source)
        return answer(self, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(ResultReader, "answer", record)
    source = build_source()
    async with reading(source) as reader:
        await CHECKING[name](reader)
        assert seen
        assert all(text == TEXT for text in seen)
        seen.clear()
        await NEVER["get"](reader)
        assert seen == [TEXT]
    source = build_source()
    source.documents.parse_jobs.clear()
    seen.clear()
    async with reading(source) as reader:
        await CHECKING[name](reader)
        assert all(text is not None and GONE in text.problem for text in seen)


@virtual
async def test_answer_waits_for_a_slow_document_only_for_a_while() -> None:
    source = build_source()
    source.documents.seconds = 15
    async with reading(source) as reader:
        answer = await reader.read_source_text(REQUEST, SourceOptions())
        assert anyio.current_time() == WAIT_SECONDS
        assert answer.structured["problem"] == STILL_READING
        await anyio.sleep(10)
        answer = await reader.read_source_text(REQUEST, SourceOptions())
        assert answer.structured["lines"]["rows"] == [[1, 1, "total 12.50"]]


@virtual
async def test_slow_documents_of_several_jobs_are_waited_for_together() -> None:
    source = build_source()
    source.documents.seconds = 15
    async with reading(source) as reader:
        await CHECKING["find in jobs"](reader)
        assert anyio.current_time() == WAIT_SECONDS


async def poll_times(call: Ask | None) -> list[float]:
    """Return when a job that runs for a minute is polled, while a call about another job is answered."""
    source = build_source()
    source.documents.seconds = 15
    times: list[float] = []
    begin = anyio.current_time()

    def make(job_id: str) -> bytes:
        if job_id != "ext-9":
            return body_of(job_id)
        times.append(round(anyio.current_time() - begin, 6))
        return body_of(job_id, "RUNNING" if times[-1] < 60 else "COMPLETED")

    source.body_of = make
    async with reading(source) as reader, anyio.create_task_group() as group:
        if call is not None:
            group.start_soon(call, reader)
        progress = await reader.wait_many(["ext-9"], timeout_seconds=200)
        assert progress.snapshots[0].has_ended
    return times


@virtual
async def test_document_never_delays_a_wait() -> None:
    assert await poll_times(ALWAYS["read_source_text"]) == await poll_times(None)
