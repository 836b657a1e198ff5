"""Transient failures are retried like the official clients retry them."""

import asyncio
import time
from datetime import UTC, datetime

import httpx
import pytest
import stamina
from hypothesis import given
from hypothesis import strategies as st

from llx_mcp.errors import RateLimitedError, UnavailableError
from llx_mcp.llamacloud.retries import (
    AttemptFailed,
    call_with_retries,
    get_backoff,
    parse_clock_offset,
    parse_retry_after,
)
from tests.llamacloud.service import JOB, answer, failure, fetch, settings_with

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class SkippedTime:
    """A sleep that returns at once and moves the clock; records each duration."""

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
    """Retries with their real waits, which take no time."""
    stamina.set_testing(False)
    return SkippedTime(monkeypatch)


async def test_retry_waits_double_from_half_a_second_with_jitter(skipped: SkippedTime) -> None:
    await failure(answer(500))
    assert len(skipped.slept) == 5
    for slept, least in zip(skipped.slept, [0.5, 1.0, 2.0, 4.0, 8.0], strict=True):
        assert least <= slept <= min(least + 0.5, 8.0)


async def test_retry_after_sets_the_wait(skipped: SkippedTime) -> None:
    answers = iter([httpx.Response(429, headers={"retry-after": "7.5"}), httpx.Response(200, json=JOB)])
    await fetch(lambda _: next(answers))
    assert skipped.slept == [7.5]


@pytest.mark.parametrize(
    ("call_seconds", "retry_after", "slept"),
    [
        (50, 15, [15.0, 15.0]), (50, 30, [30.0]), (50, 39, [39.0]), (50, 41, []), (50, 60, []), (10, 9, []),
        (3_600, 60, [60.0]), (3_600, 61, []), (3_600, 29, [29.0, 29.0, 29.0]), (3_600, 45, [45.0]),
    ],
)  # fmt: skip
async def test_retry_begins_only_while_the_time_for_a_call_allows_it(
    call_seconds: float, retry_after: int, slept: list[float], skipped: SkippedTime
) -> None:
    error = await failure(answer(429, retry_after=str(retry_after)), settings=settings_with(call_seconds=call_seconds))
    assert isinstance(error, RateLimitedError)
    assert error.retry_after_seconds == retry_after
    assert skipped.slept == slept
    assert f"Wait {retry_after} s, then try again" in str(error)


async def test_retry_after_above_the_limit_is_left_to_the_caller(skipped: SkippedTime) -> None:
    error = await failure(answer(429, retry_after="60.5"))
    assert isinstance(error, RateLimitedError)
    assert error.retry_after_seconds == 60.5
    assert skipped.slept == []


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 599])
async def test_transient_status_is_retried(status: int) -> None:
    answers = iter([httpx.Response(status), httpx.Response(status), httpx.Response(200, json=JOB)])
    assert (await fetch(lambda _: next(answers))).id == "ext-1"


async def test_lost_connection_is_retried() -> None:
    failures = iter([httpx.ConnectError("x"), httpx.ReadTimeout("x"), httpx.RemoteProtocolError("x")])

    def handler(_: httpx.Request) -> httpx.Response:
        if (exc := next(failures, None)) is not None:
            raise exc
        return httpx.Response(200, json=JOB)

    assert (await fetch(handler)).id == "ext-1"


