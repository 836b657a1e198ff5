"""Lists and instructions by the scope of the caller: one who may only read does not hear of tools that write.

With an issuer, it does: a client asks for more scopes only when a call is refused, so it must know what to call.
"""

from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

from llx_mcp.server.prompts import list_prompts
from llx_mcp.server.toolset import build_instructions
from llx_mcp.serving.callers import WRITE_SCOPE, get_caller
from llx_mcp.serving.write_scope import WriteScope

# The list that each method returns. The two others return the instructions.
_LISTS = {"tools/list": "tools", "prompts/list": "prompts"}
_METHODS = frozenset({*_LISTS, "initialize", "server/discover"})


class ScopedLists:
    """Leaves out of lists and instructions what the caller may not do and cannot ask for."""

    def __init__(self, write_scope: WriteScope) -> None:
        """Filter what is listed.

        Args:
            write_scope: knows the tools that write.
        """
        self._write_scope = write_scope

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Filter one list. This is a middleware."""
        result = await call_next(ctx)
        if ctx.method not in _METHODS or not self._write_scope.writing_tools or not isinstance(result, dict):
            return result
        if "cacheScope" in result:
            # Another caller may see another list.
            result["cacheScope"] = "private"
        caller = get_caller()
        if WRITE_SCOPE in caller.scopes or caller.can_ask_for_scopes:
            return result
        if "instructions" in result:
            result["instructions"] = build_instructions(())
        if name := _LISTS.get(ctx.method):
            result[name] = [item for item in result[name] if self._is_for_reading(ctx.method, item["name"])]
        return result

    def _is_for_reading(self, method: str, name: str) -> bool:
        if method == "tools/list":
            return name not in self._write_scope.writing_tools
        return name in list_prompts(())
