"""Every failure maps to an error that says what is wrong and what to do next."""

from dataclasses import replace

import httpx
import pytest

from llx_mcp.errors import (
    AuthenticationError,
    BadResponseError,
    ConfigurationError,
    LlxError,
    NotFoundError,
    OutOfCreditsError,
    RateLimitedError,
    RejectedError,
    UnavailableError,
    UnreachableError,
    UpstreamError,
)
from llx_mcp.llamacloud.api_key import ApiKey
from llx_mcp.llamacloud.error_bodies import describe_error_body
from llx_mcp.llamacloud.error_mapping import (
    TransportFailure,
    map_large_body,
    map_status,
    map_transport_failure,
)
from llx_mcp.llamacloud.request_context import RequestContext
from tests.llamacloud.service import BASE_URL, CONTEXT, JOB, KEY, answer, failure, settings_with

HOST = "api.cloud.llamaindex.ai"
NOT_SEEN = (
    'No job "ext-1" can be seen with this key. Check the id, the project and the region (now na); list_extract_jobs '
    "lists the jobs that this key can see."
)

MESSAGES: list[tuple[int, type[UpstreamError], bool, str]] = [
    (204, BadResponseError, False, f"{HOST} responded with HTTP 204 instead of 200. Check LLAMA_CLOUD_BASE_URL."),
    (
        302,
        BadResponseError,
        False,
        f"{HOST} responded with a redirect (HTTP 302), which is not followed. The address may be wrong: check "
        f"LLAMA_CLOUD_BASE_URL ({BASE_URL}).",
    ),
    (400, RejectedError, False, "LlamaCloud rejected the request (HTTP 400)."),
    (
        401,
        AuthenticationError,
        False,
        f"{HOST} (na) does not accept the API key. A key is valid in one region: check LLAMA_CLOUD_API_KEY, and set "
        "LLAMA_CLOUD_REGION (na or eu), or LLAMA_CLOUD_BASE_URL for a self-hosted service, to where the key was "
        "created.",
    ),
    (
        402,
        OutOfCreditsError,
        False,
        "The LlamaCloud account is out of credits. Reading a job is normally free, so this may concern the plan: check "
        "the account's billing page. Retrying does not help before that.",
    ),
    (403, NotFoundError, False, NOT_SEEN),
    (404, NotFoundError, False, NOT_SEEN),
    (
        408,
        UnavailableError,
        True,
        "LlamaCloud could not handle the request (HTTP 408). Tried 6 times. Try again later.",
    ),
    (
        409,
        UnavailableError,
        True,
        "LlamaCloud could not handle the request (HTTP 409). Tried 6 times. Try again later.",
    ),
    (418, RejectedError, False, "LlamaCloud rejected the request (HTTP 418)."),
    (
        429,
        RateLimitedError,
        True,
        "LlamaCloud's rate limit is reached. Wait a minute, then try again. The free tier allows 20 requests a minute "
        "in total.",
    ),
    (
        500,
        UnavailableError,
        True,
        "LlamaCloud could not handle the request (HTTP 500). Tried 6 times. Try again later.",
    ),
    (
        503,
        UnavailableError,
        True,
        "LlamaCloud could not handle the request (HTTP 503). Tried 6 times. Try again later.",
    ),
    (
        599,
        UnavailableError,
        True,
        "LlamaCloud could not handle the request (HTTP 599). Tried 6 times. Try again later.",
    ),
]


@pytest.mark.parametrize(("status", "kind", "is_transient", "message"), MESSAGES)
async def test_status_maps_to_an_error_with_its_message(
    status: int, kind: type[UpstreamError], is_transient: bool, message: str
) -> None:
    error = await failure(answer(status, {"detail": "said so"}, location="https://elsewhere.example"))
    assert isinstance(error, UpstreamError)
    assert (type(error), error.is_transient) == (kind, is_transient)
    assert str(error) == f'{message} The service says: "said so"'


@pytest.mark.parametrize("status", [*range(201, 209), *range(300, 309), *range(400, 452), *range(500, 512)])
async def test_every_status_maps_to_an_upstream_error(status: int) -> None:
    error = await failure(answer(status))
    assert isinstance(error, UpstreamError)


