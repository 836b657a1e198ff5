"""The demonstration fits one screen and ends in a summary; `--full` prints every answer."""

import re

import pytest

from llx_mcp.cli.demo import Step, StepResult, build_summary, find_gist
from llx_mcp.local import SAMPLE_RUNNING_ID
from tests.cli.command import run_command

SUMMARY_LABELS = ["Summary", "Waiting", "Reading", "Characters", "Largest", "Next", "", "", ""]
TOOLS = [
    "wait_for_extract_job",
    "get_extract_job",
    "find_in_extract_result",
    "query_extract_result",
    "read_extract_result",
    "review_extract_job",
]


def read_labels(lines: list[str]) -> list[str]:
    """Return the first column of each line of a summary."""
    return [line[:12].rstrip() for line in lines]


def test_demo_fits_one_screen_and_ends_in_a_summary() -> None:
    lines = run_command("demo").stdout.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 100
    assert [line.partition("(")[0] for line in lines[3:9]] == TOOLS
    assert "NL-2026-0417" in lines[3]
    assert "closing_balance = 24149.28 [p. 40" in lines[5]
    # The query finds the largest payment, and the next call shows what the document says of that same value.
    assert '"transactions[773]" | "2026-04-27" | -708.83 | 26' in lines[6]
    assert '{"page":26,"quote":"27 Apr 2026' in lines[7]
    assert lines[9] == ""
    assert read_labels(lines[10:]) == SUMMARY_LABELS
    assert "6 calls of 6 tools" in lines[10]
    assert "0 failed" in lines[10]
    assert "COMPLETED" in lines[11]
    assert "5,771 values" in lines[12]


def test_full_demo_prints_every_answer_and_the_same_summary() -> None:
    output = run_command("demo", "--full").stdout
    assert output.count("\n> ") == len(TOOLS)
    assert f'job_id="{SAMPLE_RUNNING_ID}"' in output
    # Which statuses a wait sees depends on the machine, so only the existence of progress is asserted.
    assert "\n  … " in output
    assert "NL-2026-0417" in output
    sizes = re.findall(r"\[([\d,]+) characters as text; ([\d,]+) as structured content\]", output)
    num_text_chars, num_structured_chars = (
        sum(int(size.replace(",", "")) for size in column) for column in zip(*sizes, strict=True)
    )
    lines = output.splitlines()[-len(SUMMARY_LABELS) :]
    assert read_labels(lines) == SUMMARY_LABELS
    assert lines[3] == (f"Characters  {num_text_chars:,} as text, {num_structured_chars:,} as structured content.")


def test_summary_counts_what_the_run_measured() -> None:
    def build_result(tool: str, num_chars: int, **values: object) -> StepResult:
        return StepResult(Step(tool, {}, ""), "x" * num_chars, num_chars + 1, **values)  # type: ignore[arg-type] # fields of any type

    results = [
        build_result("wait_for_extract_job", 10, seconds=4.0, status="COMPLETED", progress=["a", "b"]),
        build_result("get_extract_job", 1_500, seconds=1.0, num_values=1_200),
        build_result("get_extract_job", 20, is_error=True),
    ]
    assert build_summary(results)[:5] == [
        "Summary     3 calls of 2 tools in 5.0 s; 1 failed.",
        "Waiting     4.0 s in one call, 2 progress messages; status COMPLETED.",
        "Reading     2 calls about a bank statement of 1,200 values in 1.0 s.",
        "Characters  1,530 as text, 1,533 as structured content.",
        "Largest     1,500 as text, 1,501 as structured content: get_extract_job.",
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
