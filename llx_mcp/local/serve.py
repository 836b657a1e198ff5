"""The embedded API on a port of this machine."""

import socket
import sys

import uvicorn

from llx_mcp.local.app import create_app
from llx_mcp.local.store import JobStore

HOST = "127.0.0.1"


def serve(store: JobStore, *, port: int) -> None:
    """Serve until interrupted.

    Args:
        store: the jobs; whoever opened it closes it.
        port: where to listen on 127.0.0.1; 0 picks a free port.

    Raises:
        OSError: the port is taken.
    """
    with socket.create_server((HOST, port)) as listener:
        url = f"http://{HOST}:{listener.getsockname()[1]}"
        sys.stderr.write(
            f"llx-mcp: the embedded LlamaExtract API (not LlamaCloud) at {url}, with {store.count()} jobs.\n"
            f"         Any key that begins with llx- will do. Clients: LLAMA_CLOUD_BASE_URL={url}\n"
        )
        sys.stderr.flush()
        config = uvicorn.Config(create_app(store), log_level="warning", server_header=False)
        uvicorn.Server(config).run(sockets=[listener])
