"""What a worker replies: an answer, an acknowledgement, or an error."""

import json
from typing import Literal

import msgspec

from llx_mcp.answers.budget import Answer
from llx_mcp.result.sanitize import dump_json

ErrorKind = Literal["argument", "unreadable", "memory"]


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """The head of a reply. The body of an answer holds its structured form, then its text.

    Attributes:
        error: what kind of error it is; None where there is none.
        message: the text of the error.
        structured_bytes: how much of the body is the structured form; 0 where there is no answer.
    """

    error: ErrorKind | None = None
    message: str = ""
    structured_bytes: int = 0


_decoder = msgspec.json.Decoder(Reply)
# Document text is cleaned before it is shown, but a lone surrogate must not break the pipe.
_ERRORS = "surrogatepass"


def encode_reply(reply: Reply) -> bytes:
    """Return the head of a reply as JSON."""
    return msgspec.json.encode(reply)


def decode_reply(head: bytes) -> Reply:
    """Return the reply that `encode_reply` encoded."""
    return _decoder.decode(head)


def encode_answer(answer: Answer) -> tuple[bytes, bytes]:
    """Return an answer as head and body."""
    structured = dump_json(answer.structured).encode(errors=_ERRORS)
    return encode_reply(Reply(structured_bytes=len(structured))), structured + answer.text.encode(errors=_ERRORS)


def decode_answer(reply: Reply, body: bytes) -> Answer:
    """Return the answer of a reply."""
    size = reply.structured_bytes
    return Answer(json.loads(body[:size].decode(errors=_ERRORS)), body[size:].decode(errors=_ERRORS))
