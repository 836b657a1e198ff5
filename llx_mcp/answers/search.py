"""Where a text stands in a result: in its values, in the names of its fields, in the words that are quoted for it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from llx_mcp.answers.budget import Answer, AnswerBuilder, Rows, part_cost, start_answer
from llx_mcp.answers.header import MAX_CHARS, Header, JobRequest
from llx_mcp.answers.markdown import hit_line, outline_line
from llx_mcp.answers.provenance import UNBOUNDED, quote_around
from llx_mcp.errors import ArgumentError
from llx_mcp.result.document import Column, Document, document_order, is_scalar
from llx_mcp.result.normalize import (
    extract_digits,
    normalize_name,
    normalize_text,
    normalize_texts,
    numbers_in,
    possible_numbers,
)
from llx_mcp.result.outline import OUTLINE_COLUMNS, Node, outline_row, walk_outline
from llx_mcp.result.paths import show_path
from llx_mcp.result.sanitize import dump_json, sanitize_text
from llx_mcp.result.sections import JobSections

Where = Literal["values", "names", "quotes"]
WHERE: tuple[Where, ...] = ("values", "names", "quotes")

_COLUMNS = ["path", "value", "confidence", "page", "quote", "found_in"]
_EXACT, _PART, _QUOTED = range(3)
_MOST_SHOWN = 20_000


class SearchQuery:
    """What is looked for, in every form in which it may be met."""

    def __init__(self, text: str) -> None:
        self.text = normalize_text(text)
        if not self.text:
            raise ArgumentError("text: nothing to look for. Give a word, a phrase, a number or a date.")
        self.squeezed = self.text.replace(" ", "")
        self.joined = normalize_name(text).replace(" ", "")
        self.words = self.text.split()
        self.longest = max(self.words, key=len)
        self.may_be_scalar = all(char in "+-.,0123456789e" for char in self.text) or self.text in ("true", "false")
        self.numbers = possible_numbers(text) if _is_number(text) else frozenset()
        digits = "".join(char for char in text if char.isdigit() and char.isascii())
        # 1,234.50 is written 1234.5 elsewhere, and 007 may be 7.
        self.digits = digits.strip("0")

    def is_in(self, text: str) -> bool:
        """Whether a plain text holds the phrase, or each of its words."""
        if self.text in text or self.squeezed in text:
            return True
        return len(self.words) > 1 and self.longest in text and all(word in text for word in self.words)

    def is_in_name(self, name: str) -> bool:
        """Whether a field's name holds it, however its words are joined."""
        words = normalize_name(name)
        return self.is_in(words) or (bool(self.joined) and self.joined in words.replace(" ", ""))

    def is_number(self, value: Any) -> bool:
        """Whether a value is the number."""
        return bool(self.numbers) and isinstance(value, int | float) and value in self.numbers

    def among(self, texts: list[str]) -> Iterator[int]:
        """The positions of the texts that hold it."""
        for position, text in enumerate(normalize_texts(texts)):
            if self.is_in(text):
                yield position
        if self.numbers:
            for position, digits in enumerate(extract_digits(texts)):
                if self.digits in digits and not self.numbers.isdisjoint(numbers_in(texts[position][:10_000])):
                    yield position


@dataclass(frozen=True, slots=True)
class _Hit:
    rank: int
    column: Column
    position: int
    found_in: str


def find_text(
    extraction: JobSections, heading: Header, ask: JobRequest, text: str, where: tuple[Where, ...] = WHERE
) -> Answer:
    """Every place where a text stands, best first, within `ask.max_chars`.

    Raises:
        ArgumentError: the text holds nothing to look for.
        ValueError: the result or the metadata is not JSON that can be read.
    """
    needle = SearchQuery(text)
    sheet = start_answer(heading, ask.max_chars)
    if not extraction.has_result:
        return sheet.answer()
    document = extraction.document
    fields = _names(document, needle) if "names" in where else []
    hits = _hits(document, needle, where)
    counts = {"fields": len(fields)} if "names" in where else {}
    if "values" in where:
        counts["values"] = sum(hit.rank != _QUOTED for hit in hits)
    if "quotes" in where:
        counts["quotes"] = sum("quote" in hit.found_in for hit in hits)
    sheet.spend("found", counts)
    _add_hits(sheet, document, needle, fields, hits, _Call(ask, text, where))
    return sheet.answer()