@pytest.mark.parametrize(
    ("value", "seconds", "words"),
    [("75", 75.0, "Wait 75 s"), ("75.2", 75.2, "Wait 76 s"), ("0", 0.0, "Wait a minute"), ("soon", None, "a minute")],
)
async def test_rate_limit_error_says_how_long_to_wait(value: str, seconds: float | None, words: str) -> None:
    error = await failure(answer(429, {"detail": "slow down"}, retry_after=value))
    assert isinstance(error, RateLimitedError)
    assert error.retry_after_seconds == seconds
    assert words in str(error)


async def test_unavailable_error_says_how_long_to_wait() -> None:
    error = await failure(answer(503, retry_after="3600"))
    assert str(error) == "LlamaCloud could not handle the request (HTTP 503). Tried once. Try again after 3600 s."


@pytest.mark.parametrize(("region", "place"), [("eu", "region"), ("llama.example", "service")])
def test_caller_whose_key_is_refused_is_not_sent_to_the_settings_of_the_server(region: str, place: str) -> None:
    context = RequestContext("ext-1", region, BASE_URL, ApiKey("llx-1"), is_callers_key=True)
    assert str(map_status(401, {}, b"", context, 1).error).endswith(
        "does not accept the API key. Check the key of this caller, or ask the operator of this server: it must be a "
        f"key of this {place}."
    )


async def test_authentication_error_names_host_and_region() -> None:
    error = await failure(answer(401, {"detail": "Invalid API Key."}), settings=settings_with(region="eu"))
    assert "api.cloud.eu.llamaindex.ai (eu) does not accept the API key." in str(error)
    own = settings_with(base_url_override="https://llama.example:8443/x")
    assert "llama.example:8443 does not accept the API key." in str(await failure(answer(401), settings=own))


@pytest.mark.parametrize(
    ("job_id", "words"),
    [
        ("pjb-1", "id of a parse job, and the id of an extract job begins with ext-."),
        ("dfl-1", "id of a file, and the id of an extract job begins with ext-."),
        ("cfg-1", "id of a configuration, and the id of an extract job begins with ext-."),
        ("0B2f4e6a-1111-4222-8333-444455556666", "a bare UUID is the id of a job or run of the older API v1"),
        ("0b2f4e6a-1111-4222-8333-444455556666x", "the region (now na);"),
        ("ext-" + "x" * 500, f'"ext-{"x" * 75}…"'),
        ("ext-\u202e<b>evil</b>\n\ue0041", '"ext- evil 1"'),
    ],
)
@pytest.mark.parametrize("status", [403, 404])
async def test_not_found_error_explains_the_id(status: int, job_id: str, words: str) -> None:
    error = await failure(answer(status, {"detail": "Not Found"}), job_id)
    assert isinstance(error, NotFoundError)
    assert words in str(error)
    assert len(str(error)) < 400


@pytest.mark.parametrize(
    ("body", "is_transient", "message"),
    [
        (
            b"\xef\xbb\xbf <!doctype html><html><body>Sign in</body></html>",
            False,
            f"{HOST} sent a web page instead of JSON: the address may be that of a website or a login page. Retrying "
            f'does not help. Check LLAMA_CLOUD_BASE_URL ({BASE_URL}). The service says: "Sign in"',
        ),
        (
            b'{"id":"ext-1","status":"COMPLETED","extract_res',
            True,
            f"The JSON from {HOST} was cut off after 47 bytes. Retrying may help.",
        ),
        (b"", True, f"{HOST} sent an empty response instead of JSON. Retrying may help."),
        (b" \n", True, f"{HOST} sent an empty response instead of JSON. Retrying may help."),
    ],
)
async def test_unusable_body_is_described(body: bytes, is_transient: bool, message: str) -> None:
    error = await failure(answer(200, body))
    assert isinstance(error, BadResponseError)
    assert (str(error), error.is_transient) == (message, is_transient)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"message":"hello"}', "no usable id, status"),
        (b"[]", "Expected `object`, got `array`"),
        (b"null", "Expected `object`, got `null`"),
        (b"Bad Gateway", "JSON is malformed"),
        (b'{"id":"ext-1","status":"RUNNING"}{}', "trailing characters"),
        (b'{"id":"ext-\xff","status":"RUNNING"}', "no usable id"),
        (b'{"id":"ext-1","status":' + b"[" * 50_000, "recursion"),
    ],
)
async def test_json_that_is_not_a_job_is_described_without_quoting_it(body: bytes, words: str) -> None:
    error = await failure(answer(200, body))
    assert isinstance(error, BadResponseError)
    assert str(error).startswith(f"The response of {HOST} cannot be used: ")
    assert words in str(error)
    assert "hello" not in str(error)
    assert not error.is_transient
    assert len(str(error)) < 400


