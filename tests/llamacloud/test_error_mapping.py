"""Every failure comes out as one of our errors, which says what happened and the next move."""

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
from llx_mcp.llamacloud.error_mapping import TransportFailure, failure_of_transport
from tests.llamacloud.service import BASE_URL, JOB, ORIGIN, answer, failure, settings_with

HOST = "api.cloud.llamaindex.ai"
NOT_SEEN = (
    'No job "ext-1" can be seen with this key. Check the id, the project and the region (now na); list_extract_jobs '
    "shows what this key sees."
)

MESSAGES: list[tuple[int, type[UpstreamError], bool, str]] = [
    (204, BadResponseError, False, f"{HOST} answered HTTP 204 where 200 is documented. Check LLAMA_CLOUD_BASE_URL."),
    (
        302,
        BadResponseError,
        False,
        f"{HOST} answered with a redirect (HTTP 302), which is not followed. The address may be wrong: check "
        f"LLAMA_CLOUD_BASE_URL ({BASE_URL}).",
    ),
    (400, RejectedError, False, "LlamaCloud did not accept the request (HTTP 400)."),
    (
        401,
        AuthenticationError,
        False,
        f"The key is not accepted by {HOST} (na). A key belongs to one region: check LLAMA_CLOUD_API_KEY, and set "
        "LLAMA_CLOUD_REGION to na or eu, or LLAMA_CLOUD_BASE_URL for a service of your own, to where the key was made.",
    ),
    (
        402,
        OutOfCreditsError,
        False,
        "The LlamaCloud account is out of credits. Reading a job is normally free, so this may concern the plan: look "
        "at the account's billing page. A retry does not help before that.",
    ),
    (403, NotFoundError, False, NOT_SEEN),
    (404, NotFoundError, False, NOT_SEEN),
    (408, UnavailableError, True, "LlamaCloud could not answer (HTTP 408). It was asked 6 times. Try again later."),
    (409, UnavailableError, True, "LlamaCloud could not answer (HTTP 409). It was asked 6 times. Try again later."),
    (418, RejectedError, False, "LlamaCloud did not accept the request (HTTP 418)."),
    (
        429,
        RateLimitedError,
        True,
        "LlamaCloud's rate limit is reached. Wait a minute, then ask again. The free tier allows 20 requests a minute "
        "in all.",
    ),
    (500, UnavailableError, True, "LlamaCloud could not answer (HTTP 500). It was asked 6 times. Try again later."),
    (503, UnavailableError, True, "LlamaCloud could not answer (HTTP 503). It was asked 6 times. Try again later."),
    (599, UnavailableError, True, "LlamaCloud could not answer (HTTP 599). It was asked 6 times. Try again later."),
]


@pytest.mark.parametrize(("status", "kind", "is_transient", "message"), MESSAGES)
async def test_each_status_is_one_of_our_errors(
    status: int, kind: type[UpstreamError], is_transient: bool, message: str
) -> None:
    error = await failure(answer(status, {"detail": "said so"}, location="https://elsewhere.example"))
    assert isinstance(error, UpstreamError)
    assert (type(error), error.status_code, error.is_transient) == (kind, status, is_transient)
    assert str(error) == f'{message} It says: "said so"'


@pytest.mark.parametrize("status", [*range(201, 209), *range(300, 309), *range(400, 452), *range(500, 512)])
async def test_no_status_is_left_out(status: int) -> None:
    error = await failure(answer(status))
    assert isinstance(error, UpstreamError)
    assert error.status_code == status


@pytest.mark.parametrize(
    ("value", "seconds", "words"),
    [("75", 75.0, "Wait 75 s"), ("75.2", 75.2, "Wait 76 s"), ("0", 0.0, "Wait a minute"), ("soon", None, "a minute")],
)
async def test_a_rate_limit_says_how_long_to_wait(value: str, seconds: float | None, words: str) -> None:
    error = await failure(answer(429, {"detail": "slow down"}, retry_after=value))
    assert isinstance(error, RateLimitedError)
    assert error.retry_after_seconds == seconds
    assert words in str(error)


async def test_a_service_that_is_away_says_for_how_long() -> None:
    error = await failure(answer(503, retry_after="3600"))
    assert str(error) == "LlamaCloud could not answer (HTTP 503). It was asked once. Try again after 3600 s."


