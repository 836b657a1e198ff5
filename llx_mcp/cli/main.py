"""The command `llx-mcp`: serve the tools, and the same answers for people."""

import argparse
import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from llx_mcp import __version__
from llx_mcp.cli.local import add_local
from llx_mcp.cli.options import (
    EXIT_ERROR,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_TIMEOUT,
    add_connection,
    choose_source,
    is_local,
    parse_port,
    parse_seconds,
    read_scope,
    read_settings,
    start_logging,
    store_path,
)
from llx_mcp.errors import ArgumentError, LlxError

_STATUSES = ("PENDING", "THROTTLED", "RUNNING", "COMPLETED", "FAILED", "CANCELLED")
_SECTIONS = ("configuration", "extract_metadata", "usage", "metadata")


def main(argv: list[str] | None = None) -> NoReturn:
    """Run one command, and end the process with its exit status."""
    arguments = build_parser().parse_args(argv)
    run: Callable[[argparse.Namespace], int] = arguments.run
    try:
        status = run(arguments)
    except LlxError as exc:
        print(f"llx-mcp: {exc}", file=sys.stderr)
        status = EXIT_ERROR
    except OSError as exc:
        print(f"llx-mcp: {exc.strerror or exc}", file=sys.stderr)
        status = EXIT_ERROR
    except KeyboardInterrupt:
        print("llx-mcp: stopped; jobs are left as they are.", file=sys.stderr)
        status = EXIT_INTERRUPTED
    sys.exit(status)


