"""A wait as a task: what `wait_for_extract_job` does for clients that need not hold the call."""

from collections.abc import Sequence
from dataclasses import astuple
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mcp.server.mcpserver.tools import Tool
from pydantic import ValidationError

from llx_mcp.errors import LlxError
from llx_mcp.scope import Scope
from llx_mcp.server.tasks import RequestContext, TaskState
from llx_mcp.server.tools.results import many_result, tool_error, tool_result
from llx_mcp.server.tools.wait_for_extract_job import build_wait_request, wait_for_extract_job

if TYPE_CHECKING:
    from llx_mcp.answers.wait_report import WaitRequest
    from llx_mcp.jobs.progress import WaitProgress


class WaitForJobs:
    """The task ends with the jobs. Each look goes through the loop and the store that all waits share."""

    is_required = False

    @cached_property
    def _tool(self) -> Tool:
        return Tool.from_function(wait_for_extract_job)

    async def begin(self, arguments: dict[str, Any], ctx: RequestContext) -> tuple[Any, TaskState] | None:
        """A task where the jobs have not ended; what has ended, and what is wrong, is answered at once."""
        try:
            given = self._tool.fn_metadata.validate_arguments(arguments)
            seconds = given.pop("timeout_seconds")
            asks = build_wait_request(**given)
            # A look is no wait, and arguments that the tool does not have are its own to refuse.
            if not seconds or not arguments.keys() <= {*given, "timeout_seconds"}:
                return None
            state = await self._look(asks, ctx)
        except (ValidationError, LlxError):
            return None
        if state.status != "working":
            return None
        content = [asks.job_ids, asks.until, asks.expand, asks.max_chars, *astuple(asks.scope)]
        return [*content, asks.is_many], state

    async def look(self, content: Any, created_at: datetime, ctx: RequestContext) -> TaskState:
        """How the jobs are now; the answer once they have ended."""
        from llx_mcp.answers.wait_report import WaitRequest

        ids, until, expand, max_chars, project_id, organization_id, is_many = content
        scope = Scope(project_id, organization_id)
        asks = WaitRequest(tuple(ids), until, tuple(expand), max_chars, scope, is_many=is_many)
        try:
            return await self._look(asks, ctx)
        except LlxError as exc:
            return TaskState("completed", "The jobs cannot be read.", result=tool_error(str(exc)))

    async def _look(self, asks: "WaitRequest", ctx: RequestContext) -> TaskState:
        from llx_mcp.jobs.progress import describe_progress, is_enough

        reader = ctx.lifespan_context
        progress = await reader.wait_many(
            asks.job_ids,
            until=asks.until,
            timeout_seconds=0,
            scope=asks.scope,
        )
        changed_at = _changed_at(progress)
        words = describe_progress(progress)
        if not is_enough(progress.snapshots, asks.until):
            return TaskState("working", words, changed_at, reader.poll_seconds(progress))
        answer = await reader.build_wait_answer(asks, progress)
        result = many_result(answer) if asks.is_many else tool_result(answer, asks.ask(asks.job_ids[0]))
        return TaskState("completed", words, changed_at, result=result)


def _changed_at(progress: "WaitProgress") -> datetime | None:
    moments: Sequence[datetime | None] = [
        snapshot.job.updated_at for snapshot in progress.snapshots if snapshot.job is not None
    ]
    return max((moment for moment in moments if moment is not None), default=None)
