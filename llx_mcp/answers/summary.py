"""A job as one answer within a budget: whole where it fits, else its shape; then what deserves a look.

What is tried, in this order, and the first that fits is taken:

1. the whole result, and the provenance of every value;
2. the whole result, and the provenance of the least certain values;
3. the same, with lists of uniform objects as columns and rows;
4. the outline of the result, the least certain values, and the first items of its lists.

Whatever is not shown is counted, with the call that shows it.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from llx_mcp.answers.budget import Answer, AnswerBuilder, Cost, Rows, part_cost, start_answer
from llx_mcp.answers.compact_tables import ItemTables, pack
from llx_mcp.answers.header import MAX_CHARS, Header, JobRequest
from llx_mcp.answers.markdown import outline_line, table_line
from llx_mcp.answers.provenance import ConfidenceRanking
from llx_mcp.result.outline import OUTLINE_COLUMNS, outline_row, walk_outline
from llx_mcp.result.paths import show_path
from llx_mcp.result.sanitize import sanitize_json, sanitize_text, truncate
from llx_mcp.result.sections import JobSections
from llx_mcp.result.sql_tables import TABLES, find_sql_tables, table_groups

_FORMS = ("result", "result_as_tables")
_SECTIONS = ("configuration", "usage", "metadata")
_FEWEST_EVIDENCE = 3
_DEEPEST_WHOLE = 64
_MESSAGE_CHARS = 1_000
_SHORTEST_EVIDENCE_LINE = 20
_TABLE_COLUMNS = ["tables", "columns"]


def summarize(extraction: JobSections, heading: Header, ask: JobRequest) -> Answer:
    """What a job says, where it says it, and how sure it is, within `ask.max_chars`.

    Raises:
        ValueError: the result or the metadata is not JSON that can be read.
    """
    with_metadata = "extract_metadata" in ask.expand
    evidence = ConfidenceRanking(extraction.document if with_metadata else extraction.bare_document)
    sheet = start_answer(heading, ask.max_chars, with_facts=True)
    _add_message(sheet, "error", heading.error, ask)
    _add_message(sheet, "metadata_error", evidence.document.error, ask)
    _add_sections(sheet, extraction, ask)
    if extraction.has_result:
        content = _Content(extraction.result, evidence, ask)
        if not _add_whole(sheet, content):
            _add_outline(sheet, content)
    return sheet.answer()


@dataclass(frozen=True)
class _Content:
    result: Any
    evidence: ConfidenceRanking
    ask: JobRequest

    @cached_property
    def _plain(self) -> Any:
        return sanitize_json(self.result)

    @cached_property
    def _packed(self) -> Any:
        return pack(self._plain)

    def form(self, name: str) -> Any:
        """The whole result in one of the forms that an answer may take."""
        return self._plain if name == "result" else self._packed

    @property
    def is_deep(self) -> bool:
        return _depth(self.result) > _DEEPEST_WHOLE


def _add_message(sheet: AnswerBuilder, name: str, message: str | None, ask: JobRequest) -> None:
    """A message of the service, cut where it is long: one real one has 466,000 characters."""
    if not message:
        return
    line = " ".join(sanitize_text(message).split())
    full = part_cost(name, truncate(line, _MESSAGE_CHARS))
    most = min(_MESSAGE_CHARS, ask.max_chars // 8)
    sheet.growth += full - part_cost(name, truncate(line, most))
    sheet.spend(name, truncate(line, most))
    if len(line) > most:
        sheet.note(f"{len(line) - most} characters of {name}: resource {ask.resource()}")


def _add_sections(sheet: AnswerBuilder, extraction: JobSections, ask: JobRequest) -> None:
    shown: dict[str, Any] = {}
    for name in _SECTIONS:
        value = sanitize_json(_without_empty(extraction.section(name))) if name in ask.expand else None
        if not value:
            continue
        cost = part_cost("sections", shown | {name: value})
        if cost.fits(sheet.room.share(0.5)):
            shown[name] = value
        else:
            # Twice, because the sections take at most half of what is left.
            need = ask.max_chars + 2 * (cost + sheet.growth).chars
            sheet.note(f"{name}, {part_cost(name, value).data} characters: {ask.way_to(need, name)}")
            sheet.growth += cost
    if shown:
        sheet.spend("sections", shown)


def _add_whole(sheet: AnswerBuilder, content: _Content) -> bool:
    evidence = content.evidence
    # Each value takes a character and a comma at the least.
    if 2 * evidence.document.num_values > sheet.room.chars or content.is_deep:
        return False
    for form in _FORMS:
        result = content.form(form)
        room = sheet.room - part_cost(form, result) - part_cost("checks", evidence.checks)
        if not Cost().fits(room):
            continue
        every = evidence.rows()
        every.fill(room)
        if len(every.rows) == evidence.num_leaves:
            _spend_result(sheet, form, content, every)
            return True
        note = _evidence_note(evidence.num_leaves, sheet, content)
        doubtful = evidence.rows(evidence.num_doubtful)
        doubtful.fill(room - sheet.notes_cost([note]))
        if len(doubtful.rows) >= min(evidence.num_doubtful, _FEWEST_EVIDENCE):
            _spend_result(sheet, form, content, doubtful)
            sheet.note(_evidence_note(evidence.num_leaves - len(doubtful.rows), sheet, content))
            return True
    return False


def _spend_result(sheet: AnswerBuilder, form: str, content: _Content, rows: Rows) -> None:
    sheet.spend(form, content.form(form))
    sheet.spend("checks", content.evidence.checks)
    if rows.rows:
        sheet.spend("evidence", rows.table)


def _add_outline(sheet: AnswerBuilder, content: _Content) -> None:
    evidence = content.evidence
    nodes = list(walk_outline(evidence.document.root))
    order = {show_path(node.path): index for index, node in enumerate(nodes)}
    by_depth = sorted(nodes, key=lambda node: len(node.steps))
    head = part_cost("outline", {"columns": OUTLINE_COLUMNS, "rows": []})
    outline = Rows(head, OUTLINE_COLUMNS, map(outline_row, by_depth), outline_line)
    doubtful = evidence.rows(evidence.num_doubtful)
    items = ItemTables(nodes)
    table_list = table_groups(find_sql_tables(evidence.document))
    head = part_cost("tables", {"columns": _TABLE_COLUMNS, "rows": []})
    tables = Rows(head, _TABLE_COLUMNS, iter(sanitize_json(table_list)), table_line)
    num_doubtful = evidence.num_doubtful
    # The calls are worked out before anything is spent that they do not need.
    ways = _way_to_whole(sheet, content), content.ask.format_call("review_extract_job")
    longest = _outline_notes(len(nodes), len(nodes), num_doubtful, len(table_list), ways, content)
    room = sheet.room - sheet.notes_cost(longest) - part_cost("checks", evidence.checks)
    # A first share for each, so that none starves another; then what is left, in the same order.
    shares = ((outline, 0.5), (doubtful, 0.2), (tables, 0.3), (items, 0.6))
    for part, share in (*shares, (outline, 1.0), (tables, 1.0), (items, 1.0), (doubtful, 1.0)):
        room -= part.fill(room.share(share))
    if outline.rows:
        outline.rows.sort(key=lambda row: order[row[0]])
        sheet.spend("outline", outline.table)
    if tables.rows:
        sheet.spend("tables", tables.table)
    if items.tables:
        sheet.spend("items", items.tables)
    sheet.spend("checks", evidence.checks)
    if doubtful.rows:
        sheet.spend("evidence", doubtful.table)
    fields_left, doubtful_left = len(nodes) - len(outline.rows), num_doubtful - len(doubtful.rows)
    tables_left = len(table_list) - len(tables.rows)
    for note in _outline_notes(fields_left, len(nodes), doubtful_left, tables_left, ways, content):
        sheet.note(note)


def _outline_notes(
    fields_left: int,
    num_fields: int,
    doubtful_left: int,
    tables_left: int,
    ways: tuple[str, str],
    content: _Content,
) -> list[str]:
    evidence = content.evidence
    words = f"the result itself, {evidence.document.num_values} values"
    words += f", and {fields_left} of {num_fields} fields of its outline" if fields_left else ""
    notes = [f"{words}; whole: {ways[0]}"]
    if doubtful_left:
        notes.append(f"{doubtful_left} of {evidence.num_doubtful} doubtful values: {ways[1]}")
    if tables_left:
        call = content.ask.format_call("query_extract_result", sql=f"SELECT * FROM {TABLES}")  # noqa: S608
        notes.append(f"tables of {tables_left} kinds: {call}")
    return notes


def _way_to_whole(sheet: AnswerBuilder, content: _Content) -> str:
    """The call that shows the whole result, with the provenance of a few values at the least."""
    evidence, ask = content.evidence, content.ask
    if 2 * evidence.document.num_values > MAX_CHARS or content.is_deep:
        return f"{ask.format_call('read_extract_result')} in pages, or resource {ask.resource('result')}"
    need = sheet.spent + sheet.growth
    need += part_cost("result_as_tables", content.form("result_as_tables")) + part_cost("checks", evidence.checks)
    need += evidence.cost(min(evidence.num_doubtful, _FEWEST_EVIDENCE))
    need += sheet.notes_cost([_note_on_evidence(evidence.num_leaves, ask.call(MAX_CHARS) or "")])
    return (
        ask.call(need.chars)
        or f"{ask.format_call('read_extract_result')} in pages, or resource {ask.resource('result')}"
    )


def _evidence_note(num_left: int, sheet: AnswerBuilder, content: _Content) -> str:
    return _note_on_evidence(num_left, _way_to_evidence(sheet, content))


def _note_on_evidence(num_left: int, way: str) -> str:
    return f"page and quote of {num_left} values: {way}"


def _way_to_evidence(sheet: AnswerBuilder, content: _Content) -> str:
    """The call that shows the whole result with the provenance of every value."""
    evidence, ask = content.evidence, content.ask
    if evidence.num_leaves * _SHORTEST_EVIDENCE_LINE > MAX_CHARS or content.is_deep:
        return f"{ask.format_call('review_extract_job')}, or resource {ask.resource('metadata')}"
    need = (
        sheet.spent + sheet.growth + part_cost("result", content.form("result")) + part_cost("checks", evidence.checks)
    )
    way = f"{ask.format_call('review_extract_job')}, or resource {ask.resource('metadata')}"
    return ask.call((need + evidence.cost()).chars) or way


def _without_empty(value: Any) -> Any:
    return {k: v for k, v in value.items() if v not in (None, {}, [])} if isinstance(value, dict) else value


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level and depth <= _DEEPEST_WHOLE:
        depth += 1
        inside = (item.values() if isinstance(item, dict) else item for item in level if isinstance(item, dict | list))
        level = [child for children in inside for child in children]
    return depth
