"""The commands `llx-mcp serve`, `get`, `wait`, `list`, `export`, `check` and `demo`; `evidence` has two more."""

import argparse
import gc
import sys
from dataclasses import replace
from pathlib import Path
from typing import get_args

from llx_mcp.answers.limits import DEFAULT_CHARS, MAX_CHARS, MIN_CHARS, Section
from llx_mcp.cli.evidence import EVIDENCE
from llx_mcp.cli.options import (
    EXAMPLE_JOB_ID,
    EXIT_FAILED,
    EXPORT_FORMATS,
    Command,
    add_choice,
    add_creation,
    add_http,
    add_source,
    check_printable,
    list_http_flags,
    parse_seconds,
    parse_whole,
)
from llx_mcp.cli.setup import build_creation_options, is_local, set_up, set_up_settings
from llx_mcp.errors import ArgumentError
from llx_mcp.scope import KNOWN_STATUSES

_SERVING = (
    "llx-mcp: waiting for an MCP client on standard input. A client starts this command by itself, so configure it\n"
    "         there. To try the server: llx-mcp demo. To stop: Ctrl-C.\n"
)


def _add_serve_flags(serve: argparse.ArgumentParser) -> None:
    serve.add_argument("--http", action="store_true", help="serve streamable HTTP instead of stdio")
    add_http(serve)
    add_creation(serve)
    add_source(serve)


def _add_get_flags(get: argparse.ArgumentParser) -> None:
    get.add_argument("job_id", metavar="ID", help="id of the extract job")
    _add_output(get)
    _add_expand(get)
    add_source(get)


def _add_wait_flags(wait: argparse.ArgumentParser) -> None:
    wait.add_argument(
        "--timeout", type=parse_seconds, default=3600.0, metavar="SECONDS", help="longest wait (default: %(default)g)"
    )
    wait.add_argument("job_ids", nargs="+", metavar="ID", help="ids of extract jobs, at most 100")
    _add_output(wait)
    _add_expand(wait)
    add_source(wait)


def _add_list_flags(jobs: argparse.ArgumentParser) -> None:
    add_choice(jobs, "--status", KNOWN_STATUSES, help="filter by status")
    jobs.add_argument("--document", metavar="NAME", help="filter by the document's id, or by part of its file name")
    jobs.add_argument("--configuration-id", metavar="ID", help="filter by saved configuration (cfg-…)")
    jobs.add_argument("--since", metavar="TIME", help="created at or after: ISO 8601, UTC without an offset")
    jobs.add_argument("--until", metavar="TIME", help="created at or before; a date includes the whole day")
    jobs.add_argument("--cursor", help="cursor from the previous list, to go on with older jobs")
    _add_output(jobs)
    add_source(jobs)


def _add_export_flags(export: argparse.ArgumentParser) -> None:
    export.add_argument("job_id", metavar="ID", help="id of the extract job")
    add_choice(export, "--format", EXPORT_FORMATS, help="default: that of the file's ending; json without --output")
    export.add_argument("--path", default="$", metavar="PATH", help="what to write, such as line_items (default: all)")
    export.add_argument("--provenance", action="store_true", help="add confidence, page and quote to each value")
    export.add_argument("--output", type=Path, metavar="FILE", help="file to write; an existing file is replaced")
    add_source(export)


def _add_demo_flags(demo: argparse.ArgumentParser) -> None:
    demo.add_argument(
        "--output", type=Path, default=Path("llx-mcp-demo"), metavar="DIR",
        help="folder for the document and the picture (default: %(default)s)",
    )  # fmt: skip
    demo.add_argument("--full", action="store_true", help="print every answer in full")


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the structured form of the answer")
    parser.add_argument(
        "--max-chars",
        type=parse_whole(MIN_CHARS, MAX_CHARS),
        default=DEFAULT_CHARS,
        metavar="N",
        help="most characters of the answer (default: %(default)s)",
    )


def _add_expand(parser: argparse.ArgumentParser) -> None:
    add_choice(
        parser,
        "--expand",
        get_args(Section),
        action="append",
        help="section to include; may be repeated (default: extract_metadata)",
    )


def _run_serve(arguments: argparse.Namespace) -> int:
    # Objects of the start-up are never freed, so collecting garbage now would waste time. The server enables it again.
    gc.disable()
    setup = set_up(arguments)
    log_level = setup.settings.log_level
    options = replace(setup.reader_options, creation=build_creation_options(arguments, setup.settings))
    if arguments.http:
        if arguments.files:
            raise ArgumentError("--files: only without --http, because over HTTP no tool reads a file. Leave it out.")
        from llx_mcp.cli.http import run_http

        run_http(arguments, setup, options)
    elif given := list_http_flags(arguments):
        raise ArgumentError(f"{given[0]}: only with --http, because stdio has no address. Add it, or leave this out.")
    else:
        from llx_mcp.server.run import serve_stdio

        if sys.stdin.isatty():
            sys.stderr.write(_SERVING)
        serve_stdio(setup.open_source, redactor=setup.redactor, options=options, log_level=log_level)
    return 0


def _run_get(arguments: argparse.Namespace) -> int:
    _print_job(arguments, arguments.job_id, timeout_seconds=None)
    return 0


def _run_wait(arguments: argparse.Namespace) -> int:
    if len(arguments.job_ids) == 1:
        from llx_mcp.cli.job_rows import get_exit_status

        return get_exit_status([_print_job(arguments, arguments.job_ids[0], timeout_seconds=arguments.timeout)])
    from llx_mcp.answers.requests import DEFAULT_EXPAND, WaitRequest
    from llx_mcp.cli.wait import wait_for_many

    setup = set_up(arguments)
    expand = tuple(arguments.expand or DEFAULT_EXPAND)
    request = WaitRequest(tuple(arguments.job_ids), expand=expand, max_chars=arguments.max_chars, scope=setup.scope)
    return wait_for_many(setup, request, timeout_seconds=arguments.timeout, as_json=arguments.json)


