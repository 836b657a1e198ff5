"""One job reader for each key of LlamaCloud: opened with its first request, closed when it is idle.

What belongs to a key is in its reader: the poll loop, the rate limit, subscriptions, completions, and the keys that
sign cursors and task ids. The memory for finished jobs and the worker processes are shared; the cache gives each key
its share, and the workers take turns by key.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
from anyio.abc import TaskGroup
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

from llx_mcp.backends import BuildSource
from llx_mcp.jobs.cache import JobCache
from llx_mcp.jobs.clock import Clock
from llx_mcp.jobs.coordination import Coordination
from llx_mcp.jobs.reader import JobReader, open_reader
from llx_mcp.jobs.reader_options import ReaderOptions
from llx_mcp.jobs.shared import SharedResources, SharedWorkers
from llx_mcp.jobs.source import JobSource
from llx_mcp.redaction import Redactor
from llx_mcp.serving.callers import Caller
from llx_mcp.serving.refusals import RefusedError, refuse_for_now

_MAX_SWEEP_SECONDS = 60.0

_log = logging.getLogger("llx_mcp.serving.tenants")


@dataclass(eq=False, slots=True)
class Tenant:
    """A key in use.

    Attributes:
        name: hash of the key.
        source: the service, with this key.
        redactor: removes the key from texts.
        reader: its reader, once it is open.
        num_requests: how many requests are open.
        used_at: when the last one began or ended.
    """

    name: str
    source: JobSource = field(repr=False)
    redactor: Redactor = field(repr=False)
    used_at: float
    reader: JobReader | None = None
    num_requests: int = 0
    is_opened: anyio.Event = field(default_factory=anyio.Event)
    is_closing: anyio.Event = field(default_factory=anyio.Event)

    @property
    def is_accepted(self) -> bool:
        """Whether the service has answered any request of the key."""
        return self.reader is not None and self.reader.fetcher.is_key_accepted


_current: ContextVar[Tenant | None] = ContextVar("llx_mcp_tenant", default=None)


def get_current_tenant() -> Tenant | None:
    """Return the tenant of the current request, or of the request that started the current task."""
    return _current.get()


class Tenants:
    """The keys in use, at most so many at once.

    Attributes:
        shared: the memory and the processes that all readers share, once this is open.
    """

    def __init__(
        self,
        build_source: BuildSource,
        group: TaskGroup,
        shared: SharedResources,
        clock: Clock,
        options: ReaderOptions,
        *,
        max_tenants: int,
        idle_seconds: float,
    ) -> None:
        self.shared = shared
        self._build_source = build_source
        self._group = group
        self._clock = clock
        self._options = options
        self._max_tenants = max_tenants
        self._idle_seconds = idle_seconds
        self._is_ending = False
        # The latest used last.
        self._tenants: dict[str, Tenant] = {}

    def __len__(self) -> int:
        return len(self._tenants)

    @property
    def num_waits(self) -> int:
        """How many waits are open."""
        return sum(tenant.reader.num_waits for tenant in self._tenants.values() if tenant.reader is not None)

    def list_redactors(self) -> list[Redactor]:
        """Return the redactors of all keys in use."""
        return [tenant.redactor for tenant in self._tenants.values()]

    @asynccontextmanager
    async def use(self, caller: Caller) -> AsyncIterator[Tenant]:
        """Open the tenant of a caller for one request, and make it the current one.

        Raises:
            RefusedError: too many keys are in use.
        """
        tenant = self._tenants.get(caller.tenant_name) or self._add(caller)
        tenant.num_requests += 1
        self.shared.workers.num_busy += tenant.num_requests == 1
        token = _current.set(tenant)
        try:
            await tenant.is_opened.wait()
            yield tenant
        finally:
            _current.reset(token)
            tenant.num_requests -= 1
            self.shared.workers.num_busy -= not tenant.num_requests
            self._touch(tenant)

    def drop_idle(self) -> None:
        """Close the readers of all keys without a request for some time."""
        limit = self._clock.monotonic() - self._idle_seconds
        for tenant in [tenant for tenant in self._tenants.values() if not tenant.num_requests]:
            if tenant.used_at <= limit:
                self._drop(tenant)

    async def sweep(self) -> None:
        """Close idle readers again and again."""
        while True:
            await self._clock.sleep(min(self._idle_seconds, _MAX_SWEEP_SECONDS))
            self.drop_idle()

    def end_waits(self) -> None:
        """End all waits with their progress so far. Those that begin later poll once."""
        self._is_ending = True
        for tenant in self._tenants.values():
            if tenant.reader is not None:
                tenant.reader.end_waits()

    async def close_waits(self) -> None:
        """End the waits that are still open, whatever they wait for."""
        async with anyio.create_task_group() as group:
            for tenant in self._tenants.values():
                if tenant.reader is not None:
                    group.start_soon(tenant.reader.close)

    def _add(self, caller: Caller) -> Tenant:
        if len(self._tenants) >= self._max_tenants:
            idle = self._find_idle()
            if idle is None:
                raise RefusedError(
                    refuse_for_now(503, "too_many_tenants", "Too many keys are in use at once. Try again later.", 5.0)
                )
            self._drop(idle)
        key = caller.key
        redactor = Redactor(key.get_secret_value()) if key else Redactor()
        tenant = Tenant(caller.tenant_name, self._build_source(key), redactor, self._clock.monotonic())
        self._tenants[tenant.name] = tenant
        self._group.start_soon(self._serve, tenant)
        return tenant

    def _find_idle(self) -> Tenant | None:
        """Return the tenant that makes room: one whose key the service never accepted, else the longest unused."""
        idle = [tenant for tenant in self._tenants.values() if not tenant.num_requests]
        return min(idle, key=lambda tenant: tenant.is_accepted, default=None)

    def _touch(self, tenant: Tenant) -> None:
        tenant.used_at = self._clock.monotonic()
        if self._tenants.get(tenant.name) is tenant:
            self._tenants[tenant.name] = self._tenants.pop(tenant.name)

    def _drop(self, tenant: Tenant) -> None:
        if self._tenants.get(tenant.name) is tenant:
            del self._tenants[tenant.name]
        tenant.is_closing.set()

    async def _serve(self, tenant: Tenant) -> None:
        """Hold the reader of a tenant open. A reader is closed by the task that opened it."""
        _current.set(tenant)
        reader: JobReader | None = None
        try:
            async with open_reader(
                lambda: nullcontext(tenant.source), self._clock, self._options, self.shared
            ) as reader:
                tenant.reader = reader
                if self._is_ending:
                    reader.end_waits()
                tenant.is_opened.set()
                await tenant.is_closing.wait()
        except Exception:  # noqa: BLE001 - raised here it would end the server, and with it every other tenant
            _log.exception("The reader of tenant %s ended unexpectedly; the next request opens a new one", tenant.name)
        finally:
            self._drop(tenant)
            tenant.is_opened.set()
            if reader is not None:
                self._forget_cached(reader, tenant)

    def _forget_cached(self, reader: JobReader, tenant: Tenant) -> None:
        # A request of the same key may have opened a new reader meanwhile, which uses the same jobs.
        if tenant.name not in self._tenants and reader.fetcher.known_identity is not None:
            self.shared.cache.forget_credential(reader.fetcher.known_identity)


@asynccontextmanager
async def open_tenants(
    build_source: BuildSource,
    clock: Clock,
    options: ReaderOptions,
    *,
    max_tenants: int,
    idle_seconds: float,
    coordination: Coordination | None = None,
) -> AsyncIterator[Tenants]:
    """Open the tenants of a server. At the end, all readers and worker processes end.

    Args:
        build_source: builds the source of a key.
        clock: the clock for polling, caching and idle times.
        options: how jobs are polled and cached; the memory is that of all tenants together.
        max_tenants: most keys in use at once.
        idle_seconds: after this time without a request, what is held for a key is dropped.
        coordination: coordinates the polls with other replicas.
    """
    async with AsyncExitStack() as stack, anyio.create_task_group() as group:
        shared = SharedResources(
            JobCache(clock, options.cache_bytes), SharedWorkers(group, stack), coordination=coordination
        )
        tenants = Tenants(
            build_source,
            group,
            shared,
            clock,
            options,
            max_tenants=max_tenants,
            idle_seconds=idle_seconds,
        )
        group.start_soon(tenants.sweep)
        yield tenants
        group.cancel_scope.cancel()


async def use_callers_reader(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Give everything behind this middleware the reader of the current caller."""
    tenant = get_current_tenant()
    if tenant is None or tenant.reader is None:
        # The reader of the server itself opens nothing, so the call ends with an error.
        return await call_next(ctx)
    return await call_next(replace(ctx, lifespan_context=tenant.reader))
