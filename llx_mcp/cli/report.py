"""Gathers what a report of a job says: facts, values and checks, the review, and pictures of what deserves a look."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from llx_mcp import __version__
from llx_mcp.answers.header import build_header, format_time
from llx_mcp.answers.limits import MAX_CHARS
from llx_mcp.answers.report_values import ReportRow
from llx_mcp.answers.requests import CitationOptions, JobRequest
from llx_mcp.cli.report_html import MAX_VALUES
from llx_mcp.cli.report_kinds import COUNTS
from llx_mcp.cli.report_model import Check, Figure, Report, ReportFinding, ReportValue, Tone
from llx_mcp.cli.wording import name_commands
from llx_mcp.errors import LlxError
from llx_mcp.result.sanitize import format_value

if TYPE_CHECKING:
    from llx_mcp.answers.cited_values import CitedValue
    from llx_mcp.jobs.citation_pictures import ShownPage, ShownValues
    from llx_mcp.jobs.reader import JobReader
    from llx_mcp.models import Job

_TONES: Mapping[str, Tone] = {
    "verified": "good",
    "not_on_page": "bad",
    "value_not_in_quote": "bad",
    "ambiguous": "warning",
}
_FACTS = {
    "pages": "Pages",
    "tier": "Tier",
    "version": "Version",
    "target": "Target",
    "created_at": "Created",
    "took_seconds": "Took, in seconds",
    "credits": "Credits",
}
# The kinds of findings that say nothing of what a value is.
_WITHOUT_PICTURE = frozenset({"required", "metadata", "duplicate"})


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What goes into a report.

    Attributes:
        threshold: a confidence below this is low, 0 to 1.
        max_pictures: of how many values to show pictures.
        source_flags: the flags that say where jobs come from, which the commands in the report repeat.
    """

    threshold: float
    max_pictures: int
    source_flags: Sequence[str] = ()


async def build_report(
    reader: "JobReader", request: JobRequest, options: ReportOptions, on_progress: Callable[[str], None]
) -> Report:
    """Build the report of a job.

    Args:
        reader: reads the job.
        request: the job.
        options: what goes into the report.
        on_progress: called with what is being done.

    Raises:
        LlxError: the job cannot be read.
    """
    job = await reader.fetch(request)
    report = await _describe_job(reader, job, request, options)
    if not job.has_result:
        return report
    on_progress("checking the citations")
    review = (await reader.review(replace(request, max_chars=MAX_CHARS), options.threshold)).structured
    listed = await reader.citations.list_values(request, options.threshold, MAX_VALUES)
    findings = [_build_finding(row) for row in _rows_of(review.get("findings"))]
    chosen = choose_pictured(review, listed.rows)
    values = {row.path: _build_value(row) for row in listed.rows}
    shown, left = chosen[: options.max_pictures], chosen[options.max_pictures :]
    by_page = group_by_page(shown, listed.rows)
    figures, reasons = await _draw_figures(reader, request, by_page, values, on_progress)
    notes = [_explain_left(request, options, left)] if left else []
    if num_placeless := sum(row.needs_review and row.shown_page is None for row in listed.rows):
        notes.append(_explain_placeless(num_placeless))
    return replace(
        report,
        counts=_build_counts(review.get("counts", {})),
        findings=findings,
        num_findings=_count_findings(review),
        unchecked=review.get("unavailable_checks", []),
        figures=figures,
        values=list(values.values()),
        num_values=listed.total,
        notes=[*notes, *(f"No picture: {reason}" for reason in reasons)],
    )


async def _describe_job(reader: "JobReader", job: "Job", request: JobRequest, options: ReportOptions) -> Report:
    header = build_header(job, request, now=reader.fetcher.service_now())
    facts = {} if header.facts is None else header.facts.structured()
    document = job.document or ""
    names = await reader.fetcher.fetch_file_names([document], request.scope) if document else {}
    command = ["llx-mcp", "export", request.job_id, "--provenance", "--output", "values.csv", *options.source_flags]
    return Report(
        job_id=header.job_id,
        status=header.status,
        created_at=format_time(datetime.now(UTC)),
        version=__version__,
        document=names.get(document, document),
        facts=[(title, _show(facts[name])) for name, title in _FACTS.items() if name in facts],
        threshold=options.threshold,
        export_command=shlex.join(command),
        error=header.error or "",
    )


def _explain_left(request: JobRequest, options: ReportOptions, left: Sequence[str]) -> str:
    command = ["llx-mcp", "show", request.job_id, left[0], "-o", "page.png", *options.source_flags]
    values = "1 more value deserves" if len(left) == 1 else f"{len(left):,} more values deserve"
    return f"{values} a look, without a picture here. To see the next one: {shlex.join(command)}"


def _explain_placeless(count: int) -> str:
    values = "1 value that deserves a look has" if count == 1 else f"{count:,} values that deserve a look have"
    return f"{values} no picture: the service cites no page, and no single place in the document is known."


def _show(fact: Any) -> str:
    return f"{fact:g}" if isinstance(fact, float) else str(fact)


