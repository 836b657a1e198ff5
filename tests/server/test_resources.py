"""Resources hold tables with their provenance, and say how long a client may reuse them."""

import csv
import io
import json
from typing import Any

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, TextResourceContents

from llx_mcp.local import SAMPLE_RUNNING_ID
from llx_mcp.models import Job
from llx_mcp.server.app import build_server
from tests.clients import connect, connect_with_clock
from tests.example_jobs import build_job, cited
from tests.fake_clock import StandingClock
from tests.sources import Bodies, open_bodies

STATEMENT = "ext-sample0statement000000000000"
FAILED = "ext-sample0failed0reason00000000"
NULL_RESULT = "ext-sample0null0result0000000000"
HOUR_MS = 3_600_000
ROWS = [{"sku": "A", "net": 1.5}, {"sku": "B", "note": "=1+1"}]
TREE = {
    "total": cited(0.87654, 1, "1.5"),
    "rows": [{"sku": cited(0.5, 2, "A"), "net": cited(0.25, 3, "1.50")}, {"sku": cited(0.75, 4, "B")}],
}


def connect_to(job: Job) -> Client:
    """Return a client of a server with one job."""
    return Client(build_server(open_bodies(Bodies(lambda _: job.dump()))))


async def read_table(job: Job, table: str) -> list[dict[str, str]]:
    """Return the rows of a table resource."""
    async with connect_to(job) as client:
        (contents,) = (await client.read_resource(f"llx://jobs/ext-1/tables/{table}")).contents
    assert isinstance(contents, TextResourceContents)
    return list(csv.DictReader(io.StringIO(contents.text)))


async def test_each_column_of_a_table_is_followed_by_its_page_and_confidence() -> None:
    first, second = await read_table(build_job({"total": 1.5, "rows": ROWS}, TREE), "rows")
    details = {"sku.page": "2", "sku.confidence": "0.5", "net.page": "3", "net.confidence": "0.25"}
    assert list(first)[:6] == ["sku", "sku.page", "sku.confidence", "net", "net.page", "net.confidence"]
    assert {name: first[name] for name in details} == details
    assert (second["sku.page"], second["net.page"], second["net.confidence"]) == ("4", "", "")
    inherited = (first["total"], first["total.page"], first["total.confidence"], first["_path"], second["_row"])
    assert inherited == ("1.5", "1", "0.87654", "rows[0]", "1")
    assert second["note"] == "'=1+1"


async def test_table_of_a_job_without_provenance_has_its_data_alone() -> None:
    (row, _) = await read_table(build_job({"rows": ROWS}), "rows")
    assert row == {"sku": "A", "net": "1.5", "note": "", "_path": "rows[0]", "_row": "0", "_parent": "0"}


async def test_tables_of_all_values_and_of_all_tables_are_resources() -> None:
    job = build_job({"total": 1.5, "rows": ROWS}, TREE)
    fields = await read_table(job, "fields")
    assert [row["path"] for row in fields] == ["total", "rows[0].sku", "rows[1].sku", "rows[0].net", "rows[1].note"]
    assert (fields[0]["confidence"], fields[0]["page"], fields[0]["quote"]) == ("0.87654", "1", "1.5")
    assert [(row["name"], row["num_rows"]) for row in await read_table(job, "tables")] == [
        ("document", "1"),
        ("rows", "2"),
        ("fields", "5"),
    ]


async def test_resource_of_an_ended_job_may_be_reused_for_an_hour_by_the_same_client() -> None:
    async with connect() as client:
        for part in ("", "/result", "/metadata", "/configuration", "/tables/transactions"):
            read = await client.read_resource(f"llx://jobs/{STATEMENT}{part}")
            assert (read.ttl_ms, read.cache_scope) == (HOUR_MS, "private"), part


async def test_resource_of_a_running_job_may_not_be_reused() -> None:
    clock = StandingClock()
    async with connect_with_clock(clock) as client:
        before = await client.read_resource(f"llx://jobs/{SAMPLE_RUNNING_ID}")
        clock.seconds = 60
        after = await client.read_resource(f"llx://jobs/{SAMPLE_RUNNING_ID}/result")
    (contents,) = after.contents
    assert isinstance(contents, TextResourceContents)
    assert (before.ttl_ms, before.cache_scope, after.ttl_ms) == (0, "private", HOUR_MS)
    assert json.loads(contents.text)["line_items"]


@pytest.mark.parametrize("part", ["result", "metadata", "tables/document", "citations/total"])
@pytest.mark.parametrize(
    ("job_id", "words"),
    [
        (
            SAMPLE_RUNNING_ID,
            f'The job is PENDING and has no result. To wait: wait_for_extract_job(job_id="{SAMPLE_RUNNING_ID}")',
        ),
        (
            FAILED,
            'The job is FAILED and has no result. Reason given by the service: "Page 2 of the document is encrypted '
            'and could not be parsed." The job stays failed. A result needs a new job.',
        ),
    ],
    ids=["running", "failed"],
)
async def test_parts_of_a_job_without_a_result_are_an_error_that_says_why(job_id: str, words: str, part: str) -> None:
    async with connect_with_clock(StandingClock()) as client:
        with pytest.raises(MCPError) as caught:
            await client.read_resource(f"llx://jobs/{job_id}/{part}")
    assert (caught.value.error.message, caught.value.code) == (words, INTERNAL_ERROR)


async def test_result_of_a_job_that_found_nothing_is_null() -> None:
    async with connect() as client:
        read = await client.read_resource(f"llx://jobs/{NULL_RESULT}/result")
    (contents,) = read.contents
    assert isinstance(contents, TextResourceContents)
    assert (contents.text, read.ttl_ms) == ("null", HOUR_MS)


async def test_job_and_configuration_of_a_failed_job_can_be_read() -> None:
    async with connect() as client:
        for part in ("", "/configuration"):
            (contents,) = (await client.read_resource(f"llx://jobs/{FAILED}{part}")).contents
            assert isinstance(contents, TextResourceContents)
            assert "tier" in contents.text


async def test_whole_job_without_billed_usage_may_be_reused_for_a_minute() -> None:
    async with connect_to(build_job({"total": 1.5})) as client:
        whole = await client.read_resource("llx://jobs/ext-1")
        result = await client.read_resource("llx://jobs/ext-1/result")
    assert (whole.ttl_ms, result.ttl_ms) == (60_000, HOUR_MS)


async def test_older_protocol_has_no_hint() -> None:
    seen: list[Any] = []
    server = build_server(open_bodies(Bodies(lambda _: build_job({"total": 1.5}).dump())))

    async def record(ctx: Any, call_next: Any) -> Any:
        result = await call_next(ctx)
        if ctx.method == "resources/read":
            seen.append(result)
        return result

    server.middleware.insert(0, record)
    async with Client(server, mode="legacy") as client:
        await client.read_resource("llx://jobs/ext-1/result")
    assert len(seen) == 1
    assert "ttlMs" not in seen[0]
