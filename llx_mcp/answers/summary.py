"""A job as one answer within a budget: whole where it fits, else its outline, then its least certain values.

These forms are tried in order, and the first that fits is used:

1. the whole result, and the provenance of every value;
2. the whole result, and the provenance of the values with the lowest confidence;
3. the same, with lists of uniform objects as columns and rows;
4. the outline of the result, the values with the lowest confidence, and the first items of its lists.

Whatever is not shown is counted, with the call that shows it.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from llx_mcp.answers.budget import Answer, AnswerBuilder, Cost, TableBuilder, part_cost
from llx_mcp.answers.compact_tables import ItemTables, pack
from llx_mcp.answers.header import Header, start_summary
from llx_mcp.answers.markdown import outline_line, table_line
from llx_mcp.answers.outputs import Call, Omission, Sections
from llx_mcp.answers.provenance import ConfidenceRanking
from llx_mcp.answers.requests import MAX_CHARS, JobRequest
from llx_mcp.result.outline import OUTLINE_COLUMNS, outline_row, walk_outline
from llx_mcp.result.paths import show_path
from llx_mcp.result.sanitize import sanitize_json, sanitize_text, truncate
from llx_mcp.result.sections import JobSections
from llx_mcp.result.sql_tables import TABLES, find_sql_tables, table_groups

_PROVENANCE = "values shown without page and quote"
_FORMS = ("result", "result_as_tables")
_SECTIONS = ("configuration", "usage", "metadata")
_MIN_RANKED = 3
_MAX_DEPTH = 64
_MESSAGE_CHARS = 1_000
_SHORTEST_VALUE_LINE = 20
_TABLE_COLUMNS = ("tables", "columns")


def summarize(sections: JobSections, header: Header, request: JobRequest) -> Answer:
    """Build what a job says, where it says it, and how confident it is, within `request.max_chars`.

    Raises:
        ValueError: the result or the metadata is not JSON that can be read.
    """
    with_metadata = "extract_metadata" in request.expand
    ranking = ConfidenceRanking(sections.document if with_metadata else sections.bare_document)
    builder = start_summary(header, request.max_chars)
    _add_message(builder, "error", header.error, request)
    _add_message(builder, "metadata_error", ranking.document.error, request)
    _add_sections(builder, sections, request)
    if sections.has_result:
        content = _Content(sections.result, ranking, request)
        if not _add_whole(builder, content):
            _add_outline(builder, content)
    return builder.build()


@dataclass(frozen=True)
class _Content:
    result: Any
    ranking: ConfidenceRanking
    request: JobRequest

    @cached_property
    def _clean(self) -> Any:
        return sanitize_json(self.result)

    @cached_property
    def _packed(self) -> Any:
        return pack(self._clean)

    def form(self, name: str) -> Any:
        """Return the whole result in one of the forms that an answer may have."""
        return self._clean if name == "result" else self._packed

    @property
    def is_deep(self) -> bool:
        return _depth(self.result) > _MAX_DEPTH

    @property
    def num_values(self) -> int:
        return self.ranking.document.num_values


def _add_message(builder: AnswerBuilder, name: str, message: str | None, request: JobRequest) -> None:
    """Add a message of the service, cut where it is long: one real message has 466,000 characters."""
    if not message:
        return
    line = " ".join(sanitize_text(message).split())
    full = part_cost(name, truncate(line, _MESSAGE_CHARS))
    most = min(_MESSAGE_CHARS, request.max_chars // 8)
    builder.unmet += full - part_cost(name, truncate(line, most))
    builder.add(name, truncate(line, most))
    if len(line) > most:
        builder.omit(Omission(what=f"characters of {name}", count=len(line) - most, resource=request.resource()))


def _add_sections(builder: AnswerBuilder, sections: JobSections, request: JobRequest) -> None:
    shown: dict[str, Any] = {}
    for name in _SECTIONS:
        value = sanitize_json(_without_empty(sections.section(name))) if name in request.expand else None
        if not isinstance(value, dict) or not value:
            continue
        cost = part_cost("sections", Sections(**shown, **{name: value}))
        if cost.fits(builder.room.share(0.5)):
            shown[name] = value
            continue
        # Twice, because the sections take at most half of what is left.
        need = request.max_chars + 2 * (cost + builder.unmet).chars
        num_chars = part_cost("sections", Sections(**{name: value})).data
        builder.omit(_omission_of_section(name, num_chars, need, request))
        builder.unmet += cost
    if shown:
        builder.add("sections", Sections(**shown))


def _omission_of_section(name: str, num_chars: int, need_chars: int, request: JobRequest) -> Omission:
    call = request.larger_call(need_chars)
    resource = request.resource(name) if call is None else None
    return Omission(what=f"characters of {name}", count=num_chars, call=call, resource=resource)


def _add_whole(builder: AnswerBuilder, content: _Content) -> bool:
    # Each value takes at least a character and a comma.
    if 2 * content.num_values > builder.room.chars or content.is_deep:
        return False
    ranking = content.ranking
    for form in _FORMS:
        room = builder.room - part_cost(form, content.form(form)) - part_cost("counts", ranking.counts)
        if not Cost().fits(room):
            continue
        every = ranking.build_table()
        every.fill(room)
        if len(every.rows) == ranking.num_leaves:
            _add_result(builder, form, content, every)
            return True
        low = ranking.build_table(ranking.num_low)
        omission = _omission_of_provenance(builder, content)
        low.fill(room - builder.omissions_cost(omission))
        if len(low.rows) >= min(ranking.num_low, _MIN_RANKED):
            _add_result(builder, form, content, low)
            builder.omit(omission.model_copy(update={"count": ranking.num_leaves - len(low.rows)}))
            return True
    return False


def _add_result(builder: AnswerBuilder, form: str, content: _Content, ranked: TableBuilder) -> None:
    builder.add(form, content.form(form))
    builder.add("counts", content.ranking.counts)
    if ranked.rows:
        builder.add("lowest_confidence", ranked.table)


class _Outline:
    """The parts of an answer that outlines a result."""

    def __init__(self, content: _Content) -> None:
        ranking = content.ranking
        self._content = content
        self._nodes = list(walk_outline(ranking.document.root))
        by_depth = sorted(self._nodes, key=lambda node: len(node.steps))
        self._fields = TableBuilder("outline", OUTLINE_COLUMNS, map(outline_row, by_depth), outline_line)
        self._low = ranking.build_table(ranking.num_low)
        self._items = ItemTables(self._nodes)
        self._groups = table_groups(find_sql_tables(ranking.document))
        self._tables = TableBuilder("tables", _TABLE_COLUMNS, iter(sanitize_json(self._groups)), table_line)

    def fill(self, room: Cost) -> None:
        # A first share for each part, so that none starves another; then what is left, in the same order.
        shares = ((self._fields, 0.5), (self._low, 0.2), (self._tables, 0.3), (self._items, 0.6))
        rest = ((self._fields, 1.0), (self._tables, 1.0), (self._items, 1.0), (self._low, 1.0))
        for part, share in (*shares, *rest):
            room -= part.fill(room.share(share))

    def add_to(self, builder: AnswerBuilder) -> None:
        if self._fields.rows:
            order = {show_path(node.path): index for index, node in enumerate(self._nodes)}
            self._fields.rows.sort(key=lambda row: order[row[0]])
            builder.add("outline", self._fields.table)
        if self._tables.rows:
            builder.add("tables", self._tables.table)
        if self._items.tables:
            builder.add("items", self._items.tables)
        builder.add("counts", self._content.ranking.counts)
        if self._low.rows:
            builder.add("lowest_confidence", self._low.table)

    def omissions(self, whole: Omission) -> list[Omission]:
        """Return what is left out; `whole` says how to see the whole result."""
        request, ranking = self._content.request, self._content.ranking
        omissions = [whole]
        if fields_left := len(self._nodes) - len(self._fields.rows):
            what = f"{whole.what}, and {fields_left} of {len(self._nodes)} fields of its outline"
            omissions = [whole.model_copy(update={"what": what})]
        if low_left := ranking.num_low - len(self._low.rows):
            call = request.call("review_extract_job")
            omissions.append(
                Omission(what="values with low confidence", count=low_left, total=ranking.num_low, call=call)
            )
        if tables_left := len(self._groups) - len(self._tables.rows):
            call = request.call("query_extract_result", sql=f"SELECT * FROM {TABLES}")  # noqa: S608  # nosec B608 # a text for models, no query of ours
            omissions.append(Omission(what="kinds of tables", count=tables_left, total=len(self._groups), call=call))
        return omissions


def _add_outline(builder: AnswerBuilder, content: _Content) -> None:
    outline = _Outline(content)
    # Computed first: its budget must not include the parts that are added below.
    whole = _omission_of_result(builder, content)
    room = builder.room - part_cost("counts", content.ranking.counts)
    outline.fill(room - builder.omissions_cost(*outline.omissions(whole)))
    outline.add_to(builder)
    for omission in outline.omissions(whole):
        builder.omit(omission)


def _omission_of_result(builder: AnswerBuilder, content: _Content) -> Omission:
    """Name the call that shows the whole result, with the provenance of at least a few values."""
    ranking, request = content.ranking, content.request
    call: Call | None = None
    if 2 * content.num_values <= MAX_CHARS and not content.is_deep:
        need = builder.spent + builder.unmet + part_cost("counts", ranking.counts)
        need += part_cost("result_as_tables", content.form("result_as_tables"))
        need += ranking.cost(min(ranking.num_low, _MIN_RANKED))
        longest = Omission(what=_PROVENANCE, count=ranking.num_leaves, call=request.larger_call(MAX_CHARS))
        need += builder.omissions_cost(longest)
        call = request.larger_call(need.chars)
    what = "values of the result itself"
    if call is not None:
        return Omission(what=what, count=content.num_values, call=call)
    pages, resource = request.call("read_extract_result"), request.resource("result")
    return Omission(what=what, count=content.num_values, call=pages, resource=resource)


def _omission_of_provenance(builder: AnswerBuilder, content: _Content) -> Omission:
    """Name the call that shows the whole result with the provenance of every value."""
    ranking, request = content.ranking, content.request
    call: Call | None = None
    if ranking.num_leaves * _SHORTEST_VALUE_LINE <= MAX_CHARS and not content.is_deep:
        need = builder.spent + builder.unmet + part_cost("result", content.form("result"))
        need += part_cost("counts", ranking.counts) + ranking.cost()
        call = request.larger_call(need.chars)
    if call is not None:
        return Omission(what=_PROVENANCE, count=ranking.num_leaves, call=call)
    review = request.call("review_extract_job")
    return Omission(what=_PROVENANCE, count=ranking.num_leaves, call=review, resource=request.resource("metadata"))


def _without_empty(value: Any) -> Any:
    return {k: v for k, v in value.items() if v not in (None, {}, [])} if isinstance(value, dict) else value


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level and depth <= _MAX_DEPTH:
        depth += 1
        inside = (item.values() if isinstance(item, dict) else item for item in level if isinstance(item, dict | list))
        level = [child for children in inside for child in children]
    return depth
