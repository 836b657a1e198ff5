"""What every endpoint does: the key is looked at first, and work on the store leaves the event loop."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from llx_mcp.local.job_store import JobStore

_KEY_PREFIX = "Bearer llx-"
_INVALID_KEY = "Invalid API Key. Please check your region and try again."

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Service:
    """What endpoints work on.

    Attributes:
        store: the jobs and files.
        clock: the time of day, aware.
    """

    store: JobStore
    clock: Callable[[], datetime]


def route(method: str, path: str, endpoint: Endpoint, *, is_open: bool = False) -> Route:
    """One method of one path, and no HEAD beside a GET; a key is needed unless it is open."""

    async def checked(request: Request) -> Response:
        if not is_open:
            check_key(request)
        return await endpoint(request)

    made = Route(path, checked, methods=[method])
    made.methods = {method}
    return made


def check_key(request: Request) -> None:
    """Take any key that has the form of one.

    Raises:
        HTTPException: 401, as the service says it.
    """
    authorization = request.headers.get("authorization", "")
    if not authorization.startswith(_KEY_PREFIX) or len(authorization) == len(_KEY_PREFIX):
        raise HTTPException(401, _INVALID_KEY)


def is_in_project(project_id: str | None, wanted: UUID | None) -> bool:
    """Whether a thing is seen from a project; what has none is seen from all."""
    if wanted is None or not project_id:
        return True
    try:
        return UUID(project_id) == wanted
    except ValueError:
        return False
