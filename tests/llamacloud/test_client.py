"""The client sends what the service documents, and gives back what came."""

import json
import subprocess
import sys

import httpx
import pytest

from llx_mcp import __version__
from llx_mcp.errors import BadResponseError, NotFoundError
from llx_mcp.llamacloud import open_client
from llx_mcp.llamacloud.client import Access
from tests.llamacloud.service import BASE_URL, JOB, KEY, Handler, answer, assert_no_key, fetch, settings_with


class Recorder:
    """A service that keeps what it was asked."""

    def __init__(self, body: object) -> None:
        self.requests: list[httpx.Request] = []
        self._body = body

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer with the body."""
        self.requests.append(request)
        return httpx.Response(200, json=self._body)


async def check(handler: Handler) -> Access:
    """Check a service that answers as the handler does."""
    async with open_client(settings_with(project_id="p"), transport=httpx.MockTransport(handler)) as client:
        return await client.check()


async def test_a_request_is_as_the_service_documents_it() -> None:
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
async def test_address_and_scope_come_from_the_settings(
    overrides: dict[str, str], arguments: dict[str, str], url: str
) -> None:
    service = Recorder(JOB)
    await fetch(service, settings=settings_with(**overrides), **arguments)
    assert [str(request.url) for request in service.requests] == [url]


async def test_an_application_can_stand_in_for_the_network() -> None:
    async def app(scope: dict[str, object], receive: object, send: object) -> None:
        assert scope["raw_path"] == b"/api/v2/extract/%2E%2E"
        await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": json.dumps(JOB).encode()})  # type: ignore[operator]

    async with open_client(settings_with(), app=app) as client:
        assert (await client.fetch_job("..")).id == "ext-1"


async def test_a_check_asks_for_one_job_of_the_list() -> None:
    service = Recorder({"items": [], "next_page_token": None})
    assert await check(service) == Access(region="na", base_url=BASE_URL)
    assert [str(request.url) for request in service.requests] == [f"{BASE_URL}/api/v2/extract?page_size=1&project_id=p"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>Sign in</html>", "A web page came"),
        (b"{}", "without a list of jobs"),
        (b"[]", "without a list of jobs"),
        (b'{"items": null}', "without a list of jobs"),
        (b"pong", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"", "answered with nothing"),
    ],
)
async def test_a_check_is_not_content_with_any_200(body: bytes, words: str) -> None:
    with pytest.raises(BadResponseError, match=words) as caught:
        await check(answer(200, body))
    assert_no_key(caught.value)


async def test_a_check_that_finds_no_list_says_where_it_looked() -> None:
    with pytest.raises(NotFoundError) as caught:
        await check(answer(404, {"detail": "Not Found"}))
    assert str(caught.value) == (
        "api.cloud.llamaindex.ai (na) does not list jobs for this key (HTTP 404). Check the project, the region and "
        'LLAMA_CLOUD_BASE_URL. It says: "Not Found"'
    )


def test_importing_the_package_imports_no_http_client() -> None:
    code = "import sys, llx_mcp.llamacloud; print([name for name in ('httpx', 'stamina') if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
