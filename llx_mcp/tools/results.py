"""Answers and errors as clients take them."""

from typing import TYPE_CHECKING

from mcp_types import CallToolResult, TextContent

if TYPE_CHECKING:
    from llx_mcp.reading.budget import Answer


def tool_result(answer: "Answer") -> CallToolResult:
    """Both forms of an answer; half of the clients show a model only the one, half only the other."""
    return CallToolResult(content=[TextContent(type="text", text=answer.text)], structured_content=answer.view)


def tool_error(message: str) -> CallToolResult:
    """A failure that a model can read and act on; of errors, every client shows the text."""
    return CallToolResult(content=[TextContent(type="text", text=message)], is_error=True)
