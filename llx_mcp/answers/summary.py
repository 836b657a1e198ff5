"""A job as one answer within a budget: whole where it fits, else its shape, its least certain values, and what to ask.

These forms are tried in order, and the first that fits is used:

1. the whole result, each value with page and confidence;
2. the whole result, and the values with the lowest confidence;
3. the same, with lists of uniform objects as columns and rows;
4. the shape of the result, a few values with the lowest confidence, and the calls that answer questions.

Whatever is not shown is counted, with the call that shows it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from llx_mcp.answers.budget import Answer, AnswerBuilder, Cost, TableBuilder, part_cost
from llx_mcp.answers.cells import CELLS, cite_all
from llx_mcp.answers.citation_checks import CitationChecks, open_checks
from llx_mcp.answers.compact_tables import pack
from llx_mcp.answers.header import MESSAGE_CHARS, Header, add_message, start_summary
from llx_mcp.answers.limits import MAX_CHARS
from llx_mcp.answers.outputs import Call, NextStep, Omission, Sections
from llx_mcp.answers.provenance import ConfidenceRanking
from llx_mcp.answers.requests import JobRequest
from llx_mcp.answers.schema_text import LEGEND as SCHEMA_LEGEND
from llx_mcp.answers.schema_text import UNKNOWN, describe_schema
from llx_mcp.answers.shape import Shape, describe_shape
from llx_mcp.evidence.grounding import Grounder
from llx_mcp.result.sanitize import sanitize_json, truncate
from llx_mcp.result.sections import JobSections
from llx_mcp.result.sql_tables import FIELDS, find_sql_tables

_PROVENANCE = "values shown without page and confidence"
_CITED, _PLAIN, _PACKED = "cited_result", "result", "result_as_tables"
_JOB = "job"
_SECTIONS = (_JOB, "configuration", "usage", "metadata")
# What has a place of its own in an answer.
_OWN_SECTIONS = frozenset({"extract_result", "extract_metadata", "configuration"})
_SECTIONS_SHARE = 0.9
_MIN_RANKED = 3
_MAX_DEPTH = 64
_SHORTEST_CELL = 8
_LOW_SHARE = 0.3
# Nobody is advised to read more than this at once.
_MAX_WHOLE_CHARS = 20_000


def summarize(sections: JobSections, header: Header, request: JobRequest, evidence: Grounder | None = None) -> Answer:
    """Build what a job says, where it says it, and how confident it is, within `request.max_chars`.

    Raises:
        ValueError: the result or the metadata is not JSON that can be read.
    """
    with_metadata = "extract_metadata" in request.expand
    ranking = ConfidenceRanking(sections.document if with_metadata else sections.bare_document)
    builder = start_summary(header, request.max_chars)
    if error := ranking.document.error:
        add_message(builder, "metadata_error", error, request.resource())
    _add_sections(builder, sections, request, error)
    if sections.has_result:
        document = ranking.document
        checks = open_checks(document, evidence)
        content = _Content(sections.result, ranking, request, checks)
        if not _add_whole(builder, content):
            _add_overview(builder, content)
    return builder.build()


@dataclass(frozen=True)
class _Content:
    result: Any
    ranking: ConfidenceRanking
    request: JobRequest
    checks: CitationChecks | None = None

    @cached_property
    def _clean(self) -> Any:
        return sanitize_json(self.result)

    @cached_property
    def _packed(self) -> Any:
        return pack(self._clean)

    @cached_property
    def _cited(self) -> Any:
        return sanitize_json(pack(cite_all(self.ranking.document, self.checks)))

    @property
    def forms(self) -> list[str]:
        """The forms that an answer may have, the fullest first."""
        return [_CITED, _PLAIN, _PACKED] if self.ranking.document.has_provenance else [_PLAIN, _PACKED]

    def form(self, name: str) -> Any:
        """Return the whole result in one of the forms."""
        if name == _CITED:
            return self._cited
        return self._clean if name == _PLAIN else self._packed

    @cached_property
    def is_deep(self) -> bool:
        return _depth(self.result) > _MAX_DEPTH

    @property
    def num_values(self) -> int:
        return self.ranking.document.num_values


def _add_sections(builder: AnswerBuilder, sections: JobSections, request: JobRequest, error: str) -> None:
    """Add the sections that were asked for, before the result: a caller that names them wants them first."""
    shown: dict[str, Any] = {}
    for name in _SECTIONS:
        forms = list(_section_forms(name, sections, error)) if name in request.expand else []
        if any(_depth(value) > _MAX_DEPTH for value in forms):
            what = f"{name}, which is nested too deep to be shown"
            builder.omit(Omission(what=what, resource=request.resource(name)))
            continue
        for value in forms:
            if part_cost("sections", Sections(**shown, **{name: value})).fits(builder.room.share(_SECTIONS_SHARE)):
                shown[name] = value
                break
        else:
            if forms:
                cost = part_cost("sections", Sections(**shown, **{name: forms[-1]}))
                need = request.max_chars + int((cost + builder.unmet).chars / _SECTIONS_SHARE)
                num_chars = part_cost("sections", Sections(**{name: forms[-1]})).data
                builder.omit(_omission_of_section(name, num_chars, need, request))
                builder.unmet += cost
    if shown:
        builder.add("sections", Sections(**shown))


def _section_forms(name: str, sections: JobSections, error: str) -> Iterator[dict[str, Any]]:
    """Yield a section, the fullest form first; nothing where the job has none."""
    value = _envelope(sections, error) if name == _JOB else _without_empty(sections.section(name))
    if not isinstance(value, dict) or not value:
        return
    schema = value.get("data_schema")
    if name != "configuration" or not isinstance(schema, dict) or describe_schema(schema) == UNKNOWN:
        yield sanitize_json(value)
        return
    for descriptions in (True, False):
        text = f"{describe_schema(schema, descriptions=descriptions)} ({SCHEMA_LEGEND})"
        yield sanitize_json({**value, "data_schema": text})


def _envelope(sections: JobSections, error: str) -> dict[str, Any]:
    """Return everything that the service says of a job except its result, its configuration and its field metadata.

    Args:
        sections: the job's sections.
        error: the error of the metadata that the answer shows already.
    """
    job = {name: sections.section(name) for name in sections.names if name not in _OWN_SECTIONS}
    metadata = _without_error(sections.metadata_besides_fields(), error)
    if isinstance(fields := metadata.get("field_metadata"), dict):
        metadata["field_metadata"] = _without_error(fields, error)
    metadata = _without_empty(metadata)
    return {**job, **({"extract_metadata": metadata} if metadata else {})}


def _without_error(values: dict[str, Any], shown: str) -> dict[str, Any]:
    """Return values without the error that is shown already; another error is cut where it is long."""
    error = values.get("error")
    if not isinstance(error, str):
        return values
    rest = {name: value for name, value in values.items() if name != "error"}
    return rest if error == shown else {**rest, "error": truncate(error, MESSAGE_CHARS)}


def _omission_of_section(name: str, num_chars: int, need_chars: int, request: JobRequest) -> Omission:
    call = request.larger_call(need_chars)
    resource = request.resource(name) if call is None else None
    return Omission(what=f"characters of {name}", count=num_chars, call=call, resource=resource)


def _add_whole(builder: AnswerBuilder, content: _Content) -> bool:
    # Each value takes at least a character and a comma.
    if 2 * content.num_values > builder.room.chars or content.is_deep:
        return False
    counts = part_cost("counts", content.ranking.counts)
    for form in content.forms:
        room = builder.room - part_cost(form, content.form(form)) - counts
        if form == _CITED:
            room -= part_cost("cells", CELLS)
            if content.checks is not None:
                room -= part_cost("citation_check", content.checks.note)
        if not Cost().fits(room):
            continue
        if form == _CITED or not content.ranking.num_leaves:
            return _add_result(builder, form, content)
        low = content.ranking.build_table(content.ranking.num_low)
        omission = _omission_of_provenance(builder, content)
        low.fill(room - builder.omissions_cost(omission))
        if len(low.rows) >= min(content.ranking.num_low, _MIN_RANKED):
            _add_result(builder, form, content, low)
            builder.omit(omission.model_copy(update={"count": content.ranking.num_leaves - len(low.rows)}))
            return True
    return False


def _add_result(builder: AnswerBuilder, form: str, content: _Content, low: TableBuilder | None = None) -> bool:
    if form == _CITED:
        builder.add("cells", CELLS)
        if content.checks is not None:
            builder.add("citation_check", content.checks.note)
    builder.add(form, content.form(form))
    builder.add("counts", content.ranking.counts)
    if low is not None and low.rows:
        builder.add("lowest_confidence", low.table)
    return True


def _add_overview(builder: AnswerBuilder, content: _Content) -> None:
    """Add the shape of the result, the values to doubt first, and the calls that answer questions about it."""
    ranking, request = content.ranking, content.request
    # Computed first: its budget must not include the parts that are added below.
    whole = _omission_of_result(builder, content)
    steps = _next_steps(content)
    reserve = part_cost("counts", ranking.counts) + part_cost("next_steps", steps)
    reserve += builder.omissions_cost(whole, _omission_of_fields(ranking.document.num_fields, request))
    room = builder.room - reserve
    low = ranking.build_informative_table(_MIN_RANKED)
    shape = _describe(content, room - low.fill(room.share(_LOW_SHARE)))
    if shape.lacks_labels and not (wider := _describe(content, room)).lacks_labels:
        # What to filter by tells more than a few values to doubt.
        shape, low = wider, ranking.build_informative_table(_MIN_RANKED)
        low.fill(room - part_cost("shape", shape.text))
    if shape.text:
        builder.add("shape", shape.text)
    builder.add("counts", ranking.counts)
    if low.rows:
        builder.add("lowest_confidence", low.table)
    builder.omit(whole)
    if shape.num_left:
        builder.omit(_omission_of_fields(shape.num_left, request))
    builder.add_next_steps(steps)


def _describe(content: _Content, room: Cost) -> Shape:
    """Describe the shape of a result within the room for it, where quotation marks take more room in one form."""
    empty = part_cost("shape", "")
    limit = min(room.text - empty.text, room.data - empty.data)
    shape = describe_shape(content.ranking.document.root, limit)
    while limit > 0 and not part_cost("shape", shape.text).fits(room):
        limit -= max(part_cost("shape", shape.text).chars - min(room.text, room.data), 1)
        shape = describe_shape(content.ranking.document.root, limit)
    return shape


def _next_steps(content: _Content) -> list[NextStep]:
    table = max(find_sql_tables(content.ranking.document), key=lambda table: len(table.positions), default=None)
    name = table.name if table is not None else FIELDS
    text = f"One fact: find_in_extract_result. Counts, lists: query_extract_result, such as FROM {name}."
    return [NextStep(text=text)]


def _omission_of_fields(count: int, request: JobRequest) -> Omission:
    call = request.larger_call(request.max_chars * 4)
    return Omission(what="fields of the shape", count=count, call=call)


def _omission_of_result(builder: AnswerBuilder, content: _Content) -> Omission:
    """Name the call that shows the whole result."""
    ranking, request = content.ranking, content.request
    call: Call | None = None
    if 2 * content.num_values <= MAX_CHARS and not content.is_deep:
        form = content.forms[0]
        need = builder.spent + builder.unmet + part_cost("counts", ranking.counts)
        need += part_cost(form, content.form(form)) + part_cost("cells", CELLS)
        call = request.larger_call(need.chars) if need.chars <= _MAX_WHOLE_CHARS else None
    if call is not None:
        return Omission(what="values", count=content.num_values, call=call)
    return Omission(what="values", count=content.num_values, hint="read_extract_result shows those at a path")


def _omission_of_provenance(builder: AnswerBuilder, content: _Content) -> Omission:
    """Name the call that shows the whole result with page and confidence of every value."""
    ranking, request = content.ranking, content.request
    call: Call | None = None
    if ranking.num_leaves * _SHORTEST_CELL <= MAX_CHARS and not content.is_deep:
        need = builder.spent + builder.unmet + part_cost(_CITED, content.form(_CITED)) + part_cost("cells", CELLS)
        need += part_cost("counts", ranking.counts)
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
