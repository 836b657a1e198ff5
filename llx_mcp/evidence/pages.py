"""The text of a document by page: its words, and where they stand, where the source says so."""

from typing import Literal

import msgspec

# The problem of a text that the next call may have.
STILL_READING = "the document is still being read"
Origin = Literal["parse_job", "document", "none"]
# x, y, width and height in PDF points, from the top left corner of the page.
WordBox = tuple[float, float, float, float]


class SourcePage(msgspec.Struct, frozen=True, omit_defaults=True):
    """One page.

    Attributes:
        number: the page number, from 1.
        words: the words in reading order, without white space.
        line_starts: the index of the first word of each line, ascending.
        boxes: the box of each word; empty where the source gives none.
        width: in PDF points; 0 where it is not known.
        height: in PDF points; 0 where it is not known.
        printed_number: the page number that is printed on the page or that the document gives it, such as `iv`.
        problem: why the page has no text, or not all of it; "" where nothing is known to be missing.
    """

    number: int
    words: list[str] = []
    line_starts: list[int] = []
    boxes: list[WordBox] = []
    width: float = 0.0
    height: float = 0.0
    printed_number: str | None = None
    problem: str = ""


class SourceText(msgspec.Struct, frozen=True, omit_defaults=True):
    """The text of a document.

    Attributes:
        origin: where it comes from: the parse job of the extract job, the text layer of the document, or nowhere.
        pages: the pages that have a number, ascending; pages that the source left out are absent.
        box_of: what a box surrounds: the word, or only the block of text that the word is part of.
        problem: why there is no text at all; "" where there is some.
    """

    origin: Origin = "none"
    pages: list[SourcePage] = []
    box_of: Literal["word", "block"] = "word"
    problem: str = ""


class _EncodedPages(msgspec.Struct, frozen=True, omit_defaults=True):
    """A `SourceText` whose pages are encoded already."""

    origin: Origin = "none"
    pages: list[msgspec.Raw] = []
    box_of: Literal["word", "block"] = "word"
    problem: str = ""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(SourceText)


def encode_source(source: SourceText) -> bytes:
    """Return the text of a document as MessagePack."""
    # Page by page: one call for a document of thousands of pages would hold the interpreter lock for half a second.
    pages = [msgspec.Raw(_encoder.encode(page)) for page in source.pages]
    return _encoder.encode(_EncodedPages(source.origin, pages, source.box_of, source.problem))


def decode_source(data: bytes | memoryview) -> SourceText:
    """Return the text that `encode_source` encoded.

    Raises:
        msgspec.DecodeError: the bytes are something else.
    """
    return _decoder.decode(data)
