"""The same call about the same finished job is answered from memory; every other call is answered anew."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from mcp import Client

from llx_mcp.answers.requests import JobRequest, SourceOptions
from llx_mcp.errors import LlxError
from llx_mcp.evidence.pages import SourcePage, SourceText
from llx_mcp.jobs.cached_source import DocumentKey
from llx_mcp.jobs.reader import JobReader
from llx_mcp.jobs.reader_options import ReaderOptions
from llx_mcp.redaction import Redactor
from llx_mcp.server.app import build_server
from tests.clients import ERAS, call, structured, text_of
from tests.fake_clock import StandingClock
from tests.sources import Bodies, open_bodies

DIGITS = f'"{"9" * 10_000}"'
JOB: dict[str, Any] = {
    "id": "ext-1",
    "status": "COMPLETED",
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:01:00Z",
    "usage": {"credits": 3},
    "extract_result": {"total": 10**30, "rate": 0.1, "note": "é 日本", "none": None},
}


class Service:
    """A server over one job, with a count of the answers that were built.

    Attributes:
        job: the job as the service has it.
        num_built: how many answers were built.
        prepare: called with the reader before an answer is built.
        reader: the reader of the last answer that was built.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **job: Any) -> None:
        self.job = JOB | job
        self.num_built = 0
        self.prepare: Callable[[JobReader], Awaitable[None]] | None = None
        self.reader: JobReader
        self.source = Bodies(lambda _: json.dumps(self.job).encode())
        self.clock = StandingClock()
        get = JobReader.get

        async def count(reader: JobReader, request: Any) -> Any:
            self.num_built += 1
            self.reader = reader
            if self.prepare is not None:
                await self.prepare(reader)
            return await get(reader, request)

        monkeypatch.setattr(JobReader, "get", count)

    def connect(self, mode: str = "auto", **options: Any) -> Client:
        """Return a client of a new server."""
        redactor = options.pop("redactor", None)
        server = build_server(
            open_bodies(self.source), redactor=redactor, clock=self.clock, options=ReaderOptions(**options)
        )
        return Client(server, mode=mode)


async def count_new(service: Service, client: Client, **arguments: Any) -> int:
    """Return how many of three further calls, with these arguments, were answered anew."""
    before = service.num_built
    for _ in range(3):
        await call(client, "get_extract_job", job_id="ext-1", **arguments)
    return service.num_built - before


