"""Odd requests get a JSON error with a 4xx status, and never a 5xx."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote_from_bytes

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import ASGIApp, Message

from llx_mcp.local import SAMPLES, create_app, open_store
from llx_mcp.local.samples import read_sample

INVOICE_FILE = "dfl-sample0invoice00000000000000"
PARSE_JOB = json.loads(read_sample(SAMPLES[0]))["extract_metadata"]["parse_job_id"]
DEEP = 100_000
FILES, JOBS = b"/api/v1/beta/files", b"/api/v2/extract"
# Requests, each with the values of its query.
PATHS = {
    "GET": [b"/", JOBS, JOBS + b"/{id}", FILES, FILES + b"/{id}", FILES + b"/{id}/content", b"/_files/{id}",
            b"/api/v1/files/{id}/page_screenshots/{id}", b"/_files/{id}/pages/{id}", b"/_admin/faults", b"/{id}",
            b"/api/v2/parse/{id}"],
    "POST": [JOBS, JOBS + b"/{id}/cancel", JOBS + b"/schema/validation", FILES,
             b"/api/v1/files/{id}/page_screenshots/{id}/presigned_url"],
    "DELETE": [JOBS + b"/{id}", FILES + b"/{id}", b"/_admin/faults"],
    "PUT": [b"/_admin/faults", JOBS],
    "TRACE": [JOBS],
}  # fmt: skip
QUERY_NAMES = [
    "expand", "project_id", "organization_id", "page_size", "page_token", "status", "job_ids", "file_ids", "file_name",
    "file_input", "document_input_type", "document_input_value", "configuration_id", "created_at_on_or_after",
    "created_at_on_or_before", "force", "order_by", "external_file_id", "expires_at_seconds", "token", "expires",
]  # fmt: skip
ODD_TEXTS = [
    b"", b"\0", b"\xff", b"\xed\xa0\x80", b"-1", b"0", b"1", b"1e400", b"NaN", b"Infinity", b"9" * 30, b"9" * 5000,
    b"true", b"null", b"[]", "é日".encode(), b"../..", b"%2F", b"' OR 1=1 --", b"0001-01-01T00:00:00+14:00",
    b"9999-12-31T23:59:59-14:00", b"0001-01-01", b"99999999999999", b"2026-01-01T00:00:00", b"PENDING", b"id desc,name",
    b"MTIz", b"5a3d1f0e-6c1b-4e0a-9f57-2b6d8c4e1a90", INVOICE_FILE.encode(), SAMPLES[0].job_id.encode(),
    SAMPLES[5].job_id.encode(), PARSE_JOB.encode(), b"text_full", b"data_schema", b"x" * 3000,
]  # fmt: skip
BODY_FIELDS = [
    "file_input", "configuration", "configuration_id", "data_schema", "webhook_configurations", "webhook_url",
    "webhook_events", "webhook_headers", "webhook_configuration_ids", "max_pages", "tier", "version", "properties",
    "type", "$ref", "$defs", "anyOf", "items", "kind", "share", "times", "seconds", "seed",
]  # fmt: skip

texts = st.sampled_from(ODD_TEXTS) | st.binary(max_size=20)
leaves = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10)
    | st.sampled_from([INVOICE_FILE, "object", "string", "#", "#/a", "http://127.0.0.1/", 10**400, -(10**30), 1e308])
)  # fmt: skip
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(BODY_FIELDS), inner, max_size=4),
    max_leaves=12,
)
creations = st.fixed_dictionaries(
    {
        "file_input": st.just(INVOICE_FILE) | values,
        "configuration": st.fixed_dictionaries({"data_schema": values}) | values,
    },
    optional={"webhook_configurations": values, "webhook_configuration_ids": values, "configuration_id": values},
)
raw_bodies = st.sampled_from([
    b"", b"{", b"\xff\xfe", b"\xef\xbb\xbf{}", b'"\\ud800"', b'{"a":NaN}', b'{"a":1e999}', b"[" * DEEP + b"]" * DEEP,
    b'{"data_schema":' * DEEP + b"1" + b"}" * DEEP, b"9" * 5000, b'{"file_input":"a","file_input":"b"}', b"--a\r\n",
    b'--a\r\nContent-Disposition: form-data; name="purpose"\r\n\r\n\xff\r\n--a--\r\n',
    b'--a\r\nContent-Disposition: form-data; name="file"; filename="\xff\x00"\r\n\r\nx\r\n--a\r\n'
    b'Content-Disposition: form-data; name="purpose"\r\n\r\nextract\r\n--a--\r\n',
    b'--a\r\nContent-Disposition: form-data; name="purpose"; filename="p"\r\n\r\n\r\n--a--\r\n',
    b"--a\r\nContent-Disposition: form-data\r\n\r\n\r\n--a--\r\n", b"a=b&purpose=%ff",
])  # fmt: skip
bodies = (
    st.one_of(values, creations, creations.map(lambda body: [body])).map(lambda value: json.dumps(value).encode())
    | raw_bodies
)
headers = st.dictionaries(
    st.sampled_from([b"content-type", b"x-llx-scenario", b"accept", b"content-length", b"range", b"host", b"cookie",
                     b"x-llx-admin-token", b"transfer-encoding", b"expect"]),
    st.sampled_from([b"", b"\xff", b"application/json", b"multipart/form-data; boundary=a", b"multipart/form-data",
                     b"multipart/form-data; boundary=\xff", b"text/plain; charset=nothing", b"instant", b"-1",
                     b"application/x-www-form-urlencoded", b"token", b"x" * 60_000]),
    max_size=3,
)  # fmt: skip


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, bytes, bytes, dict[bytes, bytes], bytes]:
    """Draw a request: method, path, query, headers and body."""
    method = draw(st.sampled_from(sorted(PATHS)))
    path = draw(st.sampled_from(PATHS[method]))
    while b"{id}" in path:
        path = path.replace(b"{id}", draw(texts), 1)
    query = draw(st.lists(st.tuples(st.sampled_from(QUERY_NAMES), texts), max_size=4))
    encoded = "&".join(f"{name}={quote_from_bytes(value)}" for name, value in query).encode()
    raw_query = draw(st.just(encoded) | st.sampled_from([b"%", b"&&=", b"\xff=\xff", b"expand=%ed%a0%80", b"a" * 5000]))
    return method, path, raw_query, draw(headers), draw(bodies)


@pytest.fixture(scope="module")
def app() -> Iterator[ASGIApp]:
    store = open_store()
    yield create_app(store, admin_token="token")
    store.close()


async def send(
    app: ASGIApp, method: str, path: bytes, query: bytes, headers: dict[bytes, bytes], body: bytes
) -> tuple[int, bytes, bytes]:
    """Send a request without a client, which would refuse many of these. Returns status, content type and body."""
    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path.decode(errors="replace"), "raw_path": path, "query_string": query, "root_path": "",
        "headers": [(b"authorization", b"Bearer llx-test"), (b"host", b"local"), *headers.items()],
        "server": ("local", 80), "client": ("local", 1),
    }  # fmt: skip
    sent: list[Message] = []
    chunks = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return chunks.pop() if chunks else {"type": "http.disconnect"}

    async def record(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, record)
    content_type = dict(sent[0]["headers"]).get(b"content-type", b"")
    return sent[0]["status"], content_type, b"".join(message.get("body", b"") for message in sent[1:])


@given(request=requests())
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_odd_request_gets_a_json_error(
    app: ASGIApp, request: tuple[str, bytes, bytes, dict[bytes, bytes], bytes]
) -> None:
    status, content_type, content = anyio.run(send, app, *request)
    assert status < 500, content
    if status >= 400:
        assert content_type == b"application/json"
        assert json.loads(content)["detail"]


def test_query_that_is_not_encoded_is_refused(app: ASGIApp) -> None:
    for path in (JOBS, JOBS + b"/"):
        status, _, content = anyio.run(send, app, "GET", path, b"a=\xff", {}, b"")
        assert (status, json.loads(content)) == (400, {"detail": "The query is not percent-encoded"})


@pytest.mark.parametrize("depth", range(50, 520, 40))
def test_schema_of_any_depth_is_answered(app: ASGIApp, depth: int) -> None:
    schema = b'{"type":"object","properties":{"a":' * depth + b"{}" + b"}}" * depth
    creation = b'{"file_input":"dfl-1","configuration":{"data_schema":%b}}' % schema
    for path, body in ((JOBS, creation), (JOBS + b"/schema/validation", b'{"data_schema":%b}' % schema)):
        status, content_type, _ = anyio.run(send, app, "POST", path, b"", {}, body)
        # 404, because the file of the creation is not stored.
        assert status in (200, 404, 422)
        assert content_type == b"application/json"
