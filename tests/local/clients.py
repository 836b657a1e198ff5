"""What the tests of the embedded API share: HTTP clients, an API on a socket, a key, and a clock."""

import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta

import httpx
import uvicorn
from starlette.types import ASGIApp

KEY = {"Authorization": "Bearer llx-test"}


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = datetime(2026, 8, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@asynccontextmanager
async def connect(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    """Open a client of an application in the same process. An error that the application raises becomes a 500."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://local", headers=KEY) as client:
        yield client


@contextmanager
def serve(app: ASGIApp) -> Iterator[str]:
    """Serve an application on a socket, and yield its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, server_header=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
