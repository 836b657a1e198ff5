"""The same answers on a terminal: text, or JSON; progress on stderr."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from llx_mcp.answers.budget import Answer
from llx_mcp.answers.requests import JobListRequest, JobRequest, WaitRequest
from llx_mcp.errors import ArgumentError, LlxError, excerpt
from llx_mcp.jobs.clock import SystemClock
from llx_mcp.jobs.progress import WaitProgress, describe_progress
from llx_mcp.jobs.reader import JobReader, ReaderOptions, open_reader
from llx_mcp.jobs.source import OpenSource
from llx_mcp.result.sanitize import dump_json
from llx_mcp.settings import Settings

if TYPE_CHECKING:
    from llx_mcp.models import Job


def ask(
    source: OpenSource, question: JobRequest, *, timeout_seconds: float | None, as_json: bool, options: ReaderOptions
) -> str:
    """Print the answer about a job; returns its status.

    Args:
        source: where jobs come from.
        question: the job, and how much of it.
        timeout_seconds: how long to wait for its end; None looks once.
        as_json: print the structured form.
        options: how jobs are waited for.

    Raises:
        LlxError: there is no way to the job.
    """

    async def run() -> str:
        async with open_reader(source, SystemClock(), options) as reader:
            if timeout_seconds is None:
                answer = await reader.get(question)
            else:
                answer = await _wait(reader, question, timeout_seconds)
        _print(answer, as_json=as_json)
        return str(answer.structured["status"])

    return anyio.run(run)


def list_jobs(
    source: OpenSource, question: JobListRequest, cursor: str | None, *, as_json: bool, options: ReaderOptions
) -> None:
    """Print the jobs that the key sees.

    Raises:
        LlxError: there is no list, or a filter or the cursor cannot be used.
    """

    async def run() -> Answer:
        async with open_reader(source, SystemClock(), options) as reader:
            return await reader.list(question, cursor)

    _print(anyio.run(run), as_json=as_json)


def export(
    source: OpenSource,
    question: JobRequest,
    path: str,
    form: str,
    output: Path | None,
    *,
    provenance: bool,
    options: ReaderOptions,
) -> None:
    """Write the values at a path to a file, which is replaced only once it is whole, or to standard output.

    Raises:
        LlxError: there is no way to the job, it has no result, or the path or the format cannot be used.
        OSError: the file cannot be written.
    """
    from llx_mcp.cli.export_formats import export as write
    from llx_mcp.result.sections import JobSections

    async def fetch() -> "Job":
        async with open_reader(source, SystemClock(), options) as reader:
            return await reader.fetch(question)

    job = anyio.run(fetch)
    if not job.has_result:
        raise ArgumentError(f"The job is {excerpt(job.status, 24)} and has no result to export.")
    document = JobSections(job.sections).document
    if output is None:
        write(document, path, form, sys.stdout.buffer, provenance=provenance)
        sys.stdout.buffer.flush()
        return
    partial = output.with_name(f".{output.name}.partial")
    try:
        with partial.open("wb") as target:
            count = write(document, path, form, target, provenance=provenance)
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)
    print(f"{count} records of {question.job_id} in {output}", file=sys.stderr)


def _print(answer: Answer, *, as_json: bool) -> None:
    print(dump_json(answer.structured) if as_json else answer.text, end="\n" if as_json else "")


def check(settings: Settings, store: Path | None, *, local: bool) -> bool:
    """Print one line each on the key, the region and the service; returns whether jobs can be read."""
    if local:
        return _check_local(store)
    key = "set" if settings.api_key else "not set: set LLAMA_CLOUD_API_KEY, or use --local"
    print(f"key      {key}")
    print(f"region   {settings.region_in_words} ({settings.base_url})")
    if not settings.api_key:
        print("service  not asked, for want of a key")
        return False
    try:
        anyio.run(_check_service, settings)
    except LlxError as exc:
        print(f"service  {exc}")
        return False
    print("service  reached; the key is accepted")
    return True


def _check_local(path: Path | None) -> bool:
    from llx_mcp.backends import open_local_store

    store = open_local_store(path)
    try:
        print("key      none needed")
        print("region   the embedded API, inside this process")
        print(f"service  {store.count()} jobs in {path or 'memory (the samples)'}")
    finally:
        store.close()
    return True


async def _check_service(settings: Settings) -> None:
    from llx_mcp.llamacloud import open_client

    async with open_client(settings) as client:
        await client.check()


async def _wait(reader: JobReader, question: JobRequest, timeout_seconds: float) -> Answer:
    is_terminal = sys.stderr.isatty()

    async def show(progress: WaitProgress) -> None:
        words = describe_progress(progress)
        # One line that is written over on a terminal, and cleared before the answer; else a line a look.
        print(
            f"\r\033[K{words}" if is_terminal else words, end="" if is_terminal else "\n", file=sys.stderr, flush=True
        )

    try:
        asks = WaitRequest(
            (question.job_id,),
            expand=question.expand,
            max_chars=question.max_chars,
            scope=question.scope,
            is_many=False,
        )
        return await reader.wait(asks, timeout_seconds, show)
    finally:
        if is_terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
