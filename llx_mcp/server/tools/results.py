"""Answers and errors as tool results."""

from base64 import b64encode
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mcp_types import CallToolResult, ImageContent, TextContent

if TYPE_CHECKING:
    from llx_mcp.answers.budget import Answer
    from llx_mcp.pdf.pictures import Picture


def tool_result(answer: "Answer") -> CallToolResult:
    """Return both forms of an answer, because some clients show a model only the text, others only the structured one.

    There are no links to resources: some clients reject an answer that has one, and models cannot follow it in others.
    """
    return CallToolResult(content=[TextContent(type="text", text=answer.text)], structured_content=answer.structured)


def picture_result(answer: "Answer", pictures: "Sequence[Picture]") -> CallToolResult:
    """Return both forms of an answer, and pictures, which are never part of the structured form.

    Clients show images to models only as blocks of their own.
    """
    images = [
        ImageContent(type="image", data=b64encode(picture.content).decode(), mime_type=picture.mime_type)
        for picture in pictures
    ]
    text = TextContent(type="text", text=answer.text)
    return CallToolResult(content=[text, *images], structured_content=answer.structured)


def tool_error(message: str) -> CallToolResult:
    """Return an error that a model can read and act on. Every client shows a model the text of an error."""
    return CallToolResult(content=[TextContent(type="text", text=message)], is_error=True)
