"""The command `llx-mcp extract`."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from llx_mcp.cli.options import EXPORT_FORMATS, Command, add_choice, add_source, check_printable, parse_seconds
from llx_mcp.cli.setup import is_local, set_up
from llx_mcp.errors import ArgumentError
from llx_mcp.jobs.creation_options import TargetName, TierName

_LINES = "jsonl"


def _add_flags(extract: argparse.ArgumentParser) -> None:
    extract.add_argument("files", nargs="+", type=Path, metavar="FILE", help="documents, or folders of documents")
    what = extract.add_mutually_exclusive_group(required=True)
    what.add_argument("--schema", type=Path, metavar="FILE", help="file with the JSON Schema of what to extract")
    what.add_argument(
        "--configuration", "--configuration-id", dest="configuration_id", metavar="ID", help="saved one (cfg-…)"
    )
    what.add_argument("--like", dest="like_job", metavar="ID", help="job whose configuration to use (ext-…)")
    add_choice(extract, "--tier", get_args(TierName), help="tier; it sets quality and price")
    add_choice(extract, "--extraction-target", get_args(TargetName), help="what one result is about (default: per_doc)")
    extract.add_argument("--target-pages", metavar="PAGES", help="pages to read, such as 1,3,5-7 (default: all)")
    extract.add_argument("--instructions", metavar="TEXT", help="further instructions, as the service's system prompt")
    extract.add_argument("--again", action="store_true", help="create jobs even where there are some of the same")
    extract.add_argument(
        "--allow-damaged", action="store_true", help="create jobs also for PDFs that cannot be opened on this machine"
    )
    extract.add_argument("--yes", action="store_true", help="agree to the cost without being asked")
    extract.add_argument(
        "--timeout", type=parse_seconds, default=3600.0, metavar="SECONDS",
        help="longest wait once the jobs are created (default: %(default)g)",
    )  # fmt: skip
    extract.add_argument("--output", type=Path, metavar="DIR", help="folder for the results; created if it is missing")
    add_choice(extract, "--format", EXPORT_FORMATS, help="default: json; jsonl where several are printed")
    extract.add_argument("--provenance", action="store_true", help="add confidence, page and quote to each value")
    add_source(extract)


def _run(arguments: argparse.Namespace) -> int:
    from llx_mcp.cli.extract_results import Output
    from llx_mcp.cli.extract_run import extract
    from llx_mcp.jobs.creation_plan import CreationRequest

    setup = set_up(arguments)
    files = list_documents(arguments.files)
    options = {
        "tier": arguments.tier,
        "extraction_target": arguments.extraction_target,
        "target_pages": arguments.target_pages,
        "system_prompt": arguments.instructions,
    }
    request = CreationRequest(
        data_schema=None if arguments.schema is None else read_schema(arguments.schema),
        configuration_id=arguments.configuration_id,
        like_job=arguments.like_job,
        options={name: value for name, value in options.items() if value is not None},
        again=arguments.again,
        scope=setup.scope,
    )
    format_name = choose_format(arguments.format, arguments.output, num_files=len(files))
    check_output(arguments.output, format_name, arguments.files)
    output = Output(arguments.output, format_name, arguments.provenance, is_single=len(files) == 1)
    must_ask = not (arguments.yes or is_local(arguments))
    return extract(
        setup,
        request,
        files,
        output,
        timeout_seconds=arguments.timeout,
        must_ask=must_ask,
        # The question has a warning.
        allows_damaged=must_ask or arguments.allow_damaged,
    )


def list_documents(paths: Sequence[Path]) -> list[str]:
    """Return files, with those in place of a folder that the service takes, each once.

    Raises:
        ArgumentError: a folder holds no documents.
    """
    found: list[Path] = []
    for path in paths:
        documents = _list_folder(path) if path.is_dir() else [path]
        if not documents:
            raise ArgumentError(f"FILE: the folder {path} has no file of a type that LlamaExtract takes. Check it.")
        found += documents
    return list(dict.fromkeys(map(str, found)))


def _list_folder(folder: Path) -> list[Path]:
    from llx_mcp.jobs.document_types import TYPES, get_type

    return sorted(
        path
        for path in folder.iterdir()
        if path.is_file() and not path.name.startswith(".") and get_type(path.name) in TYPES
    )


def check_output(output: Path | None, format_name: str, paths: Sequence[Path]) -> None:
    """Check that the results do not become documents of the next run.

    Args:
        output: the folder for the results; None for standard output.
        format_name: their format, which is their ending.
        paths: the files and folders, as they were given.

    Raises:
        ArgumentError: they would be written beside the documents, with an ending that LlamaExtract takes.
    """
    from llx_mcp.jobs.document_types import TYPES

    if output is None or format_name not in TYPES:
        return
    # A shell lists the files of a folder one by one.
    folders = [path if path.is_dir() else path.parent for path in paths if path.is_dir() or len(paths) > 1]
    if any(folder.resolve() == output.resolve() for folder in folders):
        raise ArgumentError(
            f"--output: {output} is the folder of the documents, and the next run would take the {format_name} files "
            "in it for documents. Give another folder."
        )


def read_schema(path: Path) -> dict[str, Any]:
    """Return the schema in a file.

    Raises:
        ArgumentError: the file does not hold a JSON object.
        OSError: the file cannot be read.
    """
    try:
        schema = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as exc:
        raise ArgumentError(f"--schema {path}: not JSON ({exc}). Give a file with a JSON Schema.") from None
    if not isinstance(schema, dict):
        raise ArgumentError(f"--schema {path}: a JSON Schema is an object, and this is something else.")
    return schema


def choose_format(given: str | None, output: Path | None, *, num_files: int) -> str:
    """Return the format of the results.

    Raises:
        ArgumentError: the format cannot be printed.
    """
    if output is not None or num_files == 1:
        chosen = given or "json"
        if output is None:
            check_printable(chosen, "DIR")
        return chosen
    if given not in (None, _LINES):
        raise ArgumentError(
            f"--format {given}: results of several files are printed as {_LINES}, one line for each. Give --output DIR "
            f"for a file in this format for each."
        )
    return _LINES


EXTRACT = Command(
    "extract",
    "create a job for each document, wait, and write the results",
    details="The same command again continues after an interruption: it finds the documents and jobs of the last day, "
    "and creates only what is missing. On LlamaCloud jobs cost credits, so the command shows an estimate and asks; "
    "where there is no terminal, it needs --yes. With --local alone, everything is gone when the command ends; use "
    "--local-db. Exit status: 0 all completed, 1 one failed or was cancelled, 2 error, "
    "3 one is still running at the timeout. Interrupting the command does not affect the jobs.",
    example="llx-mcp extract invoices/ --schema invoice.schema.json --output results --yes",
    add_flags=_add_flags,
    run=_run,
    words={"configuration_id": "--configuration"},
)
