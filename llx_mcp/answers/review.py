"""Reviews a result: counts of each kind of finding, then the findings in groups, worst kind first.

A review has a deadline of its own. What it does not reach by then is counted as not checked.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llx_mcp.answers.budget import Answer, AnswerBuilder, Cost, TableBuilder, build_table, part_cost
from llx_mcp.answers.cells import CELLS
from llx_mcp.answers.citation_checks import UNCITED_JOB, CitationChecks
from llx_mcp.answers.finding_groups import COLUMNS, DOUBTS, Group, build_rows, find_index_names, group_fields
from llx_mcp.answers.header import Header, start_answer
from llx_mcp.answers.limits import MAX_CHARS, REVIEW_THRESHOLD
from llx_mcp.answers.outputs import COUNT_FIELDS, Call, NextStep, Omission, ReviewCounts, ReviewOutput
from llx_mcp.answers.requests import JobRequest, round_chars
from llx_mcp.answers.review_checks import (
    CitationFindings,
    Findings,
    check_arithmetic,
    check_citations,
    check_confidence,
    check_duplicates,
    check_metadata,
    check_quotes,
    check_schema,
    compare_citations,
    count_incomplete,
    without_listed,
)
from llx_mcp.answers.row_lines import finding_line
from llx_mcp.evidence.grounding import Grounder
from llx_mcp.result.deadline import Clock, Deadline
from llx_mcp.result.document import Document
from llx_mcp.result.paths import show_path
from llx_mcp.result.sections import JobSections

# A longer path is not repeated in a call.
_MAX_PATH_CHARS = 64
_WHOLE_GROUP = "To see all values of a group, read its path:"
# Processor time for a review, once the job is decoded; what it does not reach is counted as not checked.
REVIEW_SECONDS = 5.0
# The share of that time for the schema, which comes first.
_SCHEMA_SHARE = 0.5
# The share of what is then left for the citations.
_CITATIONS_SHARE = 0.6
# The share of what is left then for sums and orders.
_RELATIONS_SHARE = 0.5
# From this share of all values on, low confidence is one row where its groups do not fit.
_NEARLY_ALL = 0.9
# The service gives no confidence above this many pages.
_MAX_CONFIDENCE_PAGES = 100


@dataclass(frozen=True, eq=False)
class _Part:
    """Groups of findings of one kind.

    Attributes:
        findings: the findings.
        groups: their groups, worst first.
        is_repetitive: whether these are doubts about repetitive fields, which come after all other groups.
        summed: the groups that the only group sums up; empty where it sums up none.
    """

    findings: Findings
    groups: list[Group]
    is_repetitive: bool
    summed: Sequence[Group] = ()

    def left(self, num_shown: int) -> Sequence[Group]:
        """Return the groups that are not shown one by one, where the first are."""
        return self.summed or self.groups[num_shown:]

    def build_table(self, document: Document, checks: CitationChecks | None) -> TableBuilder:
        """Prepare the table of these groups."""
        rows = build_rows(document, self.findings.kind, self.groups, self.findings.explain, checks)
        return TableBuilder("findings", COLUMNS, rows, finding_line, CELLS)


def review_job(
    sections: JobSections,
    header: Header,
    request: JobRequest,
    threshold: float,
    clock: Clock = time.thread_time,
    evidence: Grounder | None = None,
) -> Answer:
    """Build what to check in a job's result, within `request.max_chars`.

    Args:
        sections: the job.
        header: what every answer says of it.
        request: the request.
        threshold: a confidence below this is low, 0 to 1.
        clock: counts the seconds of `REVIEW_SECONDS`.
        evidence: the text of the document, to check citations against; None where there is none at hand.

    Raises:
        ValueError: the result or the metadata is not JSON that can be read.
    """
    builder = start_answer(header, request.max_chars, ReviewOutput)
    if not sections.has_result:
        return builder.build()
    document = sections.document
    configuration = sections.configuration
    deadline = Deadline(REVIEW_SECONDS, clock)
    broken = check_schema(document, configuration.get("data_schema"), deadline.share(_SCHEMA_SHARE))
    checks, compared = _compare_citations(document, evidence, deadline)
    found = [
        *broken,
        *(compared.findings if compared is not None else [check_quotes(document, deadline)]),
        *check_arithmetic(document, deadline.share(_RELATIONS_SHARE)),
        check_confidence(document, threshold),
        check_duplicates(document, deadline),
        check_metadata(document),
    ]
    uncited = check_citations(document)
    # What is listed for another reason is not listed again.
    uncited_only = without_listed(uncited, found)
    num_also_uncited = uncited.count - uncited_only.count
    builder.add("counts", _count(document, [*found, uncited], num_also_uncited, threshold, compared))
    pages = header.facts.pages if header.facts is not None else None
    unavailable = [reason for findings in found for reason in findings.unchecked]
    unavailable += _unavailable_checks(document, configuration, pages)
    if checks is not None and checks.missing is not None and document.num_with_citation:
        unavailable.append(f"the citations were not compared with the pages: {checks.missing}")
    if unavailable:
        builder.add("unavailable_checks", unavailable)
    _add_findings(builder, document, [*found, uncited_only], request, threshold, checks)
    return builder.build()


def _compare_citations(
    document: Document, evidence: Grounder | None, deadline: Deadline
) -> tuple[CitationChecks | None, CitationFindings | None]:
    """Return the checks of the citations, if there is a text, and what they found, if it has words."""
    if evidence is None:
        return None, None
    # What shows the findings needs a part of the time.
    time_for_checks = deadline.share(_CITATIONS_SHARE)
    checks = CitationChecks(document, evidence, time_for_checks)
    return checks, None if checks.missing is not None else compare_citations(document, checks, time_for_checks)


def _count(
    document: Document,
    found: list[Findings],
    num_also_uncited: int,
    threshold: float,
    compared: CitationFindings | None,
) -> ReviewCounts:
    counts = {COUNT_FIELDS[findings.kind]: findings.count for findings in found}
    if compared is not None:
        counts |= {"verified": compared.num_verified, "unchecked_citations": compared.num_unchecked}
    num_incomplete = sum(count_incomplete(findings) for findings in found if findings.kind == "required")
    # Nothing is said of what there is none of.
    details = {"incomplete_objects": num_incomplete, "also_without_citation": num_also_uncited}
    details = {name: count for name, count in details.items() if count}
    return ReviewCounts.model_validate({"values": document.num_values, "threshold": threshold, **counts, **details})


def _add_findings(
    builder: AnswerBuilder,
    document: Document,
    found: list[Findings],
    request: JobRequest,
    threshold: float,
    checks: CitationChecks | None,
) -> None:
    index_names = find_index_names(document)
    grouped = [(findings, group_fields(findings.fields, index_names)) for findings in found]
    parts = [part for is_repetitive in (False, True) for part in _split(grouped, is_repetitive) if part.groups]
    call = _larger_call(request, threshold)

    def fill(parts: list[_Part]) -> tuple[list[TableBuilder], NextStep | None]:
        step = _next_step(request, [group for part in parts for group in part.groups])
        tables = [part.build_table(document, checks) for part in parts]
        room = builder.room - builder.omissions_cost(_omission(parts, tables, call))
        _fill_tables(parts, tables, room if step is None else room - part_cost("next_steps", [step]))
        return tables, step

    tables, step = fill(parts)
    if _are_left(parts, tables) and (shorter := _sum_up_confidence(document, parts)):
        shorter_tables, shorter_step = fill(shorter)
        if any(part.summed and table.rows for part, table in zip(shorter, shorter_tables, strict=True)):
            parts, tables, step = shorter, shorter_tables, shorter_step
    if step is not None:
        builder.add_next_steps([step], [])
    rows = [row for table in tables for row in table.rows]
    if rows:
        builder.add("findings", build_table(COLUMNS, rows, CELLS))
    if _are_left(parts, tables):
        builder.omit(_omission(parts, tables, call))


def _are_left(parts: list[_Part], tables: list[TableBuilder]) -> bool:
    """Whether some groups are not shown one by one."""
    return any(part.left(len(table.rows)) for part, table in zip(parts, tables, strict=True))


def _sum_up_confidence(document: Document, parts: list[_Part]) -> list[_Part]:
    """Return the parts with one row for all low confidence, where nearly all values have it; else none."""
    low = [part for part in parts if part.findings.kind == "confidence"]
    if not low or low[0].findings.count < _NEARLY_ALL * document.num_with_confidence:
        return []
    whole = Group(low[0].findings.fields, is_repetitive=False, is_whole=True)
    summed = _Part(low[0].findings, [whole], False, [group for part in low for group in part.groups])
    return [summed if part is low[0] else part for part in parts if part is low[0] or part not in low]


def _fill_tables(parts: list[_Part], tables: list[TableBuilder], room: Cost) -> None:
    """Take the worst group of each kind, then a share of the room for each, then what else has room."""
    first = [table for part, table in zip(parts, tables, strict=True) if not part.is_repetitive]
    for table in first:
        room -= table.fill(room, 1)
    for index, table in enumerate(first):
        room -= table.fill(room.share(1 / (len(first) - index)))
    for table in tables:
        room -= table.fill(room)


def _split(grouped: list[tuple[Findings, list[Group]]], is_repetitive: bool) -> Iterator[_Part]:
    """Yield the groups that are doubts about repetitive fields, or all others, as one part for each kind."""
    for findings, groups in grouped:
        is_doubt = findings.kind in DOUBTS
        chosen = [group for group in groups if (is_doubt and group.is_repetitive) == is_repetitive]
        yield _Part(findings, chosen, is_repetitive)


def _next_step(request: JobRequest, groups: list[Group]) -> NextStep | None:
    """Return how to see all values of a group, with the first group that holds several as the example."""
    for group in groups:
        if group.count > 1 and group.can_be_read and not group.is_whole:
            path = group.path
            if len(path) <= _MAX_PATH_CHARS:
                return NextStep(text=_WHOLE_GROUP, call=request.call("read_extract_result", path=show_path(path)))
    return None


def _larger_call(request: JobRequest, threshold: float) -> Call | None:
    """Return the call that shows more; None where no larger answer is allowed."""
    if request.max_chars >= MAX_CHARS:
        return None
    need = round_chars(min(request.max_chars * 4, MAX_CHARS))
    shown = None if threshold == REVIEW_THRESHOLD else threshold
    return request.call("review_extract_job", threshold=shown, max_chars=need)


def _omission(parts: list[_Part], tables: list[TableBuilder], call: Call | None) -> Omission:
    """Report the groups that the tables do not have yet."""
    left: Counter[str] = Counter()
    num_left = 0
    for part, table in zip(parts, tables, strict=True):
        rest = part.left(len(table.rows))
        num_left += len(rest)
        if not part.summed:
            # The findings of groups that are summed up are counted in their row.
            left[part.findings.kind] += sum(group.count for group in rest)
    kinds = ", ".join(f"{kind} {count}" for kind, count in (+left).items())
    what = f"groups of findings ({kinds})" if kinds else "groups of findings"
    total = sum(len(part.summed or part.groups) for part in parts)
    hint = None if call is not None else "count and filter with query_extract_result over the table fields"
    return Omission(what=what, count=num_left, total=total, call=call, hint=hint)


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
        reasons.append(f"{UNCITED_JOB}: no value can be compared with its quote")
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
