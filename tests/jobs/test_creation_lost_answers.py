"""A lost answer, a slow service, a fault or an ended server makes no second job."""

import asyncio
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from llx_mcp.errors import LlxError, UnclearOutcomeError
from llx_mcp.local import create_app
from llx_mcp.local.faults import Fault, FaultInjector
from tests.jobs.creating import (
    CREATE_PATH,
    FILES_PATH,
    FIRST_REQUESTS,
    Line,
    ProcessEnded,
    Workshop,
    count,
    end_at,
    lose_at,
    run,
)
from tests.jobs.virtual_time import virtual


@pytest.mark.parametrize("number", range(len(FIRST_REQUESTS)))
@pytest.mark.parametrize("is_sent", [False, True])
async def test_server_that_ends_between_two_requests_leaves_one_job_to_the_next(
    workshop: Workshop, number: int, is_sent: bool
) -> None:
    line = workshop.line(**{"on_response" if is_sent else "on_request": end_at(number)})
    with pytest.raises(BaseExceptionGroup) as caught:
        await workshop.create(line)
    assert caught.value.subgroup(ProcessEnded)
    assert line.sent == FIRST_REQUESTS[: number + 1]
    created = await workshop.create()
    assert workshop.new_jobs == [created.job.id]
    assert workshop.num_new_files == 1
    # The job was created by the server that ended, if it came to that.
    assert created.is_new is not (is_sent and number == len(FIRST_REQUESTS) - 1)


@pytest.mark.parametrize("number", range(len(FIRST_REQUESTS)))
@pytest.mark.parametrize("again", [False, True])
async def test_lost_answer_makes_no_second_job(workshop: Workshop, number: int, again: bool) -> None:
    earlier = (await workshop.create()).job.id if again else None
    line = workshop.line(on_response=lose_at(number))
    created = await workshop.create(line, again=again)
    assert [job for job in workshop.new_jobs if job != earlier] == [created.job.id]
    assert created.is_new
    assert count(line.sent, "POST", CREATE_PATH) == 1


@pytest.mark.parametrize("status", [202, 303, 503, 504, 520, 522, 524])
async def test_request_on_which_the_service_may_still_work_is_not_sent_again(workshop: Workshop, status: int) -> None:
    late: list[httpx.Request] = []

    def take(request: httpx.Request, _: int) -> httpx.Response | None:
        if (request.method, request.url.path) != ("POST", CREATE_PATH) or late:
            return None
        late.append(request)
        return httpx.Response(status, text="<html>")

    line = workshop.line(on_request=take)
    with pytest.raises(UnclearOutcomeError, match="not known whether the job was created"):
        await workshop.create(line)
    assert count(line.sent, "POST", CREATE_PATH) == 1
    # The service ends its work on the request now.
    (request,) = late
    await httpx.ASGITransport(line.app).handle_async_request(request)
    assert not (await workshop.create()).is_new
    assert len(workshop.new_jobs) == 1


async def test_lost_upload_is_sent_again_and_creates_one_job(workshop: Workshop) -> None:
    line = workshop.line(on_request=lose_at(FIRST_REQUESTS.index(("POST", FILES_PATH))))
    await workshop.create(line)
    assert len(workshop.new_jobs) == workshop.num_new_files == 1


async def test_request_that_may_still_arrive_is_not_sent_again(workshop: Workshop) -> None:
    number = FIRST_REQUESTS.index(("POST", CREATE_PATH))
    line = workshop.line(on_request=lose_at(number))
    with pytest.raises(UnclearOutcomeError, match=r"not known whether the job was created.*Call again in a minute"):
        await workshop.create(line)
    assert count(line.sent, "POST", CREATE_PATH) == 1
    # The service has looked for it more than once.
    assert count(line.sent, "GET", CREATE_PATH) == 3
    assert workshop.new_jobs == []
    assert (await workshop.create()).is_new


