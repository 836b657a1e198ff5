"""The MCP server: tools, resources and prompts, with readable errors and compact schemas."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
from mcp.server.caching import CacheableMethod, CacheHint
from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.request_state import RequestStateSecurity
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, SubscriptionBus
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolResult,
    GetPromptResult,
    Icon,
    InputRequiredResult,
    PromptMessage,
    TextContent,
    Tool,
)
from mcp_types import Prompt as PromptInfo
from mcp_types import PromptArgument as PromptArgumentInfo
from pydantic import ValidationError

from llx_mcp import __version__
from llx_mcp.answers.limits import MAX_CHARS
from llx_mcp.errors import ArgumentError, LlxError, excerpt
from llx_mcp.jobs.clock import Clock, SystemClock
from llx_mcp.jobs.reader import JobReader, open_reader
from llx_mcp.jobs.reader_options import ReaderOptions
from llx_mcp.jobs.source import OpenSource, get_redactor
from llx_mcp.redaction import Redactor
from llx_mcp.server.answer_filter import AnswerFilter
from llx_mcp.server.completions import Completions
from llx_mcp.server.prompts import list_prompts
from llx_mcp.server.repeated_calls import RepeatedCalls
from llx_mcp.server.resources import add_resources, hint_freshness
from llx_mcp.server.stdio import open_stdio
from llx_mcp.server.subscriptions import JobSubscriptions
from llx_mcp.server.tasks import Tasks, TaskWork
from llx_mcp.server.tools.get_extract_job import build_summary_request, get_extract_job
from llx_mcp.server.tools.results import tool_error
from llx_mcp.server.tools.schemas import compact_schema, explain_arguments, hide_arguments, inline_schema
from llx_mcp.server.toolset import build_instructions, describe_effects, list_hidden_arguments, list_modules
from llx_mcp.server.wait_task import WaitForJobs
from llx_mcp.settings import LogLevel, Permission

_ICON = (
    "data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIHZpZXdCb3g9IjAgMCAyNCAyNCI+PHBhdGgg"
    "ZmlsbD0iIzM3NTZhYSIgZD0iTTUgMmg5bDUgNXYxNUg1eiIvPjxwYXRoIGZpbGw9IiNmZmYiIGQ9Ik04IDEwaDh2Mkg4em0wIDRoNXYySDh6Ii8+PC9z"
    "dmc+"
)
WEBSITE = "https://developers.llamaindex.ai/llamaextract/"
_CLOSE_SECONDS = 3.0
# An error names so many unknown arguments.
_MAX_UNKNOWN = 5
# A wait that has just begun is answered with the first poll of its jobs, if that takes no longer than this.
_FIRST_POLL_SECONDS = 1.0
_LISTS_TTL_MS = 3_600_000
_LISTS: tuple[CacheableMethod, ...] = ("tools/list", "prompts/list", "resources/templates/list", "resources/list")


class ExtractServer(MCPServer[JobReader]):
    """An `MCPServer` with readable errors, compact schemas and prompts from files.

    Attributes:
        readers: the job readers of all runs of the server that have not ended.
        hidden_arguments: arguments that tools do not have on this server, by tool.
        allowed: what the server may do besides reading.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        # Headers repeat no argument of a tool, so no call needs the search of its schema for such arguments.
        self._lowlevel_server.get_tool_input_schema = lambda _: None
        self.readers: set[JobReader] = set()
        self.hidden_arguments: Mapping[str, frozenset[str]] = {}
        self.allowed: frozenset[Permission] = frozenset()
        self._num_open_calls = 0
        self._is_idle = anyio.Event()

    async def answer_waits(self) -> None:
        """Answer every open wait with the latest snapshot, and wait until all calls are answered.

        A wait that begins later polls once. Calls that take longer than a few seconds are abandoned.
        """
        for reader in self.readers:
            reader.end_waits()
        await self._wait_idle(_FIRST_POLL_SECONDS)
        for reader in list(self.readers):
            await reader.close()
        await self._wait_idle(_CLOSE_SECONDS)

    async def _wait_idle(self, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            while self._num_open_calls:
                self._is_idle = anyio.Event()
                await self._is_idle.wait()

    def end_subscriptions(self) -> None:
        """End every open `subscriptions/listen` with its result, so that clients know it ended on purpose."""
        entry = self._lowlevel_server.get_request_handler("subscriptions/listen")
        if entry is not None and isinstance(entry.handler, ListenHandler):
            entry.handler.close()

    async def run_stdio_async(self) -> None:
        """Serve one client over standard input and output, until it closes standard input."""
        async with open_stdio(self.answer_waits, close_seconds=_CLOSE_SECONDS) as (read_stream, write_stream):
            server = self._lowlevel_server
            await server.run(read_stream, write_stream, server.create_initialization_options())

    async def count_call(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Count the calls that are open. This is a middleware."""
        if ctx.method != "tools/call":
            return await call_next(ctx)
        self._num_open_calls += 1
        try:
            return await call_next(ctx)
        finally:
            self._num_open_calls -= 1
            if not self._num_open_calls:
                self._is_idle.set()

    def answer_from_memory(self) -> None:
        """Answer repeated calls of `get_extract_job` from memory."""
        (tool,) = (tool for tool in self._tool_manager.list_tools() if tool.name == get_extract_job.__name__)
        self.middleware.append(RepeatedCalls(tool, build_summary_request))

    def has_method(self, method: str) -> bool:
        """Return whether the server answers requests of a method."""
        return self._lowlevel_server.get_request_handler(method) is not None

    async def list_tools(self) -> list[Tool]:
        """List the tools with compact schemas."""
        return [
            tool.model_copy(
                update={
                    "input_schema": hide_arguments(
                        compact_schema(tool.input_schema), self.hidden_arguments.get(tool.name, ())
                    ),
                    "output_schema": inline_schema(tool.output_schema or {}),
                }
            )
            for tool in await super().list_tools()
        ]

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[JobReader, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool. Errors that are meant to be read become error results without the SDK's prefix."""
        if error := self._explain_unknown(name, arguments):
            return tool_error(error)
        try:
            return await super().call_tool(name, arguments, context)
        except ToolError as exc:
            cause = exc.__cause__
            if isinstance(cause, LlxError):
                return tool_error(str(cause))
            if isinstance(cause, ValidationError):
                tool = self._tool_manager.get_tool(name)
                return tool_error(explain_arguments(name, cause, inline_schema(tool.parameters if tool else {})))
            raise

    def _explain_unknown(self, name: str, arguments: dict[str, Any]) -> str | None:
        """Explain arguments that the tool does not have; the SDK would drop them silently."""
        tool = self._tool_manager.get_tool(name)
        if tool is None:
            return None
        hidden = self.hidden_arguments.get(name, frozenset())
        known = [argument for argument in tool.parameters.get("properties", {}) if argument not in hidden]
        unknown = [argument for argument in arguments if argument not in known]
        if not unknown:
            return None
        shown = ", ".join(excerpt(argument, 40) for argument in unknown[:_MAX_UNKNOWN])
        others = f" and {len(unknown) - _MAX_UNKNOWN:,} others" if len(unknown) > _MAX_UNKNOWN else ""
        return f"{name} was not called: it has no argument {shown}{others}. It takes {', '.join(known)}."

    async def list_prompts(self) -> list[PromptInfo]:
        """List the prompts of `prompts/*.md`."""
        return [
            PromptInfo(
                name=prompt.name,
                title=prompt.title,
                description=prompt.description,
                arguments=[
                    PromptArgumentInfo(name=argument.name, description=argument.description, required=argument.required)
                    for argument in prompt.arguments
                ],
            )
            for prompt in list_prompts(self.allowed).values()
        ]

    async def get_prompt(
        self, name: str, arguments: dict[str, Any] | None = None, context: Context[JobReader, Any] | None = None
    ) -> GetPromptResult | InputRequiredResult:
        """Return a prompt with its arguments filled in. An unknown name or a bad argument is error −32602."""
        prompts = list_prompts(self.allowed)
        prompt = prompts.get(name)
        if prompt is None:
            raise MCPError(INVALID_PARAMS, f"No prompt {name!r}; there are: {', '.join(prompts)}.")
        try:
            text = prompt.render(arguments or {})
        except ArgumentError as exc:
            raise MCPError(INVALID_PARAMS, str(exc)) from None
        return GetPromptResult(
            description=prompt.description,
            messages=[PromptMessage(role="user", content=TextContent(type="text", text=text))],
        )


def build_server(
    open_source: OpenSource,
    *,
    redactor: Redactor | None = None,
    clock: Clock | None = None,
    options: ReaderOptions | None = None,
    works: Mapping[str, TaskWork] | None = None,
    middleware: Sequence[ServerMiddleware[Any]] = (),
    bus: SubscriptionBus | None = None,
    request_state: RequestStateSecurity | None = None,
    log_level: LogLevel = "WARNING",
) -> ExtractServer:
    """Build a server over a source of jobs, which is opened at the first call and closed with the server.

    Args:
        open_source: where jobs come from.
        redactor: removes secrets from everything that the server answers; by default, that of the source's key.
        clock: the clock for polling and waiting.
        options: how jobs are polled and cached, and what is allowed besides reading.
        works: the task work of further tools, by tool name.
        middleware: what is called before everything but the filter of answers, such as the choice of the reader.
        bus: carries the events of subscriptions; by default, to all listeners of this server.
        request_state: protects what clients keep between a question to the person and its answer; by default, with a
            secret of this process.
        log_level: what is logged to stderr.
    """

    @asynccontextmanager
    async def lifespan(_: MCPServer[JobReader]) -> AsyncIterator[JobReader]:
        async with open_reader(open_source, clock or SystemClock(), options) as reader:
            server.readers.add(reader)
            try:
                yield reader
            finally:
                server.readers.discard(reader)

    creation = (options or ReaderOptions()).creation
    bus = bus or InMemorySubscriptionBus()
    completions = Completions()
    server = ExtractServer(
        name="llx-mcp",
        title="LlamaExtract jobs",
        description="Reads LlamaExtract jobs within a budget, with page, quote and confidence.",
        instructions=build_instructions(creation.allowed),
        website_url=WEBSITE,
        icons=[Icon(src=_ICON, mime_type="image/svg+xml", sizes=["any"])],
        version=__version__,
        lifespan=lifespan,
        log_level=log_level,
        cache_hints={name: CacheHint(ttl_ms=_LISTS_TTL_MS, scope="public") for name in _LISTS},
        middleware=[
            AnswerFilter(redactor or get_redactor(open_source)),
            *middleware,
            _refuse_cursor,
            hint_freshness,
            JobSubscriptions(bus),
            completions,
        ],
        subscriptions=bus,
        request_state_security=request_state,
        extensions=[Tasks({"wait_for_extract_job": WaitForJobs(), **(works or {})})],
    )
    server.completion()(completions.complete)  # type: ignore[no-untyped-call] # of the SDK
    server.middleware.append(server.count_call)
    server.hidden_arguments = list_hidden_arguments(creation)
    server.allowed = creation.allowed
    for module in list_modules(creation.allowed):
        server.add_tool(
            getattr(module, module.__name__.rpartition(".")[2]),
            title=module.TITLE,
            description=module.DESCRIPTION,
            annotations=describe_effects(module),
            # Claude Code cuts answers above its own limit unless a tool says more, and searches deferred tools by hint.
            meta={"anthropic/maxResultSizeChars": MAX_CHARS, "anthropic/searchHint": module.SEARCH_HINT},
        )
    add_resources(server)
    server.answer_from_memory()
    return server


async def _refuse_cursor(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Refuse a cursor: every list of this server is one page, so it never gives one."""
    if ctx.method.endswith("/list") and ctx.params and ctx.params.get("cursor") is not None:
        raise MCPError(INVALID_PARAMS, "Unknown cursor: every list of this server is one page. Leave cursor out.")
    return await call_next(ctx)
