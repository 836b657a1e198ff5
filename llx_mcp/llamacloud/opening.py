"""Opening the client, and with it the libraries under it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from llx_mcp.settings import Settings

if TYPE_CHECKING:
    from httpx import AsyncBaseTransport

    from llx_mcp.llamacloud.client import LlamaCloudClient


@asynccontextmanager
async def open_client(
    settings: Settings, *, app: Any = None, transport: "AsyncBaseTransport | None" = None
) -> "AsyncIterator[LlamaCloudClient]":
    """A client with its own connections, closed at the end. A missing key is no fault before the first call.

    Args:
        settings: key, address, project and the size of an answer.
        app: an ASGI application to ask in place of the network.
        transport: what carries the requests, in place of the network.

    Raises:
        ConfigurationError: a proxy or certificate setting of the environment cannot be used.
    """
    # httpx and stamina are a third of the start-up, and a server that is only listed never needs them.
    from llx_mcp.llamacloud.client import LlamaCloudClient
    from llx_mcp.llamacloud.transport import open_connection

    async with open_connection(settings.max_body_bytes, app=app, transport=transport) as connection:
        yield LlamaCloudClient(connection, settings)
