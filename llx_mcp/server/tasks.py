"""The extension `io.modelcontextprotocol/tasks` (2026-07-28): a call that would take long returns a task.

The id of a task is a signed token that holds everything about it: any replica with the same key answers, and nothing
is stored. This process remembers cancellations and the latest poll of each task, at most 10,000 of each. Another
replica goes on answering for a cancelled task, which changes nothing for the job.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Protocol

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.extension import Extension, MethodBinding
from mcp.server.mcpserver import require_client_extension
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import MCP_NAME_HEADER, decode_header_value
from mcp_types import HEADER_MISMATCH, INVALID_PARAMS, CallToolRequestParams, CallToolResult, GetTaskRequestParams

from llx_mcp.errors import LlxError
from llx_mcp.jobs.reader import JobReader
from llx_mcp.jobs.task_tokens import TaskToken, open_token_signer

IDENTIFIER = "io.modelcontextprotocol/tasks"
VERSIONS = frozenset({"2026-07-28"})
# The official client waits this long for a job.
TTL = timedelta(hours=2)

_MAX_REMEMBERED = 10_000
# A client that polls more often than this gets the state from the previous poll.
_MIN_POLL_SECONDS = 1.0

RequestContext = ServerRequestContext[JobReader, Any]


@dataclass(frozen=True, slots=True)
class TaskState:
    """The state of a task.

    Attributes:
        status: `working` until the task has ended.
        message: the state in words.
        updated_at: when it last changed, where that is known.
        poll_seconds: seconds until the client should poll again.
        result: result of a completed task, also where the tool reports an error.
        error: code and message of a failed task, as in JSON-RPC.
    """

    status: Literal["working", "completed", "failed", "cancelled"]
    message: str
    updated_at: datetime | None = None
    poll_seconds: float = 5.0
    result: CallToolResult | None = None
    error: Mapping[str, Any] | None = None


class TaskWork(Protocol):
    """The work of a tool in a task. What `begin` returns is all that is known of the task later."""

    @property
    def is_required(self) -> bool:
        """Whether the tool can only be called as a task."""
        ...

    async def begin(self, arguments: dict[str, Any], ctx: RequestContext) -> tuple[Any, TaskState] | None:
        """Return the content of a task, as JSON, and its state; None where the call is answered without a task."""
        ...

    async def poll(self, content: Any, created_at: datetime, ctx: RequestContext) -> TaskState:
        """Return the state of the task now."""
        ...


class Tasks(Extension):
    """The extension, for the tools that have work for a task."""

    identifier = IDENTIFIER

    def __init__(self, works: Mapping[str, TaskWork]) -> None:
        self._works = works
        self._cancelled: OrderedDict[str, None] = OrderedDict()
        self._polled: OrderedDict[str, tuple[float, TaskState]] = OrderedDict()

    def methods(self) -> Sequence[MethodBinding]:
        """Return the handlers of `tasks/get`, `tasks/update` and `tasks/cancel`."""
        handlers = {"tasks/get": self._get, "tasks/update": self._update, "tasks/cancel": self._cancel}
        return [MethodBinding(name, GetTaskRequestParams, handler, VERSIONS) for name, handler in handlers.items()]

    async def intercept_tool_call(
        self, params: CallToolRequestParams, ctx: RequestContext, call_next: CallNext
    ) -> HandlerResult:
        """Return a task, where the client takes one and the call would take long."""
        work = self._works.get(params.name)
        if work is None:
            return await call_next(ctx)
        if not _takes_tasks(ctx):
            if work.is_required:
                require_client_extension(ctx, IDENTIFIER)
            return await call_next(ctx)
        begun = await work.begin(params.arguments or {}, ctx)
        if begun is None:
            return await call_next(ctx)
        content, state = begun
        reader = ctx.lifespan_context
        now = reader.clock.now()
        now = now.replace(microsecond=now.microsecond // 1_000 * 1_000)
        token = TaskToken([params.name, content], now, TTL)
        task_id = (await open_token_signer(reader.fetcher)).sign(token)
        self._remember(task_id, state, ctx)
        return {"resultType": "task", **_describe(task_id, token, state)}

    async def _get(self, ctx: RequestContext, params: GetTaskRequestParams) -> HandlerResult:
        work, token = await self._open(ctx, params.task_id)
        state = await self._poll(ctx, params.task_id, work, token)
        answer = {"resultType": "complete", **_describe(params.task_id, token, state)}
        if state.result is not None:
            answer["result"] = state.result.model_dump(by_alias=True, exclude_none=True, mode="json")
        if state.error is not None:
            answer["error"] = dict(state.error)
        return answer

    async def _update(self, ctx: RequestContext, params: GetTaskRequestParams) -> HandlerResult:
        # No task here asks for input, so there is nothing to update.
        await self._open(ctx, params.task_id)
        return {"resultType": "complete"}

    async def _cancel(self, ctx: RequestContext, params: GetTaskRequestParams) -> HandlerResult:
        work, token = await self._open(ctx, params.task_id)
        state = await self._poll(ctx, params.task_id, work, token)
        if state.status == "working":
            _add(self._cancelled, params.task_id, None)
        return {"resultType": "complete"}

    async def _poll(self, ctx: RequestContext, task_id: str, work: TaskWork, token: TaskToken) -> TaskState:
        if task_id in self._cancelled:
            return TaskState("cancelled", "The wait was cancelled. The job itself is unchanged and may still run.")
        polled_at, state = self._polled.get(task_id, (0.0, None))
        if state is not None and ctx.lifespan_context.clock.monotonic() - polled_at < _MIN_POLL_SECONDS:
            return state
        state = await work.poll(token.content[1], token.created_at, ctx)
        self._remember(task_id, state, ctx)
        return state

    def _remember(self, task_id: str, state: TaskState, ctx: RequestContext) -> None:
        # Jobs that have ended are cached, or fetched again.
        if state.status == "working":
            _add(self._polled, task_id, (ctx.lifespan_context.clock.monotonic(), state))
        else:
            self._polled.pop(task_id, None)

    async def _open(self, ctx: RequestContext, task_id: str) -> tuple[TaskWork, TaskToken]:
        require_client_extension(ctx, IDENTIFIER)
        _check_routing(ctx, task_id)
        reader = ctx.lifespan_context
        try:
            token = (await open_token_signer(reader.fetcher)).verify(task_id, reader.clock.now())
        except LlxError as exc:
            raise MCPError(INVALID_PARAMS, str(exc)) from None
        work = self._works.get(token.content[0])
        if work is None:
            raise MCPError(INVALID_PARAMS, "No such task: its tool is not served any more.")
        return work, token


def _takes_tasks(ctx: RequestContext) -> bool:
    capabilities = ctx.session.client_capabilities
    declared = (capabilities.extensions if capabilities else None) or {}
    return IDENTIFIER in declared and ctx.protocol_version in VERSIONS


def _check_routing(ctx: RequestContext, task_id: str) -> None:
    """Check that the header by which an HTTP proxy routes names the same task as the body."""
    headers = getattr(ctx.request, "headers", None)
    if headers is not None and decode_header_value(headers.get(MCP_NAME_HEADER)) != task_id:
        raise MCPError(HEADER_MISMATCH, f"The {MCP_NAME_HEADER} header must be the taskId of the request.")


def _describe(task_id: str, token: TaskToken, state: TaskState) -> dict[str, Any]:
    return {
        "taskId": task_id,
        "status": state.status,
        "statusMessage": state.message,
        "createdAt": _format_time(token.created_at),
        "lastUpdatedAt": _format_time(max(state.updated_at or token.created_at, token.created_at)),
        "ttlMs": int(token.ttl.total_seconds() * 1_000),
        "pollIntervalMs": max(int(state.poll_seconds * 1_000), 1),
    }


def _format_time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _add(memory: OrderedDict[str, Any], name: str, value: Any) -> None:
    memory[name] = value
    memory.move_to_end(name)
    while len(memory) > _MAX_REMEMBERED:
        memory.popitem(last=False)
