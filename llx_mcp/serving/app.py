"""The ASGI application: the MCP endpoint behind its checks, the health of the server, and its metadata.

A request to the endpoint passes, in this order: size of the headers, method, host and origin, whether the server is
stopping, authentication, size of the body, open calls of the caller, its tenant, the body in time, the scope of the
call. Whatever fails ends in a `Refusal`.
"""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace

import anyio
from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.subscriptions import SubscriptionBus
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llx_mcp.backends import OpenShared
from llx_mcp.errors import ConfigurationError
from llx_mcp.jobs.clock import Clock, SystemClock
from llx_mcp.jobs.reader_options import ReaderOptions
from llx_mcp.jobs.source import JobSource
from llx_mcp.observation import Observer, set_observers
from llx_mcp.redaction import Redactor
from llx_mcp.server.app import ExtractServer, build_server
from llx_mcp.serving.callers import CallerRedactor, set_caller
from llx_mcp.serving.health import Health, PartState
from llx_mcp.serving.hosts import HostCheck
from llx_mcp.serving.http_messages import repair_message, replay_body, send_errors
from llx_mcp.serving.limits import CallLimit, check_body, check_headers, read_body
from llx_mcp.serving.metrics_server import build_metrics
from llx_mcp.serving.modes import build_authenticator, build_metadata_routes
from llx_mcp.serving.observed_calls import ObservedCalls
from llx_mcp.serving.open_calls import OpenCalls
from llx_mcp.serving.refusals import Refusal, Refusals, RefusedError, refuse_for_now
from llx_mcp.serving.replicas import Replicas, build_replicas, run_replicas
from llx_mcp.serving.request_ids import name_request
from llx_mcp.serving.request_state import build_state_security
from llx_mcp.serving.scoped_lists import ScopedLists
from llx_mcp.serving.server_state import ServerState
from llx_mcp.serving.settings import HttpSettings
from llx_mcp.serving.tenant_bus import TenantBus
from llx_mcp.serving.tenants import Tenants, open_tenants, use_callers_reader
from llx_mcp.serving.tracing import Tracer, continue_trace, drop_sdk_spans, is_tracing
from llx_mcp.serving.webhooks import PATH as WEBHOOK_PATH
from llx_mcp.serving.webhooks import build_webhooks
from llx_mcp.serving.write_scope import WriteScope, list_writing_tools
from llx_mcp.settings import LogLevel, Settings

# The share of the grace time after which waits end that have not seen a first poll.
_GRACE_SHARE = 0.7
# For calls that are ended to send that they are.
_END_SECONDS = 1.0

_log = logging.getLogger("llx_mcp.serving")


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """What a server over HTTP is built from, besides its settings.

    Attributes:
        open_shared: opens the service for many keys.
        service: settings of the service; its key is that of callers who have none of their own.
        reader: how jobs are polled and cached, and what is allowed besides reading; the memory is that of all tenants
            together.
        clock: the clock for polling, waiting and idle times.
        bus: carries the events of subscriptions; by default, to listeners of the same tenant in this process.
        routes: further routes, such as those of webhooks. They check by themselves who may call.
        log_level: what is logged to stderr.
    """

    open_shared: OpenShared
    service: Settings
    reader: ReaderOptions = field(default_factory=ReaderOptions)
    clock: Clock = field(default_factory=SystemClock)
    bus: SubscriptionBus = field(default_factory=TenantBus)
    routes: Sequence[BaseRoute] = ()
    log_level: LogLevel = "WARNING"


