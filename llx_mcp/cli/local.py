"""The commands `llx-mcp local …`: the embedded API, and the jobs that it holds."""

import argparse
import sys
from pathlib import Path
from typing import Any

from llx_mcp.cli.options import (
    EXIT_ERROR,
    add_lasting_store,
    add_service,
    add_store,
    parse_port,
    read_settings,
    start_logging,
)
from llx_mcp.errors import ArgumentError, excerpt


def add_local(commands: Any) -> None:
    """`llx-mcp local …`."""
    local = commands.add_parser("local", help="the embedded LlamaExtract API")
    actions = local.add_subparsers(required=True, metavar="ACTION")
    serve = actions.add_parser("serve", help="serve the API on 127.0.0.1")
    serve.add_argument("--port", type=parse_port, default=8080, help="port; 0 picks one (default: %(default)s)")
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
    add_store(serve)
    serve.set_defaults(run=_local_serve)
    _add_transfers(actions)
    show = actions.add_parser("list", help="list the jobs that a store holds")
    add_store(show)
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
    add_lasting_store(record)
    add_service(record)
    record.set_defaults(run=_local_record)
    load = actions.add_parser("import", help="put jobs from JSON files into a store")
    load.add_argument("files", nargs="+", type=Path, metavar="FILE", help="one job each, as the service answers it")
    load.add_argument("--scenario", metavar="NAME", help="how they go, from when they are first asked for")
    add_lasting_store(load)
    load.set_defaults(run=_local_import)
    save = actions.add_parser("export", help="write jobs of a store to JSON files, in the bytes in which they came")
    save.add_argument("job_ids", nargs="*", metavar="ID", help="jobs to write (default: all)")
    save.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="where to; made if it is not there")
    add_store(save)
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


def _local_serve(arguments: argparse.Namespace) -> int:
    from llx_mcp.backends import open_local_store
    from llx_mcp.local.faults import FaultError, parse_fault
    from llx_mcp.local.outbox import deliver_webhooks
    from llx_mcp.local.serve import serve

    try:
        faults = [parse_fault(words) for words in arguments.fault]
    except FaultError as exc:
        raise ArgumentError(f"--fault: {exc}") from None
    store = open_local_store(arguments.local_db)
    try:
        lifespan = deliver_webhooks(store, allow_remote=arguments.webhooks_anywhere)
        serve(store, port=arguments.port, faults=faults, admin_token=arguments.admin_token, lifespan=lifespan)
    finally:
        store.close()
    return 0


def _local_import(arguments: argparse.Namespace) -> int:
    from llx_mcp.backends import open_local_store
    from llx_mcp.local.scenarios import UnknownScenarioError, apply_scenario, get_scenario, scenario_from_file_name
    from llx_mcp.models import MalformedJobError

    try:
        chosen = get_scenario(arguments.scenario) if arguments.scenario is not None else None
    except UnknownScenarioError as exc:
        raise ArgumentError(f"--scenario: {exc}") from None
    store = open_local_store(arguments.local_db)
    failed = 0
    try:
        for path in arguments.files:
            try:
                scenario = chosen or scenario_from_file_name(path.name) or get_scenario("instant")
                job_id = store.import_job(apply_scenario(path.read_bytes(), scenario), scenario.timeline)
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

    from llx_mcp.backends import open_local_store
    from llx_mcp.cli.transfer import record_jobs

    settings = read_settings(arguments)
    start_logging(settings)
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
    from llx_mcp.backends import open_local_store
    from llx_mcp.cli.transfer import export_job

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
    from llx_mcp.backends import open_local_store
    from llx_mcp.local import SAMPLES

    titles = {sample.job_id: f"{sample.title}. {sample.description}" for sample in SAMPLES}
    store = open_local_store(arguments.local_db)
    try:
        for job_id, status in store.list_jobs():
            print(f"{job_id}  {status:<10} {titles.get(job_id, '')}".rstrip())
    finally:
        store.close()
    return 0
