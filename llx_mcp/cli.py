"""The command `llx-mcp`: serve the tools, and the same answers for people."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from llx_mcp import __version__
from llx_mcp.errors import ArgumentError, LlxError, excerpt
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
    _add_export(commands)
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
        "--timeout", type=_seconds, default=3600.0, metavar="SECONDS", help="longest wait (default: %(default)g)"
    )
    wait.add_argument("job_ids", nargs="+", metavar="ID", help="ids of extract jobs, at most 100")
    _add_answer(wait)
    wait.set_defaults(run=_wait)


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
    _add_connection(export)
    export.set_defaults(run=_export)


def _add_check(commands: Any) -> None:
    check = commands.add_parser("check", help="say whether key, region and service work together")
    _add_connection(check)
    check.set_defaults(run=_check)


def _add_local(commands: Any) -> None:
    local = commands.add_parser("local", help="the embedded LlamaExtract API")
    actions = local.add_subparsers(required=True, metavar="ACTION")
    serve = actions.add_parser("serve", help="serve the API on 127.0.0.1")
    serve.add_argument("--port", type=_port, default=8080, help="port; 0 picks one (default: %(default)s)")
    serve.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="KIND[:NAME=VALUE,...]",
        help="what goes wrong on purpose, such as unavailable:share=0.2,seed=7; may be repeated",
    )
    serve.add_argument("--admin-token", metavar="TOKEN", help="opens the admin endpoint (default: one is drawn)")
    serve.add_argument(
        "--webhooks-anywhere", action="store_true", help="deliver webhooks to other machines too (default: to this one)"
    )
    _add_store(serve)
    serve.set_defaults(run=_local_serve)
    _add_transfers(actions)
    show = actions.add_parser("list", help="list the jobs that a store holds")
    _add_store(show)
    show.set_defaults(run=_local_list)
    plots = actions.add_parser("scenarios", help="list the ways in which a job can go, and what can go wrong")
    plots.set_defaults(run=_local_scenarios)


def _add_transfers(actions: Any) -> None:
    record = actions.add_parser(
        "record",
        help="copy jobs from LlamaCloud into a store, with their documents",
        description="Jobs that have not ended are refused: wait for their end first. Reading is free of charge.",
    )
    record.add_argument("job_ids", nargs="+", metavar="ID", help="id of an extract job")
    _add_lasting_store(record)
    _add_service(record)
    record.set_defaults(run=_local_record)
    load = actions.add_parser("import", help="put jobs from JSON files into a store")
    load.add_argument("files", nargs="+", type=Path, metavar="FILE", help="one job each, as the service answers it")
    load.add_argument("--scenario", metavar="NAME", help="how they go, from when they are first asked for")
    _add_lasting_store(load)
    load.set_defaults(run=_local_import)
    save = actions.add_parser("export", help="write jobs of a store to JSON files, in the bytes in which they came")
    save.add_argument("job_ids", nargs="*", metavar="ID", help="jobs to write (default: all)")
    save.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="where to; made if it is not there")
    _add_store(save)
    save.set_defaults(run=_local_export)
    redact = actions.add_parser(
        "redact",
        help="print a job with stand-ins for its document's words, for a bug report",
        description="Structure, lengths, dates' and numbers' shapes, pages, boxes and confidences stay. True and false "
        "stay as well, and the names of fields unless --names is given: look at the outcome before you share it.",
    )
    redact.add_argument("file", type=Path, metavar="FILE", help="one job, as the service answers it")
    redact.add_argument("--names", action="store_true", help="give the names of fields stand-ins too")
    redact.set_defaults(run=_local_redact)


def _add_lasting_store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--local-db", type=Path, required=True, metavar="PATH", help="the store, made if missing")


def _add_store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--local-db", type=Path, metavar="PATH", help="a store that lasts (default: samples, in memory)"
    )


def _add_connection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--local", action="store_true", help="read the embedded API instead of LlamaCloud")
    _add_store(parser)
    _add_service(parser)


def _add_service(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--region", choices=("na", "eu"), help="LlamaCloud's region (LLAMA_CLOUD_REGION)")
    parser.add_argument("--base-url", metavar="URL", help="address of the service (LLAMA_CLOUD_BASE_URL)")
    parser.add_argument("--project-id", metavar="ID", help="project (LLAMA_CLOUD_PROJECT_ID)")
    parser.add_argument("--organization-id", metavar="ID", help="organization (LLAMA_CLOUD_ORGANIZATION_ID)")
    parser.add_argument("--log-level", choices=("DEBUG", "INFO", "WARNING", "ERROR"), help="log to stderr from here on")


def _add_answer(parser: argparse.ArgumentParser) -> None:
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
    if len(arguments.job_ids) == 1:
        (arguments.job_id,) = arguments.job_ids
        return _ask(arguments, timeout_seconds=arguments.timeout)
    from llx_mcp.sources import reader_options
    from llx_mcp.waiting import wait_for_many

    settings = _settings(arguments)
    _start_logging(settings)
    return wait_for_many(
        _source(arguments, settings),
        arguments.job_ids,
        timeout_seconds=arguments.timeout,
        as_json=arguments.json,
        project_id=arguments.project_id,
        organization_id=arguments.organization_id,
        options=reader_options(settings),
    )


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


def _export(arguments: argparse.Namespace) -> int:
    from llx_mcp.export import suffix_format
    from llx_mcp.people import export
    from llx_mcp.reading.facts import Ask

    settings = _settings(arguments)
    _start_logging(settings)
    output: Path | None = arguments.output
    form = arguments.format or (suffix_format(output) if output else None) or "json"
    if output is None and form in ("parquet", "xlsx") and sys.stdout.isatty():
        raise ArgumentError(f"--format {form} is not for a terminal: give --output FILE.")
    question = Ask(arguments.job_id, project_id=arguments.project_id, organization_id=arguments.organization_id)
    source = _source(arguments, settings)
    export(source, question, arguments.path, form, output, provenance=arguments.provenance)
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from llx_mcp.people import check

    settings = _settings(arguments)
    return 0 if check(settings, _store_path(arguments), local=_is_local(arguments)) else EXIT_FAILED


def _demo(_: argparse.Namespace) -> int:
    from llx_mcp.demo import run_demo

    return run_demo()


def _local_serve(arguments: argparse.Namespace) -> int:
    from llx_mcp.local.faults import FaultError, parse_fault
    from llx_mcp.local.outbox import deliver_webhooks
    from llx_mcp.local.serve import serve
    from llx_mcp.sources import open_local_store

    try:
        faults = [parse_fault(words) for words in arguments.fault]
    except FaultError as exc:
        raise ArgumentError(f"--fault: {exc}") from None
    store = open_local_store(arguments.local_db)
    try:
        lifespan = deliver_webhooks(store, is_anywhere_allowed=arguments.webhooks_anywhere)
        serve(store, port=arguments.port, faults=faults, admin_token=arguments.admin_token, lifespan=lifespan)
    finally:
        store.close()
    return 0


def _local_import(arguments: argparse.Namespace) -> int:
    from llx_mcp.local.scenarios import UnknownScenarioError, get_scenario, scenario_of_file, stage_job
    from llx_mcp.models import MalformedJobError
    from llx_mcp.sources import open_local_store

    try:
        chosen = get_scenario(arguments.scenario) if arguments.scenario is not None else None
    except UnknownScenarioError as exc:
        raise ArgumentError(f"--scenario: {exc}") from None
    store = open_local_store(arguments.local_db)
    failed = 0
    try:
        for path in arguments.files:
            try:
                scenario = chosen or scenario_of_file(path.name) or get_scenario("instant")
                job_id = store.import_job(stage_job(path.read_bytes(), scenario), scenario.timeline)
                print(f"{job_id}  {path}")
            except (OSError, MalformedJobError) as exc:
                failed += 1
                reason = exc.strerror if isinstance(exc, OSError) else exc
                print(f"llx-mcp: {path} was not imported: {reason}", file=sys.stderr)
    finally:
        store.close()
    return EXIT_ERROR if failed else 0


def _local_record(arguments: argparse.Namespace) -> int:
    import anyio

    from llx_mcp.sources import open_local_store
    from llx_mcp.transfers import record_jobs

    settings = _settings(arguments)
    _start_logging(settings)
    store = open_local_store(arguments.local_db)
    try:
        outcomes = anyio.run(record_jobs, settings, arguments.job_ids, store)
    finally:
        store.close()
    for outcome in outcomes:
        if outcome.failure is None:
            print(outcome.job_id if outcome.has_document else f"{outcome.job_id}  (without its document)")
        else:
            print(f"llx-mcp: {excerpt(outcome.job_id)} was not recorded: {outcome.failure}", file=sys.stderr)
    return EXIT_ERROR if any(outcome.failure for outcome in outcomes) else 0


def _local_export(arguments: argparse.Namespace) -> int:
    from llx_mcp.sources import open_local_store
    from llx_mcp.transfers import export_job

    arguments.to.mkdir(parents=True, exist_ok=True)
    store = open_local_store(arguments.local_db)
    failed = 0
    try:
        for job_id in arguments.job_ids or [job_id for job_id, _ in store.list_jobs()]:
            try:
                print(export_job(store, job_id, arguments.to))
            except (OSError, ArgumentError) as exc:
                failed += 1
                reason = exc.strerror if isinstance(exc, OSError) else exc
                print(f"llx-mcp: {excerpt(job_id)} was not exported: {reason}", file=sys.stderr)
    finally:
        store.close()
    return EXIT_ERROR if failed else 0


def _local_redact(arguments: argparse.Namespace) -> int:
    from llx_mcp.local.redact import redact_job
    from llx_mcp.models import MalformedJobError

    try:
        redacted = redact_job(arguments.file.read_bytes(), with_names=arguments.names)
    except MalformedJobError as exc:
        raise ArgumentError(f"{arguments.file} was not redacted: {exc}") from None
    sys.stdout.buffer.write(redacted + b"\n")
    return 0


def _local_scenarios(_: argparse.Namespace) -> int:
    from llx_mcp.local.faults import FAULT_HELP
    from llx_mcp.local.scenarios import SCENARIO_HEADER, SCENARIOS

    print(f"How a job goes: the header {SCENARIO_HEADER} at create, or a file named like invoice--slow.pdf.\n")
    for scenario in SCENARIOS.values():
        print(f"{scenario.name:<14} {scenario.description}")
    print(f"\nWhat goes wrong on purpose: --fault of llx-mcp local serve, or PUT /_admin/faults.\n\n{FAULT_HELP}")
    return 0


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