async def test_request_that_the_service_failed_is_sent_again_once_there_is_no_job(workshop: Workshop) -> None:
    def fail(request: httpx.Request, _: int) -> httpx.Response | None:
        if (request.method, request.url.path) == ("POST", CREATE_PATH) and count(line.sent, "POST", CREATE_PATH) == 1:
            workshop.store.delete_job(workshop.new_jobs[0])
            return httpx.Response(500, json={"detail": "busy"})
        return None

    line = workshop.line(on_response=fail)
    created = await workshop.create(line)
    assert workshop.new_jobs == [created.job.id]
    assert count(line.sent, "POST", CREATE_PATH) == 2


@pytest.mark.parametrize("status", [202, 303, 408, 409, 500, 502, 503, 504, 524])
async def test_error_of_a_service_that_has_created_the_job_makes_no_second_one(workshop: Workshop, status: int) -> None:
    line = workshop.line(
        on_response=lambda request, _: (
            httpx.Response(status) if (request.method, request.url.path) == ("POST", CREATE_PATH) else None
        )
    )
    created = await workshop.create(line)
    assert workshop.new_jobs == [created.job.id]
    assert count(line.sent, "POST", CREATE_PATH) == 1


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b'{"status":"PENDING"}'])
async def test_answer_that_is_no_job_makes_no_second_one(workshop: Workshop, body: bytes) -> None:
    line = workshop.line(
        on_response=lambda request, _: (
            httpx.Response(200, content=body) if (request.method, request.url.path) == ("POST", CREATE_PATH) else None
        )
    )
    created = await workshop.create(line)
    assert workshop.new_jobs == [created.job.id]


async def test_job_that_cannot_be_looked_for_is_reported_and_found_by_the_next_call(workshop: Workshop) -> None:
    is_down = True

    def fail(request: httpx.Request, _: int) -> httpx.Response | None:
        return httpx.Response(503) if is_down and request.url.path == CREATE_PATH else None

    with pytest.raises(UnclearOutcomeError, match="could not be listed either"):
        await workshop.create(workshop.line(on_response=fail))
    is_down = False
    assert not (await workshop.create()).is_new
    assert len(workshop.new_jobs) == 1


async def test_job_with_options_that_the_service_changed_is_named_and_not_repeated(workshop: Workshop) -> None:
    def rename(request: httpx.Request, sent: int) -> httpx.Response | None:
        if line.sent[sent] == ("POST", CREATE_PATH):
            raise httpx.ReadTimeout("late", request=request)
        if line.sent[sent] == ("GET", CREATE_PATH):
            job = {"id": "ext-other", "status": "PENDING", "configuration": {"tier": "agentic", "data_schema": {}}}
            return httpx.Response(200, json={"items": [job]})
        return None

    line = workshop.line(on_response=rename)
    with pytest.raises(UnclearOutcomeError, match="It may be this one: ext-other"):
        await workshop.create(line)
    assert count(line.sent, "POST", CREATE_PATH) == 1


