"""What the service says of an error is one readable line."""

import pytest

from llx_mcp.errors import RejectedError
from llx_mcp.llamacloud.api_key import ApiKey
from llx_mcp.llamacloud.error_details import describe_body
from tests.llamacloud.service import KEY, answer, failure


async def test_faults_of_a_422_are_one_readable_line_each_without_the_input() -> None:
    detail = [
        {"type": "uuid_parsing", "loc": ["query", "project_id"], "msg": "Input should be a valid UUID", "input": "zzz"},
        {"type": "missing", "loc": ["body", "configuration", 0, "tier"], "msg": "Field required", "input": {"a": "zz"}},
        "zzz",
    ]
    error = await failure(answer(422, {"detail": detail}))
    assert isinstance(error, RejectedError)
    assert str(error) == (
        "LlamaCloud did not accept the request (HTTP 422). project_id (query): Input should be a valid UUID; "
        "configuration.0.tier (body): Field required."
    )


async def test_faults_are_bounded_in_number_and_length() -> None:
    fault = {"loc": ["query", "x" * 500], "msg": "m" * 500, "input": "zzz"}
    line = f"{'x' * 79}…: {'m' * 159}…"
    error = await failure(answer(422, {"detail": [fault] * 50}))
    faults = "; ".join([line] * 5)
    assert str(error) == f"LlamaCloud did not accept the request (HTTP 422). {faults}; and 45 more."


async def test_of_faults_that_are_too_many_to_read_nothing_is_quoted() -> None:
    error = await failure(answer(422, {"detail": [{"loc": ["body"], "msg": "no", "input": "zzz" * 50_000}]}))
    assert str(error) == "LlamaCloud did not accept the request (HTTP 422)."


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"detail": "Not Found"}', 'It says: "Not Found"'),
        (b'{"detail": "a\\n<b>b</b>\\u202e\\u0000c"}', 'It says: "a b c"'),
        (b"Bad\r\n  Gateway", 'It says: "Bad Gateway"'),
        (b"<html><title>Oops</title></html>", 'It says: "Oops"'),
        (b"\xff\xfe", 'It says: "��"'),
        (b'{"detail": "' + b"y" * 9_000 + b'"}', f'It says: "{"y" * 159}…"'),
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
        (f'{{"detail": "bad {KEY}!"}}'.encode(), 'It says: "bad [key]!"'),
        (b"x" * 150 + KEY.encode(), f'It says: "{"x" * 150}[key]"'),
    ],
)
def test_a_body_is_a_short_clean_line_or_nothing(body: bytes, said: str) -> None:
    assert describe_body(body, ApiKey(KEY)) == said
