"""The job model keeps every byte and accepts both formats of the service."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from llx_mcp.models import Job, MalformedJobError
from llx_mcp.raw_json import decode_json
from tests.conftest import SHARED, need_shared


def decode_exactly(body: bytes) -> Any:
    """Decode JSON with all digits of its numbers."""
    return json.loads(body, parse_float=Decimal)


def job_with(**keys: Any) -> Job:
    """Build a job with these keys besides its id and status."""
    return Job.parse(json.dumps({"id": "ext-1", "status": "COMPLETED"} | keys).encode())


def test_real_job_round_trips(corpus_job: bytes) -> None:
    assert decode_exactly(Job.parse(corpus_job).dump()) == decode_exactly(corpus_job)


def test_documented_example_round_trips() -> None:
    body = need_shared(SHARED / "upstream" / "documented-example.json").read_bytes()
    job = Job.parse(body)
    assert decode_exactly(job.dump()) == decode_exactly(body)
    assert (job.document, job.version, job.num_pages) == ("dfl-aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "latest", 0)


@pytest.mark.parametrize(
    "number", ["18446744073709551616123456789", "0.12345678901234567", "1e400", "-0.0", "123456789012345678.25"]
)
def test_numbers_keep_every_digit(number: str) -> None:
    body = f'{{"id":"ext-1","status":"COMPLETED","extract_result":{{"n":{number}}},"unknown":{number}}}'.encode()
    assert Job.parse(body).dump() == body


def test_unknown_keys_and_statuses_are_kept() -> None:
    job = job_with(status="PARTIAL_SUCCESS", brand_new={"a": [1]})
    assert (job.status, job.is_terminal, job.is_success) == ("PARTIAL_SUCCESS", False, False)
    assert decode_json(job.sections["brand_new"]) == {"a": [1]}


@pytest.mark.parametrize(
    ("status", "is_terminal", "is_success"),
    [
        ("PENDING", False, False),
        ("THROTTLED", False, False),
        ("RUNNING", False, False),
        ("COMPLETED", True, True),
        ("FAILED", True, False),
        ("CANCELLED", True, False),
    ],
)
def test_status_sets_is_terminal_and_is_success(status: str, is_terminal: bool, is_success: bool) -> None:
    job = job_with(status=status)
    assert (job.is_terminal, job.is_success) == (is_terminal, is_success)


def test_timestamps_have_a_time_zone() -> None:
    job = job_with(created_at="2026-01-02T03:04:05", updated_at="2026-01-02T03:04:05.5+01:00")
    assert job.created_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert job.updated_at == datetime(2026, 1, 2, 2, 4, 5, 500_000, tzinfo=UTC)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"])
def test_time_that_utc_cannot_express_is_unknown(text: str) -> None:
    assert job_with(created_at=text, updated_at=text).created_at is None
    assert job_with(created_at=text.removesuffix("05:00") + "00:00").created_at is not None


def test_invalid_field_is_none_and_still_in_the_dump() -> None:
    keys = {"created_at": "yesterday", "usage": "free", "metadata": [1], "configuration": {"tier": 3}, "file_input": 7}
    job = job_with(**keys)
    assert (job.created_at, job.usage, job.metadata, job.document) == (None, None, None, None)
    assert job.configuration is not None
    assert job.configuration.tier is None
    assert keys.items() <= decode_exactly(job.dump()).items()


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_time_that_utc_does_not_have_is_none(moment: str) -> None:
    job = job_with(created_at=moment, updated_at="0001-01-01T14:00:00+14:00")
    assert (job.created_at, job.updated_at) == (None, datetime.min.replace(tzinfo=UTC))


@pytest.mark.parametrize("number", ["9" * 10_000, "9" * 400, "1e999", "-1e999", '"1e999"', "1e300", "-1e16"])
def test_number_beyond_credits_and_pages_is_none(number: str) -> None:
    usage = (
        f'"usage":{{"credits":{number},"parse_credits":2}},"metadata":{{"usage":{{"num_pages_extracted":{number}}}}}'
    )
    job = Job.parse(f'{{"id":"ext-1","status":"COMPLETED",{usage}}}'.encode())
    assert job.usage is not None
    assert (job.usage.credits, job.usage.parse_credits, job.num_pages) == (None, 2, None)


def test_section_that_is_not_utf_8_is_none_and_the_job_is_read() -> None:
    job = Job.parse(b'{"id":"ext-1","status":"FAILED","usage":{"credits":"\xff"},"error_message":"why"}')
    assert (job.usage, job.error_message) == (None, "why")


def test_null_section_is_none() -> None:
    assert job_with(extract_result=None).raw("extract_result") is None
    assert job_with().raw("extract_result") is None
    assert job_with(extract_result={}).raw("extract_result") is not None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b'{"id":"ext-1","status":"COMP',
        b'{"id":"ext-1"}',
        b'{"status":"FAILED"}',
        b'{"id":"","status":"FAILED"}',
        b'{"id":"ext-1","status":3}',
        b'{"id":"ext-1","status":"FAILED"} x',
        b"\xff\xfe",
        b'{"id":"COMP\xff","status":"FAILED"}',
        b'{"id":"ext-1","status":"FAILED","created_at":COMP}',
    ],
)
def test_body_that_is_not_a_job_is_rejected_without_quoting_it(body: bytes) -> None:
    with pytest.raises(MalformedJobError) as caught:
        Job.parse(body)
    assert "COMP" not in str(caught.value)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b'{"a":NaN}', {"a": "NaN"}),
        (b"1e400", "1e400"),
        (b'"\\ud800"', "\ud800"),
        (b"[18446744073709551616]", [1 << 64]),
        (b"[" + b"9" * 4_300 + b"]", [10**4_300 - 1]),
        (b'{"n":-' + b"9" * 5_000 + b"}", {"n": "-" + "9" * 5_000}),
    ],
)
def test_json_that_msgspec_rejects_is_decoded(raw: bytes, value: Any) -> None:
    assert decode_json(raw) == value


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (r"\ud800x", r"\ud800x"),
        (r"x\udfff", r"x\udfff"),
        (r"\ud83d\ude00", "😀"),
        (r"\\ud800", r"\ud800"),
        (r"\\\ud800", r"\\ud800".replace("\\\\", "\\\\")),
    ],
)
def test_lone_surrogate_becomes_its_escape(text: str, shown: str) -> None:
    body = f'{{"id":"ext-1","status":"COMPLETED","extract_result":{{"a":"{text}"}}}}'.encode()
    job = Job.parse(body)
    raw = job.raw("extract_result")
    assert raw is not None
    assert decode_json(raw) == {"a": shown}
    assert job.body == body