@ERAS
async def test_repeated_call_has_the_same_answer(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(monkeypatch)
    async with service.connect(mode) as client:
        results = [await call(client, "get_extract_job", job_id="ext-1") for _ in range(5)]
    assert all(result == results[0] for result in results)
    # The first call fetches the job, and the second one keeps what it answers.
    assert service.num_built == 2
    assert "10" + 29 * "0" in text_of(results[-1]).replace(",", "")
    assert structured(results[-1])["result"]["note"] == "é 日本"


async def test_every_other_argument_has_an_answer_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(monkeypatch)
    async with service.connect() as client:
        assert await count_new(service, client) == 2
        assert await count_new(service, client) == 0
        for other in ({"max_chars": 5_000}, {"expand": ["usage"]}, {"expand": ["configuration"]}, {"expand": "usage"}):
            assert await count_new(service, client, **other) == 1
            assert await count_new(service, client, **other) == 0
        # Jobs of another project are others, also where their ids are the same.
        assert await count_new(service, client, project_id="p") == 2
        assert await count_new(service, client) == 0


async def test_job_that_runs_is_answered_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(monkeypatch, status="RUNNING", extract_result=None)
    async with service.connect() as client:
        assert await count_new(service, client) == 3
        service.job = JOB
        assert structured(await call(client, "get_extract_job", job_id="ext-1"))["status"] == "COMPLETED"


async def test_job_that_was_fetched_again_is_answered_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(monkeypatch, usage=None, updated_at="2026-07-01T00:00:00Z")
    async with service.connect() as client:
        assert await count_new(service, client) == 2
        # It is not billed yet, so it is fetched again after a minute.
        service.job = service.job | {"usage": {"credits": 7}}
        service.clock.seconds += 61
        result = await call(client, "get_extract_job", job_id="ext-1", expand=["usage"])
        assert "7 credits" in text_of(result)
        assert await count_new(service, client) == 1


async def test_deleted_job_is_not_answered_from_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(monkeypatch)
    async with service.connect() as client:
        assert await count_new(service, client) == 2
        service.reader.fetcher.cache.forget_job("ext-1")
        assert await count_new(service, client) == 2


def cite(monkeypatch: pytest.MonkeyPatch) -> Service:
    """Return a service whose job cites a document with a text."""
    metadata = {
        "field_metadata": {"document_metadata": {"note": {"citation": [{"page": 1, "matching_text": "total"}]}}}
    }
    service = Service(monkeypatch, file_input="pjb-1", extract_metadata=metadata)
    service.source.documents.parse_jobs["pjb-1"] = SourceText("parse_job", [SourcePage(1, ["é 日本"], [0])])
    return service


async def test_answer_changes_once_the_text_of_the_document_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    service = cite(monkeypatch)
    async with service.connect() as client:
        assert await count_new(service, client) == 2
        await call(client, "read_source_text", job_id="ext-1", pages="1")
        assert await count_new(service, client) == 1
        assert "not on page 1" in text_of(await call(client, "get_extract_job", job_id="ext-1"))


async def test_answer_whose_checks_may_have_run_out_of_time_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llx_mcp.server.repeated_calls.CHECK_SECONDS", 0.0)
    service = cite(monkeypatch)
    async with service.connect() as client:
        assert await count_new(service, client) == 3


async def test_answer_is_not_kept_if_the_text_became_known_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    service = cite(monkeypatch)

    async def fetch_text(reader: JobReader) -> None:
        await reader.read_source_text(JobRequest("ext-1"), SourceOptions(pages="1"))

    async with service.connect() as client:
        await call(client, "get_extract_job", job_id="ext-1")
        service.prepare = fetch_text
        await call(client, "get_extract_job", job_id="ext-1")
        service.prepare = None
        entries = service.reader.fetcher.cache.entries
        for key in list(entries.newest_first("bodies")):
            if isinstance(key, DocumentKey):
                entries.drop(key)
        assert await count_new(service, client) == 1


async def test_answer_that_says_why_nothing_was_checked_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    service = cite(monkeypatch)
    service.source.documents.parse_jobs["pjb-1"] = SourceText("parse_job", [SourcePage(1, [], [])])
    async with service.connect() as client:
        assert await count_new(service, client) == 2
        await call(client, "read_source_text", job_id="ext-1", pages="1")
        assert "not checked" in text_of(await call(client, "get_extract_job", job_id="ext-1"))
        assert await count_new(service, client) == 3


@pytest.mark.parametrize("section", ["metadata", "configuration"])
async def test_section_that_is_nested_too_deep_is_named_each_time(
    section: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    value: dict[str, Any] = {}
    for _ in range(230):
        value = {"a": value | {"b": 1}}
    service = Service(monkeypatch, **{section: value})
    async with service.connect() as client:
        for _ in range(4):
            result = await call(client, "get_extract_job", job_id="ext-1", expand=[section], max_chars=20_000)
            assert f"{section}, which is nested too deep" in text_of(result)


async def test_few_results_are_kept_for_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(monkeypatch)
    async with service.connect() as client:
        assert await count_new(service, client) == 2
        for number in range(8):
            assert await count_new(service, client, max_chars=5_000 + number) == 1
        assert await count_new(service, client, max_chars=5_007) == 0
        assert await count_new(service, client) == 1


async def test_failure_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(monkeypatch)

    async def fail(_: JobReader) -> None:
        raise LlxError("The process that reads the job ended.")

    async with service.connect() as client:
        await call(client, "get_extract_job", job_id="ext-1")
        service.prepare = fail
        for _ in range(2):
            assert (await client.call_tool("get_extract_job", {"job_id": "ext-1"})).is_error
        service.prepare = None
        assert await count_new(service, client) == 1


async def test_call_with_other_parameters_is_not_a_repeated_one(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(monkeypatch)
    async with service.connect() as client:
        assert await count_new(service, client) == 2
        await client.call_tool("get_extract_job", {"job_id": "ext-1"}, input_responses={})
        assert service.num_built == 3


async def test_wrong_arguments_are_explained_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(monkeypatch)
    async with service.connect() as client:
        await call(client, "get_extract_job", job_id="ext-1")
        for arguments in ({"max_chars": 1}, {"expand": ["nothing"]}, {"unknown": 1}, {"job_id": ""}):
            for _ in range(3):
                result = await client.call_tool("get_extract_job", {"job_id": "ext-1"} | arguments)
                assert result.is_error
                assert next(iter(arguments)) in text_of(result)


async def test_answer_from_memory_is_filtered_too(monkeypatch: pytest.MonkeyPatch) -> None:
    key = "llx-QzX93kfP0aLmT7vRb2NcYw8eHs5dUiGj"
    service = Service(monkeypatch, extract_result={"note": f"the key is {key}"})
    async with service.connect(redactor=Redactor(key)) as client:
        for _ in range(4):
            result = await call(client, "get_extract_job", job_id="ext-1")
            assert key not in result.model_dump_json()
            assert "[key]" in text_of(result)
    assert service.num_built == 2


@pytest.mark.parametrize("result", [{"note": "\ud800"}, {"rate": "1e400"}, {"digits": DIGITS[1:-1]}])
async def test_answer_about_an_odd_result_is_the_same_each_time(
    result: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service(monkeypatch, extract_result=result)
    service.source.body_of = lambda _: (
        json.dumps(service.job).replace(DIGITS, DIGITS[1:-1]).replace('"1e400"', "1e400").encode()
    )
    async with service.connect() as client:
        results = [await call(client, "get_extract_job", job_id="ext-1") for _ in range(4)]
        assert all(str(one) == str(results[0]) for one in results)
    assert service.num_built == 2


async def test_argument_that_is_not_valid_unicode_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(monkeypatch)
    async with service.connect() as client:
        for _ in range(3):
            result = await call(client, "get_extract_job", job_id="ext-1", project_id="\ud800")
            assert structured(result)["status"] == "COMPLETED"


async def test_arguments_count_as_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(monkeypatch)
    async with service.connect() as client:
        await count_new(service, client)
        entries = service.reader.fetcher.cache.entries
        before = entries.num_bytes
        await count_new(service, client, project_id="p" * 10_000)
        assert entries.num_bytes - before > 10_000


async def test_memory_of_answers_is_that_of_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(monkeypatch)
    async with service.connect(cache_bytes=0) as client:
        assert await count_new(service, client) == 3
