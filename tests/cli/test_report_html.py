"""The report is one file that says everything, bounded, with hostile text inert."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

from llx_mcp.cli import report_html
from llx_mcp.cli.report_html import MAX_FINDINGS, MAX_VALUES, render_report
from llx_mcp.cli.report_model import Check, Figure, Report, ReportFinding, ReportValue

VALUE = ReportValue("totals.net", 1234.5, 0.41, 3, "Net 1,234.50", Check("verified", "good"), needs_review=True)
REPORT = Report(
    job_id="ext-1",
    status="COMPLETED",
    created_at="2026-11-28T18:00:00Z",
    version="0.0.0",
    document="invoice.pdf",
    facts=[("Pages", "2")],
    counts=[("Values", 1), ("Broken sums", 0)],
    findings=[ReportFinding("confidence", "totals.net", value="1234.5", reason="0.41")],
    unchecked=["the job shows no data_schema"],
    figures=[Figure("Page 3", b"\x89PNG", "image/png", 10, 20, [VALUE], [1])],
    values=[VALUE],
    num_values=1,
    num_findings=1,
    export_command="llx-mcp export ext-1 --output values.csv",
)
HOSTILE = '</td></tr><script>alert("1")</script><img src=x onerror=alert(2)>\x00\x1b[2J\u202e javascript:alert(3)'


class Page(HTMLParser):
    """The elements and the text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "wbr", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag == name]


def parse(report: Report) -> Page:
    page = Page(render_report(report))
    assert page.open == []
    return page


def test_report_says_all_that_is_known_of_a_value() -> None:
    text = parse(REPORT).text
    for part in ("invoice.pdf", "ext-1", "COMPLETED", "totals.net", "1234.5", "0.41", "Net 1,234.50", "verified"):
        assert part in text
    assert "totals.net = 1234.5 · confidence 0.41" in text
    assert "1 value. The review found 1 group of values to check." in text
    assert "the job shows no data_schema" in text


def test_kinds_of_findings_are_named_and_explained() -> None:
    findings = [ReportFinding(kind, "a") for kind in ("sum", "ambiguous", "new_kind")]
    text = parse(replace(REPORT, counts=[], findings=findings, num_findings=3)).text
    assert text.count("Broken sum") == text.count("Ambiguous citation") == 2
    assert "A total, a product or a balance differs from what the other values give." in text
    assert "new_kind" in text
    assert "No citation" not in text


def test_report_loads_and_runs_nothing() -> None:
    page = parse(REPORT)
    policies = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policies == [
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    ]
    assert not page.all("script")
    assert not page.all("link")
    assert [image["src"] for image in page.all("img")] == ["data:image/png;base64,iVBORw=="]
    assert all((link["href"] or "").startswith("#") for link in page.all("a"))
    assert "url(" not in render_report(REPORT)


def test_hostile_text_is_shown_and_does_nothing() -> None:
    value = ReportValue(f"a.{HOSTILE}", HOSTILE, 0.1, 1, HOSTILE, Check("not on the page", "bad", HOSTILE))
    hostile = Report(
        job_id=HOSTILE,
        status=HOSTILE,
        created_at="now",
        version="1",
        document=HOSTILE,
        facts=[("Tier", HOSTILE)],
        findings=[ReportFinding("quote", HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE)],
        unchecked=[HOSTILE],
        figures=[Figure(HOSTILE, b"", "image/png", 1, 1, [value], [1], HOSTILE)],
        values=[value],
        num_values=1,
        num_findings=1,
        export_command=HOSTILE,
        notes=[HOSTILE],
        error=HOSTILE,
    )
    page, plain = parse(hostile), parse(REPORT)
    assert {tag for tag, _ in page.elements} - {"li", "ul"} <= {tag for tag, _ in plain.elements}
    assert all(not name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert len(page.all("img")) == 1
    html = render_report(hostile)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u202e]", html)
    assert r"\u202e" in page.text
    assert r"\u001b[2J" in page.text


def test_large_result_is_bounded_and_says_what_is_left_out() -> None:
    values = [ReportValue(f"items[{index}].name", "x" * 5_000) for index in range(MAX_VALUES + 7)]
    findings = [ReportFinding("quote", f"items[{index}]") for index in range(MAX_FINDINGS + 3)]
    large = replace(REPORT, values=values, num_values=20_000, findings=findings, num_findings=len(findings))
    html = render_report(large)
    assert len(html) < 10_000_000
    assert "15,000 further values left out. To write all values to a file: <code>llx-mcp export ext-1" in html
    assert "3 further groups of findings left out." in html
    assert "x… [4,000 more characters]" in html


def test_values_are_in_one_table_for_each_field() -> None:
    paths = ["number", "items[0].a", "total", "items[1].a", "seller.name", "[0].b", "['a.b'].c"]
    report = replace(REPORT, values=[ReportValue(path, 1) for path in paths], num_values=len(paths))
    captions = re.findall(r"<caption><h3>(?:<bdi>)?([^<]*)(?:</bdi>)?</h3>([^<]*)</caption>", render_report(report))
    assert captions == [
        ("Values", "3 values"),
        ("items", "2 values"),
        ("seller", "1 value"),
        ("[&#x27;a.b&#x27;]", "1 value"),
    ]


def test_path_can_be_wrapped_before_its_steps_and_within_long_ones() -> None:
    path = "cash_flow.commercial_paper_outstanding[1].scale"
    html = render_report(replace(REPORT, values=[ReportValue(path, 1)]))
    assert "cash_flow<wbr>.commercial_<wbr>paper_<wbr>outstanding<wbr>[1]<wbr>.scale" in html


def test_report_is_accessible() -> None:
    page = parse(REPORT)
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == 1
    assert all(image["alt"] and image["width"] and image["height"] for image in page.all("img"))
    assert all(header.get("scope") in ("col", "row") for header in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    names = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    assert {(link["href"] or "").removeprefix("#") for link in page.all("a")} <= names


def _luminance(color: str) -> float:
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(first: str, second: str) -> float:
    low, high = sorted((_luminance(first), _luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_colours_have_the_contrast_that_text_needs() -> None:
    style = re.search(r"<style>(.*?)</style>", render_report(REPORT), re.DOTALL)
    assert style is not None
    schemes = [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block)) for block in style[1].split(":root {")[1:]]
    assert len(schemes) == 3
    for scheme in schemes:
        for ground in ("ground", "raised"):
            assert all(
                _contrast(scheme[name], scheme[ground]) >= 4.5 for name in ("text", "muted", "accent", "warning")
            )
        for tone in ("good", "warning", "bad", "plain"):
            assert _contrast(scheme[tone], scheme[f"{tone}-ground"]) >= 4.5


def test_job_without_values_says_so() -> None:
    report = Report("ext-1", "FAILED", "now", "1", error="The file is empty")
    text = parse(report).text
    assert "The job has no values." in text
    assert "Reason given by the service: The file is empty" in text
    assert "All values" not in text


def test_every_tone_has_a_symbol() -> None:
    symbols: dict[str, Any] = report_html._SYMBOLS
    assert set(symbols) == {"good", "warning", "bad", "plain"}
