"""The JSON log has one object a line, with the id of the request, and no secret."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from llx_mcp.json_log import JsonFormatter
from llx_mcp.observation import set_request_id
from llx_mcp.redaction import RedactingFilter, Redactor

KEY = "llx-secret-key-of-a-test"


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(JsonFormatter())
    handler.addFilter(RedactingFilter(Redactor(KEY)))
    logger = logging.getLogger("llx_mcp.test")
    logger.propagate = False
    logger.addHandler(handler)
    yield logger, text
    logger.removeHandler(handler)
    set_request_id(None)


def read_lines(text: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.getvalue().splitlines()]


def test_record_is_one_line_with_its_request(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, text = log
    set_request_id("req-1")
    logger.warning("Two\nlines with %s", KEY)
    (line,) = read_lines(text)
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "WARNING",
        "logger": "llx_mcp.test",
        "message": "Two\nlines with [key]",
        "request_id": "req-1",
    }


def test_exception_is_logged_without_its_secret(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, text = log
    for message in (KEY, "nothing secret"):
        try:
            raise ValueError(message)  # noqa: TRY301
        except ValueError:
            logger.exception("Failed")
    secret, plain = read_lines(text)
    assert secret["exception"].endswith("ValueError: [key]")
    assert plain["exception"].endswith("ValueError: nothing secret")
    assert "request_id" not in plain
