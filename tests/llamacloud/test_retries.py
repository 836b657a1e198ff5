"""What may pass is tried again, as often and as late as the official clients do."""

import asyncio
import time
from datetime import UTC, datetime

import httpx
import pytest
import stamina

from llx_mcp.errors import RateLimitedError, UnavailableError
from llx_mcp.llamacloud.retries import AttemptFailed, backoff_of, retry_after_seconds
from tests.llamacloud.service import JOB, answer, failure, fetch

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class SkippedTime:
    """Sleep that returns at once and moves the clock instead; what was slept is kept."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.slept: list[float] = []
        sleep, monotonic = asyncio.sleep, time.monotonic

        async def skip(delay: float, result: object = None) -> object:
            self.slept.append(delay)
            return await sleep(0, result)

        monkeypatch.setattr(asyncio, "sleep", skip)
        monkeypatch.setattr(time, "monotonic", lambda: monotonic() + sum(self.slept))


@pytest.fixture
def skipped(monkeypatch: pytest.MonkeyPatch) -> SkippedTime:
    """Retries as they are outside of tests, but for the time that they take."""
    stamina.set_testing(False)
    return SkippedTime(monkeypatch)


async def test_pauses_double_from_half_a_second_with_jitter(skipped: SkippedTime) -> None:
    await failure(answer(500))
    assert len(skipped.slept) == 5
    for slept, least in zip(skipped.slept, [0.5, 1.0, 2.0, 4.0, 8.0], strict=True):
        assert least <= slept <= min(least + 0.5, 8.0)


async def test_a_retry_comes_when_the_service_said(skipped: SkippedTime) -> None:
    answers = iter([httpx.Response(429, headers={"retry-after": "7.5"}), httpx.Response(200, json=JOB)])
    await fetch(lambda _: next(answers))
    assert skipped.slept == [7.5]


async def test_tries_end_in_time_even_where_each_pause_is_allowed(skipped: SkippedTime) -> None:
    error = await failure(answer(429, retry_after="60"))
    assert isinstance(error, RateLimitedError)
    assert error.retry_after_seconds == 60.0
    assert skipped.slept == [60.0, 60.0]


async def test_a_longer_pause_is_for_the_caller_to_make(skipped: SkippedTime) -> None:
    error = await failure(answer(429, retry_after="60.5"))
    assert isinstance(error, RateLimitedError)
    assert error.retry_after_seconds == 60.5
    assert skipped.slept == []


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 599])
async def test_what_may_pass_is_tried_again(status: int) -> None:
    answers = iter([httpx.Response(status), httpx.Response(status), httpx.Response(200, json=JOB)])
    assert (await fetch(lambda _: next(answers))).id == "ext-1"


async def test_a_lost_connection_is_tried_again() -> None:
    losses = iter([httpx.ConnectError("x"), httpx.ReadTimeout("x"), httpx.RemoteProtocolError("x")])

    def handler(_: httpx.Request) -> httpx.Response:
        if (exc := next(losses, None)) is not None:
            raise exc
        return httpx.Response(200, json=JOB)

    assert (await fetch(handler)).id == "ext-1"


@pytest.mark.parametrize(
    ("status", "headers", "tries"),
    [
        (500, {}, 6),
        (429, {}, 6),
        (429, {"retry-after": "2"}, 6),
        (429, {"retry-after": "60"}, 6),
        (429, {"retry-after": "61"}, 1),
        (429, {"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, 1),
        (503, {"retry-after": "61", "x-should-retry": "true"}, 1),
        (500, {"x-should-retry": "false"}, 1),
        (500, {"x-should-retry": "maybe"}, 6),
        (404, {"x-should-retry": "true"}, 6),
        (404, {}, 1),
        (401, {}, 1),
        (422, {}, 1),
        (302, {}, 1),
    ],
)
async def test_tries_are_bounded_and_the_service_has_the_last_word(
    status: int, headers: dict[str, str], tries: int
) -> None:
    seen = 0

    def handler(_: httpx.Request) -> httpx.Response:
        nonlocal seen
        seen += 1
        return httpx.Response(status, headers=headers)

    await failure(handler)
    assert seen == tries


def test_only_a_failed_try_is_tried_again() -> None:
    error = UnavailableError("away")
    assert backoff_of(AttemptFailed(error, is_retryable=True, after_seconds=7.5)) == 7.5
    assert backoff_of(AttemptFailed(error, is_retryable=True)) is True
    assert backoff_of(AttemptFailed(error, is_retryable=True, after_seconds=0.0)) is True
    assert backoff_of(AttemptFailed(error, is_retryable=True, after_seconds=61)) is False
    assert backoff_of(AttemptFailed(error, is_retryable=False)) is False
    assert backoff_of(ValueError()) is False


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3.0), (" 3 ", 3.0), ("0.5", 0.5), ("-3", 0.0), ("", None), ("soon", None), ("nan", None), ("inf", None),
        ("1e999", None), ("9" * 400, None),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0), ("Sun, 01 Mar 2026 12:00:30", 30.0),
        ("Sun, 01 Mar 2026 14:00:30 +0200", 30.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Sun, 01 Mar 99999 12:00:30 GMT", None), ("Sun, 01 Mar 2026 12:00:30 +99999999999999", None),
        ("Fri, 31 Dec 9999 23:59:59 -2300", 251_630_017_199.0),
    ],
)  # fmt: skip
def test_retry_after_is_read_in_either_form(value: str, seconds: float | None) -> None:
    assert retry_after_seconds({"retry-after": value}, NOW) == seconds


def test_retry_after_that_is_absent_is_unknown() -> None:
    assert retry_after_seconds({}, NOW) is None
