"""Only requests for allowed hosts, from no page or an allowed one, reach the embedded API."""

import httpx
import pytest

from llx_mcp.local import SAMPLES, create_app, open_store
from llx_mcp.local.host_check import list_loopback_hosts
from tests.local.clients import KEY

JOBS = "/api/v2/extract"


async def send(
    headers: list[tuple[str, str]], *, path: str = JOBS, method: str = "GET", hosts: list[str] | None = None
) -> httpx.Response:
    """Send one request to an application on port 8080 that also allows `api.test:9000`."""
    store = open_store()
    app = create_app(store, allowed_hosts=[*list_loopback_hosts(8080), "api.test:9000"], page_token="page")
    raw = [(name.encode(), value.encode("latin-1")) for name, value in [*KEY.items(), *headers]]
    request = httpx.Request(method, f"http://127.0.0.1:8080{path}", headers=raw)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        response = await client.send(request)
    store.close()
    return response


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "LOCALHOST:8080", "[::1]:8080", "api.test:9000"])
async def test_loopback_names_and_named_hosts_are_allowed(host: str) -> None:
    for origin in ([], [("Origin", f"http://{host}")]):
        assert (await send([("Host", host), *origin])).status_code == 200


@pytest.mark.parametrize(
    "host", ["", "evil.example", "evil.example:8080", "127.0.0.1", "127.0.0.1:8081", "localhost.evil.example:8080",
             "127.0.0.1:8080.evil.example", "api.test", "é:8080"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", JOBS, f"{JOBS}/{SAMPLES[0].job_id}", "/_admin/faults", "/_files/x", "/nowhere"])
async def test_other_host_is_refused_on_every_path(host: str, path: str) -> None:
    response = await send([("Host", host)], path=path, method="DELETE" if path.startswith(f"{JOBS}/") else "GET")
    assert response.status_code == 421
    assert "--allowed-host" in response.json()["detail"]


async def test_second_host_is_refused() -> None:
    assert (await send([("Host", "127.0.0.1:8080"), ("Host", "evil.example")])).status_code == 421


@pytest.mark.parametrize("origin", ["null", "", "http://evil.example", "http://localhost:3000", "http://127.0.0.1"])
async def test_page_of_other_origin_is_refused(origin: str) -> None:
    response = await send([("Host", "127.0.0.1:8080"), ("Origin", origin)])
    assert response.status_code == 403
    assert "--allowed-host" in response.json()["detail"]


def test_default_port_may_be_left_out() -> None:
    assert set(list_loopback_hosts(80)) > {"localhost", "127.0.0.1:80"}
