"""Answers and errors in the words of the command line: commands, flags and files instead of tools and arguments."""

import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from llx_mcp.errors import ArgumentError, UpstreamError
from llx_mcp.settings import load_redactor

if TYPE_CHECKING:
    from llx_mcp.answers.output_base import Output
    from llx_mcp.answers.outputs import Call, NextStep, Omission

_COMMANDS_OF_TOOLS = {
    "list_extract_jobs": "llx-mcp list",
    "get_extract_job": "llx-mcp get",
    "wait_for_extract_job": "llx-mcp wait",
    "read_extract_result": "llx-mcp export",
    "show_citation": "llx-mcp show",
}
_FLAGS_OF_ARGUMENTS = {
    "configuration_id": "--configuration-id",
    "created_since": "--since",
    "created_until": "--until",
    "cursor": "--cursor",
    "data_schema": "--schema",
    "document": "--document",
    "expand": "--expand",
    "file": "FILE",
    "job_id": "ID",
    "job_ids": "ID",
    "like_job": "--like",
    "max_chars": "--max-chars",
    "max_width": "--max-width",
    "organization_id": "--organization-id",
    "page_token": "--cursor",
    "path": "--path",
    "project_id": "--project-id",
    "status": "--status",
    "target_pages": "--target-pages",
    "timeout_seconds": "--timeout",
}
_TOOLS_WITHOUT_COMMAND = (
    "find_in_extract_result",
    "query_extract_result",
    "read_source_text",
    "review_extract_job",
)
_IN_CLIENT = "in an MCP client"
# Arguments of tools that their commands do without: `wait` waits for all jobs, and `export` writes all pages.
_NOT_FLAGS: Mapping[str, frozenset[str]] = {
    "wait_for_extract_job": frozenset({"until"}),
    "read_extract_result": frozenset({"cursor", "include", "max_chars"}),
}
# The argument of a tool that `show` takes as plain words, not as a flag.
SHOW_WORDS = {"path": "PATH"}
_WORDS_OF_COMMANDS: Mapping[str, Mapping[str, str]] = {"show_citation": SHOW_WORDS}
# What else a command needs.
_REQUIRED: Mapping[str, tuple[str, ...]] = {"show_citation": ("-o", "page.png")}
# These names mean nothing else, so they are replaced anywhere in an error or a hint.
_UNMISTAKABLE = {
    **_COMMANDS_OF_TOOLS,
    **{tool: f"{tool} ({_IN_CLIENT})" for tool in _TOOLS_WITHOUT_COMMAND},
    **{name: _FLAGS_OF_ARGUMENTS[name] for name in ("max_chars", "timeout_seconds", "target_pages")},
    "again=true": "--again",
    "Give data_schema": "Give --schema",
    "(--max-pages)": "(LLX_MCP_MAX_PAGES)",
    "project_id (query)": "--project-id",
    "organization_id (query)": "--organization-id",
}
_NAME = re.compile("|".join(map(re.escape, _UNMISTAKABLE)))
# An error about an argument begins with its name. Further on, the same word may be a field of the document.
_FIRST_WORD = re.compile(r"\w+")
_RESOURCE = re.compile(r"llx://jobs/([^/]+)/(result|metadata)\Z")
_WHOLE = "$"
_ID = "ID"


def describe_error(error: Exception, words: Mapping[str, str] | None = None) -> str:
    """Return the message of an error, with commands and flags instead of the names of tools and arguments.

    Args:
        error: the error.
        words: for arguments of tools that the command calls by another name than most, this name.
    """
    if isinstance(error, OSError):
        reason = error.strerror or str(error)
        return reason if error.filename is None else f"{error.filename}: {reason}"
    text = name_commands(str(error))
    names = _FLAGS_OF_ARGUMENTS | dict(words or {})
    if isinstance(error, ArgumentError | UpstreamError) and (first := _FIRST_WORD.match(text)):
        return names.get(first.group(), first.group()) + text[first.end() :]
    return text


def print_error(text: str) -> None:
    """Print an error, or a note, to stderr without the key of the environment."""
    print(f"llx-mcp: {load_redactor().redact(text)}", file=sys.stderr)


def name_commands(text: str) -> str:
    """Replace the names of tools and of unmistakable arguments by commands and flags."""
    return _NAME.sub(lambda match: _UNMISTAKABLE[match.group()], text)


def format_command(call: "Call", source: Sequence[str]) -> str:
    """Return a call of a tool as the command that does the same; the call itself where no command does.

    Args:
        call: the call.
        source: the flags that say where jobs come from, which the command repeats.
    """
    from llx_mcp.answers.requests import SAME, format_call

    command = _COMMANDS_OF_TOOLS.get(call.tool)
    if command is None:
        return f"{format_call(call)} {_IN_CLIENT}"
    words, flags = command.split(), []
    for name, value in call.arguments.items():
        flag = _FLAGS_OF_ARGUMENTS.get(name)
        values = [_ID if flag == _ID and each == SAME else str(each) for each in _list_values(value)]
        if flag == _ID or name in _WORDS_OF_COMMANDS.get(call.tool, {}):
            words += values
        elif flag is not None and name not in _NOT_FLAGS.get(call.tool, ()) and (flag, values) != ("--path", [_WHOLE]):
            flags += [word for each in values for word in (flag, each)]
    return shlex.join([*words, *flags, *source, *_REQUIRED.get(call.tool, ())])


def render_for_people(output: "Output", source: Sequence[str]) -> str:
    """Render an answer as its text form, but with commands where the text form has calls of tools.

    Args:
        output: the answer.
        source: the flags that say where jobs come from, which the commands repeat.
    """
    from llx_mcp.answers.markdown import PARTS, render_head, render_part

    parts = [render_head(output)]
    for name in output.known_fields():
        value = getattr(output, name)
        if name == "omitted":
            parts.append("\n" + "".join(f"Left out: {describe_omission(item, source)}\n" for item in value))
        elif name == "next_steps":
            parts.append("\n" + "".join(f"Next: {describe_next_step(step, source)}\n" for step in value))
        elif name == "summaries":
            parts += [f"\n---\n{render_for_people(summary, source)}" for summary in value]
        elif name in PARTS:
            parts.append(render_part(name, value))
    return "".join(parts)


def describe_omission(omission: "Omission", source: Sequence[str]) -> str:
    """Return what was left out, and the command that shows it, as one line of text."""
    from llx_mcp.answers.markdown import format_omission

    ways = [] if omission.call is None else [format_command(omission.call, source)]
    if omission.resource is not None and (command := _command_of_resource(omission.resource, source)) not in ways:
        ways.append(command)
    words = f"{omission.what}: {', or '.join(ways)}" if ways else omission.what
    hint = name_commands(omission.hint) if omission.hint else None
    return format_omission(omission.model_copy(update={"what": words, "hint": hint, "call": None, "resource": None}))


def describe_next_step(step: "NextStep", source: Sequence[str]) -> str:
    """Return a next step with its command as one line of text."""
    text = name_commands(step.text)
    return text if step.call is None else f"{text} {format_command(step.call, source)}"


def _list_values(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _command_of_resource(uri: str, source: Sequence[str]) -> str:
    """Return the command that writes what a resource holds; the resource itself where no command does."""
    match = _RESOURCE.match(uri)
    if match is None:
        return f"the resource {uri} {_IN_CLIENT}"
    provenance = ["--provenance"] if match[2] == "metadata" else []
    return shlex.join(["llx-mcp", "export", unquote(match[1]), *provenance, *source])
