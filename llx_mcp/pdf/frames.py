"""What a pdfium process sends to the server: frames.

A frame is a kind (one byte), a number (eight bytes, big-endian) and a content. The number is the size of the content in
bytes, except for `PAGES`.
"""

import struct
from collections.abc import Iterator

# The number of pages; without a content.
PAGES = b"P"
# An image; the text of a page in MessagePack; the end, with the reason why pages are missing, or nothing.
IMAGE, TEXT, END = b"I", b"T", b"N"
# What the picture of a citation shows, in JSON. The picture follows.
CAPTION = b"C"
# Why the document cannot be opened.
ERROR = b"E"
HEADER = struct.Struct(">cQ")

Frame = tuple[bytes, int, bytes]
Frames = Iterator[Frame]


def build_frame(kind: bytes, content: bytes) -> Frame:
    """Build a frame with a content."""
    return kind, len(content), content
