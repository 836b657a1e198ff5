"""Fault injection: which requests fail on purpose, and how, so that a client's error handling can be tested."""

import json
import random
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields

import anyio

FAULT_HELP = """\
rate-limited          429; `retry_after`, in seconds, adds the Retry-After header
rate-limit            429 beyond `per_minute` requests in any minute (20, as on the free tier)
unavailable           5xx; `status` (503)
slow                  no answer for `seconds` (5), then the usual one
disconnect            the connection closes in the middle of the body
truncated             half of the body, under a Content-Length that matches the half
not-json              200 with an HTML page
wrong-region          401, as for a key of another region
out-of-credits        402

Write KIND or KIND:name=value,name=value. Every kind takes `share`, the share of requests that fail, from 0 to 1 (1),
drawn at random with `seed` (0); `times`, the number of requests that fail; `method`; and `path`, a part of the path.
"""
KINDS = (
    "rate-limited", "rate-limit", "unavailable", "slow", "disconnect", "truncated", "not-json", "wrong-region",
    "out-of-credits",
)  # fmt: skip
# No faults for the admin endpoint, nor for URLs that stand in for the service's storage.
_EXEMPT_PATHS = ("/_admin/", "/_files/")
_MINUTE_SECONDS = 60.0
_PARAMETER_TYPES: Mapping[str, type] = {
    "share": float, "seed": int, "times": int, "method": str, "path": str, "status": int, "seconds": float,
    "retry_after": float, "per_minute": int, "kind": str,
}  # fmt: skip


class FaultError(ValueError):
    """An unknown fault or an invalid parameter. The message says what is allowed."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault to inject. `FAULT_HELP` describes the kinds and parameters."""

    kind: str
    share: float = 1.0
    seed: int = 0
    times: int | None = None
    method: str | None = None
    path: str | None = None
    status: int = 503
    seconds: float = 5.0
    retry_after: float | None = None
    per_minute: int = 20

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise FaultError(f"No such fault; there are {', '.join(KINDS)}.")
        if not 0 <= self.share <= 1:
            raise FaultError("share must be a number from 0 to 1.")
        if not 500 <= self.status <= 599:
            raise FaultError("status must be a number from 500 to 599.")
        if not 0 <= self.seconds <= 3_600:
            raise FaultError("seconds must be a number from 0 to 3600.")
        if self.per_minute < 0 or (self.times is not None and self.times < 0):
            raise FaultError("per_minute and times must be numbers from 0.")
        if self.retry_after is not None and not 0 <= self.retry_after <= 86_400:
            raise FaultError("retry_after must be a number of seconds from 0 to 86400.")


def parse_fault(text: str) -> Fault:
    """Parse a fault that is written as `KIND:name=value,…`.

    Raises:
        FaultError: The kind or a parameter is invalid.
    """
    kind, _, rest = text.partition(":")
    pairs = [pair.partition("=") for pair in rest.split(",") if pair]
    return build_fault({"kind": kind} | {name.strip().replace("-", "_"): value.strip() for name, _, value in pairs})


def parse_faults(body: bytes) -> list[Fault]:
    """Parse the body of a request to the admin endpoint: a JSON list of strings or objects, one per fault.

    Raises:
        FaultError: The body is not such a list, or a fault is invalid.
    """
    try:
        items = json.loads(body)
    except (ValueError, RecursionError):
        items = None
    if not isinstance(items, list) or not all(isinstance(item, str | dict) for item in items):
        raise FaultError(
            'Send a JSON list, such as ["rate-limited:retry_after=2"] or [{"kind": "slow", "seconds": 3}].'
        )
    return [parse_fault(item) if isinstance(item, str) else build_fault(item) for item in items]


def build_fault(parameters: Mapping[str, object]) -> Fault:
    """Build a fault from its parameters. Numbers may be given as text.

    Raises:
        FaultError: The kind or a parameter is invalid.
    """
    unknown = sorted(set(parameters) - set(_PARAMETER_TYPES))
    if unknown:
        raise FaultError(f"A fault does not take {unknown[0][:40]!r}; it takes {', '.join(_PARAMETER_TYPES)}.")
    values = {name: _convert(name, value) for name, value in parameters.items() if value is not None}
    return Fault(**{"kind": "", **values})  # type: ignore[arg-type]  # `_convert` has checked each type


def _convert(name: str, value: object) -> str | int | float:
    try:
        converted: str | int | float = _PARAMETER_TYPES[name](value)
    except (TypeError, ValueError, OverflowError):
        kind = "a whole number" if _PARAMETER_TYPES[name] is int else "a number"
        raise FaultError(f"{name} must be {kind}.") from None
    return converted


def describe_fault(fault: Fault) -> dict[str, str | int | float]:
    """Return the parameters of a fault that differ from their defaults."""
    defaults = {field.name: field.default for field in fields(fault)}
    return {name: value for name, value in asdict(fault).items() if value != defaults[name]}


class FaultInjector:
    """The active faults. Any thread may change them while requests arrive.

    Attributes:
        sleep: Waits for a number of seconds, for `slow`.
    """

    def __init__(
        self,
        faults: Iterable[Fault] = (),
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        """Start with some faults.

        Args:
            faults: The active faults.
            clock: Returns monotonic seconds, for `rate-limit`.
            sleep: Waits for a number of seconds, for `slow`.
        """
        self._lock = threading.Lock()
        self._clock = clock
        self.sleep = sleep
        self.set_faults(faults)

    def set_faults(self, faults: Iterable[Fault]) -> None:
        """Replace the active faults; an empty iterable stops fault injection."""
        with self._lock:
            self._active = [_ActiveFault(fault) for fault in faults]

    def get_faults(self) -> list[Fault]:
        """Return the active faults, also those whose `times` are used up."""
        with self._lock:
            return [active.fault for active in self._active]

    def select_faults(self, method: str, path: str) -> list[Fault]:
        """Return the faults to inject into a request, in order. Each call counts as one request."""
        if path == "/" or path.startswith(_EXEMPT_PATHS):
            return []
        with self._lock:
            now = self._clock()
            return [active.fault for active in self._active if active.applies_to(method, path, now)]


class _ActiveFault:
    """A fault and the requests that it has counted."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self._random = random.Random(fault.seed)  # noqa: S311 - must be repeatable, not secret
        self._num_injected = 0
        self._allowed_at: deque[float] = deque()

    def applies_to(self, method: str, path: str, now: float) -> bool:
        fault = self.fault
        if (fault.method and fault.method.upper() != method) or (fault.path and fault.path not in path):
            return False
        if fault.kind == "rate-limit":
            return self._exceeds_rate(now)
        if (fault.times is not None and self._num_injected >= fault.times) or self._random.random() >= fault.share:
            return False
        self._num_injected += 1
        return True

    def _exceeds_rate(self, now: float) -> bool:
        while self._allowed_at and self._allowed_at[0] <= now - _MINUTE_SECONDS:
            self._allowed_at.popleft()
        if len(self._allowed_at) >= self.fault.per_minute:
            return True
        self._allowed_at.append(now)
        return False
