"""The command `llx-mcp`: serve the tools, and the same answers for people."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from llx_mcp import __version__
from llx_mcp.errors import ArgumentError, LlxError
from llx_mcp.settings import Settings, load_settings

EXIT_FAILED = 1
EXIT_ERROR = 2
EXIT_TIMEOUT = 3
EXIT_INTERRUPTED = 130

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
    _add_check(commands)
    demo = commands.add_parser("demo", help="show the main job on the embedded API: no account, no network")
    demo.set_defaults(run=_demo)
    _add_local(commands)
    return parser


def _add_serve(commands: Any) -> None:
    serve = commands.add_parser("serve", help="serve the tools over stdio, or over HTTP on this machine")
    serve.add_argument("--http", action="store_true", help="streamable HTTP on 127.0.0.1 instead of stdio")
    serve.add_argument("--port", type=_port, default=8000, help="port for --http (default: %(default)s)")
    _add_connection(serve)
    serve.set_defaults(run=_serve)


def _add_get(commands: Any) -> None:
    get = commands.add_parser("get", help="print what a model sees of a job as it is now")
    _add_answer(get)
    get.set_defaults(run=_get)


def _add_wait(commands: Any) -> None:
    wait = commands.add_parser(
        "wait",
        help="wait until a job has ended, then print it",
        description="Exit status: 0 completed, 1 failed or cancelled, 2 error, 3 still running at the timeout.",
    )
    wait.add_argument(
        "--timeout", type=_seconds, default=3600.0, metavar="SECONDS", help="longest wait (default: %(default)g)"
    )
    _add_answer(wait)
    wait.set_defaults(run=_wait)


def _add_check(commands: Any) -> None:
    check = commands.add_parser("check", help="say whether key, region and service work together")
    _add_connection(check)
    check.set_defaults(run=_check)


def _add_local(commands: Any) -> None:
    local = commands.add_parser("local", help="the embedded LlamaExtract API")
    actions = local.add_subparsers(required=True, metavar="ACTION")
    serve = actions.add_parser("serve", help="serve the API on 127.0.0.1")
    serve.add_argument("--port", type=_port, default=8080, help="port; 0 picks one (default: %(default)s)")
    _add_store(serve)
    serve.set_defaults(run=_local_serve)
    load = actions.add_parser("import", help="put jobs from JSON files into a store")
    load.add_argument("files", nargs="+", type=Path, metavar="FILE", help="one job each, as the service answers it")
    load.add_argument("--local-db", type=Path, required=True, metavar="PATH", help="the store, made if it is not there")
    load.set_defaults(run=_local_import)
    show = actions.add_parser("list", help="list the jobs that a store holds")
    _add_store(show)
    show.set_defaults(run=_local_list)


def _add_store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--local-db", type=Path, metavar="PATH", help="a store that lasts (default: samples, in memory)"
    )


def _add_connection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--local", action="store_true", help="read the embedded API instead of LlamaCloud")
    _add_store(parser)
    parser.add_argument("--region", choices=("na", "eu"), help="LlamaCloud's region (LLAMA_CLOUD_REGION)")
    parser.add_argument("--base-url", metavar="URL", help="address of the service (LLAMA_CLOUD_BASE_URL)")
    parser.add_argument("--project-id", metavar="ID", help="project (LLAMA_CLOUD_PROJECT_ID)")
    parser.add_argument("--organization-id", metavar="ID", help="organization (LLAMA_CLOUD_ORGANIZATION_ID)")
    parser.add_argument("--log-level", choices=("DEBUG", "INFO", "WARNING", "ERROR"), help="log to stderr from here on")


def _add_answer(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("job_id", metavar="ID", help="id of the extract job")
    parser.add_argument("--json", action="store_true", help="print the structured form")
    parser.add_argument("--max-chars", type=int, default=8_000, metavar="N", help="budget (default: %(default)s)")
    parser.add_argument(
        "--expand", action="append", choices=_SECTIONS, help="a section to show; may be repeated (extract_metadata)"
    )
    _add_connection(parser)


def _serve(arguments: argparse.Namespace) -> int:
    settings = _settings(arguments)
    _start_logging(settings)
    from llx_mcp.serving import serve_http, serve_stdio
    from llx_mcp.sources import reader_options

    source = _source(arguments, settings)
    options = reader_options(settings)
    if arguments.http:
        serve_http(source, port=arguments.port, options=options, log_level=settings.log_level)
    else:
        serve_stdio(source, options=options, log_level=settings.log_level)
    return 0


def _get(arguments: argparse.Namespace) -> int:
    return _ask(arguments, timeout_seconds=None)


def _wait(arguments: argparse.Namespace) -> int:
    return _ask(arguments, timeout_seconds=arguments.timeout)


def _ask(arguments: argparse.Namespace, timeout_seconds: float | None) -> int:
    from llx_mcp.people import ask
    from llx_mcp.reading.facts import DEFAULT_EXPAND, MAX_CHARS, MIN_CHARS, Ask

    settings = _settings(arguments)
    _start_logging(settings)
    if not MIN_CHARS <= arguments.max_chars <= MAX_CHARS:
        raise ArgumentError(f"--max-chars takes a whole number from {MIN_CHARS:,} to {MAX_CHARS:,}.")
    expand = tuple(arguments.expand or DEFAULT_EXPAND)
    question = Ask(arguments.job_id, expand, arguments.max_chars, arguments.project_id, arguments.organization_id)
    source = _source(arguments, settings)
    status = ask(source, question, timeout_seconds=timeout_seconds, as_json=arguments.json)
    if timeout_seconds is None:
        return 0
    return {"COMPLETED": 0, "FAILED": EXIT_FAILED, "CANCELLED": EXIT_FAILED}.get(status, EXIT_TIMEOUT)


def _check(arguments: argparse.Namespace) -> int:
    from llx_mcp.people import check

    settings = _settings(arguments)
    return 0 if check(settings, _store_path(arguments), local=_is_local(arguments)) else EXIT_FAILED


def _demo(_: argparse.Namespace) -> int:
    from llx_mcp.demo import run_demo

    return run_demo()


def _local_serve(arguments: argparse.Namespace) -> int:
    from llx_mcp.local.serve import serve
    from llx_mcp.sources import open_local_store

    store = open_local_store(arguments.local_db)
    try:
        serve(store, port=arguments.port)
    finally:
        store.close()
    return 0


def _local_import(arguments: argparse.Namespace) -> int:
    from llx_mcp.models import MalformedJobError
    from llx_mcp.sources import open_local_store

    store = open_local_store(arguments.local_db)
    failed = 0
    try:
        for path in arguments.files:
            try:
                print(f"{store.import_job(path.read_bytes())}  {path}")
            except (OSError, MalformedJobError) as exc:
                failed += 1
                reason = exc.strerror if isinstance(exc, OSError) else exc
                print(f"llx-mcp: {path} was not imported: {reason}", file=sys.stderr)
    finally:
        store.close()
    return EXIT_ERROR if failed else 0


def _local_list(arguments: argparse.Namespace) -> int:
    from llx_mcp.local import SAMPLES
    from llx_mcp.sources import open_local_store

    titles = {sample.job_id: f"{sample.title}. {sample.description}" for sample in SAMPLES}
    store = open_local_store(arguments.local_db)
    try:
        for job_id, status in store.list_jobs():
            print(f"{job_id}  {status:<10} {titles.get(job_id, '')}".rstrip())
    finally:
        store.close()
    return 0


def _settings(arguments: argparse.Namespace) -> Settings:
    return load_settings(
        region=arguments.region,
        base_url_override=arguments.base_url,
        project_id=arguments.project_id,
        organization_id=arguments.organization_id,
        log_level=arguments.log_level,
    )


def _source(arguments: argparse.Namespace, settings: Settings) -> Any:
    from llx_mcp.sources import cloud_source, local_source

    return local_source(_store_path(arguments)) if _is_local(arguments) else cloud_source(settings)


def _is_local(arguments: argparse.Namespace) -> bool:
    return arguments.local or arguments.local_db is not None


def _store_path(arguments: argparse.Namespace) -> Path | None:
    path: Path | None = arguments.local_db
    return path


def _start_logging(settings: Settings) -> None:
    import logging

    logging.basicConfig(
        stream=sys.stderr, level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65_535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return port


def _seconds(text: str) -> float:
    seconds = float(text)
    if not seconds >= 0:
        raise argparse.ArgumentTypeError("seconds are a number from 0 on")
    return seconds
