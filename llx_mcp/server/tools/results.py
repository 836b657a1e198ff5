"""Answers and errors as clients take them."""

from typing import TYPE_CHECKING
from urllib.parse import quote

from mcp_types import CallToolResult, ContentBlock, ResourceLink, TextContent

from llx_mcp.answers.header import JobRequest

if TYPE_CHECKING:
    from llx_mcp.answers.budget import Answer


def tool_result(answer: "Answer", ask: JobRequest) -> CallToolResult:
    """Both forms of an answer; half of the clients show a model only the one, half only the other.

    Where something is left out a link to the whole comes along, for clients that can keep it.
    """
    content: list[ContentBlock] = [TextContent(type="text", text=answer.text)]
    if "omitted" in answer.view:
        link = ResourceLink(
            type="resource_link",
            uri=f"llx://jobs/{quote(ask.job_id, safe='')}/result",
            name="extract_job_result",
            title="The whole result",
            mime_type="application/json",
        )
        content.append(link)
    return CallToolResult(content=content, structured_content=answer.view)


def many_result(answer: "Answer") -> CallToolResult:
    """Both forms of an answer about many jobs."""
    return CallToolResult(content=[TextContent(type="text", text=answer.text)], structured_content=answer.view)


def tool_error(message: str) -> CallToolResult:
    """A failure that a model can read and act on; of errors, every client shows the text."""
    return CallToolResult(content=[TextContent(type="text", text=message)], is_error=True)
