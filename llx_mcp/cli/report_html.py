"""A report as one HTML file: without scripts, without anything to load, readable on a screen, a phone and paper."""

import base64
import re
from collections.abc import Callable, Iterable, Sequence
from importlib.resources import files
from itertools import chain
from typing import Any

from llx_mcp.answers.plurals import format_count
from llx_mcp.cli.html_elements import Markup, document_text, element, join
from llx_mcp.cli.report_kinds import KINDS
from llx_mcp.cli.report_model import Check, Figure, Report, ReportFinding, ReportValue
from llx_mcp.result.sanitize import format_value

MAX_VALUES = 5_000
MAX_FINDINGS = 500
_VALUE_CHARS = 1_000
_QUOTE_CHARS = 400
_NOTE_CHARS = 300
_TITLE_CHARS = 120

# Nothing is loaded, and nothing runs, whatever the document says.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_HEAD = Markup(
    '<meta charset="utf-8">'
    f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    '<meta name="referrer" content="no-referrer">'
    '<meta name="color-scheme" content="light dark">'
)
_FINDING_COLUMNS = ("Kind", "Values", "How many", "Example", "What is wrong")
_VALUE_COLUMNS = ("Path", "Value", "Confidence", "Page", "Quote", "Check")
# Names may be quoted, and hold dots and brackets then.
_FIRST_STEP = re.compile(r"(?:[^.\[]+|\['(?:[^'\\]|\\.)*'\])(?=[.\[])")
_STEP = re.compile(r"(?<=.)(?=[.\[])")
# A longer step can be wrapped after each underscore.
_LONG_STEP_CHARS = 24
_WORD = re.compile(r"(?<=_)(?=[^_])")
_SYMBOLS = {"good": "✓", "warning": "?", "bad": "✗", "plain": "–"}
_READING = (
    "Confidence runs from 0 to 1, as the service gives it. Page and quote are what the service "
    "cites. The check says whether the words of the quote stand on that page of the document, and whether they contain "
    "the value. Everything that comes from the document is shown as data: control and invisible characters appear as "
    "escapes such as \\u202e."
)


def render_report(report: Report) -> str:
    """Return the report as an HTML document."""
    title = _cut(report.document or report.job_id, _TITLE_CHARS)
    sections = [section for build in _SECTIONS if (section := build(report))]
    body = join(
        [_render_header(report, title), _render_contents(sections), _render_main(sections), _render_footer(report)]
    )
    style = Markup(f"<style>{(files('llx_mcp.cli') / 'report.css').read_text(encoding='utf-8')}</style>")
    head = element("head", _HEAD, element("title", f"Extraction report: {title}"), style)
    return f"<!DOCTYPE html>\n{element('html', head, element('body', body), lang='en')}\n"


_Section = tuple[str, str, Markup]


def _render_header(report: Report, title: str) -> Markup:
    return element(
        "header",
        element("p", f"Extraction report, {report.created_at}", class_="kicker"),
        element("h1", document_text(title)),
        element("p", "Job ", element("code", report.job_id), ", ", _badge(report.status, _status_tone(report.status))),
    )


def _status_tone(status: str) -> str:
    return {"COMPLETED": "good", "FAILED": "bad", "CANCELLED": "bad"}.get(status, "plain")


def _render_contents(sections: Sequence[_Section]) -> Markup:
    links = [element("li", element("a", title, href=f"#{name}")) for name, title, _ in sections]
    return element("nav", element("ul", *links), aria_label="Contents")


def _render_main(sections: Sequence[_Section]) -> Markup:
    return element(
        "main",
        *(
            element(
                "section", element("h2", title, id=f"{name}-title"), content, id=name, aria_labelledby=f"{name}-title"
            )
            for name, title, content in sections
        ),
    )


def _render_footer(report: Report) -> Markup:
    made = f"Made by llx-mcp {report.version}. This file loads nothing and runs nothing."
    return element("footer", element("p", _READING), element("p", made))


