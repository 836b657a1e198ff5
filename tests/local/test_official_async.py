"""The official asynchronous client reads sections and lists, raises its own errors, and retries."""

from typing import Any

import llama_cloud
import pytest
from llama_cloud import AsyncLlamaCloud

from llx_mcp.local import SAMPLES, JobStore
from llx_mcp.local.faults import FaultInjector, parse_fault

INVOICE = SAMPLES[0].job_id
SECTIONS = ("configuration", "extract_metadata", "usage", "metadata")
ERRORS: list[tuple[str, type[Exception], int | None]] = [
    ("wrong-region", llama_cloud.AuthenticationError, 401),
    ("out-of-credits", llama_cloud.APIStatusError, 402),
    ("rate-limited", llama_cloud.RateLimitError, 429),
    ("unavailable", llama_cloud.InternalServerError, 503),
    ("disconnect", llama_cloud.APIConnectionError, None),
]


def connect(url: str, **options: Any) -> AsyncLlamaCloud:
    """Return a client that validates responses strictly. Open it inside the test."""
    return AsyncLlamaCloud(api_key="llx-local", base_url=url, _strict_response_validation=True, **options)


@pytest.mark.parametrize("section", SECTIONS)
async def test_expand_returns_requested_section(url: str, section: Any) -> None:
    async with connect(url) as client:
        bare = await client.extract.get(INVOICE)
        full = await client.extract.get(INVOICE, expand=[section])
    assert (getattr(bare, section), getattr(full, section) is None) == (None, False)
    assert bare.extract_result == full.extract_result


async def test_list_returns_every_job_once(url: str, store: JobStore) -> None:
    async with connect(url) as client:
        found = [job.id async for job in client.extract.list(page_size=3)]
    assert len(found) == len(set(found)) == store.count()


@pytest.mark.parametrize(("text", "error", "status"), ERRORS)
async def test_fault_raises_matching_client_error(
    url: str, faults: FaultInjector, text: str, error: type[Exception], status: int | None
) -> None:
    faults.set_faults([parse_fault(text)])
    async with connect(url, max_retries=0) as client:
        with pytest.raises(error) as caught:
            await client.extract.get(INVOICE)
    assert getattr(caught.value, "status_code", None) == status


async def test_client_retries_transient_errors(url: str, faults: FaultInjector) -> None:
    async with connect(url) as client:
        for text in ("rate-limited:times=1", "unavailable:times=2", "disconnect:times=1"):
            faults.set_faults([parse_fault(text)])
            assert (await client.extract.get(INVOICE)).status == "COMPLETED"


async def test_invalid_request_raises_matching_client_error(url: str) -> None:
    async with connect(url) as client:
        with pytest.raises(llama_cloud.NotFoundError):
            await client.extract.get("ext-nowhere")
        with pytest.raises(llama_cloud.ConflictError):
            await client.extract.cancel(INVOICE)
        with pytest.raises(llama_cloud.UnprocessableEntityError):
            await client.extract.validate_schema(data_schema={"type": "array"})


async def test_job_is_created_cancelled_and_deleted(url: str) -> None:
    configuration: Any = {"data_schema": {"type": "object", "properties": {"total": {"type": "number"}}}}
    async with connect(url) as client:
        job = await client.extract.create(
            file_input="dfl-sample0invoice00000000000000",
            configuration=configuration,
            extra_headers={"X-Llx-Scenario": "queued"},
        )
        assert job.status == "PENDING"
        assert (await client.extract.cancel(job.id)).status == "CANCELLED"
        await client.extract.delete(job.id)
        with pytest.raises(llama_cloud.NotFoundError):
            await client.extract.get(job.id)
