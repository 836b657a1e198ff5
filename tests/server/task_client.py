"""The client side of the tasks extension."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from mcp import Client
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp_types import CallToolResult, Request, RequestParams, Result
from pydantic import ConfigDict

from llx_mcp.server.tasks import IDENTIFIER


class Created(Result):
    """A task in place of a result."""

    model_config = ConfigDict(extra="allow")

    result_type: Literal["task"] = "task"
    taskId: str  # noqa: N815 - as on the wire


class TaskResponse(Result):
    """The response to a `tasks/*` request."""

    model_config = ConfigDict(extra="allow")


class TaskParams(RequestParams):
    """The parameters of a `tasks/*` request."""

    task_id: str


class TaskRequest(Request[TaskParams, str]):
    """A `tasks/*` request."""

    name_param: ClassVar[str | None] = "taskId"


class Tasks(ClientExtension):
    """A client extension that accepts tasks and records each that the server creates."""

    identifier = IDENTIFIER

    def __init__(self) -> None:
        self.created: list[dict[str, Any]] = []

    def claims(self) -> Sequence[ResultClaim[Any]]:
        """Return the claim of a task result."""
        return [ResultClaim(result_type="task", model=Created, resolve=self._claim)]

    async def _claim(self, created: Created, _: ClaimContext) -> CallToolResult:
        self.created.append(created.model_dump(by_alias=True))
        return CallToolResult(content=[], structured_content={})


async def send_task_request(client: Client, method: str, task_id: str) -> dict[str, Any]:
    """Send a `tasks/*` request, and return the fields of its response."""
    request = TaskRequest(method=method, params=TaskParams(task_id=task_id))
    response = await client.session.send_request(request, TaskResponse)
    return response.model_dump(by_alias=True, exclude_none=True)