async def test_a_key_of_the_other_region_is_told_which_host_refused_it() -> None:
    error = await failure(answer(401, {"detail": "Invalid API Key."}), settings=settings_with(region="eu"))
    assert "not accepted by api.cloud.eu.llamaindex.ai (eu)." in str(error)
    own = settings_with(base_url_override="https://llama.example:8443/x")
    assert "not accepted by llama.example:8443." in str(await failure(answer(401), settings=own))


@pytest.mark.parametrize(
    ("job_id", "words"),
    [
        ("pjb-1", "id of a parse job, and that of an extract job begins with ext-."),
        ("dfl-1", "id of a file, and that of an extract job begins with ext-."),
        ("cfg-1", "id of a configuration, and that of an extract job begins with ext-."),
        ("0B2f4e6a-1111-4222-8333-444455556666", "a bare UUID is the id of a job or run of the older API v1"),
        ("0b2f4e6a-1111-4222-8333-444455556666x", "the region (now na);"),
        ("ext-" + "x" * 500, f'"ext-{"x" * 75}…"'),
        ("ext-\u202e<b>evil</b>\n\ue0041", '"ext- evil 1"'),
    ],
)
@pytest.mark.parametrize("status", [403, 404])
async def test_an_id_that_is_not_found_is_explained(status: int, job_id: str, words: str) -> None:
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
            "A web page came where JSON should be: the address may be that of a website or of a login page. A retry "
            f'does not help; check LLAMA_CLOUD_BASE_URL ({BASE_URL}). It says: "Sign in"',
        ),
        (
            b'{"id":"ext-1","status":"COMPLETED","extract_res',
            True,
            f"The JSON of {HOST} was cut off after 47 bytes. A retry may help.",
        ),
        (b"", True, f"{HOST} answered with nothing where JSON should be. A retry may help."),
        (b" \n", True, f"{HOST} answered with nothing where JSON should be. A retry may help."),
    ],
)
async def test_what_is_no_job_says_what_it_is(body: bytes, is_transient: bool, message: str) -> None:
    error = await failure(answer(200, body))
    assert isinstance(error, BadResponseError)
    assert (str(error), error.is_transient, error.status_code) == (message, is_transient, 200)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"message":"hello"}', "no usable id, status"),
        (b"[]", "Expected `object`, got `array`"),
        (b"null", "Expected `object`, got `null`"),
        (b"Bad Gateway", "JSON is malformed"),
        (b'{"id":"ext-1","status":"RUNNING"}{}', "trailing characters"),
        (b'{"id":"ext-\xff","status":"RUNNING"}', "holds a value that is not JSON (UnicodeDecodeError)"),
        (b'{"id":"ext-1","status":' + b"[" * 50_000, "recursion"),
    ],
)
async def test_json_that_is_no_job_says_why_without_quoting_it(body: bytes, words: str) -> None:
    error = await failure(answer(200, body))
    assert isinstance(error, BadResponseError)
    assert str(error).startswith(f"What {HOST} answered cannot be used: ")
    assert words in str(error)
    assert "hello" not in str(error)
    assert not error.is_transient
    assert len(str(error)) < 400


@pytest.mark.parametrize("loss", list(TransportFailure))
def test_each_way_to_lose_an_answer_says_the_next_move(loss: TransportFailure) -> None:
    failed = failure_of_transport(loss, ORIGIN, 6)
    text = str(failed.error)
    assert isinstance(failed.error, UnreachableError | BadResponseError | ConfigurationError)
    assert HOST in text
    assert "{" not in text
    assert any(move in text.lower() for move in ("check", "try again", "set "))
    if isinstance(failed.error, UnreachableError):
        assert failed.error.is_transient == failed.is_retryable == ("asked 6 times" in text)


def test_losses_differ_in_their_words() -> None:
    assert len({str(failure_of_transport(loss, ORIGIN, 1).error) for loss in TransportFailure}) == len(TransportFailure)


@pytest.mark.parametrize(
    "url", ["https://host:99999", "https://127.0.0.1:99999", "https://host:abc", "https://a\0b", "https://é\u2028x"]
)
async def test_a_base_url_that_cannot_be_used_is_a_matter_of_configuration(url: str) -> None:
    # The settings refuse such an address themselves; this is the guard behind them.
    settings = settings_with().model_copy(update={"base_url_override": url})

    def handler(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=JOB)

    error: LlxError = await failure(handler, settings=settings)
    assert isinstance(error, ConfigurationError)
    assert url in str(error)
    assert "LLAMA_CLOUD_BASE_URL" in str(error)
