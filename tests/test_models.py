"""The job model loses nothing, and takes what either generation of the service sends."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from llx_mcp.models import Job, MalformedJobError
from llx_mcp.raw_json import decode_json
from tests.conftest import SHARED, need_shared


def exactly(body: bytes) -> Any:
    """JSON as it stands: numbers with all their digits."""
    return json.loads(body, parse_float=Decimal)


def job_with(**keys: Any) -> Job:
    """A job with these keys beside its id and status."""
    return Job.parse(json.dumps({"id": "ext-1", "status": "COMPLETED"} | keys).encode())


def test_a_real_job_comes_out_as_it_went_in(corpus_job: bytes) -> None:
    assert exactly(Job.parse(corpus_job).dump()) == exactly(corpus_job)


def test_the_documented_example_comes_out_as_it_went_in() -> None:
    body = need_shared(SHARED / "upstream" / "documented-example.json").read_bytes()
    job = Job.parse(body)
    assert exactly(job.dump()) == exactly(body)
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
def test_a_status_says_whether_the_job_has_ended_and_how(status: str, is_terminal: bool, is_success: bool) -> None:
    job = job_with(status=status)
    assert (job.is_terminal, job.is_success) == (is_terminal, is_success)


def test_timestamps_are_aware_whatever_the_service_sends() -> None:
    job = job_with(created_at="2026-01-02T03:04:05", updated_at="2026-01-02T03:04:05.5+01:00")
    assert job.created_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert job.updated_at == datetime(2026, 1, 2, 2, 4, 5, 500_000, tzinfo=UTC)


def test_a_malformed_fact_is_none_and_still_in_the_dump() -> None:
    keys = {"created_at": "yesterday", "usage": "free", "metadata": [1], "configuration": {"tier": 3}, "file_input": 7}
    job = job_with(**keys)
    assert (job.created_at, job.usage, job.metadata, job.document) == (None, None, None, None)
    assert job.configuration is not None
    assert job.configuration.tier is None
    assert keys.items() <= exactly(job.dump()).items()


def test_a_null_section_reads_as_absent() -> None:
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
def test_what_is_not_a_job_is_refused_without_quoting_it(body: bytes) -> None:
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
    ],
)
def test_json_that_only_python_reads_is_read(raw: bytes, value: Any) -> None:
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
def test_half_a_surrogate_pair_is_shown_as_its_escape(text: str, shown: str) -> None:
    body = f'{{"id":"ext-1","status":"COMPLETED","extract_result":{{"a":"{text}"}}}}'.encode()
    job = Job.parse(body)
    raw = job.raw("extract_result")
    assert raw is not None
    assert decode_json(raw) == {"a": shown}
    assert job.body == body
