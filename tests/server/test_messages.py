"""Each message of a client is handled, answered with an error, or is one that no one waits for."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp_types import INVALID_REQUEST, PARSE_ERROR

from llx_mcp.server.messages import read_message

PING = '{"jsonrpc":"2.0","id":%s,"method":"ping"}'
CALL = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"text":"%s"}}}'


def codes_by_id(body: bytes | str) -> list[tuple[Any, int]]:
    """Return id and code of each error answer; the message itself is not handled."""
    message = read_message(body.encode() if isinstance(body, str) else body)
    assert message.text is None
    assert message.request_id is None
    return [(answer.id, answer.error.code) for answer in message.answers]


@pytest.mark.parametrize("request_id", [1, -1, 10**40, "", "a", "1"])
def test_request_with_a_valid_id_is_handled(request_id: int | str) -> None:
    line = PING % json.dumps(request_id)
    message = read_message(line.encode())
    assert (message.text, message.answers, message.request_id) == (line, (), request_id)


@pytest.mark.parametrize("request_id", ["null", "1.5", "1.0", "true", "false", "{}", "[]", "1e400"])
def test_request_without_a_valid_id_gets_an_error_without_id(request_id: str) -> None:
    assert codes_by_id(PING % request_id) == [(None, INVALID_REQUEST)]


@pytest.mark.parametrize(
    "line",
    [
        '{"jsonrpc":"2.0","id":1,"method":5}',
        '{"jsonrpc":"2.0","id":1}',
        '{"id":1,"method":"ping"}',
        '{"jsonrpc":"1.0","id":1,"method":"ping"}',
        '{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}',
        '{"jsonrpc":"2.0","id":1,"method":"ping","params":"x"}',
        f'{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"x":{"9" * 5_000}}}}}',
        f'{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"x":{"[" * 300 + "]" * 300}}}}}',
    ],
)
def test_invalid_request_gets_an_error_with_its_id(line: str) -> None:
    assert codes_by_id(line) == [(1, INVALID_REQUEST)]


@pytest.mark.parametrize("body", [b"hello", b'{"jsonrpc":"2.0","id":1,', b'{"id":1}\0', b"\xff\xfe{}", b"[" * 100_000])
def test_text_that_is_not_json_gets_a_parse_error(body: bytes) -> None:
    assert codes_by_id(body) == [(None, PARSE_ERROR)]


@pytest.mark.parametrize("line", ["1", "null", '"x"', "true", "{}"])
def test_json_that_is_no_message_gets_an_error(line: str) -> None:
    assert codes_by_id(line) == [(None, INVALID_REQUEST)]


def test_every_request_of_a_batch_gets_an_error() -> None:
    assert codes_by_id(f"[{PING % 1},{PING % 2}]") == [(1, INVALID_REQUEST), (2, INVALID_REQUEST)]
    assert codes_by_id("[]") == [(None, INVALID_REQUEST)]
    assert codes_by_id('[{"jsonrpc":"2.0","method":"notifications/initialized"}]') == [(None, INVALID_REQUEST)]


@pytest.mark.parametrize(
    "line",
    [
        "",
        " \t\r",
        '{"jsonrpc":"2.0","method":"notifications/cancelled","params":5}',
        '{"jsonrpc":"2.0","id":7,"result":5}',
        '{"jsonrpc":"2.0","id":5.5,"error":{}}',
    ],
)
def test_what_no_one_waits_for_is_not_answered(line: str) -> None:
    assert codes_by_id(line) == []


@pytest.mark.parametrize(
    "line",
    [
        '{"jsonrpc":"2.0","method":"notifications/initialized"}',
        '{"jsonrpc":"2.0","method":"notifications/nope","params":{}}',
        '{"jsonrpc":"2.0","id":7,"result":{}}',
        '{"jsonrpc":"2.0","id":7,"error":{"code":1,"message":"x"}}',
    ],
)
def test_notifications_and_responses_are_handled(line: str) -> None:
    message = read_message(line.encode())
    assert (message.text, message.answers, message.request_id) == (line, (), None)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"\xef\xbb\xbf" + CALL.encode() % b"x", "x"),
        (CALL.encode() % b"a\xffb", "a\ufffdb"),
        (CALL.encode() % rb"a\ud800b", "a\ufffdb"),
        (CALL.encode() % rb"\udc00", "\ufffd"),
        (CALL.encode() % rb"\ud800\ud83d\ude00", "\ufffd\U0001f600"),
        (CALL.encode() % rb"\\ud800", r"\ud800"),
        (CALL.encode() % "a\u2028\x85b".encode(), "a\u2028\x85b"),
    ],
)
def test_text_that_is_not_valid_unicode_is_repaired(body: bytes, text: str) -> None:
    message = read_message(body)
    assert message.text is not None
    assert json.loads(message.text)["params"]["arguments"]["text"] == text
    assert message.request_id == 1


def test_cancelled_request_is_named() -> None:
    line = '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%s}}'
    assert read_message((line % 7).encode()).cancelled_id == 7
    assert read_message((line % "{}").encode()).cancelled_id is None


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists)
VERSIONS: st.SearchStrategy[Any] = st.just("2.0") | JSON
PARAMS: st.SearchStrategy[Any] = st.just({}) | JSON


@given(
    st.fixed_dictionaries(
        {"id": st.integers() | JSON, "method": st.text() | JSON, "jsonrpc": VERSIONS}, optional={"params": PARAMS}
    )
)
def test_every_request_is_handled_or_answered(request: dict[str, Any]) -> None:
    message = read_message(json.dumps(request).encode())
    assert (message.text is None) == bool(message.answers)
    if message.text is not None:
        assert message.request_id == request["id"]


@given(st.binary())
def test_any_bytes_can_be_read(body: bytes) -> None:
    read_message(body)