@pytest.mark.parametrize("subject", [None, "the document"])
@pytest.mark.parametrize("action", [None, "create jobs"])
@pytest.mark.parametrize("job_id", [None, "ext-1", "dfl-1"])
def test_errors_of_another_service_do_not_speak_of_llamacloud(
    job_id: str | None, action: str | None, subject: str | None
) -> None:
    context = replace(
        CONTEXT, job_id=job_id, region="127.0.0.1", base_url="http://127.0.0.1:8080", action=action, subject=subject
    )
    for status in (302, 400, 401, 402, 403, 404, 408, 409, 422, 429, 500, 503):
        text = str(map_status(status, {}, b"", context, 1).error)
        for words in ("LlamaCloud", "region", "48 hours", "free tier"):
            assert words not in text, text


@pytest.mark.parametrize("failure_name", list(TransportFailure))
def test_transport_failure_says_what_to_do_next(failure_name: TransportFailure) -> None:
    failed = map_transport_failure(failure_name, CONTEXT, 6)
    text = str(failed.error)
    assert isinstance(failed.error, UnreachableError | BadResponseError | ConfigurationError)
    assert HOST in text
    assert "{" not in text
    assert any(step in text.lower() for step in ("check", "try again", "set "))
    if isinstance(failed.error, UnreachableError):
        assert failed.error.is_transient == failed.is_retryable == ("Tried 6 times" in text)


def test_each_transport_failure_has_its_own_message() -> None:
    messages = {str(map_transport_failure(failure_name, CONTEXT, 1).error) for failure_name in TransportFailure}
    assert len(messages) == len(TransportFailure)


@pytest.mark.parametrize(
    "url", ["https://host:99999", "https://127.0.0.1:99999", "https://host:abc", "https://a\0b", "https://é\u2028x"]
)
async def test_invalid_base_url_is_a_configuration_error(url: str) -> None:
    # The settings refuse such an address already; the client checks it again.
    settings = settings_with().model_copy(update={"base_url_override": url})

    def handler(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=JOB)

    error: LlxError = await failure(handler, settings=settings)
    assert isinstance(error, ConfigurationError)
    assert url in str(error)
    assert "LLAMA_CLOUD_BASE_URL" in str(error)


async def test_validation_errors_are_listed_without_the_input() -> None:
    detail = [
        {"type": "uuid_parsing", "loc": ["query", "project_id"], "msg": "Input should be a valid UUID", "input": "zzz"},
        {"type": "missing", "loc": ["body", "configuration", 0, "tier"], "msg": "Field required", "input": {"a": "zz"}},
        "zzz",
    ]
    error = await failure(answer(422, {"detail": detail}))
    assert isinstance(error, RejectedError)
    assert str(error) == (
        "LlamaCloud rejected the request (HTTP 422). project_id (query): Input should be a valid UUID; "
        "configuration.0.tier (body): Field required."
    )


async def test_validation_errors_are_limited_in_number_and_length() -> None:
    fault = {"loc": ["query", "x" * 500], "msg": "m" * 500, "input": "zzz"}
    line = f"{'x' * 79}…: {'m' * 159}…"
    error = await failure(answer(422, {"detail": [fault] * 50}))
    faults = "; ".join([line] * 5)
    assert str(error) == f"LlamaCloud rejected the request (HTTP 422). {faults}; and 45 more."


