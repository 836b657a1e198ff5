"""What a careful person would check in a result, worst first: counts of each kind, then the cases themselves."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from llx_mcp.answers.budget import Answer, AnswerBuilder, Rows, part_cost, start_answer
from llx_mcp.answers.header import MAX_CHARS, REVIEW_THRESHOLD, Header, JobRequest
from llx_mcp.answers.markdown import finding_line
from llx_mcp.answers.provenance import evidence_row
from llx_mcp.result.document import Column, Document, document_order, is_scalar
from llx_mcp.result.outline import Node, walk_nodes
from llx_mcp.result.paths import show_path
from llx_mcp.result.quote_match import quotes_contain_value
from llx_mcp.result.sanitize import dump_json, sanitize_json, truncate
from llx_mcp.result.schema_check import SchemaCheck
from llx_mcp.result.sections import JobSections

KINDS = {
    "schema": "values that break the job's data_schema",
    "required": "required fields that are null or absent",
    "quote": "values that none of their quotes contains",
    "confidence": "confidence below the threshold",
    "duplicate": "rows that repeat an earlier row of their list",
    "metadata": "lists for which the metadata is shorter than the data",
    "citation": "values without a citation",
}

_COLUMNS = ["kind", "path", "value", "confidence", "page", "quote", "why"]
_VALUE_CHARS = 120
_MOST_A_KIND = 2_000
_CONFIDENT_PAGES = 100


@dataclass(frozen=True)
class _Findings:
    """One kind of doubt: how often it was met, and the cases, worst first, as rows."""

    kind: str
    count: int
    rows: Callable[[], Iterator[list[Any]]]


def review_job(extraction: JobSections, heading: Header, ask: JobRequest, threshold: float) -> Answer:
    """What deserves a look in a job's result, within `ask.max_chars`.

    Raises:
        ValueError: the result or the metadata is not JSON that can be read.
    """
    sheet = start_answer(heading, ask.max_chars)
    if not extraction.has_result:
        return sheet.answer()
    document = extraction.document
    configuration = extraction.section("configuration")
    configuration = configuration if isinstance(configuration, dict) else {}
    found = [
        *_against_schema(document, configuration),
        _misquoted(document),
        _doubtful(document, threshold),
        _repeated(document),
        _short_lists(document),
        _uncited(document),
    ]
    sheet.spend("review", {"values": document.num_values, "threshold": threshold} | {f.kind: f.count for f in found})
    if asides := _not_asked(document, configuration, heading.facts):
        sheet.spend("not_asked", asides)
    _add_findings(sheet, [findings for findings in found if findings.count], ask, threshold)
    return sheet.answer()


def _add_findings(sheet: AnswerBuilder, found: list[_Findings], ask: JobRequest, threshold: float) -> None:
    extra = {} if threshold == REVIEW_THRESHOLD else {"threshold": threshold}
    need = -(-min(ask.max_chars * 4, MAX_CHARS) // 100) * 100
    call = ask.format_call("review_extract_job", **extra, max_chars=need)
    if ask.max_chars >= MAX_CHARS:
        call = ask.format_call("query_extract_result", sql="SELECT * FROM fields WHERE …")
    worst = ", ".join(f"{f.count} of {f.count} {f.kind}" for f in found)
    room = sheet.room - sheet.notes_cost([f"{worst}: {call}"])
    head = part_cost("findings", {"columns": _COLUMNS, "rows": []})
    tables = [Rows(head, _COLUMNS, islice(f.rows(), _MOST_A_KIND), finding_line) for f in found]
    # Each kind has its share before any has the rest.
    for index, table in enumerate(tables):
        room -= table.fill(room.share(1 / (len(tables) - index)))
    for table in tables:
        room -= table.fill(room)
    rows = [row for table in tables for row in table.rows]
    if rows:
        sheet.spend("findings", {"columns": _COLUMNS, "rows": rows})
    left = [
        f"{f.count - len(table.rows)} of {f.count} {f.kind}"
        for f, table in zip(found, tables, strict=True)
        if len(table.rows) < f.count
    ]
    if left:
        sheet.note(f"{', '.join(left)}: {call}")


def _doubtful(document: Document, threshold: float) -> _Findings:
    def rows() -> Iterator[list[Any]]:
        for leaf in document.ranked(min(count, _MOST_A_KIND)):
            yield ["confidence", *evidence_row(leaf), None]

    count = document.num_below(threshold)
    return _Findings("confidence", count, rows)


def _misquoted(document: Document) -> _Findings:
    found: list[tuple[Column, int]] = []
    if document.metadata is not None:
        quotes_of = document.metadata.reader.quotes
        for column in document.columns:
            for position, entry in enumerate(column.entries):
                value = column.node.values[position]
                if entry is None or not is_scalar(value):
                    continue
                quotes = quotes_of(entry)
                if quotes and not quotes_contain_value(value, quotes):
                    found.append((column, position))
    found.sort(key=lambda item: (item[0].confidences[item[1]] is None, item[0].confidences[item[1]] or 0.0))
    return _Findings("quote", len(found), partial(_leaf_rows, document, "quote", found, "not in its quote"))


def _uncited(document: Document) -> _Findings:
    found: list[tuple[Column, int]] = []
    if document.num_with_citation:
        found = [
            (column, position)
            for column in document.columns
            for position, (has, value) in enumerate(zip(document.cited(column), column.node.values, strict=True))
            if not has and is_scalar(value)
        ]
    found.sort(key=lambda item: (item[0].confidences[item[1]] is None, item[0].confidences[item[1]] or 0.0))
    return _Findings("citation", len(found), partial(_leaf_rows, document, "citation", found, None))


def _leaf_rows(document: Document, kind: str, found: list[tuple[Column, int]], why: str | None) -> Iterator[list[Any]]:
    for column, position in found:
        yield [kind, *evidence_row(document.leaf(column, position)), why]


def _against_schema(document: Document, configuration: dict[str, Any]) -> list[_Findings]:
    schema = configuration.get("data_schema")
    root = document.root
    # A list result has one object of the schema for each page or row.
    if isinstance(root.values[0], list) and root.element is not None and isinstance(schema, dict):
        root = root.element if schema.get("type") != "array" else root
    check = SchemaCheck(schema, root)
    missing = list(check.missing())
    violations = list(check.violations())

    def missing_rows() -> Iterator[list[Any]]:
        for path, why in missing:
            yield ["required", show_path(path), None, None, None, None, sanitize_json(truncate(why, _VALUE_CHARS))]

    def breach_rows() -> Iterator[list[Any]]:
        for breach in violations:
            value = breach.value if is_scalar(breach.value) else dump_json(breach.value)
            shown = sanitize_json(truncate(value, _VALUE_CHARS))
            yield ["schema", show_path(breach.path), shown, None, None, None, sanitize_json(breach.rule)]

    return [_Findings("schema", len(violations), breach_rows), _Findings("required", len(missing), missing_rows)]


def _repeated(document: Document) -> _Findings:
    found: list[tuple[Node, int, int]] = []
    for node in walk_nodes(document.root):
        if node.indices is None or not node.types["object"]:
            continue
        first: dict[tuple[int, str], int] = {}
        for position, value in enumerate(node.values):
            if isinstance(value, dict) and value:
                holder = node.parent_positions[position] if node.parent_positions is not None else 0
                earlier = first.setdefault((holder, dump_json(value)), position)
                if earlier != position:
                    found.append((node, position, earlier))

    def rows() -> Iterator[list[Any]]:
        for node, position, earlier in sorted(found, key=lambda item: document_order(item[0], item[1])):
            value = sanitize_json(truncate(dump_json(node.values[position]), _VALUE_CHARS))
            why = f"the same as {show_path(node.path_of(earlier))}"
            yield ["duplicate", show_path(node.path_of(position)), value, None, None, None, why]

    return _Findings("duplicate", len(found), rows)


def _short_lists(document: Document) -> _Findings:
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
            yield ["metadata", show_path(node.path_of(position)), None, None, None, None, why]

    return _Findings("metadata", len(found), rows)


def _not_asked(document: Document, configuration: dict[str, Any], facts: dict[str, Any]) -> list[str]:
    """What cannot be found because the job did not ask for it, or its engine does not give it."""
    asides: list[str] = []
    if configuration.get("spreadsheet_mode") is True:
        asides.append("spreadsheet_mode gives neither citations nor confidence")
    if configuration.get("tier") == "turbo":
        asides.append("tier turbo cites text without boxes, and its confidence is not calibrated")
    if configuration.get("cite_sources") is False:
        asides.append("cite_sources was off: no value can be held against its quote")
    elif not document.num_with_citation:
        asides.append("the job has no citations: no value can be held against its quote")
    if configuration.get("confidence_scores") is False:
        asides.append("confidence_scores was off: no value has a confidence")
    elif not document.num_with_confidence:
        asides.append("the job has no confidence for any value")
    pages = facts.get("facts", {}).get("pages")
    if isinstance(pages, int) and pages > _CONFIDENT_PAGES and document.num_with_confidence < document.num_values:
        asides.append(f"confidence stops above {_CONFIDENT_PAGES} pages, and the document has {pages}")
    if not isinstance(configuration.get("data_schema"), dict):
        asides.append("the job shows no data_schema: nothing can be held against it")
    return asides
