"""How commands are declared, and the flags that they share."""

import argparse
import math
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, TypeAlias, get_args

from llx_mcp.errors import ArgumentError
from llx_mcp.settings import LogLevel, Region, check_base_url, load_redactor, parse_permissions

Flags: TypeAlias = Callable[[argparse.ArgumentParser], None]

EXIT_COMPLETED = 0
EXIT_FAILED = 1
EXIT_ERROR = 2
EXIT_TIMEOUT = 3
EXIT_INTERRUPTED = 130
# As if the signal SIGPIPE had ended the process.
EXIT_CLOSED_PIPE = 141

EXPORT_FORMATS = ("json", "jsonl", "csv", "parquet", "xlsx")
_BINARY_FORMATS = ("parquet", "xlsx")
# For the examples in the help of commands.
EXAMPLE_JOB_ID = "ext-sample0invoice00000000000000"

_HELP_COLUMNS = 80


@dataclass(frozen=True, slots=True)
class Command:
    """A subcommand.

    Attributes:
        name: the word on the command line.
        summary: what it does, without a full stop; also its line in the list of commands.
        example: a command line.
        details: further sentences of its help.
        add_flags: adds its flags to its parser.
        run: runs it and returns the exit status; None for a command that only has actions.
        actions: the subcommands that it has.
        words: for arguments of tools that it calls by another name than most commands, this name.
    """

    name: str
    summary: str
    example: str
    details: str = ""
    add_flags: Flags | None = None
    run: Callable[[argparse.Namespace], int] | None = None
    actions: Sequence["Command"] = ()
    words: Mapping[str, str] = field(default_factory=dict)


class CommandParser(argparse.ArgumentParser):
    """A parser whose help begins with what the command does, and which shows its own usage in every error."""

    def __init__(self, **arguments: object) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, **arguments)  # type: ignore[arg-type]

    def format_help(self) -> str:
        """Return the description, the usage, the flags, and the epilog with its example."""
        formatter = self._get_formatter()
        formatter.add_text(self.description)
        formatter.add_usage(self.usage, self._actions, self._mutually_exclusive_groups)
        for group in self._action_groups:
            formatter.start_section(group.title)
            formatter.add_text(group.description)
            formatter.add_arguments(group._group_actions)  # noqa: SLF001 - as argparse formats its help
            formatter.end_section()
        formatter.add_text(self.epilog)
        return formatter.format_help()

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
        """Refuse unknown arguments here: argparse would report those of a subcommand with the usage of the whole."""
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return parsed, unknown

    def error(self, message: str) -> NoReturn:
        """Print the usage and an error without the key of the environment, and exit."""
        super().error(load_redactor().redact(message))


def add_commands(parser: argparse.ArgumentParser, commands: Sequence[Command], metavar: str) -> None:
    """Add subcommands to a parser. Each help says what the command does, and ends with an example."""
    subparsers = parser.add_subparsers(required=True, metavar=metavar)
    for command in commands:
        text = f"{command.summary[0].upper()}{command.summary[1:]}. {command.details}".strip()
        child = subparsers.add_parser(
            command.name,
            help=command.summary,
            description=textwrap.fill(text, _HELP_COLUMNS),
            epilog=f"Example:\n  {command.example}",
        )
        if command.add_flags is not None:
            command.add_flags(child)
        if command.actions:
            add_commands(child, command.actions, "ACTION")
        child.set_defaults(**({} if command.run is None else {"run": command.run, "words": command.words}))


def add_store(parser: argparse.ArgumentParser, *, required: bool = False, creates: bool = False) -> None:
    """Add `--local-db`.

    Args:
        parser: where to add it.
        required: whether the command needs a database file.
        creates: whether the command makes the file if it does not exist; then it can fill it with the samples too.
    """
    words = "created if it does not exist" if creates else "it must exist"
    default = "" if required else " (default: the samples, in memory)"
    parser.add_argument(
        "--local-db",
        type=Path,
        required=required,
        metavar="PATH",
        help=f"database file of the embedded API; {words}{default}",
    )
    if creates:
        parser.add_argument("--with-samples", action="store_true", help="add the sample jobs to the database file")


def add_source(parser: argparse.ArgumentParser) -> None:
    """Add the flags that choose between LlamaCloud and the embedded API, and configure them."""
    parser.add_argument("--local", action="store_true", help="read the embedded API instead of LlamaCloud")
    add_store(parser)
    add_service(parser)


_HTTP_FLAGS = (
    "--host",
    "--port",
    "--path",
    "--auth",
    "--allowed-hosts",
    "--trusted-proxies",
    "--metrics-host",
    "--metrics-port",
)