def _print_job(arguments: argparse.Namespace, job_id: str, *, timeout_seconds: float | None) -> str:
    from llx_mcp.answers.requests import DEFAULT_EXPAND, JobRequest
    from llx_mcp.cli.jobs import print_job

    setup = set_up(arguments)
    request = JobRequest(job_id, tuple(arguments.expand or DEFAULT_EXPAND), arguments.max_chars, setup.scope)
    return print_job(setup, request, timeout_seconds=timeout_seconds, as_json=arguments.json)


def _run_list(arguments: argparse.Namespace) -> int:
    from llx_mcp.answers.requests import JobListRequest
    from llx_mcp.cli.jobs import print_job_list

    setup = set_up(arguments)
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


def _run_export(arguments: argparse.Namespace) -> int:
    from llx_mcp.answers.requests import JobRequest
    from llx_mcp.cli.jobs import export_values

    output: Path | None = arguments.output
    format_name = arguments.format or _get_format(output)
    setup = set_up(arguments)
    if output is None:
        check_printable(format_name, "FILE")
    request = JobRequest(arguments.job_id, scope=setup.scope)
    export_values(setup, request, arguments.path, format_name, output, provenance=arguments.provenance)
    return 0


def _get_format(output: Path | None) -> str:
    """Return the format that the ending of a file stands for; json without a file.

    Raises:
        ArgumentError: the ending stands for none.
    """
    if output is None:
        return "json"
    name = output.suffix.removeprefix(".").lower()
    if name not in EXPORT_FORMATS:
        raise ArgumentError(
            f"--output {output}: this ending stands for no format. Add --format, one of {', '.join(EXPORT_FORMATS)}."
        )
    return name


def _run_check(arguments: argparse.Namespace) -> int:
    from llx_mcp.cli.jobs import check_cloud, check_local

    settings = set_up_settings(arguments)
    if is_local(arguments):
        check_local(arguments.local_db)
        return 0
    return 0 if check_cloud(settings) else EXIT_FAILED


def _add_hash_token_flags(hash_token: argparse.ArgumentParser) -> None:
    hash_token.add_argument("name", metavar="NAME", help="who will have the token")


def _run_hash_token(arguments: argparse.Namespace) -> int:
    from llx_mcp.serving.static_tokens import make_token

    if not arguments.name.strip():
        raise ArgumentError("NAME: it is empty. Say who will have the token, such as build-server.")
    token, entry = make_token(arguments.name)
    sys.stderr.write(
        f"llx-mcp: the token, which is not shown again: {token}\n"
        "         its entry for the list tokens in LLX_MCP_TOKENS_FILE:\n"
    )
    print(entry)
    return 0


def _run_demo(arguments: argparse.Namespace) -> int:
    from llx_mcp.cli.demo import run_demo

    return run_demo(arguments.output, is_full=arguments.full)


COMMANDS = (
    Command(
        "serve",
        "serve the tools over stdio, or over HTTP to many callers",
        details="An MCP client starts this command by itself for stdio. HTTP without --auth is for this machine only.",
        example="llx-mcp serve --local",
        add_flags=_add_serve_flags,
        run=_run_serve,
    ),
    Command(
        "get",
        "print a job as a model sees it",
        details="It does not wait: a job that has not finished is printed with its status. On a terminal, the answer "
        "is shown as tables.",
        example=f"llx-mcp get {EXAMPLE_JOB_ID} --local",
        add_flags=_add_get_flags,
        run=_run_get,
    ),
    Command(
        "wait",
        "wait until jobs have finished, then print a single job, or list several",
        details="Exit status: 0 all completed, 1 one failed or was cancelled, 2 error, 3 one is still running at the "
        "timeout. Interrupting the wait does not affect the jobs.",
        example=f"llx-mcp wait {EXAMPLE_JOB_ID} --local --timeout 600",
        add_flags=_add_wait_flags,
        run=_run_wait,
    ),
    Command(
        "list",
        "list the jobs that the key can see, newest first",
        details="A job is listed if it passes every filter.",
        example="llx-mcp list --local --status completed --since 2026-01-01",
        add_flags=_add_list_flags,
        run=_run_list,
    ),
    Command(
        "export",
        "write a result, or part of it, to a file",
        details="The ending of the file sets the format unless --format is given. Without --output, the command "
        "writes to standard output. If the path leads to one list, each element is a record. A workbook has a sheet "
        "for each list. parquet and xlsx need the extra export. Cells of csv and xlsx files are never "
        "formulas.",
        example=f"llx-mcp export {EXAMPLE_JOB_ID} --local --path line_items --output items.csv",
        add_flags=_add_export_flags,
        run=_run_export,
    ),
    *EVIDENCE,
    Command(
        "check",
        "check that key, region and service work together",
        details="Exit status: 0 jobs can be read, 1 they cannot, 2 error.",
        example="llx-mcp check --region eu",
        add_flags=add_source,
        run=_run_check,
    ),
    Command(
        "hash-token",
        "make a token for callers of llx-mcp serve --http --auth tokens",
        details="It prints the token on standard error, and the entry with its hash on standard output.",
        example="llx-mcp hash-token build-server",
        add_flags=_add_hash_token_flags,
        run=_run_hash_token,
    ),
    Command(
        "demo",
        "show how a model gets from a document to an answer, on the embedded API",
        details="It needs no account and no network. It writes the document and the picture of a citation to a folder, "
        "and ends with a summary.",
        example="llx-mcp demo --full",
        add_flags=_add_demo_flags,
        run=_run_demo,
    ),
)
