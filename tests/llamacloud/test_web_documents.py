"""A document of the web is downloaded from a public address only, the very one that was checked."""

from collections.abc import Callable

import anyio
import httpx
import pytest

from llx_mcp.errors import ArgumentError, LlxError, UnreachableError
from llx_mcp.llamacloud import web_documents
from llx_mcp.llamacloud.web_documents import WebDocument, download_document, is_public
from tests.llamacloud.service import assert_no_key

PUBLIC = "93.184.216.34"
HOSTS = {
    "docs.example.com": [PUBLIC],
    "six.example.com": ["2606:2800:220:1:248:1893:25c8:1946"],
    "inner.example.com": ["10.0.0.7"],
    "both.example.com": [PUBLIC, "127.0.0.1"],
    "mapped.example.com": ["::ffff:10.0.0.7"],
    "zone.example.com": ["fe80::1%eth0"],
    "none.example.com": [],
}


async def resolve(host: str) -> list[str]:
    """Return the addresses of a host."""
    if host not in HOSTS:
        raise OSError(host)
    return HOSTS[host]


async def download(
    url: str, answer: Callable[[httpx.Request], httpx.Response] | httpx.Response, max_bytes: int = 100
) -> tuple[WebDocument | LlxError, list[httpx.Request]]:
    """Download from hosts in memory; return the document or the error, and the requests."""
    requests: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return answer if isinstance(answer, httpx.Response) else answer(request)

    try:
        return await download_document(url, max_bytes, transport=httpx.MockTransport(handle), resolve=resolve), requests
    except LlxError as exc:
        assert_no_key(exc)
        return exc, requests


