"""Documents of jobs are kept for a while, and the fetches of one key leave turns for others."""

import json
from dataclasses import replace
from typing import Any

import anyio
import pytest

from llx_mcp.errors import ArgumentError
from llx_mcp.jobs.cache import CachedJob, JobKey
from llx_mcp.jobs.cached_source import find_parse_job_id
from llx_mcp.jobs.source_texts import SourceTexts
from tests.jobs.texts import KEY, PARSED, Service, job, words
from tests.jobs.virtual_time import virtual


async def read_document(texts: SourceTexts, key: JobKey, cached: CachedJob) -> bytes:
    """Return the content of a job's document."""
    async with texts.open_document(key, cached) as content:
        return content


@virtual
async def test_content_of_the_last_few_documents_is_kept() -> None:
    service = Service()
    async with service.open() as texts:
        for number in range(6):
            service.documents.files[f"dfl-{number}"] = b"%d" % number
            cached = job(parse_job=None, file=f"dfl-{number}", job_id=f"ext-{number}")
            key = replace(KEY, job_id=cached.job.id)
            for _ in range(2):
                assert await read_document(texts, key, cached) == b"%d" % number
        service.documents.fetched.clear()
        assert await read_document(texts, key, cached) == b"5"
        first = job(parse_job=None, file="dfl-0", job_id="ext-0")
        assert await read_document(texts, replace(KEY, job_id="ext-0"), first) == b"0"
    assert service.documents.fetched == ["dfl-0"]


@virtual
async def test_large_document_is_not_kept() -> None:
    service = Service(max_bytes=8_000)
    service.documents.files["dfl-1"] = b"x" * 1_001
    async with service.open() as texts:
        for _ in range(2):
            await read_document(texts, KEY, job())
    assert service.documents.fetched == ["dfl-1", "dfl-1"]


@virtual
async def test_document_of_a_job_that_names_no_file_is_an_error() -> None:
    service = Service()
    async with service.open() as texts:
        with pytest.raises(ArgumentError, match="does not name its file"):
            await read_document(texts, KEY, job(file="pjb-1"))
    assert service.documents.fetched == []


@pytest.mark.parametrize(
    ("metadata", "found"),
    [
        ({"parse_job_id": "pjb-1"}, "pjb-1"),
        ({"parse_job_id": " pjb-1 "}, "pjb-1"),
        ({"parse_job_id": None}, ""),
        ({"parse_job_id": 7}, ""),
        ({"parse_job_id": {"id": "pjb-1"}}, ""),
        ({}, ""),
        ([], ""),
        ("pjb-1", ""),
        (None, ""),
    ],
)
def test_parse_job_is_found_in_metadata_of_any_type(metadata: Any, found: str) -> None:
    assert find_parse_job_id(json.dumps({"id": "ext-1", "extract_metadata": metadata}).encode()) == found
    assert find_parse_job_id(b"not JSON") == ""


@virtual
@pytest.mark.parametrize("parse_job", ["pjb", None])
async def test_documents_of_one_key_leave_turns_for_others(parse_job: str | None) -> None:
    service, other = Service(max_bytes=1 << 20), Service()
    other.turns = service.turns
    service.documents.seconds = 5.0
    for at in range(6):
        service.documents.parse_jobs[f"pjb-{at}"] = PARSED
        service.documents.files[f"dfl-{at}"] = b"%PDF"
    other.documents.parse_jobs["pjb-1"] = PARSED
    async with service.open() as texts, other.open() as others, anyio.create_task_group() as group:
        for at in range(6):
            cached = job(parse_job=parse_job and f"pjb-{at}", file=f"dfl-{at}", job_id=f"ext-{at}")
            group.start_soon(texts.fetch, replace(KEY, job_id=cached.job.id), cached)
        await anyio.sleep(1)
        # Half of the four turns.
        assert len(service.documents.fetched) == 2
        with anyio.fail_after(1):
            assert await words(others, job(), replace(KEY, identity="other")) == "parsed"
        group.cancel_scope.cancel()


@virtual
@pytest.mark.parametrize("parse_job", ["pjb-1", None])
async def test_pause_of_the_rate_limit_holds_no_turn(parse_job: str | None) -> None:
    service = Service()
    service.documents.parse_jobs["pjb-1"] = PARSED
    service.documents.files["dfl-1"] = b"%PDF"
    async with service.open() as texts, anyio.create_task_group() as group:
        service.rate.note_refusal(anyio.current_time(), 5.0)
        group.start_soon(texts.fetch, KEY, job(parse_job=parse_job))
        await anyio.sleep(1)
        assert (service.turns.num_running, service.turns.num_waiting) == (0, 0)
        await anyio.sleep(5)
        assert service.documents.fetched == [parse_job or "dfl-1"]


@virtual
async def test_document_that_is_open_has_a_turn() -> None:
    service = Service()
    service.documents.files["dfl-1"] = b"%PDF"
    async with service.open() as texts:
        async with texts.open_document(KEY, job()) as content:
            assert (content, service.turns.num_running) == (b"%PDF", 1)
        assert service.turns.num_running == 0
