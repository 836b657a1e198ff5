"""A wait as a task: `wait_for_extract_job` for clients that take a task instead of holding the call open."""

from dataclasses import astuple
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mcp.server.mcpserver.tools import Tool
from pydantic import ValidationError

from llx_mcp.answers.requests import WaitRequest
from llx_mcp.errors import LlxError
from llx_mcp.scope import Scope
from llx_mcp.server.tasks import RequestContext, TaskState
from llx_mcp.server.tools.results import tool_error, tool_result
from llx_mcp.server.tools.wait_for_extract_job import build_wait_request, wait_for_extract_job

if TYPE_CHECKING:
    from llx_mcp.jobs.progress import WaitProgress


class WaitForJobs:
    """The work of a wait task. It polls through the poll loop and the cache that all waits share."""

    is_required = False

    @cached_property
    def _tool(self) -> Tool:
        return Tool.from_function(wait_for_extract_job)

    async def begin(self, arguments: dict[str, Any], ctx: RequestContext) -> tuple[Any, TaskState] | None:
        """Begin a task where the jobs have not ended; ended jobs and bad arguments are answered without a task."""
        try:
            given = self._tool.fn_metadata.validate_arguments(arguments)
            seconds = given.pop("timeout_seconds")
            request = build_wait_request(**given)
            # A call without a timeout is no wait, and the tool itself refuses arguments that it does not have.
            if not seconds or not arguments.keys() <= {*given, "timeout_seconds"}:
                return None
            state = await self._poll(request, ctx)
        except (ValidationError, LlxError):
            return None
        if state.status != "working":
            return None
        content = [request.job_ids, request.until, request.expand, request.max_chars, *astuple(request.scope)]
        return [*content, request.is_many], state

    async def poll(self, content: Any, created_at: datetime, ctx: RequestContext) -> TaskState:
        """Return the state of the task, with the answer once the jobs have ended."""
        ids, until, expand, max_chars, project_id, organization_id, is_many = content
        scope = Scope(project_id, organization_id)
        request = WaitRequest(tuple(ids), until, tuple(expand), max_chars, scope, is_many=is_many)
        try:
            return await self._poll(request, ctx)
        except LlxError as exc:
            return TaskState("completed", "The jobs cannot be read.", result=tool_error(str(exc)))

    async def _poll(self, request: WaitRequest, ctx: RequestContext) -> TaskState:
        from llx_mcp.jobs.progress import describe_progress, is_enough

        reader = ctx.lifespan_context
        progress = await reader.wait_many(request.job_ids, until=request.until, timeout_seconds=0, scope=request.scope)
        updated_at = _updated_at(progress)
        message = describe_progress(progress)
        if not is_enough(progress.snapshots, request.until):
            return TaskState("working", message, updated_at, reader.poll_seconds(progress))
        answer = await reader.build_wait_answer(request, progress)
        return TaskState("completed", message, updated_at, result=tool_result(answer))


def _updated_at(progress: "WaitProgress") -> datetime | None:
    moments = [snapshot.job.updated_at for snapshot in progress.snapshots if snapshot.job is not None]
    return max((moment for moment in moments if moment is not None), default=None)
