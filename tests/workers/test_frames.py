"""A frame is read as it was written, or not at all."""

import io
import struct

import pytest

from llx_mcp.workers.frames import read_frame, write_frame


def frame_of(head: bytes, body: bytes = b"") -> bytes:
    """Return the bytes of a frame."""
    stream = io.BytesIO()
    write_frame(stream, head, body)
    return stream.getvalue()


def test_frames_are_read_one_after_another() -> None:
    stream = io.BytesIO(frame_of(b"head", b"body") + frame_of(b"only a head") + frame_of(b"", b"x" * 100_000))
    frames = [read_frame(stream) for _ in range(4)]
    assert frames == [(b"head", b"body"), (b"only a head", b""), (b"", b"x" * 100_000), None]


def test_frame_that_ends_early_is_the_end_of_the_stream() -> None:
    for whole in (frame_of(b"head", b"body"), frame_of(b"head"), frame_of(b"", b"body")):
        assert [read_frame(io.BytesIO(whole[:size])) for size in range(len(whole))] == [None] * len(whole)


def test_lengths_come_first_in_twelve_bytes() -> None:
    assert frame_of(b"head", b"body!") == b"\0\0\0\x04" + b"\0\0\0\0\0\0\0\x05" + b"headbody!"


def test_frame_above_the_limit_is_not_read() -> None:
    assert read_frame(io.BytesIO(frame_of(b"head", b"body")), 8) == (b"head", b"body")
    stream = io.BytesIO(frame_of(b"head", b"body"))
    with pytest.raises(ValueError, match="a frame of 8 bytes"):
        read_frame(stream, 7)
    assert stream.tell() == 12


def test_lengths_of_garbage_take_no_memory() -> None:
    with pytest.raises(ValueError, match="a frame of"):
        read_frame(io.BytesIO(b"\xff" * 100), 1 << 26)
    with pytest.raises(ValueError, match="a frame of"):
        read_frame(io.BytesIO(struct.pack(">IQ", 0, 1 << 63)))


def test_frame_is_flushed() -> None:
    raw = io.BytesIO()
    stream = io.BufferedWriter(raw)
    write_frame(stream, b"head")
    assert raw.getvalue().endswith(b"head")
