"""A build of the server with the fixture tools that the conformance suite's `tasks-*` scenarios name; for judges only.

The extension is the product's own. The works behind it know no more than their handle: when they began, and for how
many seconds they last.
"""

import sys
from datetime import datetime, timedelta
from typing import Any

import anyio
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, TextContent

from llx_mcp.backends import open_local_backend
from llx_mcp.jobs.clock import SystemClock
from llx_mcp.server.app import build_server
from llx_mcp.server.tasks import RequestContext, TaskState

HOST = "127.0.0.1"


def say(words: str, *, is_error: bool = False) -> CallToolResult:
    """A result of one line."""
    return CallToolResult(content=[TextContent(type="text", text=words)], is_error=is_error)


class Timed:
    """Work that ends by the clock, as `end` says."""

    def __init__(self, end: TaskState, *, default_seconds: float, is_required: bool = False) -> None:
        self.is_required = is_required
        self._end = end
        self._default_seconds = default_seconds

    async def begin(self, arguments: dict[str, Any], ctx: RequestContext) -> tuple[Any, TaskState] | None:
        """Begin a task, unless the work takes no time."""
        seconds = float(arguments.get("seconds", self._default_seconds))
        return (seconds, TaskState("working", "begun", poll_seconds=0.2)) if seconds else None

    async def poll(self, content: Any, created_at: datetime, ctx: RequestContext) -> TaskState:
        """Return the state by the time that has passed."""
        is_over = ctx.lifespan_context.clock.now() >= created_at + timedelta(seconds=content)
        return self._end if is_over else TaskState("working", "running", poll_seconds=0.2)


async def greet(name: str) -> str:
    """Greet somebody, without a task."""
    return f"Hello, {name}!"


async def slow_compute(seconds: float = 1, label: str = "") -> CallToolResult:
    """Take some seconds."""
    await anyio.sleep(seconds)
    return say(f"computed {label}")


async def failing_job() -> str:
    """Fail, in a task only."""
    raise ToolError("it fails, as it should")


async def protocol_error_job() -> str:
    """Fail as no tool should."""
    raise RuntimeError("on purpose")


async def confirm_delete(filename: str) -> str:
    """Stand in for a tool that asks back, which the suite wants and this server does not have."""
    return f"{filename} is kept"


def main() -> None:
    """Serve on the port that is given."""
    works = {
        "slow_compute": Timed(TaskState("completed", "done", result=say("computed")), default_seconds=1),
        "failing_job": Timed(
            TaskState("completed", "done", result=say("it fails, as it should", is_error=True)),
            default_seconds=1,
            is_required=True,
        ),
        "protocol_error_job": Timed(
            TaskState("failed", "broken", error={"code": -32603, "message": "on purpose"}), default_seconds=1
        ),
    }
    server = build_server(open_local_backend(None), clock=SystemClock(), works=works)
    for tool in (greet, slow_compute, failing_job, protocol_error_job, confirm_delete):
        server.add_tool(tool)
    anyio.run(lambda: server.run_streamable_http_async(host=HOST, port=int(sys.argv[1]), stateless_http=True))


if __name__ == "__main__":
    main()
