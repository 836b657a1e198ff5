"""Opens the client, and imports its libraries only then."""

from collections.abc import AsyncIterator, Callable
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
    """Open a client with its own connections, and close it at the end. It checks the key at each call, not here.

    Args:
        settings: the key, the address, the project and the size limit of a response.
        app: an ASGI application to call instead of the network.
        transport: a transport to use instead of the network.

    Raises:
        ConfigurationError: a proxy or certificate setting in the environment is not valid.
    """
    # httpx and stamina take a third of the start-up time, and a server whose tools are only listed never needs them.
    from llx_mcp.llamacloud.client import LlamaCloudClient
    from llx_mcp.llamacloud.transport import open_connection

    async with open_connection(settings.max_body_bytes, app=app, transport=transport) as connection:
        yield LlamaCloudClient(connection, settings)


@asynccontextmanager
async def open_shared_clients(
    max_body_bytes: int, *, app: Any = None
) -> "AsyncIterator[Callable[[Settings, bool], LlamaCloudClient]]":
    """Open one pool of connections for many keys; yields a function that builds a client.

    The function takes settings, and whether their key is that of a caller.

    Args:
        max_body_bytes: the size limit of a response.
        app: an ASGI application to call instead of the network.

    Raises:
        ConfigurationError: a proxy or certificate setting in the environment is not valid.
    """
    from llx_mcp.llamacloud.client import LlamaCloudClient
    from llx_mcp.llamacloud.transport import SHARED_CONNECTIONS, open_connection

    async with open_connection(
        max_body_bytes, app=app, transport=None, max_connections=SHARED_CONNECTIONS
    ) as connection:
        yield lambda settings, is_callers_key: LlamaCloudClient(connection, settings, is_callers_key=is_callers_key)
