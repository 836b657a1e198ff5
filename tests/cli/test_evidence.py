"""`llx-mcp show` writes pictures, `llx-mcp report` a report, and both say what they did."""

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.command import ID_BY_NAME, run_command

INVOICE, LAB_REPORT, FAILED = (ID_BY_NAME[name] for name in ("invoice", "lab_report", "failed_reason"))


def open_picture(path: Path) -> Image.Image:
    return Image.open(io.BytesIO(path.read_bytes()))


def test_picture_of_a_value_is_written_and_its_check_is_printed(tmp_path: Path) -> None:
    path = tmp_path / "page.png"
    run = run_command("show", INVOICE, "totals.gross", "--local", "-o", str(path))
    assert open_picture(path).format == "PNG"
    assert '1 | 0.963 | p. 2 | totals.gross = 51487.48 | "Total due 51,487.48" | verified' in run.stdout
    assert run.stderr == f"page 2, with value 1, in {path}\n"


def test_each_page_is_a_file_of_its_own_and_an_existing_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "page.PNG"
    path.write_bytes(b"old")
    run_command("show", INVOICE, "totals.gross", "purchase_order", "--local", "--output", str(path))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["page-2.PNG", "page.PNG"]
    assert open_picture(path).size != open_picture(tmp_path / "page-2.PNG").size


def test_picture_goes_to_standard_output_and_the_text_to_stderr() -> None:
    command = [sys.executable, "-m", "llx_mcp", "show", INVOICE, "totals.gross", "purchase_order", "--local", "-o", "-"]
    run = subprocess.run(command, capture_output=True, timeout=60, check=True)
    assert Image.open(io.BytesIO(run.stdout)).format == "PNG"
    assert b"totals.gross = 51487.48" in run.stderr
    assert b"only the first picture is written" in run.stderr


def test_width_and_whole_page_are_as_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "page.png"
    run_command("show", INVOICE, "totals.gross", "--local", "-o", str(path), "--max-width", "500", "--whole-page")
    assert open_picture(path).size == (500, 708)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("totals.gross", "-o", "page.jpg"), "--output page.jpg: pictures are PNG files. End the name with .png."),
        (
            ("totals.gross", "-o", "missing/page.png"),
            "--output missing/page.png: the folder missing does not exist. Create it",
        ),
        (("no_such_field", "-o", "page.png"), "llx-mcp: PATH no_such_field: no no_such_field in $."),
        (("totals.gross", "-o", "page.png", "--max-width", "10"), "give a whole number from 200 to 2,000"),
        (("totals.gross",), "required: -o/--output"),
    ],
)
def test_what_cannot_be_shown_is_an_error(
    arguments: tuple[str, ...], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = run_command("show", INVOICE, *arguments, "--local", exit_status=2)
    assert words in run.stderr
    assert list(tmp_path.iterdir()) == []


def test_job_without_a_picture_has_exit_status_1(tmp_path: Path) -> None:
    run = run_command("show", FAILED, "total", "--local", "-o", str(tmp_path / "page.png"), exit_status=1)
    assert run.stdout.startswith("**FAILED**")
    assert list(tmp_path.iterdir()) == []


def test_report_is_written_with_pictures(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_bytes(b"old")
    run = run_command("report", LAB_REPORT, "--local", "-o", str(path))
    html = path.read_text(encoding="utf-8")
    assert html.startswith("<!DOCTYPE html>")
    assert html.count("<figure>") == 1
    assert "<title>Extraction report: lab_report.pdf</title>" in html
    assert "checking the citations" in run.stderr
    assert run.stderr.endswith(f"report of {LAB_REPORT} with 1 picture in {path}\n")
    assert run.stdout == ""


def test_report_goes_to_standard_output_without_pictures() -> None:
    run = run_command("report", LAB_REPORT, "--local", "-o", "-", "--pictures", "0")
    assert run.stdout.startswith("<!DOCTYPE html>")
    assert "<figure>" not in run.stdout
    assert "more values deserve a look, without a picture here" in run.stdout


def test_threshold_decides_what_is_low() -> None:
    low, high = (
        run_command("report", LAB_REPORT, "--local", "-o", "-", "--pictures", "0", "--threshold", threshold).stdout
        for threshold in ("0.1", "0.95")
    )
    assert 'class="needs-review"' not in low
    assert high.count('class="needs-review"') > 50


def test_report_of_a_failed_job_says_why(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    run_command("report", FAILED, "--local", "-o", str(path))
    text = re.sub(r"<[^>]+>", "", path.read_text(encoding="utf-8"))
    assert "Reason given by the service: " in text
    assert "The job has no values." in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("ext-missing", "-o", "report.html"), 'No job "ext-missing"'),
        ((INVOICE, "-o", "report.html", "--threshold", "2"), "give a number from 0 to 1"),
        ((INVOICE, "-o", "report.html", "--pictures", "21"), "give a whole number from 0 to 20"),
        (
            (INVOICE, "-o", "missing/report.html"),
            "--output missing/report.html: the folder missing does not exist. Create it",
        ),
    ],
)
def test_report_that_cannot_be_made_is_an_error(
    arguments: tuple[str, ...], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = run_command("report", *arguments, "--local", exit_status=2)
    assert words in run.stderr
    assert list(tmp_path.iterdir()) == []