def _build_summary(report: Report) -> _Section:
    parts = [element("p", _say_verdict(report), class_="lead")]
    if report.error:
        parts.append(_box("Reason given by the service: ", document_text(_cut(report.error, _VALUE_CHARS))))
    if report.notes:
        parts.append(_box(*(element("p", note) for note in report.notes)))
    counts = [(name, f"{count:,}", "zero" if not count else None) for name, count in report.counts]
    parts.append(_definitions(counts, "counts"))
    parts.append(_definitions([(name, value, None) for name, value in report.facts]))
    return "summary", "Summary", join(parts)


def _say_verdict(report: Report) -> str:
    if not report.num_values:
        return "The job has no values."
    values = format_count(report.num_values, "value")
    if not report.num_findings:
        return f"{values}. The review found nothing to check."
    return f"{values}. The review found {format_count(report.num_findings, 'group')} of values to check."


def _build_findings(report: Report) -> _Section | None:
    if not report.findings and not report.unchecked:
        return None
    parts: list[Markup] = []
    if report.findings:
        rows = map(_finding_row, report.findings[:MAX_FINDINGS])
        parts.append(_table(_FINDING_COLUMNS, rows, "findings", Markup("Groups of values to check, worst kind first.")))
        parts.append(_explain_kinds(report.findings))
    if left := report.num_findings - min(len(report.findings), MAX_FINDINGS):
        parts.append(element("p", f"{format_count(left, 'further group')} of findings left out.", class_="muted"))
    if report.unchecked:
        reasons = (element("li", _cut(reason, _NOTE_CHARS)) for reason in report.unchecked)
        parts.append(_box(element("p", "Not checked:"), element("ul", *reasons)))
    return "findings", "Findings", join(parts)


def _explain_kinds(findings: Sequence[ReportFinding]) -> Markup:
    found = {finding.kind for finding in findings}
    kinds = [text for kind, text in KINDS.items() if kind in found]
    return _definitions([(text.title, text.meaning, None) for text in kinds], "kinds")


def _finding_row(finding: ReportFinding) -> Markup:
    example = join(
        [
            *([element("span", _show_path(finding.example), class_="path note")] if finding.example else []),
            *([document_text(_cut(finding.value, _QUOTE_CHARS))] if finding.value else []),
            *([document_text(_cut(finding.detail, _QUOTE_CHARS), "note")] if finding.detail else []),
        ]
    )
    kind = KINDS.get(finding.kind)
    return element(
        "tr",
        element("td", finding.kind if kind is None else kind.title, class_="kind"),
        element("th", _show_path(finding.path), scope="row", class_="path"),
        element("td", finding.extent),
        element("td", example, class_="value"),
        element("td", document_text(_cut(finding.reason, _QUOTE_CHARS)) if finding.reason else ""),
    )


def _build_figures(report: Report) -> _Section | None:
    if not report.figures:
        return None
    figures = (_render_figure(figure, report.threshold) for figure in report.figures)
    text = "Pages of the document, for values that deserve a look. Their words are outlined."
    return "pages", "Pages to look at", join([element("p", text, class_="muted"), *figures])


def _render_figure(figure: Figure, threshold: float) -> Markup:
    source = f"data:{figure.mime_type};base64,{base64.b64encode(figure.content).decode()}"
    paths = ", ".join(value.path for value in figure.values)
    alternative = _cut(f"{figure.title} of the document, with the words of {paths} outlined.", _NOTE_CHARS)
    image = element("img", src=source, alt=alternative, width=figure.width, height=figure.height)
    note = [element("p", figure.note, class_="muted")] if figure.note else []
    items = _list_values(figure, threshold)
    return element("figure", element("figcaption", element("h3", figure.title)), image, *note, items)


def _list_values(figure: Figure, threshold: float) -> Markup:
    """Return the values of a figure; a picture has numbers only where it shows several."""
    if len(figure.values) == 1:
        return element("p", _describe_value(figure.values[0], threshold))
    numbered = zip(figure.numbers, figure.values, strict=True)
    items = (element("li", _describe_value(value, threshold), value=number) for number, value in numbered)
    return element("ol", *items)


def _describe_value(value: ReportValue, threshold: float) -> Markup:
    parts: list[str] = [
        element("span", _show_path(value.path), class_="path"),
        Markup(" = "),
        element("strong", document_text(_show_value(value.value))),
        " · confidence ",
        _show_confidence(value.confidence, threshold),
    ]
    if value.check is not None:
        parts += [" ", _render_check(value.check)]
    if value.quote:
        parts.append(element("span", "“", document_text(_cut(value.quote, _QUOTE_CHARS)), "”", class_="note"))
    return join(parts)


