"""Searches a result for a text: in its values, in the names of its fields, and in the quotes of its citations."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from llx_mcp.answers.budget import UNBOUNDED, Answer, AnswerBuilder, Cost, TableBuilder
from llx_mcp.answers.header import Header, start_answer
from llx_mcp.answers.markdown import hit_line, outline_line
from llx_mcp.answers.outputs import NextStep, Omission, SearchCounts, SearchOutput
from llx_mcp.answers.provenance import quote_around, round_confidence
from llx_mcp.answers.requests import MAX_CHARS, WHERE, JobRequest, round_chars
from llx_mcp.errors import ArgumentError
from llx_mcp.result.document import Citation, Column, Document, Leaf, document_order, is_scalar
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

_COLUMNS = ("path", "value", "confidence", "page", "quote", "found_in")
_EXACT, _PART, _QUOTED = range(3)
_MAX_HITS = 20_000
_NUMBER_TEXT_CHARS = 10_000
_FIELDS_SHARE = 0.4


class SearchQuery:
    """The text to search for, in every form in which it may be written."""

    def __init__(self, text: str) -> None:
        self.text = normalize_text(text)
        if not self.text:
            raise ArgumentError("text: there is nothing to search for. Give a word, a phrase, a number or a date.")
        self._without_spaces = self.text.replace(" ", "")
        self._as_name = normalize_name(text).replace(" ", "")
        self._words = self.text.split()
        self._longest_word = max(self._words, key=len)
        self.may_be_scalar = all(char in "+-.,0123456789e" for char in self.text) or self.text in ("true", "false")
        self.numbers = possible_numbers(text) if _is_number(text) else frozenset()
        digits = "".join(char for char in text if char.isdigit() and char.isascii())
        # 1,234.50 may be written 1234.5, and 007 may be 7.
        self._digits = digits.strip("0")

    def is_in(self, text: str) -> bool:
        """Whether a normalized text contains the phrase, or each of its words."""
        if self.text in text or self._without_spaces in text:
            return True
        is_phrase = len(self._words) > 1 and self._longest_word in text
        return is_phrase and all(word in text for word in self._words)

    def is_in_name(self, name: str) -> bool:
        """Whether a field's name contains it, however its words are joined."""
        words = normalize_name(name)
        return self.is_in(words) or (bool(self._as_name) and self._as_name in words.replace(" ", ""))

    def is_number(self, value: Any) -> bool:
        """Whether a value is the number."""
        return bool(self.numbers) and isinstance(value, int | float) and value in self.numbers

    def among(self, texts: list[str]) -> Iterator[int]:
        """Yield the positions of the texts that contain it."""
        for position, text in enumerate(normalize_texts(texts)):
            if self.is_in(text):
                yield position
        if self.numbers:
            for position, digits in enumerate(extract_digits(texts)):
                if self._digits in digits and self._has_number(texts[position]):
                    yield position

    def _has_number(self, text: str) -> bool:
        return not self.numbers.isdisjoint(numbers_in(text[:_NUMBER_TEXT_CHARS]))


@dataclass(frozen=True, slots=True)
class _Hit:
    rank: int
    column: Column
    position: int
    found_in: str


def find_text(
    sections: JobSections, header: Header, request: JobRequest, text: str, where: Sequence[str] = WHERE
) -> Answer:
    """Build the places where a text occurs, best match first, within `request.max_chars`.

    Args:
        sections: the job's sections.
        header: the header of the answer.
        request: the job and the budget.
        text: what to search for.
        where: where to search: `values`, `names`, `quotes`.

    Raises:
        ArgumentError: the text has nothing to search for.
        ValueError: the result or the metadata is not JSON that can be read.
    """
    search = _Search(request, text, tuple(where), SearchQuery(text))
    builder = start_answer(header, request.max_chars, SearchOutput)
    if sections.has_result:
        search.run(builder, sections.document)
    return builder.build()