class HttpApp:
    """The ASGI application.

    Attributes:
        server: the MCP server.
        health: the state of the server; other modules add their parts.
        refusals: counts refused requests by reason.
        calls: the open requests of each caller.
        bus: carries the events of subscriptions.
        redactor: removes secrets from logs.
        write_scope: checks calls that write.
        replicas: coordinates the polls with other replicas.
        webhooks: receives the events of LlamaCloud; None without a secret.
        metrics: counts what the server does; None where nobody asked for it.
        is_stopping: whether new calls are refused because the server stops.
    """

    def __init__(self, settings: HttpSettings, options: HttpOptions, port: int) -> None:
        """Build the application.

        Args:
            settings: the settings of HTTP.
            options: what it serves.
            port: the port that is listened on.

        Raises:
            ConfigurationError: a setting is missing, or a file cannot be used.
        """
        self._settings = settings
        # The files of this machine are not those of a caller on another one.
        without_files = replace(options.reader.creation, folders=())
        self._options = options = replace(options, reader=replace(options.reader, creation=without_files))
        self._authenticator = build_authenticator(settings, options.service, options.clock)
        self._hosts = HostCheck(settings.list_hosts(port))
        self.write_scope = WriteScope(self._authenticator.require_scope)
        self._tenants: Tenants | None = None
        self.bus = options.bus
        self.is_stopping = False
        self.refusals = Refusals()
        self.calls = CallLimit(settings.max_calls)
        self._open_calls = OpenCalls()
        self.health = Health()
        self.health.add("calls", lambda: PartState("stopping", False) if self.is_stopping else PartState("ok"))
        self.metrics = build_metrics(settings)
        self._tracer = Tracer()
        self._observers: list[Observer] = []
        if self.metrics is not None:
            self.metrics.add_state(self.read_state)
            self._observers.append(self.metrics)
        self._observed_calls = ObservedCalls(lambda method: self.server.has_method(method))  # noqa: PLW0108 - built below
        secrets = options.service.build_redactor()
        self._secrets = secrets
        self.redactor = CallerRedactor(secrets, self._list_redactors)
        self.replicas = build_replicas(settings, options.clock)
        if isinstance(self.replicas, Replicas):
            self.health.add("redis", self.replicas.check)
        self.server = self._build_server(CallerRedactor(secrets))
        self._endpoint = self._build_endpoint()
        self._endpoints: dict[str, ASGIApp] = {}
        self.webhooks = build_webhooks(settings, self.replicas, options.clock)
        if self.webhooks is not None:
            self._endpoints[WEBHOOK_PATH] = self.webhooks.answer
        self._endpoints[settings.path] = self._answer_message
        self._routes = Starlette(
            routes=[
                Route("/healthz", self.health.answer_alive),
                Route("/readyz", self.health.answer_ready),
                *build_metadata_routes(settings),
                *options.routes,
            ],
            exception_handlers={404: self._answer_unknown},
            lifespan=self._lifespan,
        )

    @property
    def tenants(self) -> Tenants:
        """The keys in use. They exist while the application runs."""
        if self._tenants is None:
            raise RuntimeError("the application does not run")
        return self._tenants

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._routes(scope, receive, send)
            return
        set_observers(*([self._tracer] if is_tracing() else []), *self._observers)
        send = name_request(scope, send, self._secrets)
        is_started = False

        async def send_noted(message: Message) -> None:
            nonlocal is_started
            is_started = True
            await send(message)

        try:
            check_headers(Headers(scope=scope), self._settings.max_header_bytes)
            answer = self._endpoints.get(scope["path"], self._routes)
            await answer(scope, receive, send_noted)
        except RefusedError as exc:
            if is_started:
                raise
            _log.debug("Refused a request of %s: %s", (scope.get("client") or ("unknown",))[0], exc.refusal.reason)
            await self.refusals.send(scope, send, exc.refusal)
        except ClientDisconnect:
            # The client left before it had sent the whole body.
            self.refusals.count("disconnected")

    def run(self) -> AbstractAsyncContextManager[None]:
        """Run the application for as long as the block lasts, where no server does."""
        return self._lifespan(self._routes)

    def read_state(self) -> ServerState:
        """Return the state at this moment. The application must run."""
        shared = self.tenants.shared
        return ServerState(
            self.tenants.num_waits,
            self.calls.num_open,
            len(self.tenants),
            shared.workers.num_workers,
            shared.cache.entries.num_bytes,
            self.refusals.counts,
            self.health.read(),
        )

    async def stop(self) -> None:
        """Refuse new calls, answer the waits, and end the other calls once the time of the settings is over."""
        self.is_stopping = True
        self.server.end_subscriptions()
        self.tenants.end_waits()
        for part in (_GRACE_SHARE, 1 - _GRACE_SHARE):
            with anyio.move_on_after(self._settings.grace_seconds * part):
                await self.calls.wait_idle()
                return
            await self.tenants.close_waits()
        self._open_calls.end()
        with anyio.move_on_after(_END_SECONDS):
            await self.calls.wait_idle()

    async def _answer_message(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        self._hosts.check(headers)
        if scope["method"] != "POST":
            # There is no stream outside a request: no replica knows what another would send on it.
            raise RefusedError(Refusal(405, "method_not_allowed", "Send messages with POST.", {"allow": "POST"}))
        if self.is_stopping:
            raise RefusedError(refuse_for_now(503, "stopping", "This server is stopping. Call again; another answers."))
        caller = await self._authenticator.authenticate(scope)
        set_caller(caller)
        check_body(headers, self._settings.max_body_bytes)
        with self.calls.count(caller.name):
            async with self.tenants.use(caller):
                body = await read_body(receive, self._settings.max_body_bytes, self._settings.body_seconds)
                message = repair_message(body)
                if not isinstance(message, bytes):
                    await send_errors(message, send)
                    return
                self.write_scope.check_body(caller, message)
                await self._open_calls.run(self._endpoint, message, scope, replay_body(message, receive), send)

    async def _answer_unknown(self, _: Request, __: Exception) -> JSONResponse:
        message = f"There is nothing at this address. The path of the MCP endpoint is {self._settings.path}."
        headers = {"cache-control": "no-store"}
        return JSONResponse({"error": "not_found", "error_description": message}, 404, headers)

    def _build_server(self, redactor: Redactor) -> ExtractServer:
        options = self._options
        server = build_server(
            _refuse_to_open,
            redactor=redactor,
            clock=options.clock,
            options=options.reader,
            middleware=[
                continue_trace,
                self._observed_calls,
                use_callers_reader,
                self.write_scope.check_call,
                ScopedLists(self.write_scope),
            ],
            bus=options.bus,
            request_state=build_state_security(),
            log_level=options.log_level,
        )
        drop_sdk_spans(server.middleware)
        return server

    def _build_endpoint(self) -> ASGIApp:
        # The hosts have been checked, for all protocols alike.
        security = TransportSecuritySettings(enable_dns_rebinding_protection=False)
        self.server.streamable_http_app(
            stateless_http=True,
            transport_security=security,
            max_request_body_size=self._settings.max_body_bytes,
        )
        return AuthContextMiddleware(self.server.session_manager.handle_request)

    def _list_redactors(self) -> Sequence[Redactor]:
        return [] if self._tenants is None else self._tenants.list_redactors()

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        options, settings = self._options, self._settings
        self.write_scope.writing_tools = await list_writing_tools(self.server)
        self._observed_calls.tools = frozenset(tool.name for tool in await self.server.list_tools())
        async with (
            run_replicas(self.replicas),
            options.open_shared() as build_source,
            open_tenants(
                build_source,
                options.clock,
                options.reader,
                max_tenants=settings.max_tenants,
                idle_seconds=settings.tenant_idle_seconds,
                coordination=self.replicas,
            ) as self._tenants,
            self.server.session_manager.run(),
        ):
            yield


def _refuse_to_open() -> AbstractAsyncContextManager[JobSource]:
    """Open nothing: every request has the reader of its caller, and the server itself has none."""
    raise ConfigurationError("This request has no reader. Call again.")
