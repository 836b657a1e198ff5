"""The commands `llx-mcp local …`: the embedded API and its jobs."""

import argparse
import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from llx_mcp.cli.options import EXIT_ERROR, Command, add_service, add_store, parse_port, read_number
from llx_mcp.cli.setup import explain_port, open_store, set_up_settings
from llx_mcp.cli.waiting_line import run_waiting
from llx_mcp.cli.wording import describe_error, print_error
from llx_mcp.errors import ArgumentError, ConfigurationError, excerpt

if TYPE_CHECKING:
    from llx_mcp.local import JobStore

Item = TypeVar("Item", str, Path)


def _add_serve_flags(serve: argparse.ArgumentParser) -> None:
    serve.add_argument("--port", type=parse_port, default=8080, help="port; 0 picks a free one (default: %(default)s)")
    serve.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="KIND[:NAME=VALUE,...]",
        help="error to inject, such as unavailable:share=0.2,seed=7; may be repeated",
    )
    serve.add_argument("--admin-token", metavar="TOKEN", help="token of the admin endpoint (default: a random one)")
    serve.add_argument(
        "--webhooks-anywhere", action="store_true", help="deliver webhooks to any host (default: this machine only)"
    )
    serve.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME:PORT",
        help="another name under which clients reach the server; may be repeated (default: this machine's own names)",
    )
    serve.add_argument(
        "--max-upload-mb",
        type=_parse_megabytes,
        default=100,
        metavar="MB",
        help="maximum size of an uploaded file (default: %(default)s)",
    )
    add_store(serve, creates=True)


def _add_record_flags(record: argparse.ArgumentParser) -> None:
    record.add_argument("job_ids", nargs="+", metavar="ID", help="id of an extract job")
    add_store(record, required=True, creates=True)
    add_service(record)


def _add_import_flags(importing: argparse.ArgumentParser) -> None:
    importing.add_argument("files", nargs="+", type=Path, metavar="FILE", help="JSON file with one job")
    importing.add_argument(
        "--scenario",
        type=str.lower,
        metavar="NAME",
        help="how the jobs run when they are read; see llx-mcp local scenarios",
    )
    importing.add_argument(
        "--document",
        type=Path,
        metavar="PDF",
        help="document of the job, for one FILE (default: NAME.pdf beside NAME.job.json or NAME.json)",
    )
    add_store(importing, required=True, creates=True)


def _add_export_flags(export: argparse.ArgumentParser) -> None:
    export.add_argument("job_ids", nargs="*", metavar="ID", help="jobs to write (default: all)")
    export.add_argument(
        "--to", type=Path, required=True, metavar="FOLDER", help="folder to write to; created if it does not exist"
    )
    add_store(export)


def _add_redact_flags(redact: argparse.ArgumentParser) -> None:
    redact.add_argument("file", type=Path, metavar="FILE", help="JSON file with one job, as LlamaCloud returns it")
    redact.add_argument("--names", action="store_true", help="replace the names of fields too")


def _run_serve(arguments: argparse.Namespace) -> int:
    from llx_mcp.local.faults import FaultError, parse_fault
    from llx_mcp.local.outbox import deliver_webhooks
    from llx_mcp.local.serve import serve

    try:
        faults = [parse_fault(_fold_kind(text)) for text in arguments.fault]
    except FaultError as exc:
        raise ArgumentError(f"--fault: {exc}") from None
    with _open_to_write(arguments) as store, explain_port(arguments.port):
        lifespan = deliver_webhooks(store, allow_remote=arguments.webhooks_anywhere)
        serve(
            store,
            port=arguments.port,
            faults=faults,
            admin_token=arguments.admin_token,
            allowed_hosts=arguments.allowed_host,
            max_upload_bytes=int(arguments.max_upload_mb * 1_000_000),
            lifespan=lifespan,
        )
    return 0


def _parse_megabytes(text: str) -> float:
    """Parse a size for argparse. SQLite holds at most 1,000 MB in one value."""
    megabytes = read_number(text)
    if not 0 < megabytes <= 1_000:
        raise argparse.ArgumentTypeError("give a number of megabytes up to 1000")
    return megabytes


def _fold_kind(fault: str) -> str:
    """Return a fault with its kind in lower case: case does not matter, as in every other choice."""
    kind, colon, rest = fault.partition(":")
    return f"{kind.lower()}{colon}{rest}"


def _open_to_write(arguments: argparse.Namespace) -> "AbstractContextManager[JobStore]":
    """Open the database file of a command that may create it, and may add the samples."""
    return open_store(arguments.local_db, creates=True, with_samples=arguments.with_samples)


def _run_import(arguments: argparse.Namespace) -> int:
    from llx_mcp.cli.transfer import import_job
    from llx_mcp.local.scenarios import UnknownScenarioError, get_scenario

    files, document = arguments.files, arguments.document
    if document is not None and len(files) > 1:
        raise ArgumentError("--document: it is the document of one job, and several files are given. Give one FILE.")
    try:
        scenario = get_scenario(arguments.scenario) if arguments.scenario is not None else None
    except UnknownScenarioError as exc:
        raise ArgumentError(f"--scenario: {exc}") from None
    with _open_to_write(arguments) as store:
        return _run_for_each(files, "imported", lambda path: import_job(store, path, scenario, document))


