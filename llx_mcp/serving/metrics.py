"""The metrics of the server, for Prometheus. No label has a value that a caller, a job or a document chooses."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from llx_mcp.observation import Step
from llx_mcp.serving.server_state import ServerState

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_CHARACTERS = (500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 500_000)
_DELAY_INTERVAL_SECONDS = 0.25


class Metrics:
    """Counts steps.

    Attributes:
        registry: everything that is counted.
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._calls = Counter(
            "llx_mcp_calls", "Messages that were answered.", ["method", "tool", "outcome"], registry=registry
        )
        self._call_seconds = Histogram(
            "llx_mcp_call_seconds", "Time for a call of a tool.", ["tool"], buckets=_SECONDS, registry=registry
        )
        self._answer_characters = Histogram(
            "llx_mcp_answer_characters", "Text of a tool's answer.", ["tool"], buckets=_CHARACTERS, registry=registry
        )
        self._requests = Counter(
            "llx_mcp_upstream_requests", "Requests to the service.", ["method", "status"], registry=registry
        )
        self._request_seconds = Histogram(
            "llx_mcp_upstream_request_seconds",
            "Time until the headers of a response of the service.",
            ["method"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._polls = Counter("llx_mcp_polls", "Polls of jobs.", ["kind", "outcome"], registry=registry)
        self._lookups = Counter("llx_mcp_cache_lookups", "Jobs looked up in the cache.", ["outcome"], registry=registry)
        self._questions = Counter(
            "llx_mcp_worker_questions", "Questions to worker processes.", ["question", "outcome"], registry=registry
        )
        self._question_seconds = Histogram(
            "llx_mcp_worker_seconds",
            "Time for a question to a worker process, its turn included.",
            ["question"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._loop_delay = Histogram(
            "llx_mcp_event_loop_delay_seconds",
            "How much later than planned the event loop ran a task.",
            buckets=_SECONDS,
            registry=registry,
        )

    @contextmanager
    def watch(self, step: Step) -> Iterator[None]:
        """Count a step, and measure its time."""
        started_at = time.perf_counter()
        yield
        self._count(step, time.perf_counter() - started_at)

    def _count(self, step: Step, seconds: float) -> None:
        labels = {name: str(value) for name, value in step.attributes.items()}
        match step.name:
            case "call":
                self._calls.labels(**labels, outcome=step.outcome).inc()
                if labels["tool"]:
                    self._call_seconds.labels(labels["tool"]).observe(seconds)
                if step.size is not None:
                    self._answer_characters.labels(labels["tool"]).observe(step.size)
            case "upstream_request":
                self._requests.labels(**labels, status=step.outcome).inc()
                self._request_seconds.labels(**labels).observe(seconds)
            case "poll":
                self._polls.labels(**labels, outcome=step.outcome).inc()
            case "cache":
                self._lookups.labels(step.outcome).inc()
            case "worker":
                self._questions.labels(**labels, outcome=step.outcome).inc()
                self._question_seconds.labels(**labels).observe(seconds)

    def add_state(self, read: Callable[[], ServerState]) -> None:
        """Add what is a state and not an event.

        Args:
            read: returns the state; called whenever the metrics are fetched.
        """
        self.registry.register(_StateCollector(read))

    def render(self) -> bytes:
        """Return the metrics in the text format of Prometheus."""
        return generate_latest(self.registry)

    async def measure_loop_delay(self) -> None:
        """Measure again and again how late the event loop is."""
        while True:
            started_at = time.perf_counter()
            await anyio.sleep(_DELAY_INTERVAL_SECONDS)
            self._loop_delay.observe(max(time.perf_counter() - started_at - _DELAY_INTERVAL_SECONDS, 0.0))


class _StateCollector(Collector):
    """Reads the state of the server."""

    def __init__(self, read: Callable[[], ServerState]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """Yield the state as metrics."""
        state = self._read()
        gauges = {
            "waits_open": ("Waits that are open.", state.num_waits),
            "requests_open": ("Requests that are open, waits and subscriptions included.", state.num_requests),
            "tenants": ("LlamaCloud keys in use.", state.num_tenants),
            "workers": ("Worker processes.", state.num_workers),
            "cache_bytes": ("Memory for finished jobs, compressed.", state.cache_bytes),
        }
        for name, (text, value) in gauges.items():
            yield GaugeMetricFamily(f"llx_mcp_{name}", text, value)
        refused = CounterMetricFamily("llx_mcp_refused", "Refused requests and connections.", labels=["reason"])
        for reason, number in state.refusals.items():
            refused.add_metric([reason], number)
        yield refused
        parts = GaugeMetricFamily("llx_mcp_part_ready", "Whether a part can take calls.", labels=["part", "status"])
        for name, part in state.parts.items():
            parts.add_metric([name, part.status], part.is_ready)
        yield parts
        events = CounterMetricFamily("llx_mcp_part_events", "What happened to a part.", labels=["part", "event"])
        for name, part in state.parts.items():
            for event, number in part.counts.items():
                events.add_metric([name, event], number)
        yield events

    def describe(self) -> list[Metric]:
        """Describe nothing: before the server runs, it has no state."""
        return []