@dataclass(frozen=True)
class _Search:
    request: JobRequest
    text: str
    where: tuple[str, ...]
    query: SearchQuery

    def run(self, builder: AnswerBuilder, document: Document) -> None:
        """Add what is found to the answer."""
        fields = self._find_fields(document) if "names" in self.where else []
        hits = self._find_hits(document)
        builder.add("found", self._count(fields, hits))
        if fields or hits:
            self._add_found(builder, document, fields, hits)
        else:
            overview = self.request.call("get_extract_job")
            text = "Not found, whatever the case, accents, spacing or number format. Search for fewer or other words."
            builder.add_next_steps([NextStep(text=f"{text} To see what there is:", call=overview)])

    def _count(self, fields: list[Node], hits: list[_Hit]) -> SearchCounts:
        counts = {"fields": len(fields)} if "names" in self.where else {}
        if "values" in self.where:
            counts["values"] = sum(hit.rank != _QUOTED for hit in hits)
        if "quotes" in self.where:
            counts["quotes"] = sum("quote" in hit.found_in for hit in hits)
        return SearchCounts(**counts)

    def _add_found(self, builder: AnswerBuilder, document: Document, fields: list[Node], hits: list[_Hit]) -> None:
        field_table, hit_table = self._field_table(fields), self._hit_table(document, hits)
        need = builder.spent + self._field_table(fields).fill(UNBOUNDED)
        need += self._hit_table(document, hits).fill(UNBOUNDED) if len(hits) <= _MAX_HITS else Cost(MAX_CHARS, 0)
        # The larger answer reserves room for the same omission, though it will not need it.
        need += builder.omissions_cost(self._omission(len(fields), len(fields), len(hits), len(hits), need))
        longest = self._omission(len(fields), len(fields), len(hits), len(hits), need)
        room = builder.room - builder.omissions_cost(longest)
        room -= field_table.fill(room.share(_FIELDS_SHARE if hits else 1.0))
        hit_table.fill(room)
        if field_table.rows:
            builder.add("fields", field_table.table)
        if hit_table.rows:
            builder.add("hits", hit_table.table)
        fields_left, hits_left = len(fields) - len(field_table.rows), len(hits) - len(hit_table.rows)
        if fields_left or hits_left:
            builder.omit(self._omission(fields_left, len(fields), hits_left, len(hits), need))

    def _omission(self, fields_left: int, num_fields: int, hits_left: int, num_hits: int, need: Cost) -> Omission:
        rounded = round_chars(need.chars)
        call, hint = None, None
        if rounded > MAX_CHARS:
            hint = "search for more words, or narrow where"
        else:
            where = None if self.where == WHERE else list(self.where)
            call = self.request.call("find_in_extract_result", text=self.text, where=where, max_chars=rounded)
        if not hits_left:
            return Omission(what="fields", count=fields_left, total=num_fields, call=call, hint=hint)
        what = "values" + (f", and {fields_left} of {num_fields} fields" if fields_left else "")
        return Omission(what=what, count=hits_left, total=num_hits, call=call, hint=hint)

    def _field_table(self, fields: list[Node]) -> TableBuilder:
        return TableBuilder("fields", OUTLINE_COLUMNS, map(outline_row, fields), outline_line)

    def _hit_table(self, document: Document, hits: list[_Hit]) -> TableBuilder:
        rows = (self._hit_row(document.leaf(hit.column, hit.position), hit.found_in) for hit in hits[:_MAX_HITS])
        return TableBuilder("hits", _COLUMNS, rows, hit_line)

    def _hit_row(self, leaf: Leaf, found_in: str) -> list[Any]:
        value = sanitize_text(quote_around(leaf.value, self.query.text)) if isinstance(leaf.value, str) else leaf.value
        row = [show_path(leaf.path), value, round_confidence(leaf.confidence)]
        quoting = [citation for citation in leaf.citations if citation.quote is not None]
        # The citation that contains the text is shown, not the first.
        containing = [citation for citation in quoting if found_in != "value" and self._is_quoted_in(citation)]
        shown = next(iter(containing or quoting or leaf.citations), None)
        if shown is None:
            return [*row, None, None, found_in]
        around = self.query.text if containing else str(leaf.value)
        quote = None if shown.quote is None else quote_around(shown.quote, around)
        return [*row, shown.page, quote, found_in]

    def _is_quoted_in(self, citation: Citation) -> bool:
        return any(True for _ in self.query.among([citation.quote or ""]))

    def _find_fields(self, document: Document) -> list[Node]:
        outline = walk_outline(document.root)
        return [node for node in outline if node.step is not None and self.query.is_in_name(node.step)]

    def _find_hits(self, document: Document) -> list[_Hit]:
        hits: list[_Hit] = []
        for column in document.columns:
            in_values = dict(_value_hits(column, self.query)) if "values" in self.where else {}
            in_quotes = set(_quote_hits(document, column, self.query)) if "quotes" in self.where else set()
            for position, rank in in_values.items():
                hits.append(_Hit(rank, column, position, "value, quote" if position in in_quotes else "value"))
            hits += [_Hit(_QUOTED, column, position, "quote") for position in in_quotes if position not in in_values]
        if len(hits) > _MAX_HITS:
            return sorted(hits, key=lambda hit: hit.rank)
        return sorted(hits, key=lambda hit: (hit.rank, document_order(hit.column.node, hit.position)))


def _value_hits(column: Column, query: SearchQuery) -> Iterator[tuple[int, int]]:
    values = column.node.values
    strings = [i for i, value in enumerate(values) if isinstance(value, str)]
    for index in query.among([values[i] for i in strings]):
        text = values[strings[index]]
        is_exact = len(text) < len(query.text) * 4 and normalize_text(text) == query.text
        yield strings[index], _EXACT if is_exact else _PART
    if len(strings) < len(values) and (query.numbers or query.may_be_scalar):
        yield from _scalar_hits(values, query)


def _scalar_hits(values: list[Any], query: SearchQuery) -> Iterator[tuple[int, int]]:
    """Yield the numbers and booleans that match."""
    for position, value in enumerate(values):
        if isinstance(value, str) or not is_scalar(value):
            continue
        if query.is_number(value):
            yield position, _EXACT
        elif query.may_be_scalar and query.text in (shown := dump_json(value)):
            yield position, _EXACT if query.text == shown else _PART


def _quote_hits(document: Document, column: Column, query: SearchQuery) -> Iterable[int]:
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
    return (positions[index] for index in query.among(texts))


def _is_number(text: str) -> bool:
    letters = [char for char in text if char.isalpha()]
    return any(char.isdigit() for char in text) and len(letters) <= 3
