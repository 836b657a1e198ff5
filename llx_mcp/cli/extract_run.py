"""Runs `llx-mcp extract`: shows the estimate, asks, creates, waits, and writes the results."""

import math
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from llx_mcp.answers.plurals import format_count
from llx_mcp.cli.extract_cost import describe_cost, list_new_plans
from llx_mcp.cli.extract_files import FileExtractor, FileState
from llx_mcp.cli.extract_progress import describe_states, open_display
from llx_mcp.cli.extract_results import Output, ResultWriter
from llx_mcp.cli.job_rows import Row, get_exit_status, print_rows
from llx_mcp.cli.options import EXIT_ERROR, EXIT_INTERRUPTED
from llx_mcp.cli.setup import CommandSetup
from llx_mcp.cli.waiting_line import WaitingLine, run_waiting
from llx_mcp.cli.wording import print_error
from llx_mcp.errors import ArgumentError
from llx_mcp.jobs.clock import SystemClock
from llx_mcp.jobs.creation_options import CreationOptions
from llx_mcp.jobs.creation_plan import CreationRequest
from llx_mcp.jobs.reader import JobReader, open_reader
from llx_mcp.jobs.reader_options import ReaderOptions


def extract(
    setup: CommandSetup,
    request: CreationRequest,
    files: Sequence[str],
    output: Output,
    *,
    timeout_seconds: float,
    must_ask: bool,
    allows_damaged: bool,
) -> int:
    """Extract files, and return the exit status.

    Args:
        setup: where jobs are created.
        request: what to extract, without a document.
        files: the documents.
        output: where the results go.
        timeout_seconds: the longest wait once the jobs are created.
        must_ask: whether the person has to agree to the cost first.
        allows_damaged: create jobs also for PDFs that cannot be opened here.

    Raises:
        LlxError: nothing can be created; the message says why.
        OSError: a result cannot be written.
    """
    output.check(files)
    options = build_options(setup.reader_options, setup.settings.max_pages)
    extractors: list[FileExtractor] = []

    async def run(line: WaitingLine) -> tuple[int, list[Row]]:
        async with open_reader(setup.open_source, SystemClock(), options) as reader:
            display = open_display(reader, setup.redactor, line)
            extractor = FileExtractor(
                reader,
                request,
                files,
                lambda seconds: display.show(extractor.states, seconds),
                allows_damaged=allows_damaged,
            )
            extractors.append(extractor)
            with display:
                await extractor.prepare()
                if must_ask:
                    await extractor.plan()
            refusal = _ask(extractor.states) if must_ask else None
            if refusal is not None:
                print_error("nothing was uploaded or created.")
                return refusal, []
            with display:
                await extract_with(reader, extractor, output, request, timeout_seconds)
            statuses = {state.status for state in extractor.states}
            return get_exit_status(statuses), describe_states(extractor.states, reader, setup.redactor)

    try:
        exit_status, rows = run_waiting(run)
    except KeyboardInterrupt:
        _explain_interruption(extractors, setup)
        return EXIT_INTERRUPTED
    if output.folder is not None:
        print_rows(rows, sys.stdout)
    elif sys.stderr.isatty():
        # The live table is gone; elsewhere there are lines that say the same.
        print_rows(rows, sys.stderr)
    return exit_status


async def extract_with(
    reader: JobReader, extractor: FileExtractor, output: Output, request: CreationRequest, timeout_seconds: float
) -> None:
    """Create the jobs that were planned, wait for them, and write each result as soon as its job has ended."""
    await extractor.create()
    writer = ResultWriter(reader, output, request.scope)
    await extractor.wait(timeout_seconds, writer.write)
    writer.finish(extractor.states)


def build_options(options: ReaderOptions, max_pages: int | None) -> ReaderOptions:
    """Return the options of a reader for a person who may read any file and waits as long as it takes."""
    # A relative path begins in the first folder.
    folders = (Path.cwd(), Path(Path.cwd().anchor))
    creation = CreationOptions(frozenset({"create"}), folders, max_pages)
    # With many files, one request may wait long for its turn within the rate limit.
    return replace(options, creation=creation, call_seconds=math.inf)


def _ask(states: Sequence[FileState]) -> int | None:
    """Ask the person to agree to what the jobs cost; where none is new, there is nothing to ask.

    Returns:
        The exit status of a refusal; None if the person agrees.

    Raises:
        ArgumentError: there is no terminal.
    """
    num_new = len(list_new_plans(states))
    if not num_new:
        return None
    cost = describe_cost(states)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ArgumentError(
            f"--yes: jobs cost credits, and there is no terminal on which to ask. Nothing was uploaded. {cost} Add "
            "--yes to agree."
        )
    question = f"{cost}\nCreate {format_count(num_new, 'job')}? [y/N] "
    try:
        with _interruptible():
            print(question, end="", file=sys.stderr, flush=True)
            return None if sys.stdin.readline().strip().lower() in ("y", "yes") else EXIT_ERROR
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return EXIT_INTERRUPTED


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C interrupt the reading of a line: the event loop would only note it."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def _explain_interruption(extractors: Sequence[FileExtractor], setup: CommandSetup) -> None:
    if setup.source_flags == ("--local",):
        print_error("stopped. The embedded API keeps jobs only with --local-db.")
        return
    states = [state for extractor in extractors for state in extractor.states]
    num_jobs = len({state.job_id for state in states if state.job_id})
    # A request that was on its way may have created one more.
    at_least = "at least " if any(state.job_id is None and state.error is None for state in states) else ""
    left = f"{at_least}{num_jobs} {'job goes' if num_jobs == 1 else 'jobs go'} on" if num_jobs else "no job is known"
    print_error(
        f"stopped; {left}. The same command again, without --again, finds the documents and jobs that exist, creates "
        "the rest and waits for all."
    )
