"""A reply is decoded as it was encoded."""

import pytest

from llx_mcp.answers.budget import Answer
from llx_mcp.workers.replies import Reply, decode_answer, decode_reply, encode_answer, encode_reply


@pytest.mark.parametrize(
    "reply", [Reply(), Reply("argument", "no column é"), Reply("memory"), Reply("unreadable", "x"), Reply(None, "", 7)]
)
def test_reply_is_decoded_as_it_was_encoded(reply: Reply) -> None:
    assert decode_reply(encode_reply(reply)) == reply


@pytest.mark.parametrize("text", ["", "plain", "é\u2028\U0001f600", "half a pair \ud800"])
def test_answer_is_decoded_as_it_was_encoded(text: str) -> None:
    answer = Answer({"status": "COMPLETED", "value": {"text": text, "n": 1.5, "none": None}}, text)
    head, body = encode_answer(answer)
    assert decode_answer(decode_reply(head), body) == answer


def test_garbage_is_no_reply() -> None:
    for head in (b"", b"{", b"[]", b'{"error": "other"}', b'{"structured_bytes": "x"}'):
        with pytest.raises(ValueError):  # noqa: PT011 - the text is that of the decoder
            decode_reply(head)
