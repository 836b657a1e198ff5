"""What the commands share: flags, the set-up that follows from them, exit statuses and the wording of errors."""

import argparse
import re
import sys
import textwrap
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from llx_mcp.errors import ArgumentError
from llx_mcp.redaction import RedactingFilter, Redactor
from llx_mcp.scope import Scope
from llx_mcp.settings import Settings, load_settings

if TYPE_CHECKING:
    from llx_mcp.jobs.reader import ReaderOptions
    from llx_mcp.jobs.source import OpenSource
    from llx_mcp.local import JobStore

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - it has no public name

EXIT_COMPLETED = 0
EXIT_FAILED = 1
EXIT_ERROR = 2
EXIT_TIMEOUT = 3
EXIT_INTERRUPTED = 130

_HELP_COLUMNS = 80
# Errors are worded for models, which call tools by name and give arguments by name.
_COMMANDS_OF_TOOLS = {
    "list_extract_jobs": "llx-mcp list",
    "get_extract_job": "llx-mcp get",
    "wait_for_extract_job": "llx-mcp wait",
    "a longer timeout_seconds": "a longer --timeout",
}
_FLAGS_OF_ARGUMENTS = {
    "configuration_id": "--configuration-id",
    "created_since": "--since",
    "created_until": "--until",
    "cursor": "--cursor",
    "document": "--document",
    "expand": "--expand",
    "job_id": "ID",
    "max_chars": "--max-chars",
    "organization_id": "--organization-id",
    "page_token": "--cursor",
    "path": "--path",
    "project_id": "--project-id",
    "status": "--status",
}
_TOOL_NAME = re.compile("|".join(map(re.escape, _COMMANDS_OF_TOOLS)))
# An error about an argument begins with its name. Further on, the same word may be a field of the document.
_FIRST_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class CommandSetup:
    """What a command needs to read jobs.

    Attributes:
        settings: from flags and environment.
        open_source: opens LlamaCloud, or the embedded API.
        reader_options: how jobs are polled and cached.
        scope: the project and organization of the flags.
    """

    settings: Settings
    open_source: "OpenSource"
    reader_options: "ReaderOptions"
    scope: Scope

    @property
    def redactor(self) -> Redactor:
        """Removes the key from what a command prints."""
        return self.settings.build_redactor()


def add_command(
    commands: Commands, name: str, summary: str, *, details: str = "", example: str
) -> argparse.ArgumentParser:
    """Add a subcommand whose help says what it does, then the details, then shows an example.

    Args:
        commands: where to add it.
        name: the word on the command line.
        summary: what it does, without a full stop; also its line in the list of commands.
        details: further sentences.
        example: a command line.
    """
    text = f"{summary[0].upper()}{summary[1:]}. {details}".strip()
    return commands.add_parser(
        name,
        help=summary,
        description=f"{textwrap.fill(text, _HELP_COLUMNS)}\n\nExample:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_required_store(parser: argparse.ArgumentParser) -> None:
    """Add `--local-db` as a required flag."""
    parser.add_argument(
        "--local-db", type=Path, required=True, metavar="PATH", help="database file; created if it does not exist"
    )


def add_store(parser: argparse.ArgumentParser) -> None:
    """Add `--local-db`."""
    parser.add_argument(
        "--local-db", type=Path, metavar="PATH", help="database file of the embedded API (default: samples in memory)"
    )


def add_source(parser: argparse.ArgumentParser) -> None:
    """Add the flags that choose between LlamaCloud and the embedded API, and configure them."""
    parser.add_argument("--local", action="store_true", help="read the embedded API instead of LlamaCloud")
    add_store(parser)
    add_service(parser)


def add_service(parser: argparse.ArgumentParser) -> None:
    """Add the flags of LlamaCloud. Each overrides an environment variable."""
    parser.add_argument("--region", choices=("na", "eu"), help="region of LlamaCloud (LLAMA_CLOUD_REGION)")
    parser.add_argument("--base-url", metavar="URL", help="address of the service (LLAMA_CLOUD_BASE_URL)")
    parser.add_argument("--project-id", metavar="ID", help="project (LLAMA_CLOUD_PROJECT_ID)")
    parser.add_argument("--organization-id", metavar="ID", help="organization (LLAMA_CLOUD_ORGANIZATION_ID)")
    parser.add_argument(
        "--log-level",
        choices=("DEBUG", "INFO", "WARNING", "ERROR"),
        help="lowest level to log to stderr (LLX_MCP_LOG_LEVEL)",
    )


def set_up(arguments: argparse.Namespace) -> CommandSetup:
    """Read the settings, start logging, and choose where jobs come from.

    Raises:
        ConfigurationError: a setting is not valid.
    """
    from llx_mcp.backends import build_reader_options, open_cloud_backend, open_local_backend

    settings = set_up_settings(arguments)
    return CommandSetup(
        settings,
        open_local_backend(arguments.local_db) if is_local(arguments) else open_cloud_backend(settings),
        build_reader_options(settings),
        Scope(arguments.project_id, arguments.organization_id),
    )


def set_up_settings(arguments: argparse.Namespace) -> Settings:
    """Read the settings from flags and environment, and start logging to stderr, without the key.

    Raises:
        ConfigurationError: a setting is not valid.
    """
    import logging

    settings = load_settings(
        region=arguments.region,
        base_url_override=arguments.base_url,
        project_id=arguments.project_id,
        organization_id=arguments.organization_id,
        log_level=arguments.log_level,
    )
    log_format = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(RedactingFilter(settings.build_redactor()))
    logging.basicConfig(handlers=[handler], level=settings.log_level, format=log_format)
    return settings


def is_local(arguments: argparse.Namespace) -> bool:
    """Return whether the flags choose the embedded API."""
    return arguments.local or arguments.local_db is not None


@contextmanager
def open_store(path: Path | None) -> "Iterator[JobStore]":
    """Open the database of the embedded API, and close it at the end.

    Args:
        path: the database file; None for the samples in memory.

    Raises:
        ConfigurationError: the file cannot be opened as such a database.
    """
    from llx_mcp.backends import open_local_store

    with closing(open_local_store(path)) as store:
        yield store


def describe_error(error: Exception) -> str:
    """Return the message of an error, with commands and flags instead of the names of tools and arguments."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    text = _TOOL_NAME.sub(lambda match: _COMMANDS_OF_TOOLS[match.group()], str(error))
    if isinstance(error, ArgumentError) and (first := _FIRST_WORD.match(text)):
        return _FLAGS_OF_ARGUMENTS.get(first.group(), first.group()) + text[first.end() :]
    return text


def parse_port(text: str) -> int:
    """Parse a port number for argparse."""
    port = int(text)
    if not 0 <= port <= 65_535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return port


def parse_seconds(text: str) -> float:
    """Parse a number of seconds for argparse."""
    seconds = float(text)
    if not seconds >= 0:
        raise argparse.ArgumentTypeError("give a number of seconds from 0")
    return seconds
