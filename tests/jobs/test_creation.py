"""One wish makes one job, however often and in whatever words it is sent."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from llx_mcp.answers.requests import JobRequest
from llx_mcp.errors import UnavailableError
from llx_mcp.jobs.creation_plan import CreationRequest
from tests.jobs.creating import (
    CREATE_PATH,
    FILES_PATH,
    FIRST_REQUESTS,
    INVOICE,
    SCHEMA,
    Workshop,
    copy_invoice,
    count,
    run,
    save_configuration,
)

# The requests of a repetition.
REPEATED_REQUESTS = [("POST", f"{CREATE_PATH}/schema/validation"), ("GET", FILES_PATH), ("GET", CREATE_PATH)]


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


async def test_configuration_of_another_job_is_copied(workshop: Workshop) -> None:
    created = await workshop.create(like_job=INVOICE)
    async with workshop.open() as reader:
        jobs = [(await reader.fetcher.fetch_job(JobRequest(job_id))).job for job_id in (INVOICE, created.job.id)]
    assert jobs[0].configuration is not None
    assert jobs[1].configuration is not None
    assert jobs[1].configuration.data_schema == jobs[0].configuration.data_schema
    assert jobs[1].configuration.tier == jobs[0].configuration.tier
    assert not (await workshop.create(like_job=INVOICE)).is_new


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
