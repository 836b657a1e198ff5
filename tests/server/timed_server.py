"""A server over an empty store, where the test adds jobs that run by a fake clock."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

from mcp.server import MCPServer

from llx_mcp.backends import local_settings
from llx_mcp.llamacloud import open_client
from llx_mcp.local import JobStore, create_app
from llx_mcp.local.lifecycle import Timeline
from llx_mcp.server.app import build_server
from tests.fake_clock import FakeClock


@asynccontextmanager
async def open_timed_server(clock: FakeClock) -> AsyncIterator[tuple[JobStore, MCPServer]]:
    """Open an empty store, and build a server over it that goes by the clock."""
    with closing(JobStore()) as store:
        yield (
            store,
            build_server(lambda: open_client(local_settings(), app=create_app(store, clock=clock.now)), clock=clock),
        )


def add_job(store: JobStore, job_id: str, clock: FakeClock, **timeline: float) -> None:
    """Add a job that begins now.

    Args:
        store: where the job is added.
        job_id: its id.
        clock: the clock of the store's server.
        timeline: seconds in each status, by the field of `Timeline`; without any, the job has already ended.
    """
    moment = clock.now().isoformat()
    job = {
        "id": job_id,
        "status": "COMPLETED",
        "created_at": moment,
        "updated_at": moment,
        "extract_result": {"vendor": "Acme\u202e", "total": 12},
    }
    seconds = {"pending_seconds": 0.0, "throttled_seconds": 0.0, "running_seconds": 0.0} | timeline
    store.import_job(json.dumps(job).encode(), Timeline(**seconds) if timeline else None)
    store.get_job(job_id, clock.now())
