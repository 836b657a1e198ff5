"""The client sends documented requests and returns what the service sent."""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import httpx
import pytest

from llx_mcp import __version__
from llx_mcp.errors import BadResponseError, NotFoundError, UnavailableError
from llx_mcp.jobs.clock import SystemClock
from llx_mcp.jobs.source import get_service_time
from llx_mcp.llamacloud import open_client
from llx_mcp.models import EXPANDABLE_SECTIONS, JobPage
from llx_mcp.scope import DEFAULT_SCOPE, JobFilter, Scope
from tests.llamacloud.service import BASE_URL, JOB, KEY, Handler, answer, assert_no_key, fetch, settings_with
from tests.threads import needs_thread

NO_FILTER = JobFilter()


class Recorder:
    """A service that records its requests."""

    def __init__(self, body: object) -> None:
        self.requests: list[httpx.Request] = []
        self._body = body

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Record the request and return the body."""
        self.requests.append(request)
        return httpx.Response(200, json=self._body)


async def check(handler: Handler) -> None:
    """Check a service in memory."""
    async with open_client(settings_with(project_id="p"), transport=httpx.MockTransport(handler)) as client:
        await client.check()


async def test_request_is_as_documented() -> None:
    service = Recorder(JOB)
    job = await fetch(service, expand=["usage", "metadata"], project_id="p", organization_id="o")
    (request,) = service.requests
    assert json.loads(job.dump()) == JOB
    assert request.method == "GET"
    assert str(request.url) == (
        f"{BASE_URL}/api/v2/extract/ext-1?expand=usage&expand=metadata&project_id=p&organization_id=o"
    )
    assert dict(request.headers) == {
        "host": "api.cloud.llamaindex.ai",
        "accept": "application/json",
        "accept-encoding": "gzip, deflate",
        "connection": "keep-alive",
        "user-agent": f"llx-mcp/{__version__}",
        "authorization": f"Bearer {KEY}",
    }
    assert request.extensions["timeout"] == {"connect": 5.0, "read": 60.0, "write": 60.0, "pool": 60.0}


@pytest.mark.parametrize(
    ("overrides", "arguments", "url"),
    [
        ({}, {}, f"{BASE_URL}/api/v2/extract/ext-1"),
        (
            {"region": "eu", "project_id": "p", "organization_id": "o"},
            {},
            "https://api.cloud.eu.llamaindex.ai/api/v2/extract/ext-1?project_id=p&organization_id=o",
        ),
        ({"project_id": "p"}, {"project_id": "q"}, f"{BASE_URL}/api/v2/extract/ext-1?project_id=q"),
        (
            {"base_url_override": "https://llama.example:8443/behind/"},
            {},
            "https://llama.example:8443/behind/api/v2/extract/ext-1",
        ),
    ],
)
async def test_address_and_scope_come_from_settings_unless_given(
    overrides: dict[str, str], arguments: dict[str, str], url: str
) -> None:
    service = Recorder(JOB)
    await fetch(service, settings=settings_with(**overrides), **arguments)
    assert [str(request.url) for request in service.requests] == [url]


async def test_asgi_application_replaces_the_network() -> None:
    async def app(scope: dict[str, object], receive: object, send: object) -> None:
        assert scope["raw_path"] == b"/api/v2/extract/%2E%2E"
        await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": b'{"id":"..","status":"RUNNING"}'})  # type: ignore[operator]

    async with open_client(settings_with(), app=app) as client:
        assert (await client.fetch_job("..")).status == "RUNNING"


async def test_check_requests_a_list_of_one_job() -> None:
    service = Recorder({"items": [], "next_page_token": None})
    await check(service)
    assert [str(request.url) for request in service.requests] == [f"{BASE_URL}/api/v2/extract?page_size=1&project_id=p"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>Sign in</html>", "sent a web page"),
        (b"{}", "without a list of jobs"),
        (b"[]", "without a list of jobs"),
        (b'{"items": null}', "without a list of jobs"),
        (b"pong", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"", "sent an empty response"),
    ],
)
async def test_check_rejects_a_200_without_a_job_list(body: bytes, words: str) -> None:
    with pytest.raises(BadResponseError, match=words) as caught:
        await check(answer(200, body))
    assert_no_key(caught.value)


async def test_check_error_names_the_host() -> None:
    with pytest.raises(NotFoundError) as caught:
        await check(answer(404, {"detail": "Not Found"}))
    assert str(caught.value) == (
        "api.cloud.llamaindex.ai (na) does not list jobs for this key (HTTP 404). Check the project, the region and "
        'LLAMA_CLOUD_BASE_URL. The service says: "Not Found"'
    )


def test_importing_the_package_does_not_import_httpx() -> None:
    code = "import sys, llx_mcp.llamacloud; print([name for name in ('httpx', 'stamina') if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


async def list_jobs(handler: Handler, wanted: JobFilter = NO_FILTER, scope: Scope = DEFAULT_SCOPE) -> JobPage:
    """Fetch one page from a service in memory."""
    async with open_client(settings_with(), transport=httpx.MockTransport(handler)) as client:
        return await client.list_jobs(wanted, scope)


@pytest.mark.parametrize("expand", [(), EXPANDABLE_SECTIONS])
async def test_job_with_another_id_is_an_error_that_names_both(expand: Sequence[str]) -> None:
    with pytest.raises(BadResponseError) as caught:
        await fetch(answer(200, {**JOB, "id": "ext-<b>2</b>"}), "ext-1", expand=expand)
    assert str(caught.value) == (
        'api.cloud.llamaindex.ai sent job "ext- 2" instead of "ext-1", so nothing of it is shown. Retrying seldom '
        "helps. Check that no proxy or cache between this machine and api.cloud.llamaindex.ai mixes up responses."
    )


async def test_id_in_another_case_names_the_same_job() -> None:
    assert (await fetch(answer(200, JOB), " EXT-1")).id == "ext-1"


async def test_list_request_sends_every_filter_as_documented() -> None:
    service = Recorder({"items": [JOB], "next_page_token": "t2"})
    page = await list_jobs(
        service,
        JobFilter(
            job_ids=("ext-1", "ext-2"),
            statuses=("PENDING", "RUNNING"),
            file_input="dfl-1",
            configuration_id="cfg-1",
            created_since=datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))),
            created_until=datetime(2026, 1, 2, tzinfo=UTC),
            page_size=7,
            page_token="t1",
        ),
        Scope("p", "o"),
    )
    (request,) = service.requests
    assert [json.loads(job.dump()) for job in page.items] == [JOB]
    assert page.next_page_token == "t2"
    assert str(request.url) == (
        f"{BASE_URL}/api/v2/extract?job_ids=ext-1&job_ids=ext-2&status=PENDING&status=RUNNING&file_input=dfl-1"
        "&configuration_id=cfg-1&created_at_on_or_after=2026-01-01T00%3A00%3A00Z"
        "&created_at_on_or_before=2026-01-02T00%3A00%3A00Z&page_size=7&page_token=t1&project_id=p&organization_id=o"
    )


@pytest.mark.parametrize("token", [None, "", 7])
async def test_page_token_that_is_not_text_ends_the_list(token: object) -> None:
    assert await list_jobs(answer(200, {"items": [], "next_page_token": token})) == JobPage(())
    assert await list_jobs(answer(200, {"items": []})) == JobPage(())


async def test_items_that_are_not_jobs_are_counted_and_the_others_returned() -> None:
    page = await list_jobs(answer(200, {"items": [{"id": 1}, JOB, "x"]}))
    assert ([job.id for job in page.items], page.num_unreadable) == ([JOB["id"]], 2)


@pytest.mark.parametrize("body", [b"{}", b'{"items": null}', b"[]", b'{"items": [', b"x"])
async def test_body_that_is_not_a_job_list_is_an_error(body: bytes) -> None:
    with pytest.raises(BadResponseError):
        await list_jobs(answer(200, body))


async def test_max_tries_limits_the_requests() -> None:
    service = Recorder(JOB)

    def refuse(request: httpx.Request) -> httpx.Response:
        service(request)
        return httpx.Response(503, headers={"retry-after": "12"})

    with pytest.raises(UnavailableError) as caught:
        await fetch(refuse, max_tries=1)
    assert (len(service.requests), caught.value.retry_after_seconds) == (1, 12.0)
    with pytest.raises(UnavailableError):
        await fetch(refuse, max_tries=3)
    assert len(service.requests) == 1 + 3


@pytest.mark.parametrize(("ahead_seconds", "offset_seconds"), [(3_600, 3_600), (-3_600, -3_600), (1, 0), (None, 0)])
async def test_clock_offset_is_read_from_the_date_header(ahead_seconds: int | None, offset_seconds: int) -> None:
    def serve(_: httpx.Request) -> httpx.Response:
        moment = None if ahead_seconds is None else datetime.now(UTC) + timedelta(seconds=ahead_seconds)
        return httpx.Response(200, json=JOB, headers={"date": format_datetime(moment, usegmt=True)} if moment else {})

    async with open_client(settings_with(), transport=httpx.MockTransport(serve)) as client:
        await client.fetch_job("ext-1")
        assert client.clock_offset_seconds == pytest.approx(offset_seconds, abs=2)


@pytest.mark.parametrize("year", ["9999", "0001"])
async def test_absurd_date_header_leaves_the_clock_as_it_was(year: str) -> None:
    dates = iter(
        [format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True), f"Fri, 01 Jan {year} 00:00 GMT"]
    )
    clock = SystemClock()

    def serve(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=JOB, headers={"date": next(dates)})

    async with open_client(settings_with(), transport=httpx.MockTransport(serve)) as client:
        for _ in range(2):
            await client.fetch_job("ext-1")
            ahead = get_service_time(client, clock) - clock.now()
            assert ahead.total_seconds() == pytest.approx(3_600, abs=2)


async def test_identity_depends_on_key_and_address_and_hides_the_key() -> None:
    identities = set()
    for overrides in ({}, {"region": "eu"}, {"api_key": "llx-another-another"}, {}):
        async with open_client(settings_with(**overrides)) as client:
            identities.add(client.identity())
            assert re.fullmatch("[0-9a-f]{32}", client.identity())
            assert KEY not in client.identity()
    assert len(identities) == 3


async def test_file_names_are_fetched_in_one_request() -> None:
    requested: list[httpx.URL] = []

    def serve(request: httpx.Request) -> httpx.Response:
        requested.append(request.url)
        items = [{"id": "dfl-1", "name": "a.pdf"}, {"id": "2", "name": "b.pdf"}, {"id": "dfl-3", "name": None}, "odd"]
        return httpx.Response(200, json={"items": items})

    async with open_client(settings_with(), transport=httpx.MockTransport(serve)) as client:
        names = await client.fetch_file_names(["dfl-1", "dfl-2", "dfl-3", "dfl-4"], Scope("project"))
    assert names == {"dfl-1": "a.pdf", "dfl-2": "b.pdf"}
    (url,) = requested
    assert (url.path, url.params.get_list("file_ids")) == (
        "/api/v1/beta/files",
        ["dfl-1", "dfl-2", "dfl-3", "dfl-4"],
    )
    assert (url.params["page_size"], url.params["project_id"]) == ("4", "project")


@pytest.mark.parametrize("body", [b'{"items":3}', b'{"items":[{"id":null,"name":3}]}', b"{}"])
async def test_files_without_names_are_left_out(body: bytes) -> None:
    async with open_client(settings_with(), transport=httpx.MockTransport(answer(200, body))) as client:
        assert await client.fetch_file_names(["dfl-1"]) == {}


@pytest.mark.parametrize("body", [b"[]", b"x", b"", b"[" * 100_000, b'{"items": "\xff"}'])
async def test_body_that_is_not_a_file_list_is_an_error(body: bytes) -> None:
    async with open_client(settings_with(), transport=httpx.MockTransport(answer(200, body))) as client:
        with pytest.raises(BadResponseError, match="not a JSON object"):
            await client.fetch_file_names(["dfl-1"])


async def test_only_a_body_of_a_mebibyte_and_more_is_parsed_in_a_thread() -> None:
    found = []
    for num_bytes in (700_000, 1_300_000):
        service = answer(200, json.dumps(JOB).encode().ljust(num_bytes))
        async with open_client(settings_with(), transport=httpx.MockTransport(service)) as client:
            found.append(await needs_thread(lambda: client.fetch_job("ext-1")))
    assert found == [False, True]
