"""The demonstration goes from a document to a picture of a citation, fits one screen, and ends in a summary."""

import re
from pathlib import Path

import pypdfium2
import pytest

from llx_mcp.cli.demo import Step, StepResult, build_summary, find_gist
from llx_mcp.local.samples import SAMPLES, read_document
from tests.cli.command import run_command

SUMMARY_LABELS = ["Summary", "Creating", "Waiting", "Reading", "Characters", "Picture", "Next", "", "", ""]
TOOLS = [
    "create_extract_job",
    "wait_for_extract_job",
    "find_in_extract_result",
    "query_extract_result",
    "read_extract_result",
    "review_extract_job",
    "show_citation",
]
PNG = b"\x89PNG\r\n"


def read_labels(lines: list[str]) -> list[str]:
    """Return the first column of each line of a summary."""
    return [line[:12].rstrip() for line in lines]


def test_demo_fits_one_screen_and_ends_in_a_summary(tmp_path: Path) -> None:
    lines = run_command("demo", "--output", str(tmp_path / "new")).stdout.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines[:10])) <= 100
    assert [line.partition("(")[0] for line in lines[3:10]] == TOOLS
    assert "Estimate: 2 pages · 16 credits" in lines[3]
    assert "NL-2026-0417" in lines[4]
    # The search finds the total, and the later calls show what the document says of that same value.
    assert "gross = 51487.48 [p. 2" in lines[5]
    assert '"line_items[17]" | "Spectrometer, bench model" | 9920' in lines[6]
    assert '"quote":"Total due 51,487.48","check":"verif' in lines[7]
    assert "totals.gross = 51487.48" in lines[9]
    assert lines[10] == ""
    assert read_labels(lines[11:]) == SUMMARY_LABELS
    assert "7 calls of 7 tools" in lines[11]
    assert "0 failed" in lines[11]
    assert re.search(r"ext-\w{28} from .*/new/invoice\.pdf", lines[12])
    assert "COMPLETED" in lines[13]
    assert "73 values" in lines[14]
    picture = (tmp_path / "new" / "citation.png").read_bytes()
    assert picture.startswith(PNG)
    assert f"{len(picture):,} bytes" in lines[16]
    assert (tmp_path / "new" / "invoice.pdf").read_bytes() == read_document(SAMPLES[0])
    assert len(pypdfium2.PdfDocument(tmp_path / "new" / "invoice.pdf")) == 2


def test_full_demo_prints_every_answer_and_the_same_summary(tmp_path: Path) -> None:
    output = run_command("demo", "--full", "--output", str(tmp_path)).stdout
    assert output.count("\n> ") == len(TOOLS)
    (job_id,) = set(re.findall(r'job_id="(ext-\w+)"', output))
    assert f"Creating    {job_id} from " in output
    # Which statuses a wait sees depends on the machine, so only the existence of progress is asserted.
    assert "\n  … " in output
    assert "NL-2026-0417" in output
    sizes = re.findall(r"\[([\d,]+) characters as text; ([\d,]+) as structured content\]", output)
    num_text_chars, num_structured_chars = (
        sum(int(size.replace(",", "")) for size in column) for column in zip(*sizes, strict=True)
    )
    lines = output.splitlines()[-len(SUMMARY_LABELS) :]
    assert read_labels(lines) == SUMMARY_LABELS
    assert lines[4].startswith(
        f"Characters  {num_text_chars:,} as text, {num_structured_chars:,} as structured content;"
    )


def test_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    run = run_command("demo", "--output", str(tmp_path / "file" / "demo"), exit_status=2)
    assert f"{tmp_path / 'file' / 'demo'}: Not a directory" in run.stderr


def test_summary_counts_what_the_run_measured() -> None:
    def build_result(tool: str, num_chars: int, **values: object) -> StepResult:
        return StepResult(Step(tool, {}, ""), "x" * num_chars, num_chars + 1, **values)  # type: ignore[arg-type] # fields of any type

    results = [
        build_result("create_extract_job", 20, job_id="ext-1", seconds=0.5),
        build_result("wait_for_extract_job", 10, seconds=4.0, status="COMPLETED", progress=["a", "b"]),
        build_result("get_extract_job", 1_500, seconds=1.0, num_values=1_200),
        build_result("get_extract_job", 20, is_error=True, picture=b"12345"),
    ]
    folder = Path("demo")
    assert build_summary(results, folder)[:6] == [
        "Summary     4 calls of 3 tools in 5.5 s; 1 failed.",
        f"Creating    ext-1 from {folder / 'invoice.pdf'} in 0.5 s.",
        "Waiting     4.0 s in one call, 2 progress messages; status COMPLETED.",
        "Reading     2 calls about an invoice of 1,200 values in 1.0 s.",
        "Characters  1,550 as text, 1,554 as structured content; most of get_extract_job.",
        f"Picture     {folder / 'citation.png'}: 5 bytes, the total where it stands in the document.",
    ]


@pytest.mark.parametrize(
    ("text", "highlight", "gist"),
    [
        ("**COMPLETED**\n```\n  a | 1\nb | 2\n", "b |", "b | 2"),
        ("**COMPLETED**\n\n# Rows\n6 rows.\n", "gone", "6 rows."),
        ("**COMPLETED**", "", "**COMPLETED**"),
        ("", "x", ""),
    ],
)
def test_gist_is_the_highlighted_line_or_the_first_plain_one(text: str, highlight: str, gist: str) -> None:
    assert find_gist(text, highlight) == gist