@pytest.mark.parametrize(
    ("status", "headers", "tries"),
    [
        (500, {}, 6),
        (429, {}, 6),
        (429, {"retry-after": "2"}, 6),
        (429, {"retry-after": "39"}, 6),
        (429, {"retry-after": "41"}, 1),
        (429, {"retry-after": "86401"}, 6),
        (429, {"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, 6),
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
async def test_number_of_tries_depends_on_status_and_headers(status: int, headers: dict[str, str], tries: int) -> None:
    seen = 0

    def handler(_: httpx.Request) -> httpx.Response:
        nonlocal seen
        seen += 1
        return httpx.Response(status, headers=headers)

    await failure(handler)
    assert seen == tries


def test_backoff_applies_to_retryable_attempts_only() -> None:
    error = UnavailableError("away")
    assert get_backoff(AttemptFailed(error, is_retryable=True, retry_after_seconds=7.5)) == 7.5
    assert get_backoff(AttemptFailed(error, is_retryable=True)) is True
    assert get_backoff(AttemptFailed(error, is_retryable=True, retry_after_seconds=0.0)) is True
    assert get_backoff(AttemptFailed(error, is_retryable=True, retry_after_seconds=61)) is False
    assert get_backoff(AttemptFailed(error, is_retryable=False)) is False
    assert get_backoff(ValueError()) is False


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3.0), (" 3 ", 3.0), ("0.5", 0.5), ("-3", 0.0), ("", None), ("soon", None), ("nan", None), ("inf", None),
        ("1e999", None), ("9" * 400, None),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0), ("Sun, 01 Mar 2026 12:00:30", 30.0),
        ("Sun, 01 Mar 2026 14:00:30 +0200", 30.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Sun, 01 Mar 99999 12:00:30 GMT", None), ("Sun, 01 Mar 2026 12:00:30 +99999999999999", None),
        ("Fri, 31 Dec 9999 23:59:59 -2300", None), ("86400", 86_400.0), ("86401", None), ("1e9", None),
    ],
)  # fmt: skip
def test_retry_after_is_parsed_as_seconds_or_date(value: str, seconds: float | None) -> None:
    assert parse_retry_after({"retry-after": value}, NOW) == seconds


@pytest.mark.parametrize(
    ("value", "offset_seconds"),
    [
        ("Sun, 01 Mar 2026 13:00:00 GMT", 3_600.0), ("Sun, 01 Mar 2026 11:00:00 GMT", -3_600.0),
        ("Sun, 01 Mar 2026 12:00:01 GMT", 0.0), ("Sun, 01 Mar 2026 11:59:59 GMT", 0.0),
        ("Sun, 01 Mar 2026 12:00:02 GMT", 2.0), ("Sun, 03 Mar 2030 12:00:00 GMT", 126_403_200.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", None), ("Mon, 01 Jan 0001 00:00:00 GMT", None),
        ("Mon, 01 Jan 0000 00:00:00 GMT", None), ("Thu, 01 Jan 1970 00:00:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", None), ("", None), ("noon", None), ("0", None),
        ("Sat, 08 Mar 2036 12:00:00 GMT", 316_224_000.0), ("Sat, 08 Mar 2036 12:00:01 GMT", None),
    ],
)  # fmt: skip
def test_clock_offset_is_unknown_without_a_plausible_date(value: str, offset_seconds: float | None) -> None:
    assert parse_clock_offset({"date": value}, NOW) == offset_seconds


@given(st.text() | st.text(alphabet="0123456789 :,+-GMTJanDecMonFri"))
def test_no_header_raises_an_error(value: str) -> None:
    for header, parse in (("date", parse_clock_offset), ("retry-after", parse_retry_after)):
        seconds = parse({header: value}, NOW)
        assert seconds is None or abs(seconds) <= 10 * 366 * 86_400


def test_missing_retry_after_is_none() -> None:
    assert parse_retry_after({}, NOW) is None


@pytest.mark.parametrize(
    ("max_tries", "numbers"), [(1, [1]), (3, [1, 2, 3]), (None, [1, 2, 3, 4, 5, 6]), (9, [1, 2, 3, 4, 5, 6])]
)
async def test_attempts_are_numbered_from_one(max_tries: int | None, numbers: list[int]) -> None:
    seen = []

    async def attempt(number: int) -> bytes:
        seen.append(number)
        raise AttemptFailed(UnavailableError("away"), is_retryable=True)

    with pytest.raises(UnavailableError):
        await call_with_retries(attempt, max_tries)
    assert seen == numbers