def pdf(**headers: str) -> httpx.Response:
    """Return a response with a PDF."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(200, content=b"%PDF-1.7", headers=sent)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://docs.example.com/a/b%20c.pdf?x=1#page", f"https://{PUBLIC}/a/b%20c.pdf?x=1#page"),
        ("https://docs.example.com:443/b.pdf", f"https://{PUBLIC}/b.pdf"),
        ("https://six.example.com/b.pdf", "https://[2606:2800:220:1:248:1893:25c8:1946]/b.pdf"),
        (f"https://{PUBLIC}/b.pdf", f"https://{PUBLIC}/b.pdf"),
    ],
)
async def test_connection_goes_to_the_address_that_was_checked_with_the_name_of_the_host(
    url: str, address: str
) -> None:
    document, (request,) = await download(url, pdf())
    assert isinstance(document, WebDocument)
    assert document.content == b"%PDF-1.7"
    host = httpx.URL(url).host
    assert str(request.url) == address
    assert request.headers["host"] == host
    # The certificate is checked against this name.
    assert request.extensions["sni_hostname"] == host
    assert "authorization" not in request.headers
    assert request.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "[::1]", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.1",
     "[::ffff:127.0.0.1]", "[64:ff9b::a00:7]", "[2002:a00:7::]", "[fd00::1]", "[fe80::1]",
     "[fec0::1]", "[::7f00:1]", "[2001:0:1::1]", "[64:ff9b:1::1]", "[5f00::1]", "[3fff::1]", "[100::1]", "[ff0e::1]",
     "192.88.99.1", "168.63.129.16", "224.0.0.1",
     "255.255.255.255", "inner.example.com", "both.example.com", "mapped.example.com", "zone.example.com"],
)  # fmt: skip
async def test_no_address_of_a_private_network_is_opened(host: str) -> None:
    error, requests = await download(f"https://{host}/a.pdf", pdf())
    assert isinstance(error, ArgumentError)
    assert "belongs to a private network" in str(error)
    assert requests == []
    redirected, requests = await download(
        "https://docs.example.com/a.pdf", httpx.Response(302, headers={"location": f"https://{host}/a.pdf"})
    )
    assert "belongs to a private network" in str(redirected)
    assert len(requests) == 1


@pytest.mark.parametrize("host", ["0177.0.0.1", "2130706433", "0x7f.1", "localhost", "127.1"])
async def test_other_ways_to_write_an_address_are_names_that_are_resolved(host: str) -> None:
    error, requests = await download(f"https://{host}/a.pdf", pdf())
    assert isinstance(error, ArgumentError)
    assert requests == []


@pytest.mark.parametrize(
    "url",
    ["http://docs.example.com/a.pdf", "ftp://docs.example.com/a.pdf", "file:///etc/passwd", "//docs.example.com/a.pdf",
     "docs.example.com/a.pdf", "https://", "https:///a.pdf", "", "https://docs.example.com/a\r\nX: y.pdf",
     "https://user:secret@docs.example.com/a.pdf", "https://docs.example.com:8443/a.pdf", "https://[::1/a.pdf",
     f"https://docs.example.com/{'a' * 2_000}"],
)  # fmt: skip
async def test_address_that_is_not_plain_https_is_refused(url: str) -> None:
    error, requests = await download(url, pdf())
    assert isinstance(error, ArgumentError)
    assert str(error).startswith("url: ")
    assert "secret" not in str(error)
    assert requests == []


@pytest.mark.parametrize(
    "location", ["http://docs.example.com/b.pdf", "file:///etc/passwd", "https://x@docs.example.com/"]
)
async def test_redirect_to_something_else_is_refused(location: str) -> None:
    error, requests = await download(
        "https://docs.example.com/a.pdf", httpx.Response(307, headers={"location": location})
    )
    assert isinstance(error, ArgumentError)
    assert len(requests) == 1


async def test_few_redirects_are_followed() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return pdf() if request.url.path == "/b.pdf" else httpx.Response(301, headers={"location": "/b.pdf"})

    document, requests = await download("https://docs.example.com/a", answer)
    assert document == WebDocument("b.pdf", "", b"%PDF-1.7")
    assert len(requests) == 2
    error, requests = await download("https://docs.example.com/a", httpx.Response(302, headers={"location": "/a"}))
    assert "redirected more than 3 times" in str(error)
    assert len(requests) == 4


@pytest.mark.parametrize(
    ("path", "content_type", "name"),
    [
        ("/a/Invoice.PDF", "Application/PDF; charset=x", "Invoice.PDF"),
        ("/download.php?id=1", "application/pdf", "download.php"),
        ("/", "text/html", "document"),
        ("/a%2F..%2Fb.csv", "", "b.csv"),
    ],
)
async def test_name_comes_from_the_address_and_its_type_from_the_answer(
    path: str, content_type: str, name: str
) -> None:
    document, _ = await download(f"https://docs.example.com{path}", pdf(content_type=content_type))
    assert isinstance(document, WebDocument)
    assert document.name == name
    assert document.media_type == content_type.partition(";")[0].lower()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.Response(404), "url: the address answers with HTTP 404"),
        (httpx.Response(302), "url: the address answers with HTTP 302"),
        (httpx.Response(200), "url: the document is empty"),
        (httpx.Response(200, content=b"", headers={"content-encoding": "gzip"}), "a compressed answer"),
    ],
)
async def test_answer_that_is_no_document_is_refused(answer: httpx.Response, words: str) -> None:
    error, _ = await download("https://docs.example.com/a.pdf", answer)
    assert isinstance(error, ArgumentError)
    assert words in str(error)


async def test_size_and_time_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    error, _ = await download("https://docs.example.com/a.pdf", pdf(), max_bytes=5)
    assert "has more than" in str(error)
    monkeypatch.setattr(web_documents, "TOTAL_SECONDS", 0.01)

    async def wait_for_ever(_: httpx.Request) -> httpx.Response:
        await anyio.sleep_forever()
        raise AssertionError

    with pytest.raises(UnreachableError, match=r"url: the document cannot be downloaded \(TimeoutError\)"):
        await download_document(
            "https://docs.example.com/a.pdf", 100, transport=httpx.MockTransport(wait_for_ever), resolve=resolve
        )


async def test_host_that_is_not_found_or_does_not_answer_is_named() -> None:
    for host in ("none.example.com", "unknown.example.com"):
        error, _ = await download(f"https://{host}/a.pdf", pdf())
        assert f'the host "{host}" cannot be found' in str(error)

    def fail(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("to 93.184.216.34")

    error, _ = await download("https://docs.example.com/a.pdf", fail)
    assert isinstance(error, UnreachableError)
    assert "93.184" not in str(error)


async def test_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    document, (request,) = await download("https://docs.example.com/a.pdf", pdf())
    assert isinstance(document, WebDocument)
    assert request.url.host == PUBLIC


def test_public_addresses_are_public() -> None:
    assert is_public("1.1.1.1")
    assert is_public("2606:4700:4700::1111")
    assert not is_public("not an address")
