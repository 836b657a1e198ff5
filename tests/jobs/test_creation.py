"""One wish makes one job, whatever is lost, repeated or ended, and bad input is refused before anything is made."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from llx_mcp.answers.requests import JobRequest
from llx_mcp.errors import (
    ArgumentError,
    LlxError,
    NotFoundError,
    OutOfCreditsError,
    RateLimitedError,
    UnavailableError,
    UnclearOutcomeError,
)
from llx_mcp.jobs.creation_plan import CreationRequest
from llx_mcp.jobs.local_documents import LocalDocument
from llx_mcp.local import create_app
from llx_mcp.local.faults import Fault, FaultInjector
from llx_mcp.local.job_store import JobStore
from llx_mcp.local.seeding import PROJECT_ID
from tests.jobs.creating import (
    CREATE_PATH,
    INVOICE,
    SCHEMA,
    Line,
    ProcessEnded,
    Workshop,
    copy_invoice,
    count,
    end_at,
    lose_at,
    run,
)
from tests.jobs.virtual_time import virtual

FILES_PATH = "/api/v1/beta/files"
# The requests that create a job from a file that is not uploaded yet, and those that a repetition sends.
FIRST_REQUESTS = [
    ("POST", f"{CREATE_PATH}/schema/validation"),
    ("GET", FILES_PATH),
    ("POST", FILES_PATH),
    ("POST", CREATE_PATH),
]
REPEATED_REQUESTS = [("POST", f"{CREATE_PATH}/schema/validation"), ("GET", FILES_PATH), ("GET", CREATE_PATH)]


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """A store with the samples, and a folder with the invoice."""
    copy_invoice(tmp_path)
    return Workshop(tmp_path)


async def test_job_of_a_file_is_created_with_few_requests(workshop: Workshop) -> None:
    line = workshop.line()
    created = await workshop.create(line)
    assert created.is_new
    assert workshop.new_jobs == [created.job.id]
    assert line.sent == FIRST_REQUESTS
    async with workshop.open() as reader:
        job = await reader.fetcher.fetch_job(JobRequest(created.job.id))
    assert job.job.configuration is not None
    options = job.job.configuration
    assert (options.data_schema, options.cite_sources, options.confidence_scores) == (SCHEMA, True, True)


async def test_same_wish_answers_with_the_job_that_exists(workshop: Workshop) -> None:
    first = await workshop.create()
    line = workshop.line()
    second = await workshop.create(line)
    assert (second.job.id, second.is_new) == (first.job.id, False)
    assert line.sent == REPEATED_REQUESTS
    assert len(workshop.new_jobs) == workshop.num_new_files == 1


async def test_other_options_again_and_another_day_make_another_job(workshop: Workshop) -> None:
    jobs = [await workshop.create()]
    jobs.append(await workshop.create(options={"tier": "agentic"}))
    jobs.append(await workshop.create(options={"target_pages": "1"}))
    jobs.append(await workshop.create(again=True))
    workshop.clock.seconds += timedelta(days=1, seconds=1).total_seconds()
    jobs.append(await workshop.create())
    assert [job.is_new for job in jobs] == [True] * 5
    assert len(set(workshop.new_jobs)) == 5
    assert workshop.num_new_files == 1


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


async def test_concurrent_wishes_share_one_job(workshop: Workshop) -> None:
    async with workshop.open() as reader:
        jobs = await asyncio.gather(*(run(reader.writer.creator) for _ in range(8)))
    assert {job.job.id for job in jobs} == set(workshop.new_jobs)
    assert len(workshop.new_jobs) == workshop.num_new_files == 1


async def test_plan_that_is_older_than_the_job_creates_no_second_one(workshop: Workshop) -> None:
    async with workshop.open() as reader:
        request = CreationRequest(file="invoice.pdf", data_schema=SCHEMA)
        plans = [await reader.writer.creator.plan(request) for _ in range(2)]
        jobs = [await reader.writer.creator.create(plan) for plan in plans]
        assert [job.is_new for job in jobs] == [True, False]
        workshop.store.delete_job(jobs[0].job.id)
        assert (await reader.writer.creator.create(plans[0])).is_new


async def test_plan_that_is_minutes_old_finds_the_job_that_another_server_has_created(workshop: Workshop) -> None:
    async with workshop.open() as first, workshop.open() as second:
        plan = await first.writer.creator.plan(CreationRequest(file="invoice.pdf", data_schema=SCHEMA))
        assert plan.found.usable_file is None
        other = await run(second.writer.creator)
        workshop.clock.seconds += 60
        created = await first.writer.creator.create(plan)
        assert (created.job.id, created.is_new) == (other.job.id, False)
        # A plan of a document of the service looks for its jobs too.
        request = CreationRequest(document_id=other.job.file_input, like_job=INVOICE)
        plan = await first.writer.creator.plan(request)
        other = await run(second.writer.creator, document_id=other.job.file_input, like_job=INVOICE)
        workshop.clock.seconds += 60
        created = await first.writer.creator.create(plan)
        assert (created.job.id, created.is_new) == (other.job.id, False)
    assert len(workshop.new_jobs) == 2
    assert workshop.num_new_files == 1


async def test_plan_that_is_minutes_old_creates_another_job_where_that_is_wanted(workshop: Workshop) -> None:
    async with workshop.open() as reader:
        await run(reader.writer.creator)
        plan = await reader.writer.creator.plan(CreationRequest(file="invoice.pdf", data_schema=SCHEMA, again=True))
        workshop.clock.seconds += 60
        assert (await reader.writer.creator.create(plan)).is_new
    assert (len(workshop.new_jobs), workshop.num_new_files) == (2, 1)


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


async def test_server_that_runs_for_days_creates_anew_after_one(workshop: Workshop) -> None:
    async with workshop.open() as reader:
        first = await run(reader.writer.creator)
        workshop.clock.seconds += 3_600
        assert not (await run(reader.writer.creator)).is_new
        workshop.clock.seconds += 24 * 3_600
        assert (await run(reader.writer.creator)).is_new
    assert first.job.id in workshop.new_jobs
    assert len(workshop.new_jobs) == 2


async def test_many_documents_share_the_validation_of_one_schema(workshop: Workshop) -> None:
    line = workshop.line()
    async with workshop.open(line) as reader:
        for number in range(5):
            path = workshop.folder / f"{number}.txt"
            path.write_text(f"text {number}")
            await run(reader.writer.creator, file=path.name)
    assert count(line.sent, "POST", f"{CREATE_PATH}/schema/validation") == 1


async def test_requests_stay_within_the_rate_limit_once_it_is_known(workshop: Workshop) -> None:
    times: list[float] = []
    refused: list[float] = []

    def limit(_: httpx.Request, __: int) -> httpx.Response | None:
        now = workshop.clock.seconds
        if sum(now - time < 60 for time in times) >= 20:
            refused.append(now)
            return httpx.Response(429)
        times.append(now)
        return None

    async with workshop.open(workshop.line(on_response=limit)) as reader:
        for number in range(40):
            path = workshop.folder / f"{number}.txt"
            path.write_text(f"text {number}")
            await run(reader.writer.creator, file=path.name, data_schema={**SCHEMA, "title": str(number)})
    assert len(workshop.new_jobs) == 40
    assert refused
    assert max(refused) < 60


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


async def test_configuration_of_another_job_is_copied(workshop: Workshop) -> None:
    created = await workshop.create(like_job=INVOICE)
    async with workshop.open() as reader:
        jobs = [(await reader.fetcher.fetch_job(JobRequest(job_id))).job for job_id in (INVOICE, created.job.id)]
    assert jobs[0].configuration is not None
    assert jobs[1].configuration is not None
    assert jobs[1].configuration.data_schema == jobs[0].configuration.data_schema
    assert jobs[1].configuration.tier == jobs[0].configuration.tier
    assert not (await workshop.create(like_job=INVOICE)).is_new


def save_configuration(store: JobStore, workshop: Workshop, **parameters: Any) -> str:
    """Save a configuration in the store, and return its id."""
    saved = store.configurations.put(
        "saved", "extract_v2", {"data_schema": SCHEMA, **parameters}, workshop.clock.now(), project_id=PROJECT_ID
    )
    return saved.configuration_id


async def test_saved_configuration_is_sent_by_its_id_and_one_that_was_changed_makes_another_job(
    workshop: Workshop,
) -> None:
    configuration_id = save_configuration(workshop.store, workshop, tier="agentic")
    created = await workshop.create(configuration_id=configuration_id)
    assert created.job.configuration_id == configuration_id
    assert not (await workshop.create(configuration_id=configuration_id)).is_new
    overridden = await workshop.create(configuration_id=configuration_id, options={"tier": "cost_effective"})
    assert overridden.is_new
    assert overridden.job.configuration_id is None
    save_configuration(workshop.store, workshop, tier="agentic_plus")
    assert (await workshop.create(configuration_id=configuration_id)).is_new


async def test_switch_that_is_off_overrides_a_saved_configuration(workshop: Workshop) -> None:
    configuration_id = save_configuration(workshop.store, workshop, cite_sources=True, confidence_scores=True)
    options = {"cite_sources": False, "confidence_scores": False, "tier": None}
    jobs = [await workshop.create(configuration_id=configuration_id, options=options) for _ in range(3)]
    assert [job.is_new for job in jobs] == [True, False, False]
    async with workshop.open() as reader:
        job = (await reader.fetcher.fetch_job(JobRequest(jobs[0].job.id))).job
    assert job.configuration is not None
    assert (job.configuration.cite_sources, job.configuration.confidence_scores) == (False, False)
    # What is None was not given.
    plain = await workshop.create(configuration_id=configuration_id, options={"tier": None, "cite_sources": None})
    assert plain.job.configuration_id == configuration_id


async def test_same_pages_in_other_words_are_the_same_request(workshop: Workshop) -> None:
    created = await workshop.create(options={"target_pages": "1-1"})
    assert not (await workshop.create(options={"target_pages": " 1"})).is_new
    assert (await workshop.create(options={"target_pages": "1-2"})).is_new
    assert not (await workshop.create(like_job=created.job.id, options={"target_pages": "1,2"})).is_new


async def test_job_is_found_behind_many_others_of_its_file(workshop: Workshop) -> None:
    first = await workshop.create()
    async with workshop.open() as reader:
        for number in range(60):
            workshop.clock.seconds += 1
            await run(reader.writer.creator, options={"system_prompt": str(number)}, again=True)
    again = await workshop.create()
    assert (again.job.id, again.is_new) == (first.job.id, False)


async def test_list_of_jobs_that_never_ends_creates_nothing(workshop: Workshop) -> None:
    first = await workshop.create()

    def list_other(request: httpx.Request, _: int) -> httpx.Response | None:
        if (request.method, request.url.path) != ("GET", CREATE_PATH):
            return None
        job = {"id": "ext-x", "status": "PENDING", "configuration": {"tier": "agentic"}}
        return httpx.Response(200, json={"items": [job], "next_page_token": "more"})

    with pytest.raises(UnavailableError, match="more than 1,000, so it is not known whether there is one of the same"):
        await workshop.create(workshop.line(on_request=list_other))
    assert workshop.new_jobs == [first.job.id]


@pytest.mark.parametrize("is_file_first", [False, True])
async def test_limit_of_the_operator_makes_no_second_job_of_the_same_content(
    tmp_path: Path, is_file_first: bool
) -> None:
    copy_invoice(tmp_path)
    workshop = Workshop(tmp_path, max_pages=50)
    uploaded = (await workshop.create(options={"tier": "agentic"})).job.file_input
    # The pages of a file are known; those of a document of the service are not, so its job is bounded.
    ways: list[dict[str, Any]] = [{"file": "invoice.pdf"}, {"document_id": uploaded}]
    first, second = [await workshop.create(**way) for way in (ways if is_file_first else ways[::-1])]
    assert (first.is_new, second.is_new) == (True, False)
    assert second.job.id == first.job.id
    assert {first.plan.is_capped, second.plan.is_capped} == {True, False}


async def test_job_with_fewer_pages_than_are_wanted_is_not_the_same(tmp_path: Path) -> None:
    copy_invoice(tmp_path)
    await Workshop(tmp_path).create()
    workshop = Workshop(tmp_path, max_pages=1)
    uploaded = (await workshop.create(options={"target_pages": "1"})).job.file_input
    assert (await workshop.create(document_id=uploaded)).is_new
    workshop._options = {"max_pages": 2}
    assert (await workshop.create(file="invoice.pdf")).is_new
    assert not (await workshop.create(document_id=uploaded)).is_new


async def test_file_and_its_id_at_the_same_time_make_one_job(workshop: Workshop) -> None:
    uploaded = (await workshop.create(options={"tier": "agentic"})).job.file_input
    async with workshop.open() as reader:
        creator = reader.writer.creator
        documents: list[dict[str, Any]] = [{"file": "invoice.pdf"}, {"document_id": uploaded}]
        plans = [await creator.plan(CreationRequest(**given, data_schema=SCHEMA)) for given in documents]
        jobs = await asyncio.gather(*map(creator.create, plans))
    assert jobs[0].job.id == jobs[1].job.id
    assert len(workshop.new_jobs) == 2


async def test_document_of_the_service_is_used_by_its_id(workshop: Workshop) -> None:
    first = await workshop.create()
    document_id = first.job.file_input
    created = await workshop.create(document_id=document_id, options={"tier": "agentic"})
    assert (created.job.file_input, created.plan.found.name) == (document_id, "invoice.pdf")
    assert not (await workshop.create(document_id=document_id)).is_new


async def test_file_that_the_service_deletes_soon_is_uploaded_again_but_its_job_is_found(workshop: Workshop) -> None:
    def expire(request: httpx.Request, _: int) -> httpx.Response | None:
        if (request.method, request.url.path) != ("GET", FILES_PATH):
            return None
        files = [{"id": file.file_id, "name": file.name, "expires_at": expires_at}
                 for file in workshop.store.files.list_files() if file.external_file_id]  # fmt: skip
        return httpx.Response(200, json={"items": files})

    first = await workshop.create()
    expires_at = (workshop.clock.now() + timedelta(hours=3)).isoformat()
    assert (await workshop.create(workshop.line(on_response=expire))).job.id == first.job.id
    again = await workshop.create(workshop.line(on_response=expire), options={"tier": "agentic"})
    assert again.job.file_input != first.job.file_input
    assert workshop.num_new_files == 2


async def test_service_that_takes_no_second_file_of_an_external_id_gets_the_first(workshop: Workshop) -> None:
    first = await workshop.create()
    expires_at = (workshop.clock.now() + timedelta(hours=3)).isoformat()

    def refuse(request: httpx.Request, _: int) -> httpx.Response | None:
        if request.url.path != FILES_PATH:
            return None
        listed = {"id": first.job.file_input, "name": "invoice.pdf", "expires_at": expires_at}
        is_list = request.method == "GET"
        return httpx.Response(200, json={"items": [listed]}) if is_list else httpx.Response(422)

    created = await workshop.create(workshop.line(on_request=refuse), options={"tier": "agentic"})
    assert created.job.file_input == first.job.file_input


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({}, "No document is given. Give exactly one of file, url .* and document_id"),
        ({"file": "a", "document_id": "b"}, "More than one document is given"),
        ({"url": "https://127.0.0.1/a.pdf", "data_schema": SCHEMA}, 'url: "127.0.0.1" belongs to a private network'),
        ({"url": "http://example.com/a.pdf", "data_schema": SCHEMA}, "url: this is no https address"),
        ({"document_id": "ext-1", "like_job": "x"}, "document_id: .* is not the id of a document"),
        ({"file": "invoice.pdf"}, "Nothing says what to extract. Give exactly one of data_schema, configuration_id"),
        ({"file": "invoice.pdf", "data_schema": SCHEMA, "like_job": "x"}, "More than one argument says what to"),
        ({"file": "invoice.pdf", "data_schema": {}}, "data_schema is empty"),
        ({"file": "invoice.pdf", "data_schema": {"type": "array"}}, 'data_schema: the type of the root must be "obj'),
        ({"file": "invoice.pdf", "data_schema": {"type": "object", "properties": {"a": {"type": "text"}}}},
         r"data_schema is not accepted.*data_schema\.properties\.a\.type"),
        ({"file": "invoice.pdf", "data_schema": SCHEMA, "options": {"target_pages": "0-2"}}, "target_pages: .* Write"),
        ({"file": "invoice.pdf", "data_schema": SCHEMA, "options": {"target_pages": "one"}}, "target_pages: .* Write"),
    ],
)  # fmt: skip
async def test_bad_input_is_refused_with_the_argument(workshop: Workshop, request_: dict[str, Any], words: str) -> None:
    line = workshop.line()
    async with workshop.open(line) as reader:
        with pytest.raises(ArgumentError, match=words):
            await reader.writer.creator.plan(CreationRequest(**request_))
    assert workshop.new_jobs == []
    assert ("POST", FILES_PATH) not in line.sent


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"document_id": "dfl-none"}, 'document_id: file "dfl-none" cannot be seen with this key'),
        ({"configuration_id": "cfg-none"}, 'configuration_id: configuration "cfg-none" cannot be seen'),
        ({"like_job": "ext-none"}, 'No job "ext-none" can be seen'),
    ],
)
async def test_unknown_id_is_named(workshop: Workshop, request_: dict[str, Any], words: str) -> None:
    with pytest.raises(NotFoundError, match=words):
        await workshop.create(**request_)
    assert workshop.num_new_files == 0


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (
            402,
            OutOfCreditsError,
            "out of credits. It cannot create jobs, so nothing was done: check the account's billing page",
        ),
        (429, RateLimitedError, "rate limit is reached. Wait a minute"),
        (422, LlxError, r"configuration\.tier \(body\): bad tier"),
    ],
)
async def test_refusal_of_the_service_is_explained_and_creates_nothing(
    workshop: Workshop, status: int, error: type[LlxError], words: str
) -> None:
    detail = [{"loc": ["body", "configuration", "tier"], "msg": "bad tier", "type": "x", "input": "secret"}]

    def refuse(request: httpx.Request, _: int) -> httpx.Response | None:
        is_create = (request.method, request.url.path) == ("POST", CREATE_PATH)
        return httpx.Response(status, json={"detail": detail if status == 422 else "no"}) if is_create else None

    line = workshop.line(on_request=refuse)
    with pytest.raises(error, match=words) as caught:
        await workshop.create(line)
    assert "secret" not in str(caught.value)
    assert workshop.new_jobs == []
    # What was done so far is said, and used by the next call.
    (uploaded,) = [file.file_id for file in workshop.store.files.list_files() if file.external_file_id]
    assert f"The document is uploaded as {uploaded}, and the same call uses it again." in str(caught.value)
    assert (await workshop.create()).job.file_input == uploaded


async def count_seven(_: LocalDocument) -> int | None:
    """Return the pages of a document with seven."""
    return 7


@pytest.mark.parametrize("options", [{"max_pages": 3}, {"target_pages": "1-4"}])
async def test_job_with_more_pages_than_allowed_is_refused_before_the_upload(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    copy_invoice(tmp_path)
    workshop = Workshop(tmp_path, max_pages=2)
    line = workshop.line()
    async with workshop.open(line) as reader:
        reader.writer.creator._count_pages = count_seven
        with pytest.raises(ArgumentError, match=r"this server allows 2 \(--max-pages\), so nothing was uploaded"):
            await run(reader.writer.creator, options=options)
        assert (await run(reader.writer.creator, options={"target_pages": "2,4"})).plan.estimate.pages == 2
    assert workshop.num_new_files == 1


async def test_pages_that_are_not_known_are_bounded_by_what_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    workshop = Workshop(tmp_path, max_pages=2)
    created = await workshop.create(file="a.txt")
    assert created.plan.is_capped
    assert (created.plan.options["max_pages"], created.plan.estimate.most_pages) == (2, 2)
    configuration_id = save_configuration(workshop.store, workshop)
    capped = await workshop.create(file="a.txt", configuration_id=configuration_id, again=True)
    assert capped.job.configuration_id is None


async def test_page_that_the_document_does_not_have_is_refused(workshop: Workshop) -> None:
    async with workshop.open() as reader:
        reader.writer.creator._count_pages = count_seven
        with pytest.raises(ArgumentError, match="the document has 7 pages, and no page 9"):
            await run(reader.writer.creator, options={"target_pages": "1,9"})


async def test_file_that_changes_after_the_plan_creates_nothing(workshop: Workshop) -> None:
    async with workshop.open() as reader:
        plan = await reader.writer.creator.plan(CreationRequest(file="invoice.pdf", data_schema=SCHEMA))
        (workshop.folder / "invoice.pdf").write_bytes(b"%PDF-1.7 other")
        with pytest.raises(ArgumentError, match=r'"invoice\.pdf" has changed since it was read'):
            await reader.writer.creator.create(plan)
    assert workshop.new_jobs == []
    assert workshop.num_new_files == 0


@pytest.mark.parametrize("new", [b"BBBB two\n" * 9_000, b"AAAA one\n" * 8_999, b"AAAA one\n" * 9_001])
async def test_file_that_changes_during_its_upload_is_not_stored_under_the_old_digest(
    workshop: Workshop, new: bytes
) -> None:
    path, old = workshop.folder / "a.txt", b"AAAA one\n" * 9_000
    path.write_bytes(old)

    def change(request: httpx.Request, _: int) -> None:
        if (request.method, request.url.path) == ("POST", FILES_PATH):
            path.write_bytes(new)

    with pytest.raises(ArgumentError, match="has changed since it was read, so no job was created"):
        await workshop.create(workshop.line(on_request=change), file="a.txt")
    assert workshop.new_jobs == []
    assert workshop.num_new_files == 0
    path.write_bytes(old)
    created = await workshop.create(file="a.txt")
    (stored,) = [file for file in workshop.store.files.list_files() if file.external_file_id]
    assert workshop.store.files.get_content(stored) == old
    assert created.job.file_input == stored.file_id


async def test_document_of_the_web_is_uploaded_once(workshop: Workshop) -> None:
    content = (workshop.folder / "invoice.pdf").read_bytes()

    def serve(request: httpx.Request, _: int) -> httpx.Response | None:
        assert "authorization" not in request.headers or request.url.host == "127.0.0.1"
        return httpx.Response(200, content=content) if request.url.host == "93.184.216.34" else None

    for is_new in (True, False):
        line = workshop.line(on_request=serve)
        created = await workshop.create(line, url="https://93.184.216.34/files/web.pdf?key=1")
        assert created.is_new is is_new
        assert line.sent.count(("GET", "/files/web.pdf")) == 1
    assert (created.plan.found.name, created.plan.estimate.pages) == ("web.pdf", 2)
    # The same content under another name is the same document.
    assert not (await workshop.create()).is_new
    assert len(workshop.new_jobs) == workshop.num_new_files == 1


async def test_page_of_the_web_that_is_no_document_is_refused(workshop: Workshop) -> None:
    line = workshop.line(on_request=lambda request, _: httpx.Response(200, content=b"<html>")
                         if request.url.host == "93.184.216.34" else None)  # fmt: skip
    with pytest.raises(ArgumentError, match=r'url: "web\.pdf" is named \.pdf, but its content is something else'):
        await workshop.create(line, url="https://93.184.216.34/files/web.pdf")
    assert workshop.num_new_files == 0