class SlowService(Line):
    """A connection to a service that takes long for the first creation, and ends it whether or not one waits."""

    def __init__(self, app: Any, seconds: float) -> None:
        super().__init__(app)
        self.work: list[asyncio.Task[httpx.Response]] = []
        self._seconds = seconds

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request."""
        if (request.method, request.url.path) != ("POST", CREATE_PATH) or self.work:
            return await super().handle_async_request(request)
        await request.aread()

        async def work() -> httpx.Response:
            await asyncio.sleep(self._seconds)
            return await super(SlowService, self).handle_async_request(request)

        self.work.append(asyncio.create_task(work()))
        return await asyncio.shield(self.work[0])


@pytest.mark.parametrize("again", [False, True])
def test_call_after_one_that_took_too_long_joins_its_creation(tmp_path: Path, again: bool) -> None:
    (tmp_path / "a.txt").write_text("text")

    @virtual
    async def act() -> None:
        workshop = Workshop(tmp_path)
        workshop.call_seconds = 5
        line = SlowService(create_app(workshop.store, clock=workshop.clock.now), 30)
        async with workshop.open(line) as reader:
            creator = reader.writer.creator
            for number in range(5):
                with pytest.raises(UnclearOutcomeError, match="in a minute with the same arguments, without again=tr"):
                    await run(creator, file="a.txt", again=again and number == 0)
            created = [await run(creator, file="a.txt") for _ in range(2)]
        assert workshop.new_jobs == [created[0].job.id]
        assert created[1].job.id == created[0].job.id
        assert len(line.work) == 1

    act()


def test_job_whose_caller_gave_up_is_that_of_the_next_call_for_another_one(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")

    @virtual
    async def act() -> None:
        workshop = Workshop(tmp_path)
        workshop.call_seconds = 5
        first = await workshop.create(file="a.txt")
        line = SlowService(create_app(workshop.store, clock=workshop.clock.now), 30)
        async with workshop.open(line) as reader:
            with pytest.raises(UnclearOutcomeError):
                await run(reader.writer.creator, file="a.txt", again=True)
            await asyncio.sleep(60)
            second = await run(reader.writer.creator, file="a.txt", again=True)
            assert workshop.new_jobs == [first.job.id, second.job.id]
            # It is given out once.
            third = await run(reader.writer.creator, file="a.txt", again=True)
            assert workshop.new_jobs == [first.job.id, second.job.id, third.job.id]

    act()


def test_creation_goes_on_when_its_caller_cancels_it_after_the_request_was_sent(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")

    @virtual
    async def act() -> None:
        workshop = Workshop(tmp_path)
        line = SlowService(create_app(workshop.store, clock=workshop.clock.now), 30)
        async with workshop.open(line) as reader:
            with anyio.move_on_after(10) as scope:
                await run(reader.writer.creator, file="a.txt")
            assert scope.cancelled_caught
            created = await run(reader.writer.creator, file="a.txt")
        assert workshop.new_jobs == [created.job.id]
        assert len(line.work) == 1

    act()


async def test_call_at_once_after_an_unclear_outcome_sends_nothing(workshop: Workshop) -> None:
    late: list[httpx.Request] = []

    def take(request: httpx.Request, _: int) -> httpx.Response | None:
        if (request.method, request.url.path) != ("POST", CREATE_PATH) or late:
            return None
        late.append(request)
        return httpx.Response(504, text="<html>")

    line = workshop.line(on_request=take)
    async with workshop.open(line) as reader:
        for again in (False, False, True):
            with pytest.raises(UnclearOutcomeError, match="Call again in a minute"):
                await run(reader.writer.creator, again=again)
        assert count(line.sent, "POST", CREATE_PATH) == 1
        workshop.clock.seconds += 60
        assert (await run(reader.writer.creator)).is_new
    assert len(workshop.new_jobs) == 1


@pytest.mark.parametrize(("method", "path"), [*FIRST_REQUESTS, ("GET", CREATE_PATH)])
@pytest.mark.parametrize("kind", ["unavailable", "rate-limited", "not-json", "wrong-region", "out-of-credits"])
@pytest.mark.parametrize("times", [1, 1_000])
async def test_no_fault_at_any_request_bills_a_document_twice_or_loses_it(
    workshop: Workshop, method: str, path: str, kind: str, times: int
) -> None:
    faults = FaultInjector([Fault(kind, method=method, path=path, times=times)], sleep=workshop.clock.sleep)
    line = workshop.line()
    line.app = create_app(workshop.store, clock=workshop.clock.now, faults=faults)
    try:
        first = (await workshop.create(line)).job.id
    except LlxError:
        first = None
    assert len(workshop.new_jobs) == (first is not None)
    faults.set_faults([])
    created = await workshop.create(line)
    assert workshop.new_jobs == [created.job.id]
    assert workshop.num_new_files == 1
    assert first in (None, created.job.id)
