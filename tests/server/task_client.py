"""The client's half of the tasks extension, as a client would write it."""

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


class Answer(Result):
    """Whatever `tasks/*` answers."""

    model_config = ConfigDict(extra="allow")


class TaskParams(RequestParams):
    """Of `tasks/*`."""

    task_id: str


class TaskRequest(Request[TaskParams, str]):
    """One of `tasks/*`."""

    name_param: ClassVar[str | None] = "taskId"


class Tasks(ClientExtension):
    """Takes tasks, and keeps each that is created; what comes of it is asked for by the test."""

    identifier = IDENTIFIER

    def __init__(self) -> None:
        self.created: list[dict[str, Any]] = []

    def claims(self) -> Sequence[ResultClaim[Any]]:
        """The task."""
        return [ResultClaim(result_type="task", model=Created, resolve=self._claim)]

    async def _claim(self, created: Created, _: ClaimContext) -> CallToolResult:
        self.created.append(created.model_dump(by_alias=True))
        return CallToolResult(content=[], structured_content={})


async def ask_task(client: Client, method: str, task_id: str) -> dict[str, Any]:
    """What a `tasks/*` request answers."""
    request = TaskRequest(method=method, params=TaskParams(task_id=task_id))
    answer = await client.session.send_request(request, Answer)
    return answer.model_dump(by_alias=True, exclude_none=True)
