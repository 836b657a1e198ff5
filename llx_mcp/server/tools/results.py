"""Answers and errors as tool results."""

from typing import TYPE_CHECKING
from urllib.parse import quote

from mcp_types import CallToolResult, ContentBlock, ResourceLink, TextContent

from llx_mcp.answers.requests import JobRequest

if TYPE_CHECKING:
    from llx_mcp.answers.budget import Answer


def tool_result(answer: "Answer", request: JobRequest | None = None) -> CallToolResult:
    """Return both forms of an answer, because some clients show a model only the text, others only the structured one.

    Args:
        answer: the answer.
        request: for an answer about one job: where something is left out, a link to the whole result is added, for
            clients that can follow it.
    """
    content: list[ContentBlock] = [TextContent(type="text", text=answer.text)]
    if request is not None and "omitted" in answer.structured:
        link = ResourceLink(
            type="resource_link",
            uri=f"llx://jobs/{quote(request.job_id, safe='')}/result",
            name="extract_job_result",
            title="The whole result",
            mime_type="application/json",
        )
        content.append(link)
    return CallToolResult(content=content, structured_content=answer.structured)


def tool_error(message: str) -> CallToolResult:
    """Return an error that a model can read and act on. Every client shows a model the text of an error."""
    return CallToolResult(content=[TextContent(type="text", text=message)], is_error=True)
