"""The command `llx-mcp`: serves the tools, and gives people the same answers."""

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

from llx_mcp import __version__
from llx_mcp.cli.commands import COMMANDS
from llx_mcp.cli.extract import EXTRACT
from llx_mcp.cli.local import LOCAL
from llx_mcp.cli.options import EXIT_CLOSED_PIPE, EXIT_ERROR, EXIT_INTERRUPTED, Command, CommandParser, add_commands
from llx_mcp.cli.wording import describe_error, print_error
from llx_mcp.errors import LlxError

_SHELLS = ("bash", "zsh", "fish", "tcsh")


def main(argv: list[str] | None = None) -> NoReturn:
    """Run one command, and exit with its status. A closed output ends the command without a message."""
    _replace_closed_streams()
    try:
        status = _run(argv)
    except BrokenPipeError:
        status = EXIT_CLOSED_PIPE
    except BaseExceptionGroup as group:
        # Task groups wrap what is raised inside them.
        if group.subgroup(BrokenPipeError) is None:
            raise
        status = EXIT_CLOSED_PIPE
    if status in (EXIT_CLOSED_PIPE, EXIT_ERROR):
        _discard_output()
    sys.exit(status)


def _add_completion_flags(completion: argparse.ArgumentParser) -> None:
    completion.add_argument("shell", type=str.lower, choices=_SHELLS, help="your shell")


def _run_completion(arguments: argparse.Namespace) -> int:
    import shtab

    parser = build_parser()
    _complete_files(parser, shtab.FILE)
    print(shtab.complete(parser, shell=arguments.shell))  # nosec B604 # the name of a shell; none is run
    return 0


def _complete_files(parser: argparse.ArgumentParser, words: object) -> None:
    """Let the shell complete the names of files wherever a flag takes a path, in subcommands too."""
    for action in parser._actions:  # noqa: SLF001 - argparse has no public list of its flags
        if action.type is Path:
            action.complete = words  # type: ignore[attr-defined] # shtab reads it
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for child in action.choices.values():
                _complete_files(child, words)


# Here and not in `commands`, because its script describes all commands.
_COMPLETION = Command(
    "completion",
    "print a script with which a shell completes commands and flags",
    details="Load it in the shell, or save it where the shell looks for completions.",
    example='eval "$(llx-mcp completion bash)"',
    add_flags=_add_completion_flags,
    run=_run_completion,
)


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of all commands."""
    parser = CommandParser(
        prog="llx-mcp",
        description="Read LlamaExtract jobs: an MCP server for language models, and the same answers for people.",
        epilog="The key is read from LLAMA_CLOUD_API_KEY. With --local, neither a key nor an account is needed.\n\n"
        "Example:\n  llx-mcp demo",
    )
    parser.add_argument("--version", action="version", version=f"llx-mcp {__version__}")
    add_commands(parser, (*COMMANDS, EXTRACT, LOCAL, _COMPLETION), "COMMAND")
    return parser


def _run(argv: list[str] | None) -> int:
    words: Mapping[str, str] = {}
    try:
        try:
            arguments = build_parser().parse_args(argv)
            words = arguments.words
            run: Callable[[argparse.Namespace], int] = arguments.run
            return run(arguments)
        finally:
            # At the exit of the interpreter, it would be too late to report that this failed.
            print(end="", flush=True)
    except BrokenPipeError:
        raise
    except (LlxError, OSError) as exc:
        print_error(describe_error(exc, words))
        return EXIT_ERROR
    except KeyboardInterrupt:
        print("llx-mcp: stopped; jobs are left as they are.", file=sys.stderr)
        return EXIT_INTERRUPTED


def _discard_output() -> None:
    """Discard what could not be written, so that the exit of the interpreter does not fail on it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)


def _replace_closed_streams() -> None:
    """Write to nowhere what a caller has closed, as with `>&-`: Python has None in place of such a stream."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 - it lasts as long as the process
