"""The answer of `GET /api/v2/parse/{id}` as the text of a document.

The answer is split into pages without decoding them, and each page is decoded by itself. So a caller can read a few
pages at a time and let other work run in between. Nothing is trusted: what has another type than expected is taken
for absent.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from llx_mcp.evidence.page_items import Line, read_items, read_number
from llx_mcp.evidence.pages import SourcePage, SourceText, WordBox
from llx_mcp.raw_json import decode_or_none, decode_text, first_byte, split_json, split_list

# The sections of the answer that are read.
EXPAND = ("text", "items", "metadata")
# The problem of a parse job that may have text later.
UNFINISHED = "the parse job has not ended"

# The share of the words of `text` that the items of a page must have to stand for it.
_COVERED_SHARE = 0.98
_MAX_PAGE_NUMBER = 1_000_000
_MAX_PRINTED_CHARS = 24
# A page of the service has at most 64 KB of text.
_MAX_PAGE_CHARS = 1 << 20
_UNFINISHED = frozenset({"PENDING", "THROTTLED", "RUNNING"})
_FAILED = frozenset({"FAILED", "CANCELLED"})
# A run of letters or digits; one character of a script that is written without spaces.
_TOKEN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W_]+")

_Raw = msgspec.Raw


class ParsedPages:
    """The pages of a parse job, undecoded.

    Attributes:
        numbers: their page numbers, ascending.
        problem: why there is no text to be read; "" where there may be some.
    """

    def __init__(self, body: bytes) -> None:
        """Split the body of a response.

        Raises:
            ValueError: it is not a JSON object.
        """
        answer = split_json(body)
        status = (decode_text(_members(answer.get("job")).get("status")) or "").upper()
        self._pages = {name: _by_number(_members(answer.get(name)).get("pages")) for name in EXPAND}
        self.numbers = sorted(set().union(*self._pages.values()))
        self.problem = self._find_problem(status)

    def read_page(self, number: int) -> SourcePage:
        """Decode one page."""
        text, items, metadata = (_members(self._pages[name].get(number)) for name in EXPAND)
        plain = (decode_text(text.get("text")) or "")[:_MAX_PAGE_CHARS]
        lines, has_boxes = _choose_lines(plain, list(read_items(decode_or_none(items.get("items")))))
        words, line_starts, boxes = _join(lines)
        return SourcePage(
            number,
            words,
            line_starts,
            boxes if has_boxes else [],
            max(read_number(decode_or_none(items.get("page_width"))) or 0.0, 0.0),
            max(read_number(decode_or_none(items.get("page_height"))) or 0.0, 0.0),
            _read_printed(metadata.get("printed_page_number")),
            _describe_problem(text, items, has_words=bool(words)),
        )

    def _find_problem(self, status: str) -> str:
        if status in _UNFINISHED:
            return UNFINISHED
        if status in _FAILED:
            return "the parse job failed" if status == "FAILED" else "the parse job was cancelled"
        return "" if self._pages["text"] or self._pages["items"] else "the parse job has no pages"


def build_source(pages: Sequence[SourcePage]) -> SourceText:
    """Build the text of a document from the pages of its parse job."""
    if not any(page.words for page in pages):
        return SourceText(problem="the parse job has no text")
    return SourceText("parse_job", list(pages), "block")


def _choose_lines(text: str, items: list[Line]) -> tuple[list[Line], bool]:
    """Return the lines of a page, and whether they have boxes: of its items where these cover its text."""
    if items and _covers(items, text):
        return items, all(box is not None for _, box in items)
    return [(words, None) for line in text.splitlines() if (words := line.split())], False


def _covers(items: Iterable[Line], text: str) -> bool:
    wanted = Counter(_TOKEN.findall(text.casefold()))
    missing = wanted - Counter(token for words, _ in items for token in _TOKEN.findall(" ".join(words).casefold()))
    return missing.total() <= wanted.total() * (1 - _COVERED_SHARE)


def _join(lines: Iterable[Line]) -> tuple[list[str], list[int], list[WordBox]]:
    words: list[str] = []
    starts: list[int] = []
    boxes: list[WordBox] = []
    for more, box in lines:
        starts.append(len(words))
        words += more
        if box is not None:
            boxes += [box] * len(more)
    return words, starts, boxes


def _describe_problem(text: dict[str, _Raw], items: dict[str, _Raw], *, has_words: bool) -> str:
    if has_words:
        return ""
    if any(decode_or_none(part.get("success")) is False for part in (text, items)):
        return "the parse job could not read this page"
    if not text and not items:
        return "the parse job left this page out"
    return "the parse job has no text of this page: it may be empty or a picture"


def _by_number(pages: _Raw | None) -> dict[int, _Raw]:
    """Return the pages by their number. The order of the list and its indices mean nothing."""
    found: dict[int, _Raw] = {}
    for page in _elements(pages):
        number = decode_or_none(_members(page).get("page_number"))
        if isinstance(number, float) and number.is_integer():
            number = int(number)
        if isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= _MAX_PAGE_NUMBER:
            found.setdefault(number, page)
    return found


def _elements(raw: _Raw | None) -> list[_Raw]:
    if raw is None or first_byte(raw) != b"[":
        return []
    try:
        return split_list(raw)
    except (msgspec.DecodeError, RecursionError):
        return []


def _members(raw: _Raw | None) -> dict[str, _Raw]:
    if raw is None or first_byte(raw) != b"{":
        return {}
    try:
        return split_json(raw)
    except (msgspec.DecodeError, RecursionError):
        return {}


def _read_printed(raw: _Raw | None) -> str | None:
    value = decode_or_none(raw)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value).strip()[:_MAX_PRINTED_CHARS] or None
