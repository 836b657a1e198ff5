"""The extension `io.modelcontextprotocol/tasks` (2026-07-28): a call that would take long answers with a task.

The id of a task is a sealed handle that holds all there is to it: any replica with the same key answers, and nothing
is stored. What alone is kept, in this process and until the task would expire, is that it was cancelled: another
replica goes on answering, which changes nothing for the job.
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

from llx_mcp.jobs.reader import JobReader

IDENTIFIER = "io.modelcontextprotocol/tasks"
VERSIONS = frozenset({"2026-07-28"})
# As long as the official client waits for a job.
TTL = timedelta(hours=2)

_MOST_REMEMBERED = 10_000
# Who asks more often than this is told what was seen last.
_LOOK_AGAIN_SECONDS = 1.0

RequestContext = ServerRequestContext[JobReader, Any]


@dataclass(frozen=True, slots=True)
class TaskState:
    """A task as it is.

    Attributes:
        status: `working` until it has ended.
        message: the same for people.
        updated_at: when it last changed, as far as that is known.
        poll_seconds: when to ask again.
        result: of a completed task, also where the tool reports an error.
        error: of a failed task: code and message, as JSON-RPC has them.
    """

    status: Literal["working", "completed", "failed", "cancelled"]
    message: str
    updated_at: datetime | None = None
    poll_seconds: float = 5.0
    result: CallToolResult | None = None
    error: Mapping[str, Any] | None = None


class TaskWork(Protocol):
    """What a tool does in a task. All there is to it is what `begin` returns."""

    @property
    def is_required(self) -> bool:
        """Whether the tool works in a task only."""
        ...

    async def begin(self, arguments: dict[str, Any], ctx: RequestContext) -> tuple[Any, TaskState] | None:
        """What the task stands for, as JSON, and how it is; None where the call is to be answered without one."""
        ...

    async def look(self, content: Any, created_at: datetime, ctx: RequestContext) -> TaskState:
        """How the task is now."""
        ...


class Tasks(Extension):
    """Tasks for those tools that have work to do in one."""

    identifier = IDENTIFIER

    def __init__(self, works: Mapping[str, TaskWork]) -> None:
        self._works = works
        self._cancelled: OrderedDict[str, None] = OrderedDict()
        self._seen: OrderedDict[str, tuple[float, TaskState]] = OrderedDict()

    def methods(self) -> Sequence[MethodBinding]:
        """`tasks/get`, `tasks/update` and `tasks/cancel`."""
        handlers = {"tasks/get": self._get, "tasks/update": self._update, "tasks/cancel": self._cancel}
        return [MethodBinding(name, GetTaskRequestParams, handler, VERSIONS) for name, handler in handlers.items()]

    async def intercept_tool_call(
        self, params: CallToolRequestParams, ctx: RequestContext, call_next: CallNext
    ) -> HandlerResult:
        """Answer with a task, where the client takes one and the call would take long."""
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
        from llx_mcp.jobs.task_tokens import TaskToken

        content, state = begun
        reader = ctx.lifespan_context
        now = reader.clock.now()
        now = now.replace(microsecond=now.microsecond // 1_000 * 1_000)
        handle = TaskToken([params.name, content], now, TTL)
        task_id = (await reader.open_token_signer()).seal(handle)
        self._remember(task_id, state, ctx)
        return {"resultType": "task", **_describe(task_id, handle.created_at, handle.ttl, state)}

    async def _get(self, ctx: RequestContext, params: GetTaskRequestParams) -> HandlerResult:
        work, content, created_at, ttl = await self._open(ctx, params.task_id)
        state = await self._look(ctx, params.task_id, work, content, created_at)
        answer = {"resultType": "complete", **_describe(params.task_id, created_at, ttl, state)}
        if state.result is not None:
            answer["result"] = state.result.model_dump(by_alias=True, exclude_none=True, mode="json")
        if state.error is not None:
            answer["error"] = dict(state.error)
        return answer

    async def _update(self, ctx: RequestContext, params: GetTaskRequestParams) -> HandlerResult:
        # No task here asks for input, and answers that nobody asked for are let be.
        await self._open(ctx, params.task_id)
        return {"resultType": "complete"}

    async def _cancel(self, ctx: RequestContext, params: GetTaskRequestParams) -> HandlerResult:
        work, content, created_at, _ = await self._open(ctx, params.task_id)
        state = await self._look(ctx, params.task_id, work, content, created_at)
        if state.status == "working":
            _add(self._cancelled, params.task_id, None)
        return {"resultType": "complete"}

    async def _look(
        self, ctx: RequestContext, task_id: str, work: TaskWork, content: Any, created_at: datetime
    ) -> TaskState:
        if task_id in self._cancelled:
            return TaskState("cancelled", "Waiting was given up; the job itself is left as it is, and may still run.")
        seen_at, state = self._seen.get(task_id, (0.0, None))
        if state is not None and ctx.lifespan_context.clock.monotonic() - seen_at < _LOOK_AGAIN_SECONDS:
            return state
        state = await work.look(content, created_at, ctx)
        self._remember(task_id, state, ctx)
        return state

    def _remember(self, task_id: str, state: TaskState, ctx: RequestContext) -> None:
        # What has ended is kept by the jobs' store, or is fetched again.
        if state.status == "working":
            _add(self._seen, task_id, (ctx.lifespan_context.clock.monotonic(), state))
        else:
            self._seen.pop(task_id, None)

    async def _open(self, ctx: RequestContext, task_id: str) -> tuple[TaskWork, Any, datetime, timedelta]:
        require_client_extension(ctx, IDENTIFIER)
        _check_routing(ctx, task_id)
        from llx_mcp.errors import LlxError

        reader = ctx.lifespan_context
        try:
            handle = (await reader.open_token_signer()).open(task_id, reader.clock.now())
        except LlxError as exc:
            raise MCPError(INVALID_PARAMS, str(exc)) from None
        name, content = handle.content
        work = self._works.get(name)
        if work is None:
            raise MCPError(INVALID_PARAMS, "No such task: its tool is not served any more.")
        return work, content, handle.created_at, handle.ttl


def _takes_tasks(ctx: RequestContext) -> bool:
    capabilities = ctx.session.client_capabilities
    declared = (capabilities.extensions if capabilities else None) or {}
    return IDENTIFIER in declared and ctx.protocol_version in VERSIONS


def _check_routing(ctx: RequestContext, task_id: str) -> None:
    """Over HTTP a proxy routes by the header, so it must say the same as the body."""
    headers = getattr(ctx.request, "headers", None)
    if headers is not None and decode_header_value(headers.get(MCP_NAME_HEADER)) != task_id:
        raise MCPError(HEADER_MISMATCH, f"The {MCP_NAME_HEADER} header must be the taskId of the request.")


def _describe(task_id: str, created_at: datetime, ttl: timedelta, state: TaskState) -> dict[str, Any]:
    return {
        "taskId": task_id,
        "status": state.status,
        "statusMessage": state.message,
        "createdAt": _format_time(created_at),
        "lastUpdatedAt": _format_time(max(state.updated_at or created_at, created_at)),
        "ttlMs": int(ttl.total_seconds() * 1_000),
        "pollIntervalMs": max(int(state.poll_seconds * 1_000), 1),
    }


def _format_time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _add(memory: OrderedDict[str, Any], name: str, value: Any) -> None:
    memory[name] = value
    memory.move_to_end(name)
    while len(memory) > _MOST_REMEMBERED:
        memory.popitem(last=False)
