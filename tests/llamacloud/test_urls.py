"""An id stays within its own segment of the path, whatever it holds."""

import asyncio
from urllib.parse import parse_qsl, unquote, unquote_to_bytes

import httpx
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from llx_mcp.errors import ArgumentError, ConfigurationError
from llx_mcp.llamacloud import open_client
from llx_mcp.llamacloud.urls import build_url, is_allowed_download_url
from tests.llamacloud.service import JOB, KEY, answer, failure, fetch, loopback, send_job, settings_with

ODD_IDS = [
    "../../v1/beta/files", "..", ".", "...", "%2e", "%2e%2e", "%2E%2E%2F", "?", "#", "a?b=c#d", "\0", " x ", "a b",
    "/", "//", "\\", "..\\", "é日", "a;b", "[x]", "a\r\nX: y", "+", "&", ":", "@",
]  # fmt: skip


@pytest.mark.parametrize("job_id", ODD_IDS)
async def test_id_stays_within_its_segment_of_the_sent_path(job_id: str) -> None:
    heads: list[bytes] = []
    serve = send_job(job_id, lines=heads)
    async with loopback(serve) as url, open_client(settings_with(base_url_override=url)) as client:
        await client.fetch_job(job_id)
    (head,) = heads
    method, target, version = head.split(b"\r\n")[0].decode("ascii").split(" ")
    *parents, segment = target.split("/")
    assert (method, version, parents) == ("GET", "HTTP/1.1", ["", "api", "v2", "extract"])
    assert unquote(segment) == job_id
    assert segment not in (".", "..")
    assert not set(segment) & set("?#\\")


encodable = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: text.strip() != "")
dots_and_slashes = st.text("./\\%2eE?#", min_size=1)


@given(encodable | dots_and_slashes)
@hypothesis_settings(max_examples=200, deadline=None)
def test_server_decodes_the_id_from_one_segment(job_id: str) -> None:
    paths: list[bytes] = []

    def handler(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.raw_path)
        return httpx.Response(200, json={**JOB, "id": job_id})

    asyncio.run(fetch(handler, job_id))
    (path,) = paths
    assert path.startswith(b"/api/v2/extract/")
    segment = path.removeprefix(b"/api/v2/extract/")
    assert not set(segment) & set(b"/?#\\ ")
    assert unquote_to_bytes(segment) == job_id.encode()


@pytest.mark.parametrize("job_id", ["", " ", "\n\t", "\u00a0\u2003"])
async def test_blank_id_is_refused(job_id: str) -> None:
    error = await failure(answer(200, JOB), job_id)
    assert isinstance(error, ArgumentError)
    assert str(error) == "job_id is empty. Give the id of an extract job; it begins with ext-."


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"job_id": "ext-\ud800"}, 'job_id "ext-" holds half a character'),
        ({"job_id": "x" * 2_001}, "job_id has 2,001 characters"),
        ({"project_id": "\udfff"}, "project_id"),
        ({"organization_id": "x" * 100_000}, "organization_id has 100,000 characters"),
        ({"expand": ["\ud800"]}, "expand"),
        ({"job_id": f"{KEY} "}, "holds the API key"),
        ({"project_id": f"x{KEY}"}, "holds the API key"),
    ],
)
async def test_argument_that_cannot_be_sent_is_refused_before_the_request(
    arguments: dict[str, str], words: str
) -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        raise AssertionError("a request was sent")

    error = await failure(handler, **arguments)  # type: ignore[arg-type]
    assert isinstance(error, ArgumentError)
    assert words in str(error)
    assert len(str(error)) < 200


async def test_longest_allowed_id_is_sent() -> None:
    job_id = "\U0001f9ff" * 2_000
    assert (await fetch(answer(200, {**JOB, "id": job_id}), job_id)).id == job_id


@given(st.lists(st.tuples(st.sampled_from(["expand", "project_id"]), encodable)))
def test_query_parameters_round_trip(parameters: list[tuple[str, str]]) -> None:
    query = httpx.URL(build_url("https://host", "/path", parameters)).query.decode("ascii")
    assert parse_qsl(query, strict_parsing=bool(query)) == parameters


def test_base_url_with_an_invalid_port_is_refused() -> None:
    with pytest.raises(
        ConfigurationError, match=r"port of https://host:99999 .* Correct LLAMA_CLOUD_BASE_URL"
    ) as caught:
        build_url("https://host:99999", "/path", [])
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("url", "is_allowed"),
    [
        ("https://storage.example/a.pdf", True),
        ("http://127.0.0.1:8080/a.pdf", True),
        ("http://127.0.0.1:8081/a.pdf", False),
        ("http://storage.example/a.pdf", False),
        ("ftp://127.0.0.1:8080/a.pdf", False),
        ("https:///a.pdf", False),
        ("https://[::1/a.pdf", False),
    ],
)
def test_download_needs_https_or_the_host_of_the_service(url: str, *, is_allowed: bool) -> None:
    assert is_allowed_download_url(url, "http://127.0.0.1:8080") == is_allowed


def test_error_quotes_at_most_eighty_characters_of_an_argument() -> None:
    with pytest.raises(ArgumentError) as caught:
        build_url("https://host", "/path", [("expand", "x" * 200 + "\ud800")])
    assert f'"{"x" * 79}…"' in str(caught.value)
