"""Traces through the API of OpenTelemetry. Without its SDK, which the extra `otel` brings, they cost next to nothing.

The spans replace those of the MCP SDK, which hold the names and errors that a caller sent.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from opentelemetry.context import Context, attach, detach
from opentelemetry.propagate import extract
from opentelemetry.trace import (
    ProxyTracerProvider,
    SpanKind,
    StatusCode,
    get_current_span,
    get_tracer,
    get_tracer_provider,
)

from llx_mcp import __version__
from llx_mcp.observation import CANCELLED, OK, Step

_TRACE_KEYS = ("traceparent", "tracestate")
_KINDS = {"call": SpanKind.SERVER, "upstream_request": SpanKind.CLIENT}
# The names of the semantic conventions of OpenTelemetry; the other attributes have names of ours.
_ATTRIBUTES = {
    ("call", "method"): "mcp.method.name",
    ("call", "tool"): "gen_ai.tool.name",
    ("upstream_request", "method"): "http.request.method",
}


def is_tracing() -> bool:
    """Return whether there is an SDK that takes spans."""
    return not isinstance(get_tracer_provider(), ProxyTracerProvider)


class Tracer:
    """Makes a span of each step, and of a look into the cache an event."""

    def __init__(self) -> None:
        self._tracer = get_tracer("llx_mcp", __version__)

    @contextmanager
    def watch(self, step: Step) -> Iterator[None]:
        """Trace a step."""
        if step.name == "cache":
            yield
            get_current_span().add_event("cache", {"llx_mcp.cache.outcome": step.outcome})
            return
        attributes = {_name_attribute(step, name): value for name, value in step.attributes.items() if value != ""}
        # A poll serves all waits, so it belongs to no request.
        context = Context() if step.name == "poll" else None
        kind = _KINDS.get(step.name, SpanKind.INTERNAL)
        with self._tracer.start_as_current_span(
            _name_span(step),
            context,
            kind,
            attributes,
            # The text of an exception may quote a document.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            yield
            if step.name == "upstream_request" and step.outcome.isdecimal():
                span.set_attribute("http.response.status_code", int(step.outcome))
                if int(step.outcome) >= 400:
                    span.set_status(StatusCode.ERROR)
            elif step.outcome not in (OK, CANCELLED):
                span.set_attribute("error.type", step.outcome)
                span.set_status(StatusCode.ERROR)


async def continue_trace(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Let the spans of a message follow those of its client. This is a middleware."""
    if not is_tracing():
        return await call_next(ctx)
    meta: Mapping[str, Any] = ctx.meta or {}
    # A client can send anything there, so what nothing here reads is left out.
    token = attach(extract({name: meta[name] for name in _TRACE_KEYS if isinstance(meta.get(name), str)}))
    try:
        return await call_next(ctx)
    finally:
        detach(token)


def drop_sdk_spans(middleware: list[ServerMiddleware[Any]]) -> None:
    """Remove what makes spans in the MCP SDK."""
    # The SDK does not export the class.
    middleware[:] = [one for one in middleware if type(one).__name__ != "OpenTelemetryMiddleware"]


def _name_attribute(step: Step, name: str) -> str:
    return _ATTRIBUTES.get((step.name, name), f"llx_mcp.{step.name}.{name}")


def _name_span(step: Step) -> str:
    if step.name == "call":
        return " ".join(str(value) for value in step.attributes.values() if value)
    return f"{step.name} {next(iter(step.attributes.values()), '')}".strip()
