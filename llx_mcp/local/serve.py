"""The embedded API on a port of this machine."""

import secrets
import socket
import sys
from collections.abc import Iterable, Sequence

import uvicorn

from llx_mcp.local.app import ADMIN_HEADER, FAULTS_PATH, AppLifespan, create_app
from llx_mcp.local.body_limit import DEFAULT_UPLOAD_BYTES
from llx_mcp.local.faults import Fault, FaultInjector
from llx_mcp.local.host_check import list_loopback_hosts
from llx_mcp.local.job_store import JobStore
from llx_mcp.local.scenarios import SCENARIO_HEADER, SCENARIOS

HOST = "127.0.0.1"
# For responses that are not complete when the server has to stop.
_GRACE_SECONDS = 3


def serve(
    store: JobStore,
    *,
    port: int,
    faults: Sequence[Fault] = (),
    admin_token: str | None = None,
    allowed_hosts: Iterable[str] = (),
    max_upload_bytes: int = DEFAULT_UPLOAD_BYTES,
    lifespan: AppLifespan | None = None,
) -> None:
    """Serve until interrupted.

    Args:
        store: The jobs and files; the caller closes it.
        port: The port on 127.0.0.1; 0 picks a free one.
        faults: The faults to inject at first; the admin endpoint can change them.
        admin_token: The token of the admin endpoint; None generates one, which is printed.
        allowed_hosts: Allowed values of `Host`, such as `api.test:8080`, beside those of this machine.
        max_upload_bytes: The maximum size of an uploaded file.
        lifespan: Runs while the application does.

    Raises:
        OSError: The port is in use.
    """
    token = admin_token or secrets.token_urlsafe(16)
    page_token = secrets.token_urlsafe(16)
    with socket.create_server((HOST, port)) as listener:
        bound_port = listener.getsockname()[1]
        url = f"http://{HOST}:{bound_port}"
        injected = f"         Injected faults: {', '.join(fault.kind for fault in faults)}.\n" if faults else ""
        shown_token = "(the given token)" if admin_token else token
        sys.stderr.write(
            f"llx-mcp: the embedded LlamaExtract API (not LlamaCloud) at {url}, with {store.count()} jobs.\n"
            f"         Any key that begins with llx- is accepted. Clients: LLAMA_CLOUD_BASE_URL={url}\n"
            f"         {len(SCENARIOS)} scenarios, chosen by the header {SCENARIO_HEADER} at create: "
            "llx-mcp local scenarios\n"
            f"         Fault injection: PUT {url}{FAULTS_PATH}, {ADMIN_HEADER}: {shown_token}\n"
            f"         A page with the jobs: {url}/?token={page_token}\n{injected}"
        )
        sys.stderr.flush()
        app = create_app(
            store,
            faults=FaultInjector(faults),
            admin_token=token,
            page_token=page_token,
            allowed_hosts=[*list_loopback_hosts(bound_port), *allowed_hosts],
            max_upload_bytes=max_upload_bytes,
            lifespan=lifespan,
        )
        config = uvicorn.Config(
            app, log_level="warning", server_header=False, ws="none", timeout_graceful_shutdown=_GRACE_SECONDS
        )
        uvicorn.Server(config).run(sockets=[listener])
