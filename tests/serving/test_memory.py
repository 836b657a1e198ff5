"""A tenant takes little memory, so that a server has room for a thousand."""

import gc
import tracemalloc

from starlette.types import Receive, Scope, Send

from llx_mcp.local import create_app, open_store
from tests.serving.replicas import KeyedService, open_replica

SAMPLE = "ext-sample0invoice00000000000000"
NUM_TENANTS = 40
MAX_BYTES = 100 << 10


async def test_tenant_takes_less_than_100_kib() -> None:
    store = open_store(None)
    app = create_app(store)

    class Service(KeyedService):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await app(scope, receive, send)

    service = Service()
    async with open_replica(service, auth="pass-through") as replica:

        async def use(number: int) -> None:
            for tool in ("get_extract_job", "wait_for_extract_job", "get_extract_job"):
                answer = await replica.call(tool, f"llx-key-of-tenant-{number:06}", job_id=SAMPLE)
                assert not answer.message["result"]["isError"]

        for number in range(5):
            await use(number)
        gc.collect()
        tracemalloc.start()
        for number in range(5, 5 + NUM_TENANTS):
            await use(number)
        gc.collect()
        num_bytes, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(replica.app.tenants) == 5 + NUM_TENANTS
    store.close()
    # With the job that each has cached.
    assert num_bytes / NUM_TENANTS < MAX_BYTES
