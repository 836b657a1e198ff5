"""The text of a document is fetched once, from the parse job or else the file, and never fails an answer."""

import json
from dataclasses import replace
from typing import Any

import anyio
import pytest

from llx_mcp.errors import (
    BadResponseError,
    LlxError,
    NotFoundError,
    RateLimitedError,
    RejectedError,
    UnavailableError,
    UnreachableError,
)
from llx_mcp.evidence.pages import STILL_READING, SourcePage, SourceText
from llx_mcp.evidence.parse_pages import UNFINISHED
from llx_mcp.jobs.cache import JobCache
from llx_mcp.jobs.source_texts import FETCH_SECONDS, GONE, WAIT_SECONDS
from llx_mcp.models import Job
from llx_mcp.pdf.processes import PdfError
from llx_mcp.scope import Scope
from tests.jobs.texts import KEY, PARSED, READ, Service, job, words
from tests.jobs.virtual_time import VirtualClock, virtual


@virtual
async def test_text_comes_from_the_parse_job_of_the_metadata() -> None:
    service = Service()
    service.documents.parse_jobs["pjb-1"] = PARSED
    async with service.open() as texts:
        assert await words(texts, job()) == "parsed"
    assert service.documents.fetched == ["pjb-1"]


@virtual
async def test_text_comes_from_the_parse_job_that_the_job_was_made_from() -> None:
    service = Service()
    service.documents.parse_jobs["pjb-2"] = PARSED
    async with service.open() as texts:
        assert await words(texts, job(parse_job=None, file="pjb-2")) == "parsed"
    assert service.documents.fetched == ["pjb-2"]


@virtual
@pytest.mark.parametrize(
    "parse_job",
    [
        NotFoundError("gone"),
        RateLimitedError("slow down"),
        BadResponseError("web page"),
        SourceText(problem=UNFINISHED),
        SourceText(problem="the parse job has no text"),
        None,
    ],
)
async def test_text_comes_from_the_file_where_the_parse_job_gives_none(parse_job: Any) -> None:
    service = Service()
    service.documents.files["dfl-1"] = b"%PDF"
    if parse_job is not None:
        service.documents.parse_jobs["pjb-1"] = parse_job
    async with service.open() as texts:
        assert await words(texts, job(parse_job=parse_job and "pjb-1")) == "read"
    assert service.pdfs.read == [b"%PDF"]


@virtual
async def test_without_any_text_both_reasons_are_given() -> None:
    service = Service()
    service.documents.parse_jobs["pjb-1"] = RejectedError("No parse job.")
    service.documents.files["dfl-1"] = NotFoundError("No file.")
    async with service.open() as texts:
        found = await texts.fetch(KEY, job())
        source = await found.read()
    assert source == SourceText(problem=found.problem)
    assert found.problem == f"the text of the parse job could not be fetched: No parse job.; {GONE}"


@virtual
async def test_document_that_is_gone_is_said_to_be_so_once() -> None:
    service = Service()
    service.documents.parse_jobs["pjb-1"] = NotFoundError("No parse job.")
    service.documents.files["dfl-1"] = NotFoundError("No file.")
    async with service.open() as texts:
        assert (await texts.fetch(KEY, job())).problem == GONE


@virtual
@pytest.mark.parametrize(
    "error",
    [PdfError("it is encrypted and needs a password"), ValueError("x"), KeyError("x")],
)
async def test_file_that_cannot_be_read_is_said_to_be_so_and_not_read_again(error: Exception) -> None:
    service = Service()
    service.documents.files["dfl-1"] = b"%PDF"
    service.pdfs.result = error
    async with service.open() as texts:
        found = [await words(texts, job(parse_job=None))]
        await anyio.sleep(3_600)
        found.append(await words(texts, job(parse_job=None)))
    assert found[0] == found[1]
    assert ("needs a password" if isinstance(error, PdfError) else "could not be read") in found[0]
    assert len(service.pdfs.read) == 1


@virtual
@pytest.mark.parametrize(("error", "seconds"), [(PdfError("too slow"), 6.0), (OSError(), 0.0), (MemoryError(), 0.0)])
async def test_file_that_a_busy_machine_could_not_read_is_read_again(error: Exception, seconds: float) -> None:
    service = Service()
    service.documents.files["dfl-1"] = b"%PDF"
    service.pdfs.result, service.pdfs.seconds = error, seconds
    async with service.open() as texts:
        await words(texts, job(parse_job=None))
        service.pdfs.result = READ
        await anyio.sleep(61)
        assert await words(texts, job(parse_job=None)) == "read"


