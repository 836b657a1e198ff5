"""The commands `llx-mcp show` and `report`: values where they stand in the document, and a report of a job."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from llx_mcp.answers.limits import DEFAULT_WIDTH, MAX_REPORT_PICTURES, MAX_WIDTH, MIN_WIDTH, REVIEW_THRESHOLD
from llx_mcp.cli.files import check_target, replace_file
from llx_mcp.cli.options import (
    EXAMPLE_JOB_ID,
    EXIT_COMPLETED,
    EXIT_FAILED,
    Command,
    add_source,
    parse_share,
    parse_whole,
)
from llx_mcp.cli.setup import CommandSetup, set_up
from llx_mcp.cli.wording import SHOW_WORDS
from llx_mcp.errors import ArgumentError

if TYPE_CHECKING:
    from llx_mcp.answers.requests import JobRequest
    from llx_mcp.cli.report_model import Report
    from llx_mcp.cli.waiting_line import WaitingLine
    from llx_mcp.jobs.citation_pictures import ShownValues

_STDOUT = Path("-")


def _add_show_flags(show: argparse.ArgumentParser) -> None:
    show.add_argument("job_id", metavar="ID", help="id of the extract job")
    show.add_argument("paths", nargs="+", metavar="PATH", help="path of a value, such as totals.gross")
    show.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="PNG file to write, - for standard output; an existing file is replaced",
    )
    show.add_argument(
        "--max-width",
        type=parse_whole(MIN_WIDTH, MAX_WIDTH),
        default=DEFAULT_WIDTH,
        metavar="N",
        help="most pixels in width (default: %(default)s)",
    )
    show.add_argument("--whole-page", action="store_true", help="show whole pages, not only what is around the words")
    add_source(show)


def _add_report_flags(report: argparse.ArgumentParser) -> None:
    report.add_argument("job_id", metavar="ID", help="id of the extract job")
    report.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="HTML file to write, - for standard output; an existing file is replaced",
    )
    report.add_argument(
        "--threshold",
        type=parse_share,
        default=REVIEW_THRESHOLD,
        metavar="N",
        help="a confidence below this is low, 0 to 1 (default: %(default)s)",
    )
    report.add_argument(
        "--pictures",
        type=parse_whole(0, MAX_REPORT_PICTURES),
        default=MAX_REPORT_PICTURES,
        metavar="N",
        help="most values to show on a picture of their page (default: %(default)s)",
    )
    add_source(report)


def _run_show(arguments: argparse.Namespace) -> int:
    from llx_mcp.answers.requests import CitationOptions, JobRequest
    from llx_mcp.cli.jobs import open_command_reader
    from llx_mcp.cli.waiting_line import run_waiting

    output: Path = arguments.output
    _check_picture_output(output)
    setup = set_up(arguments)
    request = JobRequest(arguments.job_id, scope=setup.scope)
    options = CitationOptions(tuple(arguments.paths), arguments.max_width, arguments.whole_page, png_only=True)

    async def run(_: "WaitingLine") -> "ShownValues":
        async with open_command_reader(setup) as reader:
            return await reader.citations.show(request, options)

    shown = run_waiting(run)
    _print_shown(setup, request, shown, to_stderr=output == _STDOUT)
    _write_pictures(shown, output)
    return EXIT_COMPLETED if shown.pages else EXIT_FAILED


def _check_picture_output(output: Path) -> None:
    if output == _STDOUT:
        if sys.stdout.isatty():
            raise ArgumentError("--output -: a picture is binary and not for a terminal. Give --output FILE.")
        return
    if output.suffix.lower() != ".png":
        raise ArgumentError(f"--output {output}: pictures are PNG files. End the name with .png.")
    check_target(output)


def _print_shown(setup: CommandSetup, request: "JobRequest", shown: "ShownValues", *, to_stderr: bool) -> None:
    from llx_mcp.answers.citation_outputs import CitationOutput
    from llx_mcp.cli.jobs import redact_answer
    from llx_mcp.cli.wording import render_for_people

    structured = redact_answer(setup, shown.build_answer(request))
    # The pictures are files here, which are named as they are written.
    structured.pop("pictures", None)
    text = render_for_people(CitationOutput.model_validate(structured), setup.source_flags)
    print(text, end="", file=sys.stderr if to_stderr else sys.stdout)


def _write_pictures(shown: "ShownValues", output: Path) -> None:
    """Write the first picture to the file, and further ones beside it."""
    from llx_mcp.jobs.citation_pictures import name_values

    for number, page in enumerate(shown.pages, start=1):
        if output == _STDOUT:
            if number > 1:
                print("llx-mcp: only the first picture is written; give --output FILE for all.", file=sys.stderr)
                break
            sys.stdout.buffer.write(page.picture.content)
            continue
        path = output if number == 1 else output.with_stem(f"{output.stem}-{number}")
        with replace_file(path) as target:
            target.write(page.picture.content)
        print(f"page {page.page}, with {name_values(page.numbers)}, in {path}", file=sys.stderr)


def _run_report(arguments: argparse.Namespace) -> int:
    from llx_mcp.answers.plurals import format_count
    from llx_mcp.answers.requests import JobRequest
    from llx_mcp.cli.report_html import render_report
    from llx_mcp.cli.waiting_line import run_waiting

    output: Path = arguments.output
    if output != _STDOUT:
        check_target(output)
    setup = set_up(arguments)
    request = JobRequest(arguments.job_id, scope=setup.scope)
    report = run_waiting(lambda line: _build_report(setup, request, arguments, line))
    html = setup.redactor.redact(render_report(report)).encode("utf-8", errors="replace")
    if output == _STDOUT:
        sys.stdout.buffer.write(html)
        return EXIT_COMPLETED
    with replace_file(output) as target:
        target.write(html)
    pictures = format_count(len(report.figures), "picture")
    print(f"report of {request.job_id} with {pictures} in {output}", file=sys.stderr)
    return EXIT_COMPLETED


async def _build_report(
    setup: CommandSetup, request: "JobRequest", arguments: argparse.Namespace, line: "WaitingLine"
) -> "Report":
    from llx_mcp.cli.jobs import open_command_reader
    from llx_mcp.cli.report import ReportOptions, build_report

    options = ReportOptions(arguments.threshold, arguments.pictures, setup.source_flags)
    async with open_command_reader(setup) as reader:
        return await build_report(reader, request, options, line.update)


EVIDENCE = (
    Command(
        "show",
        "write a picture of the page that a value is cited from",
        details="The cited words are outlined. The value, its quote and the check of the citation are printed. Several "
        "pages are written to FILE, FILE-2, and so on. Exit status: 0 a picture was written, 1 there is none, 2 error.",
        example=f"llx-mcp show {EXAMPLE_JOB_ID} totals.gross --local -o page.png",
        add_flags=_add_show_flags,
        run=_run_show,
        words=SHOW_WORDS,
    ),
    Command(
        "report",
        "write a report of a job as one HTML file",
        details="The report has all values with confidence, page, quote and check, what the review found, and pictures "
        "of what deserves a look. It loads nothing and runs nothing, and it can be printed.",
        example=f"llx-mcp report {EXAMPLE_JOB_ID} --local -o report.html",
        add_flags=_add_report_flags,
        run=_run_report,
    ),
)
