"""Tells the observers of each message: its method, its tool, how it ended, and how long its answer is."""

from collections.abc import Callable
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp_types import CallToolResult, TextContent

from llx_mcp.observation import observe

_OTHER = "other"


class ObservedCalls:
    """Observes messages.

    Attributes:
        tools: names of the tools. Others are observed as `other`, because a caller can make up any number of them.
    """

    def __init__(self, has_method: Callable[[str], bool]) -> None:
        """Observe messages.

        Args:
            has_method: returns whether the server knows a method.
        """
        self.tools: frozenset[str] = frozenset()
        self._has_method = has_method

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Observe one message. This is a middleware."""
        method = ctx.method if self._has_method(ctx.method) else _OTHER
        with observe("call", method=method, tool=self._name_tool(ctx)) as step:
            result = await call_next(ctx)
            if method == "tools/call":
                is_error, step.size = _measure(result)
                step.outcome = "tool_error" if is_error else step.outcome
            return result

    def _name_tool(self, ctx: ServerRequestContext[Any, Any]) -> str:
        if ctx.method != "tools/call":
            return ""
        name = (ctx.params or {}).get("name")
        return name if isinstance(name, str) and name in self.tools else _OTHER


def _measure(result: HandlerResult) -> tuple[bool, int | None]:
    """Return whether the answer of a tool is an error, and the characters of its text; None for another result."""
    if isinstance(result, CallToolResult):
        texts = [content.text for content in result.content if isinstance(content, TextContent)]
        return bool(result.is_error), sum(map(len, texts))
    if not isinstance(result, dict) or "content" not in result:
        return False, None
    return bool(result.get("isError")), sum(len(content.get("text", "")) for content in result["content"])