def build_parser() -> argparse.ArgumentParser:
    """Every command with its options."""
    parser = argparse.ArgumentParser(
        prog="llx-mcp",
        description="Read LlamaExtract jobs: an MCP server for language models, and the same answers for people.",
        epilog="The key is read from LLAMA_CLOUD_API_KEY. With --local no key and no account are needed.",
    )
    parser.add_argument("--version", action="version", version=f"llx-mcp {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_serve(commands)
    _add_get(commands)
    _add_wait(commands)
    _add_list(commands)
    _add_export(commands)
    _add_check(commands)
    demo = commands.add_parser("demo", help="show the main job on the embedded API: no account, no network")
    demo.set_defaults(run=_demo)
    add_local(commands)
    return parser


def _add_serve(commands: Any) -> None:
    serve = commands.add_parser("serve", help="serve the tools over stdio, or over HTTP on this machine")
    serve.add_argument("--http", action="store_true", help="streamable HTTP on 127.0.0.1 instead of stdio")
    serve.add_argument("--port", type=parse_port, default=8000, help="port for --http (default: %(default)s)")
    add_connection(serve)
    serve.set_defaults(run=_serve)


def _add_get(commands: Any) -> None:
    get = commands.add_parser("get", help="print what a model sees of a job as it is now")
    get.add_argument("job_id", metavar="ID", help="id of the extract job")
    _add_answer(get)
    get.set_defaults(run=_get)


def _add_wait(commands: Any) -> None:
    wait = commands.add_parser(
        "wait",
        help="wait until jobs have ended; print a single one, list several",
        description="Exit status: 0 all completed, 1 one failed or was cancelled, 2 error, 3 one is still running at "
        "the timeout. Stopping it leaves the jobs as they are.",
    )
    wait.add_argument(
        "--timeout", type=parse_seconds, default=3600.0, metavar="SECONDS", help="longest wait (default: %(default)g)"
    )
    wait.add_argument("job_ids", nargs="+", metavar="ID", help="ids of extract jobs, at most 100")
    _add_answer(wait)
    wait.set_defaults(run=_wait)


def _add_list(commands: Any) -> None:
    show = commands.add_parser("list", help="list the jobs that the key sees, newest first")
    show.add_argument("--status", type=str.upper, choices=_STATUSES, help="in this state only")
    show.add_argument("--document", metavar="NAME", help="id of the document, or part of its file's name")
    show.add_argument("--configuration-id", metavar="ID", help="made with this saved configuration (cfg-…)")
    show.add_argument("--since", metavar="TIME", help="created from then on: ISO 8601, UTC where it has no offset")
    show.add_argument("--until", metavar="TIME", help="created until then; a date is its whole day")
    show.add_argument("--cursor", help="from the answer before, for older ones")
    show.add_argument("--json", action="store_true", help="print the structured form")
    show.add_argument("--max-chars", type=int, default=8_000, metavar="N", help="budget (default: %(default)s)")
    add_connection(show)
    show.set_defaults(run=_list)


def _add_export(commands: Any) -> None:
    export = commands.add_parser(
        "export",
        help="write a result, or part of it, to a file",
        description="The format is that of the file's name unless --format says otherwise; without --output it is "
        "written to standard output. A single list is written element by element. parquet and xlsx need "
        "pip install 'llx-mcp[export]'. In csv and xlsx no cell is a formula.",
    )
    export.add_argument("job_id", metavar="ID", help="id of the extract job")
    export.add_argument("--format", choices=("json", "jsonl", "csv", "parquet", "xlsx"), help="default: json")
    export.add_argument("--path", default="$", metavar="PATH", help="what to write, such as line_items (default: all)")
    export.add_argument("--provenance", action="store_true", help="add confidence, page and quote beside each value")
    export.add_argument("--output", type=Path, metavar="FILE", help="the file; an existing one is replaced")
    add_connection(export)
    export.set_defaults(run=_export)


def _add_check(commands: Any) -> None:
    check = commands.add_parser("check", help="say whether key, region and service work together")
    add_connection(check)
    check.set_defaults(run=_check)


def _add_answer(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the structured form")
    parser.add_argument("--max-chars", type=int, default=8_000, metavar="N", help="budget (default: %(default)s)")
    parser.add_argument(
        "--expand", action="append", choices=_SECTIONS, help="a section to show; may be repeated (extract_metadata)"
    )
    add_connection(parser)


def _serve(arguments: argparse.Namespace) -> int:
    # All that is imported now stays; the collector would go through it time and again for nothing.
    gc.disable()
    settings = read_settings(arguments)
    start_logging(settings)
    from llx_mcp.backends import build_reader_options
    from llx_mcp.server.http import serve_http
    from llx_mcp.server.run import serve_stdio

    source = choose_source(arguments, settings)
    options = build_reader_options(settings)
    if arguments.http:
        serve_http(source, port=arguments.port, options=options, log_level=settings.log_level)
    else:
        serve_stdio(source, options=options, log_level=settings.log_level)
    return 0


def _get(arguments: argparse.Namespace) -> int:
    return _ask(arguments, timeout_seconds=None)


def _wait(arguments: argparse.Namespace) -> int:
    if len(arguments.job_ids) == 1:
        (arguments.job_id,) = arguments.job_ids
        return _ask(arguments, timeout_seconds=arguments.timeout)
    from llx_mcp.backends import build_reader_options
    from llx_mcp.cli.wait import wait_for_many

    settings = read_settings(arguments)
    start_logging(settings)
    return wait_for_many(
        choose_source(arguments, settings),
        arguments.job_ids,
        timeout_seconds=arguments.timeout,
        as_json=arguments.json,
        scope=read_scope(arguments),
        options=build_reader_options(settings),
    )


def _list(arguments: argparse.Namespace) -> int:
    from llx_mcp.answers.requests import JobListRequest
    from llx_mcp.backends import build_reader_options
    from llx_mcp.cli.jobs import list_jobs

    settings = read_settings(arguments)
    start_logging(settings)
    _check_budget(arguments.max_chars)
    question = JobListRequest(
        arguments.status,
        arguments.document,
        arguments.configuration_id,
        arguments.since,
        arguments.until,
        arguments.max_chars,
        read_scope(arguments),
    )
    source = choose_source(arguments, settings)
    list_jobs(source, question, arguments.cursor, as_json=arguments.json, options=build_reader_options(settings))
    return 0


def _check_budget(max_chars: int) -> None:
    from llx_mcp.answers.requests import MAX_CHARS, MIN_CHARS

    if not MIN_CHARS <= max_chars <= MAX_CHARS:
        raise ArgumentError(f"--max-chars takes a whole number from {MIN_CHARS:,} to {MAX_CHARS:,}.")


def _ask(arguments: argparse.Namespace, timeout_seconds: float | None) -> int:
    from llx_mcp.answers.requests import DEFAULT_EXPAND, JobRequest
    from llx_mcp.backends import build_reader_options
    from llx_mcp.cli.jobs import ask

    settings = read_settings(arguments)
    start_logging(settings)
    _check_budget(arguments.max_chars)
    expand = tuple(arguments.expand or DEFAULT_EXPAND)
    question = JobRequest(arguments.job_id, expand, arguments.max_chars, read_scope(arguments))
    source = choose_source(arguments, settings)
    options = build_reader_options(settings)
    status = ask(source, question, timeout_seconds=timeout_seconds, as_json=arguments.json, options=options)
    if timeout_seconds is None:
        return 0
    return {"COMPLETED": 0, "FAILED": EXIT_FAILED, "CANCELLED": EXIT_FAILED}.get(status, EXIT_TIMEOUT)


def _export(arguments: argparse.Namespace) -> int:
    from llx_mcp.answers.requests import JobRequest
    from llx_mcp.backends import build_reader_options
    from llx_mcp.cli.export_formats import suffix_format
    from llx_mcp.cli.jobs import export

    settings = read_settings(arguments)
    start_logging(settings)
    output: Path | None = arguments.output
    form = arguments.format or (suffix_format(output) if output else None) or "json"
    if output is None and form in ("parquet", "xlsx") and sys.stdout.isatty():
        raise ArgumentError(f"--format {form} is not for a terminal: give --output FILE.")
    question = JobRequest(arguments.job_id, scope=read_scope(arguments))
    source = choose_source(arguments, settings)
    options = build_reader_options(settings)
    export(source, question, arguments.path, form, output, provenance=arguments.provenance, options=options)
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from llx_mcp.cli.jobs import check

    settings = read_settings(arguments)
    return 0 if check(settings, store_path(arguments), local=is_local(arguments)) else EXIT_FAILED


def _demo(_: argparse.Namespace) -> int:
    from llx_mcp.cli.demo import run_demo

    return run_demo()