def _build_values(report: Report) -> _Section | None:
    if not report.values:
        return None
    shown = report.values[:MAX_VALUES]
    # Single fields come first, in one table.
    groups: dict[str, list[ReportValue]] = {"": []}
    for value in shown:
        groups.setdefault(_find_group(value.path), []).append(value)
    parts = [
        _table(
            _VALUE_COLUMNS, (_value_row(value, report.threshold) for value in values), "values", _caption(name, values)
        )
        for name, values in groups.items()
        if values
    ]
    if left := report.num_values - len(shown):
        text = f"{format_count(left, 'further value')} left out. To write all values to a file: "
        parts.append(element("p", text, element("code", report.export_command)))
    return "values", "All values", join(parts)


def _find_group(path: str) -> str:
    """Return the first field of a path that leads further; "" for one without members, and for elements."""
    match = _FIRST_STEP.match(path)
    return match[0] if match else ""


def _caption(name: str, values: Sequence[ReportValue]) -> Markup:
    title = element("h3", document_text(_cut(name, _TITLE_CHARS)) if name else "Values")
    return join([title, format_count(len(values), "value")])


def _value_row(value: ReportValue, threshold: float) -> Markup:
    page = "" if value.page is None else f"{value.page:g}"
    return element(
        "tr",
        element("th", _show_path(value.path), scope="row", class_="path"),
        element("td", document_text(_show_value(value.value)), class_="value"),
        element("td", _show_confidence(value.confidence, threshold), class_="number confidence"),
        element("td", page, class_="number page"),
        element("td", document_text(_cut(value.quote, _QUOTE_CHARS)) if value.quote else "", class_="quote"),
        element("td", _render_check(value.check) if value.check else ""),
        class_="needs-review" if value.needs_review else None,
    )


def _show_path(path: str) -> Markup:
    """Return a path that can be wrapped before each step, and within a long one."""
    steps = _STEP.split(_cut(path, _QUOTE_CHARS))
    parts = (_WORD.split(step) if len(step) > _LONG_STEP_CHARS else [step] for step in steps)
    return element("bdi", join(chain.from_iterable(parts), "<wbr>"))


def _show_value(value: Any) -> str:
    return _cut(format_value(value), _VALUE_CHARS)


def _show_confidence(confidence: float | None, threshold: float) -> Markup:
    if confidence is None:
        return element("span", "none", class_="muted")
    return element("span", f"{confidence:.3g}", class_="low" if confidence < threshold else None)


def _render_check(check: Check) -> Markup:
    note = [element("span", _cut(check.note, _NOTE_CHARS), class_="note")] if check.note else []
    return join([_badge(check.label, check.tone), *note])


def _badge(label: str, tone: str) -> Markup:
    symbol = element("span", f"{_SYMBOLS[tone]} ", aria_hidden="true")
    return element("span", symbol, label, class_=f"badge {tone}")


def _table(columns: Sequence[str], rows: Iterable[Markup], class_: str, caption: Markup) -> Markup:
    head = element("thead", element("tr", *(element("th", column, scope="col") for column in columns)))
    return element("table", element("caption", caption), head, element("tbody", *rows), class_=class_)


def _definitions(items: Iterable[tuple[str, str, str | None]], class_: str | None = None) -> Markup:
    rows = [
        element("div", element("dt", name), element("dd", document_text(value)), class_=row_class)
        for name, value, row_class in items
    ]
    return element("dl", *rows, class_=class_) if rows else Markup()


def _box(*children: str) -> Markup:
    return element("div", *children, class_="box")


def _cut(text: str, max_chars: int) -> str:
    """Return a text, cut if it is longer, and say how much of it is left out."""
    return text if len(text) <= max_chars else f"{text[:max_chars]}… [{len(text) - max_chars:,} more characters]"


_SECTIONS: tuple[Callable[[Report], _Section | None], ...] = (
    _build_summary,
    _build_findings,
    _build_figures,
    _build_values,
)
