"""Clients complete job ids and table names, in both versions of the protocol."""

import json
from typing import Any

from mcp import Client
from mcp_types import Completion, PromptReference, ResourceTemplateReference

from llx_mcp.errors import UnavailableError
from llx_mcp.local import SAMPLES
from llx_mcp.models import JobPage
from llx_mcp.server.app import build_server
from tests.clients import ERAS, call, connect
from tests.fake_clock import FakeClock
from tests.sources import Bodies, open_bodies

PROMPT = PromptReference(name="compare_jobs")
TABLES = ResourceTemplateReference(uri="llx://jobs/{job_id}/tables/{table}")
STATEMENT = "ext-sample0statement000000000000"


async def complete(client: Any, ref: Any, name: str, value: str = "", **known: str) -> Completion:
    """Ask for the completions of one argument."""
    result = await client.complete(ref, {"name": name, "value": value}, known or None)
    completion: Completion = result.completion
    return completion


@ERAS
async def test_job_ids_are_completed_in_prompts_and_resources(mode: str) -> None:
    async with connect(mode) as client:
        assert client.server_capabilities is not None
        assert client.server_capabilities.completions is not None
        everything = await complete(client, PROMPT, "other_job_id")
        assert set(everything.values) == {sample.job_id for sample in SAMPLES}
        assert (everything.total, everything.has_more) == (len(SAMPLES), False)
        assert (await complete(client, TABLES, "job_id", "ext-sample0st")).values == [STATEMENT]
        assert (await complete(client, TABLES, "job_id", "STATEMENT")).values == [STATEMENT]


async def test_job_that_was_read_comes_first() -> None:
    async with connect() as client:
        await call(client, "get_extract_job", job_id=STATEMENT)
        assert (await complete(client, PROMPT, "job_id")).values[0] == STATEMENT


async def test_tables_of_the_chosen_job_are_completed() -> None:
    async with connect() as client:
        assert (await complete(client, TABLES, "table", "tr", job_id=STATEMENT)).values == ["transactions"]
        assert (await complete(client, TABLES, "table", "fi", job_id=STATEMENT)).values == ["fields"]
        assert (await complete(client, TABLES, "table")).values == []
        assert (await complete(client, TABLES, "table", job_id="ext-nowhere")).values == []
        failed = next(sample.job_id for sample in SAMPLES if sample.name == "failed_reason")
        assert (await complete(client, TABLES, "table", job_id=failed)).values == []


class _CountingBodies(Bodies):
    """A service with one job, which refuses to list it."""

    num_lists = 0

    async def list_jobs(self, *_: object, **__: object) -> JobPage:
        """Refuse."""
        self.num_lists += 1
        raise UnavailableError("away")


async def test_service_is_asked_once_and_its_error_is_no_error_of_the_completion() -> None:
    source = _CountingBodies(lambda job_id: json.dumps({"id": job_id, "status": "COMPLETED"}).encode())
    clock = FakeClock()
    async with Client(build_server(open_bodies(source), clock=clock)) as client:
        for typed in ("", "e", "ex"):
            assert (await complete(client, PROMPT, "job_id", typed)).values == []
        assert source.num_lists == 1
        await call(client, "get_extract_job", job_id="ext-read")
        clock.seconds += 31
        assert (await complete(client, PROMPT, "job_id", "ex")).values == ["ext-read"]
        assert source.num_lists == 2


async def test_other_arguments_have_no_completions() -> None:
    async with connect() as client:
        assert (await complete(client, PromptReference(name="answer_with_citations"), "question", "w")).values == []