@dataclass(frozen=True, slots=True)
class _Call:
    ask: JobRequest
    text: str
    where: tuple[Where, ...]

    def way_to(self, need_chars: int) -> str:
        """The call that shows every hit, or how to ask for fewer."""
        rounded = -(-need_chars // 100) * 100
        if rounded > MAX_CHARS:
            return "look for more words, or narrow where"
        extra = {} if self.where == WHERE else {"where": list(self.where)}
        return self.ask.format_call("find_in_extract_result", text=self.text, **extra, max_chars=rounded)


def _add_hits(
    sheet: AnswerBuilder, document: Document, needle: SearchQuery, fields: list[Node], hits: list[_Hit], call: _Call
) -> None:
    if not fields and not hits:
        sheet.close_with(
            "Not found, whatever its case, accents, spacing or number format. Look for fewer or other words; "
            f"{call.ask.format_call('get_extract_job')} outlines what there is."
        )
        return
    nodes = Rows(
        part_cost("fields", {"columns": OUTLINE_COLUMNS, "rows": []}),
        OUTLINE_COLUMNS,
        map(outline_row, fields),
        outline_line,
    )
    rows = _rows(document, needle, hits)
    whole = _rows(document, needle, hits).fill(UNBOUNDED) if len(hits) <= _MOST_SHOWN else UNBOUNDED
    need = sheet.spent + whole
    need += part_cost("fields", {"columns": OUTLINE_COLUMNS, "rows": list(map(outline_row, fields))})
    way = call.way_to(need.chars)
    longest = f"{len(fields)} of {len(fields)} fields and {len(hits)} of {len(hits)} values: {way}"
    room = sheet.room - sheet.notes_cost([longest])
    room -= nodes.fill(room.share(0.4 if hits else 1.0))
    rows.fill(room)
    if nodes.rows:
        sheet.spend("fields", nodes.table)
    if rows.rows:
        sheet.spend("hits", rows.table)
    left = [
        f"{len(found) - len(shown)} of {len(found)} {name}"
        for name, found, shown in (("fields", fields, nodes.rows), ("values", hits, rows.rows))
        if len(shown) < len(found)
    ]
    if left:
        sheet.note(f"{' and '.join(left)}: {way}")


def _rows(document: Document, needle: SearchQuery, hits: list[_Hit]) -> Rows:
    rows = (_row(document, needle, hit) for hit in hits[:_MOST_SHOWN])
    return Rows(part_cost("hits", {"columns": _COLUMNS, "rows": []}), _COLUMNS, rows, hit_line)


def _row(document: Document, needle: SearchQuery, hit: _Hit) -> list[Any]:
    leaf = document.leaf(hit.column, hit.position)
    value = sanitize_text(quote_around(leaf.value, needle.text)) if isinstance(leaf.value, str) else leaf.value
    confidence = None if leaf.confidence is None else round(leaf.confidence, 3)
    quoting = [c for c in leaf.citations if c.quote is not None]
    # The citation that holds the text is shown, not the first.
    holding = [c for c in quoting if hit.found_in != "value" and any(needle.among([c.quote or ""]))]
    shown = next(iter(holding or quoting or leaf.citations), None)
    if shown is None:
        return [show_path(leaf.path), value, confidence, None, None, hit.found_in]
    around = needle.text if holding else str(leaf.value)
    quote = None if shown.quote is None else quote_around(shown.quote, around)
    return [show_path(leaf.path), value, confidence, shown.page, quote, hit.found_in]


def _names(document: Document, needle: SearchQuery) -> list[Node]:
    outline = walk_outline(document.root)
    return [node for node in outline if node.step is not None and needle.is_in_name(node.step)]


def _hits(document: Document, needle: SearchQuery, where: tuple[Where, ...]) -> list[_Hit]:
    hits: list[_Hit] = []
    for column in document.columns:
        in_values = dict(_value_hits(column, needle)) if "values" in where else {}
        in_quotes = set(_quote_hits(document, column, needle)) if "quotes" in where else set()
        for position, rank in in_values.items():
            hits.append(_Hit(rank, column, position, "value, quote" if position in in_quotes else "value"))
        hits += [_Hit(_QUOTED, column, position, "quote") for position in in_quotes if position not in in_values]
    if len(hits) > _MOST_SHOWN:
        return sorted(hits, key=lambda hit: hit.rank)
    return sorted(hits, key=lambda hit: (hit.rank, document_order(hit.column.node, hit.position)))


def _value_hits(column: Column, needle: SearchQuery) -> Iterator[tuple[int, int]]:
    values = column.node.values
    strings = [i for i, value in enumerate(values) if isinstance(value, str)]
    for index in needle.among([values[i] for i in strings]):
        exact = (
            len(values[strings[index]]) < len(needle.text) * 4 and normalize_text(values[strings[index]]) == needle.text
        )
        yield strings[index], _EXACT if exact else _PART
    if len(strings) == len(values) or not (needle.numbers or needle.may_be_scalar):
        return
    for position, value in enumerate(values):
        if not isinstance(value, str) and is_scalar(value):
            if needle.is_number(value):
                yield position, _EXACT
            elif needle.may_be_scalar and needle.text in (shown := dump_json(value)):
                yield position, _EXACT if needle.text == shown else _PART


def _quote_hits(document: Document, column: Column, needle: SearchQuery) -> Iterable[int]:
    if document.metadata is None:
        return []
    quotes = document.metadata.reader.quotes
    positions: list[int] = []
    texts: list[str] = []
    for position, entry in enumerate(column.entries):
        if entry is not None and is_scalar(column.node.values[position]):
            for quote in quotes(entry):
                positions.append(position)
                texts.append(quote)
    return (positions[index] for index in needle.among(texts))


def _is_number(text: str) -> bool:
    letters = [char for char in text if char.isalpha()]
    return any(char.isdigit() for char in text) and len(letters) <= 3
