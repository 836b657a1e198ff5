"""Reviews a result: counts of each kind of finding, then the findings, worst kind first.

A review has a deadline of its own. What it does not reach by then is counted as not checked.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from llx_mcp.answers.budget import Answer, AnswerBuilder, TableBuilder
from llx_mcp.answers.header import Header, start_answer
from llx_mcp.answers.markdown import finding_line
from llx_mcp.answers.outputs import Call, Omission, ReviewCounts, ReviewOutput, Table
from llx_mcp.answers.provenance import value_row
from llx_mcp.answers.requests import MAX_CHARS, REVIEW_THRESHOLD, JobRequest, round_chars
from llx_mcp.result.deadline import Clock, Deadline
from llx_mcp.result.document import Column, Document, document_order, is_scalar
from llx_mcp.result.outline import Node, walk_nodes
from llx_mcp.result.paths import show_path
from llx_mcp.result.quote_match import quotes_contain_value
from llx_mcp.result.sanitize import begin_json, dump_json, sanitize_json, truncate
from llx_mcp.result.schema_check import TIME_IS_UP, SchemaCheck
from llx_mcp.result.sections import JobSections

_COLUMNS = ("kind", "path", "value", "confidence", "page", "quote", "why")
# The kinds of findings, worst first, and the field of `ReviewCounts` that counts each.
_COUNT_FIELDS = {
    "schema": "schema_violations",
    "required": "missing_required",
    "quote": "quote_mismatches",
    "confidence": "low_confidence",
    "duplicate": "duplicates",
    "metadata": "short_metadata",
    "citation": "without_citation",
}
_VALUE_CHARS = 120
_MAX_FINDINGS_A_KIND = 2_000
# Processor time for a review, once the job is decoded; what it does not reach is counted as not checked.
REVIEW_SECONDS = 5.0
# The share of that time for the schema, which comes first.
_SCHEMA_SHARE = 0.5
# The service gives no confidence above this many pages.
_MAX_CONFIDENCE_PAGES = 100


@dataclass(frozen=True)
class _Findings:
    """The findings of one kind.

    Attributes:
        kind: the kind.
        count: how many there are.
        rows: yields them as rows, worst first.
        unchecked: what was not checked, and why, in words.
    """

    kind: str
    count: int
    rows: Callable[[], Iterator[list[Any]]]
    unchecked: Sequence[str] = ()


def review_job(
    sections: JobSections, header: Header, request: JobRequest, threshold: float, clock: Clock = time.thread_time
) -> Answer:
    """Build what to check in a job's result, within `request.max_chars`.

    Args:
        sections: the job.
        header: what every answer says of it.
        request: the request.
        threshold: a confidence below this is low, 0 to 1.
        clock: counts the seconds of `REVIEW_SECONDS`.

    Raises:
        ValueError: the result or the metadata is not JSON that can be read.
    """
    builder = start_answer(header, request.max_chars, ReviewOutput)
    if not sections.has_result:
        return builder.build()
    document = sections.document
    configuration = _read_configuration(sections)
    deadline = Deadline(REVIEW_SECONDS, clock)
    found = [
        *_check_schema(document, configuration, deadline.share(_SCHEMA_SHARE)),
        _check_quotes(document, deadline),
        _check_confidence(document, threshold),
        _check_duplicates(document, deadline),
        _check_metadata(document),
        _check_citations(document),
    ]
    builder.add("counts", _count(document, found, threshold))
    pages = header.facts.pages if header.facts is not None else None
    unavailable = [reason for findings in found for reason in findings.unchecked]
    unavailable += _unavailable_checks(document, configuration, pages)
    if unavailable:
        builder.add("unavailable_checks", unavailable)
    _add_findings(builder, [findings for findings in found if findings.count], request, threshold)
    return builder.build()


def _read_configuration(sections: JobSections) -> dict[str, Any]:
    try:
        section = sections.section("configuration")
    except (ValueError, RecursionError):
        # The job can be reviewed without it.
        return {}
    return section if isinstance(section, dict) else {}


def _describe_unchecked(count: int, check: str, reason: str) -> str:
    values = "value was" if count == 1 else "values were"
    return f"{count:,} {values} not {check}: {sanitize_json(reason)}"


def _count(document: Document, found: list[_Findings], threshold: float) -> ReviewCounts:
    counts = {_COUNT_FIELDS[findings.kind]: findings.count for findings in found}
    return ReviewCounts.model_validate({"values": document.num_values, "threshold": threshold, **counts})


def _add_findings(builder: AnswerBuilder, found: list[_Findings], request: JobRequest, threshold: float) -> None:
    call = _larger_call(request, threshold)
    longest = [_omission(findings, findings.count, call) for findings in found]
    room = builder.room - builder.omissions_cost(*longest)
    tables = [
        TableBuilder("findings", _COLUMNS, islice(findings.rows(), _MAX_FINDINGS_A_KIND), finding_line)
        for findings in found
    ]
    # Each kind gets its share before any kind gets the rest.
    for index, table in enumerate(tables):
        room -= table.fill(room.share(1 / (len(tables) - index)))
    for table in tables:
        room -= table.fill(room)
    rows = [row for table in tables for row in table.rows]
    if rows:
        builder.add("findings", Table(columns=list(_COLUMNS), rows=rows))
    for findings, table in zip(found, tables, strict=True):
        if left := findings.count - len(table.rows):
            builder.omit(_omission(findings, left, call))


def _larger_call(request: JobRequest, threshold: float) -> Call:
    if request.max_chars >= MAX_CHARS:
        return request.call("query_extract_result", sql="SELECT * FROM fields WHERE …")
    need = round_chars(min(request.max_chars * 4, MAX_CHARS))
    shown = None if threshold == REVIEW_THRESHOLD else threshold
    return request.call("review_extract_job", threshold=shown, max_chars=need)


def _omission(findings: _Findings, left: int, call: Call) -> Omission:
    return Omission(what=f"findings of kind {findings.kind}", count=left, total=findings.count, call=call)


def _check_confidence(document: Document, threshold: float) -> _Findings:
    def rows() -> Iterator[list[Any]]:
        for leaf in document.ranked(min(count, _MAX_FINDINGS_A_KIND)):
            yield ["confidence", *value_row(leaf), None]

    count = document.num_below(threshold)
    return _Findings("confidence", count, rows)


def _check_quotes(document: Document, deadline: Deadline) -> _Findings:
    found: list[tuple[Column, int]] = []
    unchecked = 0
    if document.metadata is not None:
        quotes_of = document.metadata.reader.quotes
        for column in document.columns:
            num_checked = 0
            for position, entry in deadline.limit(enumerate(column.entries)):
                num_checked += 1
                value = column.node.values[position]
                if entry is None or not is_scalar(value):
                    continue
                quotes = quotes_of(entry)
                if quotes and not quotes_contain_value(value, quotes):
                    found.append((column, position))
            unchecked += sum(map(is_scalar, column.node.values[num_checked:]))
    found.sort(key=_by_confidence)
    rows = partial(_value_rows, document, "quote", found, "not in its quote")
    return _Findings("quote", len(found), rows, _list_unchecked(unchecked, "compared with their quotes"))


def _check_citations(document: Document) -> _Findings:
    found: list[tuple[Column, int]] = []
    if document.num_with_citation:
        found = [
            (column, position)
            for column in document.columns
            for position, (has, value) in enumerate(zip(document.cited(column), column.node.values, strict=True))
            if not has and is_scalar(value)
        ]
    found.sort(key=_by_confidence)
    return _Findings("citation", len(found), partial(_value_rows, document, "citation", found, None))


def _list_unchecked(count: int, check: str) -> list[str]:
    return [_describe_unchecked(count, check, TIME_IS_UP)] if count else []


def _by_confidence(item: tuple[Column, int]) -> tuple[bool, float]:
    column, position = item
    confidence = column.confidences[position]
    return confidence is None, confidence or 0.0


def _value_rows(document: Document, kind: str, found: list[tuple[Column, int]], why: str | None) -> Iterator[list[Any]]:
    for column, position in found:
        yield [kind, *value_row(document.leaf(column, position)), why]


def _check_schema(document: Document, configuration: Mapping[str, Any], deadline: Deadline) -> list[_Findings]:
    schema = configuration.get("data_schema")
    root = document.root
    # A result that is a list has one object of the schema for each page or row.
    if isinstance(root.values[0], list) and root.element is not None and isinstance(schema, dict):
        root = root.element if schema.get("type") != "array" else root
    check = SchemaCheck(schema, root, deadline, limit=_MAX_FINDINGS_A_KIND)
    unchecked = [
        _describe_unchecked(count, "checked against the schema", reason) for reason, count in check.unchecked.items()
    ]

    def missing_rows() -> Iterator[list[Any]]:
        for path, why in check.missing():
            yield _row_without_provenance("required", path, None, sanitize_json(truncate(why, _VALUE_CHARS)))

    def violation_rows() -> Iterator[list[Any]]:
        for violation in check.violations:
            value = violation.value
            shown = sanitize_json(
                truncate(value, _VALUE_CHARS) if is_scalar(value) else begin_json(value, _VALUE_CHARS)
            )
            yield _row_without_provenance("schema", violation.path, shown, sanitize_json(violation.rule))

    return [
        _Findings("schema", check.num_violations, violation_rows, unchecked),
        _Findings("required", check.num_missing, missing_rows),
    ]


def _row_without_provenance(kind: str, path: str, value: Any, why: str) -> list[Any]:
    return [kind, show_path(path), value, None, None, None, why]


def _check_duplicates(document: Document, deadline: Deadline) -> _Findings:
    found: list[tuple[Node, int, int]] = []
    unchecked = 0
    for node in walk_nodes(document.root):
        if node.indices is None or not node.types["object"]:
            continue
        first: dict[tuple[int, str], int] = {}
        num_checked = 0
        for position, value in deadline.limit(enumerate(node.values)):
            num_checked += 1
            if isinstance(value, dict) and value:
                parent = node.parent_positions[position] if node.parent_positions is not None else 0
                earlier = first.setdefault((parent, dump_json(value)), position)
                if earlier != position:
                    found.append((node, position, earlier))
        unchecked += len(node.values) - num_checked

    def rows() -> Iterator[list[Any]]:
        for node, position, earlier in sorted(found, key=lambda item: document_order(item[0], item[1])):
            value = sanitize_json(truncate(dump_json(node.values[position]), _VALUE_CHARS))
            why = f"the same as {show_path(node.path_of(earlier))}"
            yield _row_without_provenance("duplicate", node.path_of(position), value, why)

    return _Findings("duplicate", len(found), rows, _list_unchecked(unchecked, "compared with other rows"))


def _check_metadata(document: Document) -> _Findings:
    found: list[tuple[Node, int, int, int]] = []
    if document.metadata is not None:
        for node in walk_nodes(document.root):
            if not node.types["list"]:
                continue
            for position, entry in enumerate(document.metadata.of_lists(node)):
                value = node.values[position]
                if isinstance(entry, list) and isinstance(value, list) and len(entry) < len(value):
                    found.append((node, position, len(entry), len(value)))

    def rows() -> Iterator[list[Any]]:
        for node, position, has, wants in found:
            why = f"metadata for the first {has} of {wants} elements"
            yield _row_without_provenance("metadata", node.path_of(position), None, why)

    return _Findings("metadata", len(found), rows)


def _unavailable_checks(document: Document, configuration: Mapping[str, Any], pages: int | None) -> list[str]:
    """Return what cannot be checked, because the job's configuration or its engine does not give it."""
    reasons: list[str] = []
    if configuration.get("spreadsheet_mode") is True:
        reasons.append("spreadsheet_mode gives neither citations nor confidence")
    if configuration.get("tier") == "turbo":
        reasons.append("tier turbo cites text without boxes, and its confidence is not calibrated")
    if configuration.get("cite_sources") is False:
        reasons.append("cite_sources was off: no value can be compared with its quote")
    elif not document.num_with_citation:
        reasons.append("the job has no citations: no value can be compared with its quote")
    if configuration.get("confidence_scores") is False:
        reasons.append("confidence_scores was off: no value has a confidence")
    elif not document.num_with_confidence:
        reasons.append("the job has no confidence for any value")
    is_long = pages is not None and pages > _MAX_CONFIDENCE_PAGES
    if is_long and document.num_with_confidence < document.num_values:
        reasons.append(f"confidence stops above {_MAX_CONFIDENCE_PAGES} pages, and the document has {pages}")
    if not isinstance(configuration.get("data_schema"), dict):
        reasons.append("the job shows no data_schema: nothing can be checked against it")
    return reasons
