"""Jobs are cancelled and deleted by their exact id, and an answer that is lost makes no difference."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from llx_mcp.answers.requests import JobRequest
from llx_mcp.errors import ArgumentError, LlxError, NotFoundError, UnavailableError, UnclearOutcomeError
from llx_mcp.jobs.cancellation import JobCanceller
from llx_mcp.scope import DEFAULT_SCOPE
from tests.jobs.creating import INVOICE, Line, Workshop, copy_invoice
from tests.jobs.virtual_time import virtual


@asynccontextmanager
async def open_canceller(workshop: Workshop, **hooks: Any) -> AsyncIterator[JobCanceller]:
    """Open a server and return what cancels its jobs."""
    async with workshop.open(workshop.line(**hooks)) as reader:
        yield reader.writer.canceller


def answer_once(suffix: str, method: str, *responses: httpx.Response) -> Any:
    """Return a hook that replaces the first answers of an endpoint."""
    left = list(responses)

    def hook(request: httpx.Request, _: int) -> httpx.Response | None:
        is_meant = request.method == method and request.url.path.endswith(suffix)
        return left.pop(0) if is_meant and left else None

    return hook


async def test_running_job_is_cancelled(workshop: Workshop) -> None:
    job_id = (await workshop.create()).job.id
    async with open_canceller(workshop) as canceller:
        job, had_ended = await canceller.cancel(job_id, DEFAULT_SCOPE)
        assert (job.status, had_ended) == ("CANCELLED", False)
        job, had_ended = await canceller.cancel(job_id, DEFAULT_SCOPE)
        assert (job.status, had_ended) == ("CANCELLED", True)


@pytest.mark.parametrize("status", [500, 502, 409])
async def test_cancelled_job_whose_answer_was_lost_is_cancelled(workshop: Workshop, status: int) -> None:
    job_id = (await workshop.create()).job.id
    hook = answer_once("/cancel", "POST", httpx.Response(status))
    async with open_canceller(workshop, on_response=hook) as canceller:
        assert (await canceller.cancel(job_id, DEFAULT_SCOPE))[0].status == "CANCELLED"


async def test_request_that_did_not_arrive_is_sent_again(workshop: Workshop) -> None:
    # The pause after a 429 is longer than other jobs run.
    copy_invoice(workshop.folder, "invoice--stuck.pdf")
    job_id = (await workshop.create(file="invoice--stuck.pdf")).job.id
    hook = answer_once("/cancel", "POST", httpx.Response(503), httpx.Response(429))
    async with open_canceller(workshop, on_request=hook) as canceller:
        assert (await canceller.cancel(job_id, DEFAULT_SCOPE))[0].status == "CANCELLED"


async def test_job_that_ends_just_before_is_said_to_have_ended(workshop: Workshop) -> None:
    job_id = (await workshop.create()).job.id

    def finish(request: httpx.Request, _: int) -> httpx.Response | None:
        if request.url.path.endswith("/cancel"):
            workshop.clock.seconds += 60
        return None

    async with open_canceller(workshop, on_request=finish) as canceller:
        job, had_ended = await canceller.cancel(job_id, DEFAULT_SCOPE)
    assert (job.status, had_ended) == ("COMPLETED", True)


async def test_error_that_stays_is_raised(workshop: Workshop) -> None:
    job_id = (await workshop.create()).job.id
    async with open_canceller(
        workshop, on_request=answer_once("/cancel", "POST", *[httpx.Response(503)] * 9)
    ) as canceller:
        with pytest.raises(UnavailableError):
            await canceller.cancel(job_id, DEFAULT_SCOPE)


async def test_deleted_job_is_gone_from_the_cache_too(workshop: Workshop) -> None:
    async with workshop.open() as reader:
        await reader.get(JobRequest(INVOICE))
        await reader.writer.canceller.delete(INVOICE, DEFAULT_SCOPE)
        with pytest.raises(NotFoundError):
            await reader.get(JobRequest(INVOICE))


@pytest.mark.parametrize("status", [500, 502])
async def test_deleted_job_whose_answer_was_lost_is_deleted(workshop: Workshop, status: int) -> None:
    hook = answer_once(INVOICE, "DELETE", httpx.Response(status))
    async with open_canceller(workshop, on_response=hook) as canceller:
        assert (await canceller.delete(INVOICE, DEFAULT_SCOPE)).id == INVOICE
    assert INVOICE not in dict(workshop.store.list_jobs())


@pytest.mark.parametrize("status", [403, 404])
async def test_job_that_is_still_there_is_not_said_to_be_deleted(workshop: Workshop, status: int) -> None:
    hook = answer_once(INVOICE, "DELETE", *[httpx.Response(status, json={"detail": "no"})] * 9)
    async with open_canceller(workshop, on_request=hook) as canceller:
        with pytest.raises(NotFoundError) as caught:
            await canceller.delete(INVOICE, DEFAULT_SCOPE)
    assert INVOICE in dict(workshop.store.list_jobs())
    assert ("This key may not delete jobs (HTTP 403)" in str(caught.value)) is (status == 403)


async def test_job_that_can_no_longer_be_seen_is_not_said_to_be_deleted(workshop: Workshop) -> None:
    is_tried = False

    def hide(request: httpx.Request, _: int) -> httpx.Response | None:
        nonlocal is_tried
        is_tried = is_tried or request.method == "DELETE"
        if not is_tried:
            return None
        return httpx.Response(404 if request.method == "DELETE" else 403, json={"detail": "no"})

    async with open_canceller(workshop, on_request=hide) as canceller:
        with pytest.raises(NotFoundError):
            await canceller.delete(INVOICE, DEFAULT_SCOPE)


@pytest.mark.parametrize("done", ["cancelled", "deleted"])
def test_silent_service_leaves_it_open_whether_the_job_was_cancelled_or_deleted(tmp_path: Path, done: str) -> None:
    @virtual
    async def act() -> None:
        workshop = Workshop(tmp_path)

        class Silent(Line):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                await anyio.sleep(1_000)
                raise AssertionError

        async with workshop.open(Silent(None)) as reader:
            canceller = reader.writer.canceller
            with pytest.raises(
                UnclearOutcomeError, match=f"not known whether the job was {done}. Call again"
            ) as caught:
                await (canceller.cancel if done == "cancelled" else canceller.delete)(INVOICE, DEFAULT_SCOPE)
        assert "if there is one" not in str(caught.value)

    act()


async def test_running_job_is_deleted_only_if_it_may_be_cancelled(workshop: Workshop) -> None:
    job_id = (await workshop.create()).job.id
    async with open_canceller(workshop) as canceller:
        with pytest.raises(ArgumentError, match=r"is PENDING and was not deleted.*cancel_first=true"):
            await canceller.delete(job_id, DEFAULT_SCOPE)
        assert workshop.new_jobs == [job_id]
        assert (await canceller.delete(job_id, DEFAULT_SCOPE, cancel_first=True)).status == "CANCELLED"
    assert workshop.new_jobs == []


@pytest.mark.parametrize("job_id", ["ext-none", "*", "ext-%", "."])
async def test_unknown_job_is_neither_cancelled_nor_deleted(workshop: Workshop, job_id: str) -> None:
    before = workshop.store.list_jobs()
    async with open_canceller(workshop) as canceller:
        with pytest.raises(LlxError):
            await canceller.cancel(job_id, DEFAULT_SCOPE)
        with pytest.raises(LlxError):
            await canceller.delete(job_id, DEFAULT_SCOPE, cancel_first=True)
    assert workshop.store.list_jobs() == before
