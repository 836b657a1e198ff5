"""The command `llx-mcp`: serves the tools, and gives people the same answers."""

import argparse
import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from llx_mcp import __version__
from llx_mcp.cli.local import add_local
from llx_mcp.cli.options import (
    EXIT_COMPLETED,
    EXIT_ERROR,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_TIMEOUT,
    Commands,
    add_command,
    add_source,
    describe_error,
    is_local,
    parse_port,
    parse_seconds,
    set_up,
    set_up_settings,
)
from llx_mcp.errors import ArgumentError, LlxError

_STATUSES = ("PENDING", "THROTTLED", "RUNNING", "COMPLETED", "FAILED", "CANCELLED")
_SECTIONS = ("configuration", "extract_metadata", "usage", "metadata")
_EXAMPLE_ID = "ext-sample0invoice00000000000000"


def main(argv: list[str] | None = None) -> NoReturn:
    """Run one command, and exit with its status."""
    arguments = build_parser().parse_args(argv)
    run: Callable[[argparse.Namespace], int] = arguments.run
    try:
        status = run(arguments)
    except (LlxError, OSError) as exc:
        print(f"llx-mcp: {describe_error(exc)}", file=sys.stderr)
        status = EXIT_ERROR
    except KeyboardInterrupt:
        print("llx-mcp: stopped; jobs are left as they are.", file=sys.stderr)
        status = EXIT_INTERRUPTED
    sys.exit(status)


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="llx-mcp",
        description="Read LlamaExtract jobs: an MCP server for language models, and the same answers for people.",
        epilog="The key is read from LLAMA_CLOUD_API_KEY. With --local, neither a key nor an account is needed.",
    )
    parser.add_argument("--version", action="version", version=f"llx-mcp {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_serve(commands)
    _add_get(commands)
    _add_wait(commands)
    _add_list(commands)
    _add_export(commands)
    _add_check(commands)
    _add_demo(commands)
    add_local(commands)
    return parser


def _add_serve(commands: Commands) -> None:
    serve = add_command(
        commands,
        "serve",
        "serve the tools over stdio, or over HTTP on this machine",
        details="An MCP client starts this command by itself.",
        example="llx-mcp serve --local",
    )
    serve.add_argument("--http", action="store_true", help="serve streamable HTTP on 127.0.0.1 instead of stdio")
    serve.add_argument("--port", type=parse_port, default=8000, help="port for --http (default: %(default)s)")
    add_source(serve)
    serve.set_defaults(run=_run_serve)


def _add_get(commands: Commands) -> None:
    get = add_command(
        commands,
        "get",
        "print a job as a model sees it",
        details="It does not wait: a job that has not finished is printed with its status.",
        example=f"llx-mcp get {_EXAMPLE_ID} --local",
    )
    get.add_argument("job_id", metavar="ID", help="id of the extract job")
    _add_output(get)
    _add_expand(get)
    add_source(get)
    get.set_defaults(run=_run_get)


def _add_wait(commands: Commands) -> None:
    wait = add_command(
        commands,
        "wait",
        "wait until jobs have finished, then print a single job, or list several",
        details="Exit status: 0 all completed, 1 one failed or was cancelled, 2 error, 3 one is still running at the "
        "timeout. Interrupting the wait does not affect the jobs.",
        example=f"llx-mcp wait {_EXAMPLE_ID} --local --timeout 600",
    )
    wait.add_argument(
        "--timeout", type=parse_seconds, default=3600.0, metavar="SECONDS", help="longest wait (default: %(default)g)"
    )
    wait.add_argument("job_ids", nargs="+", metavar="ID", help="ids of extract jobs, at most 100")
    _add_output(wait)
    _add_expand(wait)
    add_source(wait)
    wait.set_defaults(run=_run_wait)


def _add_list(commands: Commands) -> None:
    jobs = add_command(
        commands,
        "list",
        "list the jobs that the key can see, newest first",
        details="A job is listed if it passes every filter.",
        example="llx-mcp list --local --status completed --since 2026-01-01",
    )
    jobs.add_argument("--status", type=str.upper, choices=_STATUSES, help="filter by status")
    jobs.add_argument("--document", metavar="NAME", help="filter by the document's id, or by part of its file name")
    jobs.add_argument("--configuration-id", metavar="ID", help="filter by saved configuration (cfg-…)")
    jobs.add_argument("--since", metavar="TIME", help="created at or after: ISO 8601, UTC without an offset")
    jobs.add_argument("--until", metavar="TIME", help="created at or before; a date includes the whole day")
    jobs.add_argument("--cursor", help="cursor from the previous list, to go on with older jobs")
    _add_output(jobs)
    add_source(jobs)
    jobs.set_defaults(run=_run_list)


def _add_export(commands: Commands) -> None:
    export = add_command(
        commands,
        "export",
        "write a result, or part of it, to a file",
        details="The suffix of the file sets the format unless --format is given. Without --output, the command "
        "writes to standard output. If the path leads to one list, each element is a record. parquet and xlsx need "
        "pip install 'llx-mcp[export]'. Cells of csv and xlsx files are never formulas.",
        example=f"llx-mcp export {_EXAMPLE_ID} --local --path line_items --output items.csv",
    )
    export.add_argument("job_id", metavar="ID", help="id of the extract job")
    export.add_argument("--format", choices=("json", "jsonl", "csv", "parquet", "xlsx"), help="default: json")
    export.add_argument("--path", default="$", metavar="PATH", help="what to write, such as line_items (default: all)")
    export.add_argument("--provenance", action="store_true", help="add confidence, page and quote to each value")
    export.add_argument("--output", type=Path, metavar="FILE", help="file to write; an existing file is replaced")
    add_source(export)
    export.set_defaults(run=_run_export)


def _add_check(commands: Commands) -> None:
    check = add_command(
        commands,
        "check",
        "check that key, region and service work together",
        details="Exit status: 0 jobs can be read, 1 they cannot, 2 error.",
        example="llx-mcp check --region eu",
    )
    add_source(check)
    check.set_defaults(run=_run_check)


def _add_demo(commands: Commands) -> None:
    demo = add_command(
        commands,
        "demo",
        "show how a model reads a job, on the embedded API",
        details="It needs no account and no network, and ends with a summary.",
        example="llx-mcp demo --full",
    )
    demo.add_argument("--full", action="store_true", help="print every answer in full")
    demo.set_defaults(run=_run_demo)


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the structured form of the answer")
    parser.add_argument(
        "--max-chars", type=int, default=8_000, metavar="N", help="most characters of the answer (default: %(default)s)"
    )


def _add_expand(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--expand",
        action="append",
        choices=_SECTIONS,
        help="section to include; may be repeated (default: extract_metadata)",
    )


def _run_serve(arguments: argparse.Namespace) -> int:
    # Objects of the start-up are never freed, so collecting garbage now would waste time. The server enables it again.
    gc.disable()
    setup = set_up(arguments)
    log_level = setup.settings.log_level
    if arguments.http:
        from llx_mcp.server.http import serve_http

        serve_http(
            setup.open_source,
            redactor=setup.redactor,
            port=arguments.port,
            options=setup.reader_options,
            log_level=log_level,
        )
    else:
        from llx_mcp.server.run import serve_stdio

        serve_stdio(setup.open_source, redactor=setup.redactor, options=setup.reader_options, log_level=log_level)
    return 0


def _run_get(arguments: argparse.Namespace) -> int:
    _print_job(arguments, arguments.job_id, timeout_seconds=None)
    return 0


def _run_wait(arguments: argparse.Namespace) -> int:
    if len(arguments.job_ids) == 1:
        status = _print_job(arguments, arguments.job_ids[0], timeout_seconds=arguments.timeout)
        exit_statuses = {"COMPLETED": EXIT_COMPLETED, "FAILED": EXIT_FAILED, "CANCELLED": EXIT_FAILED}
        return exit_statuses.get(status, EXIT_TIMEOUT)
    from llx_mcp.cli.wait import wait_for_many

    return wait_for_many(
        set_up(arguments), arguments.job_ids, timeout_seconds=arguments.timeout, as_json=arguments.json
    )


def _print_job(arguments: argparse.Namespace, job_id: str, *, timeout_seconds: float | None) -> str:
    from llx_mcp.answers.requests import DEFAULT_EXPAND, JobRequest
    from llx_mcp.cli.jobs import print_job

    setup = set_up(arguments)
    _check_budget(arguments.max_chars)
    request = JobRequest(job_id, tuple(arguments.expand or DEFAULT_EXPAND), arguments.max_chars, setup.scope)
    return print_job(setup, request, timeout_seconds=timeout_seconds, as_json=arguments.json)


def _run_list(arguments: argparse.Namespace) -> int:
    from llx_mcp.answers.requests import JobListRequest
    from llx_mcp.cli.jobs import print_job_list

    setup = set_up(arguments)
    _check_budget(arguments.max_chars)
    request = JobListRequest(
        arguments.status,
        arguments.document,
        arguments.configuration_id,
        arguments.since,
        arguments.until,
        arguments.max_chars,
        setup.scope,
    )
    print_job_list(setup, request, arguments.cursor, as_json=arguments.json)
    return 0


def _check_budget(max_chars: int) -> None:
    from llx_mcp.answers.requests import MAX_CHARS, MIN_CHARS

    if not MIN_CHARS <= max_chars <= MAX_CHARS:
        raise ArgumentError(f"--max-chars takes a whole number from {MIN_CHARS:,} to {MAX_CHARS:,}.")


def _run_export(arguments: argparse.Namespace) -> int:
    from llx_mcp.answers.requests import JobRequest
    from llx_mcp.cli.export_formats import get_format_of_file
    from llx_mcp.cli.jobs import export_values

    setup = set_up(arguments)
    output: Path | None = arguments.output
    format_name = arguments.format or (get_format_of_file(output) if output else None) or "json"
    if output is None and format_name in ("parquet", "xlsx") and sys.stdout.isatty():
        raise ArgumentError(f"--format {format_name} is binary and not for a terminal. Give --output FILE.")
    request = JobRequest(arguments.job_id, scope=setup.scope)
    export_values(setup, request, arguments.path, format_name, output, provenance=arguments.provenance)
    return 0


def _run_check(arguments: argparse.Namespace) -> int:
    from llx_mcp.cli.jobs import check_cloud, check_local

    settings = set_up_settings(arguments)
    if is_local(arguments):
        check_local(arguments.local_db)
        return 0
    return 0 if check_cloud(settings) else EXIT_FAILED


def _run_demo(arguments: argparse.Namespace) -> int:
    from llx_mcp.cli.demo import run_demo

    return run_demo(is_full=arguments.full)