def _run_record(arguments: argparse.Namespace) -> int:
    from llx_mcp.cli.transfer import record_jobs

    settings = set_up_settings(arguments)
    if settings.api_key is None:
        raise ConfigurationError("LLAMA_CLOUD_API_KEY is not set. Set it: the jobs are copied from LlamaCloud.")
    with _open_to_write(arguments) as store:
        results = run_waiting(lambda _: record_jobs(settings, arguments.job_ids, store))
    for result in results:
        if result.error is not None:
            _print_failure(_name(result.job_id), "recorded", result.error)
        elif result.document_error is not None:
            print(f"{result.job_id}  (without its document)")
            _print_failure(f"the document of {_name(result.job_id)}", "recorded", result.document_error)
        else:
            print(result.job_id)
    return EXIT_ERROR if any(result.error for result in results) else 0


def _run_export(arguments: argparse.Namespace) -> int:
    from llx_mcp.cli.transfer import export_job

    with open_store(arguments.local_db) as store:
        arguments.to.mkdir(parents=True, exist_ok=True)
        job_ids = arguments.job_ids or [job_id for job_id, _ in store.list_jobs()]
        return _run_for_each(
            job_ids, "exported", lambda job_id: "\n".join(map(str, export_job(store, job_id, arguments.to)))
        )


def _run_for_each(items: Iterable[Item], participle: str, run: Callable[[Item], str]) -> int:
    """Print the result or the error of each item, and return the exit status. An error does not stop the others."""
    status = 0
    for item in items:
        try:
            print(run(item))
        except BrokenPipeError:
            raise
        except (OSError, ArgumentError) as exc:
            status = EXIT_ERROR
            _print_failure(_name(item), participle, exc)
    return status


def _name(item: str | Path) -> str:
    """Return the path of a file, or an id without characters that a terminal must not get."""
    return excerpt(item) if isinstance(item, str) else str(item)


def _print_failure(name: str, participle: str, error: Exception) -> None:
    reason = describe_error(error).removeprefix(f"{name}: ")
    print_error(f"{name} was not {participle}: {reason}")


def _run_redact(arguments: argparse.Namespace) -> int:
    from llx_mcp.local.redact import redact_job
    from llx_mcp.models import MalformedJobError

    try:
        redacted = redact_job(arguments.file.read_bytes(), with_names=arguments.names)
    except MalformedJobError as exc:
        raise ArgumentError(f"{arguments.file} was not redacted: {exc}") from None
    sys.stdout.buffer.write(redacted + b"\n")
    return 0


def _run_list(arguments: argparse.Namespace) -> int:
    from llx_mcp.local import SAMPLES

    titles = {sample.job_id: f"{sample.title}. {sample.description}" for sample in SAMPLES}
    with open_store(arguments.local_db) as store:
        for job_id, status in store.list_jobs():
            print(f"{job_id}  {status:<10} {titles.get(job_id, '')}".rstrip())
    return 0


def _run_scenarios(_: argparse.Namespace) -> int:
    from llx_mcp.local.faults import FAULT_HELP
    from llx_mcp.local.scenarios import SCENARIO_HEADER, SCENARIOS

    print(f"Scenarios. Choose one with the header {SCENARIO_HEADER} at create, with --scenario of llx-mcp local")
    print("import, or with the name of the file: invoice--slow.pdf.\n")
    for scenario in SCENARIOS.values():
        print(f"{scenario.name:<14} {scenario.description}")
    print(f"\nFaults. Inject them with --fault of llx-mcp local serve, or PUT /_admin/faults.\n\n{FAULT_HELP}")
    return 0


LOCAL = Command(
    "local",
    "serve the embedded LlamaExtract API, and manage its jobs",
    details="The embedded API needs no account. It holds sample jobs, and jobs that you import, record or create.",
    example="llx-mcp local serve",
    actions=(
        Command(
            "serve",
            "serve the embedded API on 127.0.0.1",
            details="Any client of LlamaCloud can use it. llx-mcp local scenarios describes the faults.",
            example="llx-mcp local serve --port 8080 --fault unavailable:share=0.2,seed=7",
            add_flags=_add_serve_flags,
            run=_run_serve,
        ),
        Command(
            "record",
            "copy jobs from LlamaCloud into a local database, with their documents",
            details="Only jobs that have finished can be recorded. Reading jobs is free.",
            example="llx-mcp local record ext-… --local-db jobs.db",
            add_flags=_add_record_flags,
            run=_run_record,
        ),
        Command(
            "import",
            "import jobs from JSON files into a local database",
            details="Each file holds one job, as LlamaCloud returns it. A PDF with the same name beside it is "
            "imported as the document of the job.",
            example="llx-mcp local import invoice.job.json --document invoice.pdf --local-db jobs.db",
            add_flags=_add_import_flags,
            run=_run_import,
        ),
        Command(
            "export",
            "write jobs of a local database to JSON files, byte for byte",
            details="A PDF that a job was made from is written beside its file. Existing files are not overwritten.",
            example="llx-mcp local export --local-db jobs.db --to jobs",
            add_flags=_add_export_flags,
            run=_run_export,
        ),
        Command(
            "redact",
            "print a job with the words of its document replaced, for a bug report",
            details="Structure, lengths, the shapes of dates and numbers, pages, boxes and confidence stay. So do true "
            "and false, and the names of fields unless --names is given. Check the output before you share it.",
            example="llx-mcp local redact job.json --names",
            add_flags=_add_redact_flags,
            run=_run_redact,
        ),
        Command(
            "list",
            "list the jobs of a local database",
            details="Without --local-db, it lists the samples.",
            example="llx-mcp local list --local-db jobs.db",
            add_flags=add_store,
            run=_run_list,
        ),
        Command(
            "scenarios",
            "list the scenarios that a job can follow, and the faults that can be injected",
            example="llx-mcp local scenarios",
            run=_run_scenarios,
        ),
    ),
)