async def test_truncated_validation_errors_are_not_quoted() -> None:
    error = await failure(answer(422, {"detail": [{"loc": ["body"], "msg": "no", "input": "zzz" * 50_000}]}))
    assert str(error) == "LlamaCloud rejected the request (HTTP 422)."


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"detail": "Not Found"}', 'The service says: "Not Found"'),
        (b'{"detail": "a\\n<b>b</b>\\u202e\\u0000c"}', 'The service says: "a b c"'),
        (b"Bad\r\n  Gateway", 'The service says: "Bad Gateway"'),
        (b"<html><title>Oops</title></html>", 'The service says: "Oops"'),
        (b"\xff\xfe", 'The service says: "��"'),
        (b'{"detail": "' + b"y" * 9_000 + b'"}', f'The service says: "{"y" * 159}…"'),
        (b'{"detail": ["zzz", 1, null]}', ""),
        (b'{"detail": []}', ""),
        (b'{"detail": {"input": "zzz"}}', ""),
        (b'{"detail": [{"loc": [], "msg": null}]}', "request: not accepted."),
        (b'{"detail": [{"loc": "query", "msg": "no"}]}', "request: no."),
        (b'{"message": "zzz"}', ""),
        (b"[]", ""),
        (b"null", ""),
        (b"", ""),
        (b"[" * 100_000, ""),
        (b' {"detail": [{"input": "zz', ""),
        (f'{{"detail": "bad {KEY}!"}}'.encode(), 'The service says: "bad [key]!"'),
        (b"x" * 150 + KEY.encode(), f'The service says: "{"x" * 150}[key]"'),
    ],
)
def test_error_body_becomes_one_short_clean_line(body: bytes, text: str) -> None:
    assert describe_error_body(body, ApiKey(KEY)) == text


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (299, BadResponseError, "instead of 200"),
        (300, BadResponseError, "a redirect (HTTP 300)"),
        (399, BadResponseError, "a redirect (HTTP 399)"),
        (400, RejectedError, "rejected the request"),
        (407, RejectedError, "rejected the request"),
        (410, RejectedError, "rejected the request"),
        (499, RejectedError, "rejected the request"),
        (500, UnavailableError, "could not handle the request"),
    ],
)
def test_each_class_of_statuses_begins_and_ends_at_its_hundred(status: int, kind: type[LlxError], words: str) -> None:
    failed = map_status(status, {}, b"", CONTEXT, 1)
    assert type(failed.error) is kind
    assert words in str(failed.error)


@pytest.mark.parametrize(
    ("failure_name", "advice", "is_retryable"),
    [
        (TransportFailure.NAME_NOT_RESOLVED, "Check the network and", True),
        (TransportFailure.CONNECTION_REFUSED, "Check the network and", True),
        (TransportFailure.CONNECT_ERROR, "Check the network and", True),
        (TransportFailure.READ_TIMEOUT, "Tried 2 times. Try again later.", True),
        (TransportFailure.READ_ERROR, "Tried 2 times. Try again later.", True),
        (TransportFailure.DECODING_ERROR, "Try again. If the error stays", True),
        (TransportFailure.INVALID_URL, "Set LLAMA_CLOUD_BASE_URL", False),
        (TransportFailure.TLS_ERROR, "Retrying does not help.", False),
        (TransportFailure.PROXY_ERROR, "Retrying seldom helps.", False),
        (TransportFailure.REQUEST_ERROR, "Retrying does not help.", False),
    ],
)
def test_advice_fits_the_failure(failure_name: TransportFailure, advice: str, *, is_retryable: bool) -> None:
    failed = map_transport_failure(failure_name, CONTEXT, 2)
    assert advice in str(failed.error)
    assert failed.is_retryable == is_retryable


@pytest.mark.parametrize(
    ("job_id", "max_bytes", "start"),
    [
        ("ext-1", 5 << 20, 'Job "ext-1" is larger than 5.0 MiB,'),
        (None, 1_536 << 20, "The response is larger than 1,536.0 MiB,"),
    ],
)
def test_too_large_response_names_the_job_and_the_limit(job_id: str | None, max_bytes: int, start: str) -> None:
    assert str(map_large_body(max_bytes, replace(CONTEXT, job_id=job_id))).startswith(start)