def choose_pictured(review: Mapping[str, Any], rows: Sequence[ReportRow]) -> list[str]:
    """Return the paths of values that deserve a look: examples of findings, then failed checks, then low confidence.

    Args:
        review: the structured form of a review.
        rows: the values.
    """
    known = {row.path: row for row in rows}
    examples = [
        finding["example"] or finding["path"]
        for finding in _rows_of(review.get("findings"))
        if finding["kind"] not in _WITHOUT_PICTURE
    ]
    in_need = [row for row in rows if row.needs_review]
    in_need.sort(key=lambda row: (_TONES.get(row.verdict or "") != "bad", _confidence(row)))
    paths = [path for path in examples if path in known] + [row.path for row in in_need]
    return [path for path in dict.fromkeys(paths) if known[path].shown_page is not None]


def _confidence(row: ReportRow) -> float:
    return 1.0 if row.confidence is None else row.confidence


def _rows_of(table: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    if table is None:
        return []
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]


def _build_counts(counts: Mapping[str, Any]) -> list[tuple[str, int]]:
    return [(title, counts[name]) for name, title in COUNTS.items() if name in counts]


def _count_findings(review: Mapping[str, Any]) -> int:
    """Return how many groups of findings there are, with those that did not fit."""
    left = sum(omission.get("count") or 0 for omission in review.get("omitted", []))
    return len(_rows_of(review.get("findings"))) + left


def _build_finding(row: Mapping[str, Any]) -> ReportFinding:
    why: str = row["why"] or ""
    where = f": {row['where']}" if row["where"] is not None else ""
    return ReportFinding(
        row["kind"],
        row["path"],
        f"{row['count']} of {row['total']}{where}" if row["total"] > 1 else "",
        row["example"] or "",
        *_describe_cell(row["value"]),
        f"confidence {why}" if row["kind"] == "confidence" and why.startswith("up to") else why,
    )


def _describe_cell(cell: Any) -> tuple[str, str]:
    """Return the value of a cell, and what is known of it, as texts."""
    if not isinstance(cell, list):
        return ("", "") if cell is None else (format_value(cell), "")
    value, page, confidence, *quotes = cell
    facts = [f"page {page:g}"] if page is not None else []
    facts += [f"confidence {confidence:g}"] if confidence is not None else []
    return format_value(value), " · ".join([*facts, *(quote for quote in quotes if quote is not None)])


def _build_value(row: ReportRow) -> ReportValue:
    check = Check(row.check, _TONES.get(row.verdict or "", "plain"), row.note)
    return ReportValue(row.path, row.value, row.confidence, row.page, row.quote, check, row.needs_review)


async def _draw_figures(
    reader: "JobReader",
    request: JobRequest,
    by_page: Mapping[int, Sequence[str]],
    values: Mapping[str, ReportValue],
    on_progress: Callable[[str], None],
) -> tuple[list[Figure], list[str]]:
    """Return a picture of each page, in the order of the pages, and why there are no others."""
    figures: list[Figure] = []
    reasons: list[str] = []
    for number, paths in enumerate(by_page.values()):
        on_progress(f"drawing pages: {number} of {len(by_page)} done")
        try:
            shown = await reader.citations.show(request, CitationOptions(tuple(paths)))
        except LlxError as exc:
            reasons.append(name_commands(str(exc)))
            continue
        figures += [_build_figure(shown, page, values) for page in shown.pages]
        reasons += shown.reasons
    return figures, list(dict.fromkeys(reasons))


def group_by_page(paths: Sequence[str], rows: Sequence[ReportRow]) -> dict[int, list[str]]:
    """Return the paths on each page, first page first, so that the values of each picture are numbered from 1.

    Args:
        paths: paths of values.
        rows: the values, in the order of the result, which the paths of a page get.
    """
    wanted = set(paths)
    by_page: dict[int, list[str]] = {}
    for row in rows:
        if row.path in wanted and row.shown_page is not None:
            by_page.setdefault(row.shown_page, []).append(row.path)
    return dict(sorted(by_page.items()))


def _describe_marks(numbers: Sequence[int], values: Sequence["CitedValue"]) -> str:
    """Say which values are marked where their words were found, because the service does not cite that place."""
    found = [number for number, value in zip(numbers, values, strict=True) if value.box_origin in ("words", "block")]
    if not found:
        return ""
    which = "the words are" if len(values) == 1 else f"the words of {', '.join(map(str, found))} are"
    return f"; {which} marked where they were found"


def _build_figure(shown: "ShownValues", page: "ShownPage", values: Mapping[str, ReportValue]) -> Figure:
    found = [shown.found.values[number - 1] for number in page.numbers]
    note = page.drawn_from + _describe_marks(page.numbers, found)
    picture = page.picture
    return Figure(
        f"Page {page.page}",
        picture.content,
        picture.mime_type,
        picture.width,
        picture.height,
        [values[value.path] for value in found],
        page.numbers,
        note[:1].upper() + note[1:],
    )