@virtual
async def test_scanned_document_says_that_it_has_no_text_layer() -> None:
    service = Service()
    service.documents.files["dfl-1"] = b"%PDF"
    service.pdfs.result = SourceText("document", [SourcePage(1, problem="scan")], problem="no text layer")
    async with service.open() as texts:
        assert (await words(texts, job(parse_job=None))).endswith("the file has no text: no text layer")


@virtual
async def test_half_of_the_pages_are_a_text() -> None:
    service = Service()
    half = SourceText("document", [SourcePage(1, ["one"]), SourcePage(2, problem="scan")])
    service.documents.files["dfl-1"] = b"%PDF"
    service.pdfs.result = half
    async with service.open() as texts:
        found = await texts.fetch(KEY, job(parse_job=None))
        assert (found.problem, await found.read()) == ("", half)


@virtual
async def test_concurrent_callers_share_one_fetch_and_later_ones_the_cache() -> None:
    service = Service()
    service.documents.parse_jobs["pjb-1"] = PARSED
    service.documents.seconds = 1
    found: list[str] = []
    async with service.open() as texts:

        async def fetch(number: int) -> None:
            cached = job(job_id=f"ext-{number % 3}")
            found.append(await words(texts, cached, replace(KEY, job_id=cached.job.id)))

        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(fetch, number)
        await anyio.sleep(3_600)
        await fetch(1)
    assert (found, service.documents.fetched) == (["parsed"] * 21, ["pjb-1"])


@virtual
async def test_text_of_one_credential_or_project_is_never_shown_to_another() -> None:
    service = Service()
    service.documents.parse_jobs["pjb-1"] = PARSED
    keys = [KEY, replace(KEY, identity="another"), replace(KEY, scope=Scope("p")), replace(KEY, scope=Scope(None, "o"))]
    async with service.open() as texts:
        assert await words(texts, job(), keys[0]) == "parsed"
        service.documents.parse_jobs.clear()
        others = [await words(texts, job(), key) for key in keys[1:]]
        assert [texts.peek(key) for key in keys[1:]] == [None] * 3
    assert all(GONE in other for other in others)
    assert service.documents.scopes == [Scope()] * 3 + [Scope("p")] * 2 + [Scope(None, "o")] * 2


@virtual
async def test_slow_document_is_read_in_the_background_for_the_next_call() -> None:
    service = Service()
    service.documents.parse_jobs["pjb-1"] = PARSED
    service.documents.seconds = WAIT_SECONDS + 5
    async with service.open() as texts:
        started = anyio.current_time()
        assert await words(texts, job()) == STILL_READING
        assert anyio.current_time() - started == WAIT_SECONDS
        await anyio.sleep(6)
        assert await words(texts, job()) == "parsed"
    assert service.documents.fetched == ["pjb-1"]


@virtual
async def test_document_that_takes_too_long_is_given_up_and_tried_again_after_a_minute() -> None:
    service = Service()
    service.documents.parse_jobs["pjb-1"] = PARSED
    service.documents.seconds = FETCH_SECONDS + 1
    async with service.open() as texts:
        assert await words(texts, job()) == STILL_READING
        await anyio.sleep(FETCH_SECONDS)
        assert f"within {FETCH_SECONDS:g} s" in await words(texts, job())
        service.documents.seconds = 0
        await anyio.sleep(61)
        assert await words(texts, job()) == "parsed"
    assert service.documents.fetched == ["pjb-1", "pjb-1"]


@virtual
async def test_cancelled_caller_does_not_end_the_fetch_of_another_nor_its_own() -> None:
    service = Service()
    service.documents.parse_jobs["pjb-1"] = PARSED
    service.documents.seconds = 2
    found: list[str] = []
    async with service.open() as texts:

        async def stay() -> None:
            found.append(await words(texts, job()))

        async with anyio.create_task_group() as group:
            with anyio.move_on_after(1):
                group.start_soon(stay)
                await texts.fetch(KEY, job())
        with anyio.move_on_after(1):
            await texts.fetch(replace(KEY, job_id="ext-2"), job(parse_job="pjb-2", file="dfl-2"))
        await anyio.sleep(10)
    assert found == ["parsed"]
    assert service.documents.fetched == ["pjb-1", "pjb-2", "dfl-2"]


