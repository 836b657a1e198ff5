"""What all endpoints share: routes, API keys and project scopes."""

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
# The official clients retry some errors, such as a 409, up to five times unless this header forbids it.
DO_NOT_RETRY = {"x-should-retry": "false"}

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class ApiContext:
    """What endpoints work with.

    Attributes:
        store: The jobs and files.
        clock: Returns the current time, aware.
    """

    store: JobStore
    clock: Callable[[], datetime]


def build_route(method: str, path: str, endpoint: Endpoint, *, requires_key: bool = True) -> Route:
    """Build a route for one method of one path. GET does not imply HEAD, as in the service."""

    async def run_endpoint(request: Request) -> Response:
        if requires_key:
            check_api_key(request)
        return await endpoint(request)

    route = Route(path, run_endpoint, methods=[method])
    route.methods = {method}
    return route


def check_api_key(request: Request) -> None:
    """Accept any API key that begins with `llx-`.

    Raises:
        HTTPException: 401 with the service's own message.
    """
    if not has_api_key(request):
        raise HTTPException(401, _INVALID_KEY)


def has_api_key(request: Request) -> bool:
    """Return whether a request carries an API key that begins with `llx-`."""
    authorization = request.headers.get("authorization", "")
    return authorization.startswith(_KEY_PREFIX) and len(authorization) > len(_KEY_PREFIX)


def is_in_project(project_id: str | None, requested: UUID | None) -> bool:
    """Return whether a request for a project may see a job or file. Those without a project are seen by all."""
    if requested is None or not project_id:
        return True
    try:
        return UUID(project_id) == requested
    except ValueError:
        return False
