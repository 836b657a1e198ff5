"""The embedded API on a port of this machine."""

import secrets
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import uvicorn

from llx_mcp.local.app import ADMIN_HEADER, FAULTS_PATH, create_app
from llx_mcp.local.faults import Fault, Faults
from llx_mcp.local.job_store import JobStore
from llx_mcp.local.scenarios import SCENARIO_HEADER, SCENARIOS

HOST = "127.0.0.1"


def serve(
    store: JobStore,
    *,
    port: int,
    faults: Sequence[Fault] = (),
    admin_token: str | None = None,
    lifespan: Callable[[Any], AbstractAsyncContextManager[None]] | None = None,
) -> None:
    """Serve until interrupted.

    Args:
        store: the jobs; whoever opened it closes it.
        port: where to listen on 127.0.0.1; 0 picks a free port.
        faults: what goes wrong on purpose, until the admin endpoint says otherwise.
        admin_token: opens the admin endpoint; None draws one, which is printed.
        lifespan: runs while the server does.

    Raises:
        OSError: the port is taken.
    """
    token = admin_token or secrets.token_urlsafe(16)
    with socket.create_server((HOST, port)) as listener:
        url = f"http://{HOST}:{listener.getsockname()[1]}"
        wrong = f"         Faults on purpose: {', '.join(fault.kind for fault in faults)}.\n" if faults else ""
        shown = "as given" if admin_token else token
        sys.stderr.write(
            f"llx-mcp: the embedded LlamaExtract API (not LlamaCloud) at {url}, with {store.count()} jobs.\n"
            f"         Any key that begins with llx- will do. Clients: LLAMA_CLOUD_BASE_URL={url}\n"
            f"         {len(SCENARIOS)} scenarios, by the header {SCENARIO_HEADER} at create: llx-mcp local scenarios\n"
            f"         Faults: PUT {url}{FAULTS_PATH}, {ADMIN_HEADER}: {shown}\n{wrong}"
        )
        sys.stderr.flush()
        app = create_app(store, faults=Faults(faults), admin_token=token, lifespan=lifespan)
        uvicorn.Server(uvicorn.Config(app, log_level="warning", server_header=False)).run(sockets=[listener])