def add_http(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the server over HTTP. Each overrides an environment variable."""
    parser.add_argument("--host", help="address to listen on (LLX_MCP_HTTP_HOST; default: 127.0.0.1)")
    parser.add_argument("--port", type=parse_port, help="port; 0 picks a free one (LLX_MCP_HTTP_PORT; default: 8000)")
    parser.add_argument("--path", help="path of the MCP endpoint (LLX_MCP_HTTP_PATH; default: /mcp)")
    add_choice(parser, "--auth", ("pass-through", "oauth", "tokens"), help="who may call (LLX_MCP_AUTH)")
    parser.add_argument(
        "--allowed-hosts", metavar="HOSTS", help="accepted values of Host, by comma (LLX_MCP_HTTP_ALLOWED_HOSTS)"
    )
    parser.add_argument(
        "--trusted-proxies",
        metavar="NETWORKS",
        help="proxies whose X-Forwarded headers are believed, by comma (LLX_MCP_HTTP_TRUSTED_PROXIES)",
    )
    parser.add_argument("--metrics-host", help="address of the metrics (LLX_MCP_METRICS_HOST; default: 127.0.0.1)")
    parser.add_argument(
        "--metrics-port", type=parse_port, help="port of the metrics (LLX_MCP_METRICS_PORT; default: no metrics)"
    )


def list_http_flags(arguments: argparse.Namespace) -> list[str]:
    """Return the flags of the server over HTTP that were given."""
    return [flag for flag in _HTTP_FLAGS if getattr(arguments, flag[2:].replace("-", "_")) is not None]


def add_service(parser: argparse.ArgumentParser) -> None:
    """Add the flags of LlamaCloud. Each overrides an environment variable."""
    add_choice(parser, "--region", get_args(Region), help="region of LlamaCloud (LLAMA_CLOUD_REGION)")
    parser.add_argument(
        "--base-url", type=parse_base_url, metavar="URL", help="address of the service (LLAMA_CLOUD_BASE_URL)"
    )
    parser.add_argument("--project-id", metavar="ID", help="project (LLAMA_CLOUD_PROJECT_ID)")
    parser.add_argument("--organization-id", metavar="ID", help="organization (LLAMA_CLOUD_ORGANIZATION_ID)")
    add_choice(parser, "--log-level", get_args(LogLevel), help="lowest level to log to stderr (LLX_MCP_LOG_LEVEL)")


def add_creation(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say what a server may do besides reading."""
    parser.add_argument(
        "--allow",
        type=_parse_allow,
        metavar="WHAT,...",
        help="what to allow besides reading: create (costs credits), cancel, delete (LLX_MCP_ALLOW; default: nothing, "
        "and with --local create and cancel)",
    )
    parser.add_argument(
        "--files",
        type=_parse_folder,
        action="append",
        metavar="DIR",
        help="folder whose files may be uploaded, over stdio only; may be repeated (default: the working directory)",
    )
    parser.add_argument(
        "--max-pages", type=parse_whole(1), metavar="N", help="most pages of a created job (LLX_MCP_MAX_PAGES)"
    )


def _parse_allow(text: str) -> frozenset[str]:
    try:
        return parse_permissions(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from None


def _parse_folder(text: str) -> Path:
    folder = Path(text)
    if not folder.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is not a folder")
    return folder.absolute()


def check_printable(format_name: str, place: str) -> None:
    """Check that a format can be printed on standard output.

    Args:
        format_name: one of `EXPORT_FORMATS`.
        place: what `--output` takes instead, as the help names it.

    Raises:
        ArgumentError: it is binary, and standard output is a terminal.
    """
    if format_name in _BINARY_FORMATS and sys.stdout.isatty():
        raise ArgumentError(f"--format {format_name} is binary and not for a terminal. Give --output {place}.")


def add_choice(
    parser: argparse.ArgumentParser,
    flag: str,
    choices: Sequence[str],
    *,
    help: str,  # noqa: A002 - the name of argparse
    action: str = "store",
) -> None:
    """Add a flag that takes one of some words. Case does not matter."""
    fold = str.upper if choices[0].isupper() else str.lower
    parser.add_argument(flag, type=fold, choices=choices, help=help, action=action)


def parse_base_url(text: str) -> str:
    """Parse the address of the service for argparse."""
    try:
        return check_base_url(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from None


def parse_port(text: str) -> int:
    """Parse a port number for argparse."""
    port = _read_digits(text)
    if not 0 <= port <= 65_535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return port


def parse_whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """Return what parses a whole number within bounds for argparse; None is no upper bound."""

    def parse(text: str) -> int:
        number = _read_digits(text)
        if number < least or (most is not None and number > most):
            raise argparse.ArgumentTypeError(
                f"give a whole number from {least:,}{'' if most is None else f' to {most:,}'}"
            )
        return number

    return parse


def _read_digits(text: str) -> int:
    """Return the number that a text of digits is; -1 where it is none."""
    return int(text) if text.isascii() and text.isdigit() else -1


def parse_share(text: str) -> float:
    """Parse a number from 0 to 1 for argparse."""
    number = read_number(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError("give a number from 0 to 1")
    return number


def parse_seconds(text: str) -> float:
    """Parse a number of seconds for argparse."""
    seconds = read_number(text)
    if not seconds >= 0:
        raise argparse.ArgumentTypeError("give a number of seconds from 0")
    return seconds


def read_number(text: str) -> float:
    """Return the number that a text is; NaN, which is within no bounds, where it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan
