"""Calls of tools that change something need the scope `extract:write`.

The challenge of a missing scope is an HTTP status, so it is found in the body before the SDK reads it. The middleware
checks the call once more, as the SDK has read it.
"""

import json
from collections.abc import Callable
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import MCPServer
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_REQUEST

from llx_mcp.serving.callers import WRITE_SCOPE, Caller, get_caller


async def list_writing_tools(server: MCPServer[Any]) -> frozenset[str]:
    """Return the names of the tools that do not only read, as their annotations say."""
    tools = await server.list_tools()
    return frozenset(tool.name for tool in tools if not (tool.annotations and tool.annotations.read_only_hint))


class WriteScope:
    """Checks the scope of calls that write, twice: over HTTP, and as MCP middleware.

    Attributes:
        writing_tools: names of the tools that do not only read.
    """

    def __init__(self, require_scope: Callable[[Caller, str], None]) -> None:
        """Check calls.

        Args:
            require_scope: raises `RefusedError` if a caller has not a scope.
        """
        self.writing_tools: frozenset[str] = frozenset()
        self._require_scope = require_scope

    def check_body(self, caller: Caller, body: bytes) -> None:
        """Check the message of a caller.

        Raises:
            RefusedError: it calls a tool that writes, and the caller may not.
        """
        if WRITE_SCOPE not in caller.scopes and self.writing_tools and _find_tool(body) in self.writing_tools:
            self._require_scope(caller, WRITE_SCOPE)

    async def check_call(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Refuse a call that writes, of a caller that may not. This is a middleware."""
        name = (ctx.params or {}).get("name")
        writes = ctx.method == "tools/call" and isinstance(name, str) and name in self.writing_tools
        if writes and WRITE_SCOPE not in get_caller().scopes:
            raise MCPError(INVALID_REQUEST, f"{name} needs a token with the scope {WRITE_SCOPE}.")
        return await call_next(ctx)


def _find_tool(body: bytes) -> str | None:
    """Return the tool that a message calls; None for any other message."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        # The SDK answers it with an error.
        return None
    if not isinstance(message, dict) or message.get("method") != "tools/call":
        return None
    parameters = message.get("params")
    name = parameters.get("name") if isinstance(parameters, dict) else None
    return name if isinstance(name, str) else None
