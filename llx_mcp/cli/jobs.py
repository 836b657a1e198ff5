"""Prints jobs, lists of jobs and checks, and writes exports. Progress goes to stderr."""

import sys
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llx_mcp.answers.budget import Answer
from llx_mcp.answers.header import build_header, describe_no_result
from llx_mcp.answers.output_base import Output
from llx_mcp.answers.outputs import JobListOutput, JobOutput, WaitOutput
from llx_mcp.answers.plurals import format_count
from llx_mcp.answers.requests import JobListRequest, JobRequest, WaitRequest
from llx_mcp.cli.files import check_target, replace_file
from llx_mcp.cli.setup import CommandSetup, open_store
from llx_mcp.cli.waiting_line import WaitingLine, run_waiting
from llx_mcp.cli.wording import describe_error, describe_next_step, print_error, render_for_people
from llx_mcp.errors import ArgumentError, LlxError
from llx_mcp.jobs.clock import SystemClock
from llx_mcp.jobs.progress import WaitProgress, describe_progress
from llx_mcp.jobs.reader import JobReader, open_reader
from llx_mcp.redaction import map_strings
from llx_mcp.result.sanitize import dump_json
from llx_mcp.settings import Settings

if TYPE_CHECKING:
    from llx_mcp.result.document import Document


def open_command_reader(setup: CommandSetup) -> AbstractAsyncContextManager[JobReader]:
    """Open a reader of the jobs that the flags choose."""
    return open_reader(setup.open_source, SystemClock(), setup.reader_options)


def print_job(setup: CommandSetup, request: JobRequest, *, timeout_seconds: float | None, as_json: bool) -> str:
    """Print a job, and return its status.

    Args:
        setup: where jobs come from.
        request: the job, and what to show of it.
        timeout_seconds: how long to wait until the job has finished; None does not wait.
        as_json: print the structured form.

    Raises:
        LlxError: the job cannot be read.
    """

    async def run(line: WaitingLine) -> Answer:
        async with open_command_reader(setup) as reader:
            if timeout_seconds is None:
                return await reader.get(request)
            return await _wait(reader, setup, request, timeout_seconds, line)

    answer = run_waiting(run)
    _print(setup, answer, JobOutput if timeout_seconds is None else WaitOutput, as_json=as_json)
    return str(answer.structured["status"])


async def _wait(
    reader: JobReader, setup: CommandSetup, request: JobRequest, timeout_seconds: float, line: WaitingLine
) -> Answer:
    redactor = setup.redactor

    async def show(progress: WaitProgress) -> None:
        line.update(redactor.redact(describe_progress(progress)))

    wait_request = WaitRequest(
        (request.job_id,), expand=request.expand, max_chars=request.max_chars, scope=request.scope, is_many=False
    )
    return await reader.wait(wait_request, timeout_seconds, show)


def print_job_list(setup: CommandSetup, request: JobListRequest, cursor: str | None, *, as_json: bool) -> None:
    """Print the jobs that the key can see.

    Args:
        setup: where jobs come from.
        request: the filters.
        cursor: the cursor of the previous list, or None.
        as_json: print the structured form.

    Raises:
        LlxError: the list cannot be read, or a filter or the cursor is not valid.
    """

    async def run(_: WaitingLine) -> Answer:
        async with open_command_reader(setup) as reader:
            return await reader.list(request, cursor)

    _print(setup, run_waiting(run), JobListOutput, as_json=as_json)


def _print(setup: CommandSetup, answer: Answer, output_type: type[Output], *, as_json: bool) -> None:
    """Print the structured form as JSON, or else tables on a terminal, or else the text form; without the key."""
    # Before it is rendered: in a table, the key may be wrapped.
    structured = redact_answer(setup, answer)
    if as_json:
        print(dump_json(structured))
        return
    output = output_type.model_validate(structured)
    if not sys.stdout.isatty():
        print(render_for_people(output, setup.source_flags), end="")
        return
    from rich.console import Console

    from llx_mcp.cli.tables import show_answer

    show_answer(Console(highlight=False), output, setup.source_flags)


def redact_answer(setup: CommandSetup, answer: Answer) -> dict[str, Any]:
    """Return the structured form of an answer without the key."""
    redacted: dict[str, Any] = map_strings(answer.structured, setup.redactor.redact)
    return redacted


def export_values(
    setup: CommandSetup, request: JobRequest, path: str, format_name: str, output: Path | None, *, provenance: bool
) -> None:
    """Write the values at a path to a file or to standard output.

    Args:
        setup: where jobs come from.
        request: the job.
        path: the values to write.
        format_name: one of `options.EXPORT_FORMATS`.
        output: the file, which is replaced only when the export is complete; None for standard output.
        provenance: add confidence, page and quote to each value.

    Raises:
        LlxError: the job cannot be read or has no result, the path is not valid, or the format needs a library that is
            not installed.
        OSError: the file cannot be written.
    """
    from llx_mcp.cli.export_formats import check_format, export

    check_format(format_name)
    if output is not None:
        check_target(output)
    document = run_waiting(lambda _: _fetch_document(setup, request))
    if output is None:
        exported = export(document, path, format_name, sys.stdout.buffer, provenance=provenance)
        sys.stdout.buffer.flush()
        _print_notes(exported.notes)
        return
    with replace_file(output) as target:
        exported = export(document, path, format_name, target, provenance=provenance)
    print(f"{format_count(exported.num_records, 'record')} of {request.job_id} in {output}", file=sys.stderr)
    _print_notes(exported.notes)


def _print_notes(notes: list[str]) -> None:
    for note in notes:
        print_error(note)


async def _fetch_document(setup: CommandSetup, request: JobRequest) -> "Document":
    from llx_mcp.result.sections import JobSections

    async with open_command_reader(setup) as reader:
        job = await reader.fetch(request)
    if not job.has_result:
        header = build_header(job, request, now=datetime.now(UTC))
        raise ArgumentError(describe_no_result(header, partial(describe_next_step, source=setup.source_flags)))
    return JobSections(job.sections).document


def check_cloud(settings: Settings) -> bool:
    """Print one line each about key, region and service; return whether jobs can be read."""
    print(f"key      {'set' if settings.api_key else 'not set: set LLAMA_CLOUD_API_KEY, or use --local'}")
    print(f"region   {settings.region_in_words} ({settings.base_url})")
    if not settings.api_key:
        print("service  not checked, since there is no key")
        return False
    try:
        run_waiting(lambda _: _check_service(settings))
    except LlxError as exc:
        print(f"service  {settings.build_redactor().redact(describe_error(exc))}")
        return False
    print("service  reached; the key is accepted")
    return True


def check_local(path: Path | None) -> None:
    """Print one line each about key, region and service for the embedded API.

    Raises:
        ConfigurationError: the database file cannot be opened.
    """
    with open_store(path) as store:
        print("key      none needed")
        print("region   the embedded API, inside this process")
        print(f"service  {format_count(store.count(), 'job')} in {path or 'memory (the samples)'}")


async def _check_service(settings: Settings) -> None:
    from llx_mcp.llamacloud import open_client

    async with open_client(settings) as client:
        await client.check()