@virtual
@pytest.mark.parametrize(
    ("error", "seconds", "is_permanent"),
    [
        (RateLimitedError("slow down"), 61, False),
        (UnavailableError("away"), 61, False),
        (UnreachableError("no network"), 61, False),
        (LlxError("anything"), 61, False),
        (NotFoundError("gone"), 86_400, True),
        (RejectedError("not a file id"), 86_400, True),
    ],
)
async def test_failure_is_remembered_for_a_minute_or_for_good(
    error: LlxError, seconds: float, is_permanent: bool
) -> None:
    service = Service()
    service.documents.files["dfl-1"] = error
    async with service.open() as texts:
        await words(texts, job(parse_job=None))
        await anyio.sleep(59)
        await words(texts, job(parse_job=None))
        assert service.documents.fetched == ["dfl-1"]
        await anyio.sleep(seconds)
        service.documents.files["dfl-1"] = b"%PDF"
        assert (await words(texts, job(parse_job=None)) != "read") == is_permanent


@virtual
async def test_refused_document_does_not_slow_down_the_polling() -> None:
    service = Service()
    service.documents.parse_jobs["pjb-1"] = RateLimitedError("slow down", retry_after_seconds=30)
    service.documents.files["dfl-1"] = RateLimitedError("slow down", retry_after_seconds=30)
    async with service.open() as texts:
        assert "slow down" in await words(texts, job())
        assert service.rate.wait_seconds(anyio.current_time()) == 0
        assert service.rate.num_recent(anyio.current_time()) == 2


@virtual
async def test_document_waits_until_the_rate_limit_has_room() -> None:
    service = Service()
    service.documents.parse_jobs["pjb-1"] = PARSED
    async with service.open() as texts:
        service.rate.pause(anyio.current_time(), 5)
        assert await words(texts, job()) == "parsed"
        assert anyio.current_time() == 5


@virtual
async def test_peek_never_fetches() -> None:
    service = Service()
    service.documents.parse_jobs["pjb-1"] = PARSED
    async with service.open() as texts:
        assert texts.peek(KEY) is None
        await texts.fetch(KEY, job())
        found = texts.peek(KEY)
        assert found is not None
        assert await found.read() == PARSED
    assert service.documents.fetched == ["pjb-1"]


@virtual
async def test_job_that_runs_may_get_its_parse_job_later() -> None:
    service = Service()
    service.documents.parse_jobs["pjb-1"] = PARSED
    async with service.open() as texts:
        assert GONE in await words(texts, job(parse_job=None, status="RUNNING"))
        assert await words(texts, job()) == "parsed"


@virtual
async def test_texts_and_jobs_share_one_budget() -> None:
    clock = VirtualClock()
    jobs = JobCache(clock, max_bytes=20_000)
    service = Service()
    service.cache = jobs.entries
    noise = [f"{number * 7919 % 100_003:x}" for number in range(4_000)]
    async with service.open() as texts:
        small = json.dumps({"id": "ext-9", "status": "COMPLETED"}).encode()
        await jobs.put(replace(KEY, job_id="ext-9"), Job.parse(small))
        for number in range(4):
            service.documents.parse_jobs[f"pjb-{number}"] = SourceText("parse_job", [SourcePage(1, noise)])
            key = replace(KEY, job_id=f"ext-{number}")
            await texts.fetch(key, job(parse_job=f"pjb-{number}", job_id=key.job_id))
        held = [texts.peek(replace(KEY, job_id=f"ext-{number}")) for number in range(4)]
    assert held[0] is None
    assert held[3] is not None
    assert jobs.find(replace(KEY, job_id="ext-9"), usage="any") is None
    assert sum(each.num_cached_bytes for each in held if each is not None) <= 20_000
    assert held[3].is_compressed


@virtual
async def test_without_a_cache_a_call_waits_for_the_whole_fetch() -> None:
    service = Service(max_bytes=0)
    service.documents.parse_jobs["pjb-1"] = PARSED
    service.documents.seconds = WAIT_SECONDS + 1
    async with service.open() as texts:
        assert await words(texts, job()) == "parsed"
