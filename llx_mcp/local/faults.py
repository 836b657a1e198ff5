"""Fault injection: which requests fail on purpose, and how, so that a client's error handling can be tested."""

import json
import random
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import anyio

FAULT_HELP = """\
rate-limited          429; `retry_after`, in seconds, adds the Retry-After header
rate-limit            429 beyond `per_minute` requests in any minute (20, as on the free tier)
unavailable           5xx; `status` (503)
slow                  no answer for `seconds` (5), then the usual one
disconnect            the connection closes in the middle of the body; without one with `when=before`
truncated             half of the body, under a Content-Length that matches the half
not-json              200 with an HTML page
wrong-region          401, as for a key of another region
out-of-credits        402

Write KIND or KIND:name=value,name=value. Parameters:

method, path          every kind. `path` is a part of the path, or its end and $: method=POST,path=/extract$
skip                  how many requests pass first (0)
share, seed           the share of the others that fail, from 0 to 1 (1), drawn at random with `seed` (0)
times                 how many requests fail
when                  before: the request has no effect. after: it has, and only its answer is lost or late

rate-limit takes only the first of these lines. `when` is for unavailable, slow and not-json (before), and for
disconnect (after). truncated always comes after.
"""
KINDS = (
    "rate-limited", "rate-limit", "unavailable", "slow", "disconnect", "truncated", "not-json", "wrong-region",
    "out-of-credits",
)  # fmt: skip
# No faults for the admin endpoint, nor for URLs that stand in for the service's storage.
_EXEMPT_PATHS = ("/_admin/", "/_files/")
_MINUTE_SECONDS = 60.0
_METHODS = ("GET", "POST", "PUT", "DELETE")


@dataclass(frozen=True, slots=True)
class _Parameter:
    """What a parameter of a fault may be.

    Attributes:
        convert: Its type.
        allowed: The allowed values, in words.
        example: A fault that uses it.
        accepts: Whether a converted value is allowed.
    """

    convert: type
    allowed: str
    example: str
    accepts: Callable[[Any], bool] = lambda _: True


_PARAMETERS: Mapping[str, _Parameter] = {
    "share": _Parameter(float, "a number from 0 to 1", "unavailable:share=0.2", lambda value: 0 <= value <= 1),
    "seed": _Parameter(int, "a whole number", "unavailable:share=0.2,seed=7"),
    "times": _Parameter(int, "a whole number from 0", "disconnect:times=1", lambda value: value >= 0),
    "method": _Parameter(
        str, f"one of {', '.join(_METHODS)}", "unavailable:method=POST", lambda value: value.upper() in _METHODS
    ),
    "path": _Parameter(str, "a part of the path of a request, or its end and $", "disconnect:path=/cancel"),
    "skip": _Parameter(int, "a whole number from 0", "unavailable:skip=2,times=1", lambda value: value >= 0),
    "when": _Parameter(str, "before or after", "disconnect:when=before", lambda value: value in ("before", "after")),
    "status": _Parameter(
        int, "a whole number from 500 to 599", "unavailable:status=502", lambda value: 500 <= value <= 599
    ),
    "seconds": _Parameter(float, "a number from 0 to 3600", "slow:seconds=3", lambda value: 0 <= value <= 3_600),
    "retry_after": _Parameter(
        float, "a number from 0 to 86400", "rate-limited:retry_after=2", lambda value: 0 <= value <= 86_400
    ),
    "per_minute": _Parameter(int, "a whole number from 0", "rate-limit:per_minute=20", lambda value: value >= 0),
}
_SHARED_PARAMETERS = ("method", "path", "skip", "share", "seed", "times")
# The parameters of each kind that has its own.
_PARAMETERS_BY_KIND: Mapping[str, tuple[str, ...]] = {
    "rate-limited": ("retry_after", *_SHARED_PARAMETERS),
    "rate-limit": ("per_minute", "retry_after", "method", "path"),
    "unavailable": ("status", "when", *_SHARED_PARAMETERS),
    "slow": ("seconds", "when", *_SHARED_PARAMETERS),
    "disconnect": ("when", *_SHARED_PARAMETERS),
    "not-json": ("when", *_SHARED_PARAMETERS),
}
_MAX_QUOTED_CHARS = 40


class FaultError(ValueError):
    """An unknown fault or an invalid parameter. The message says what is wrong, what is allowed, and an example."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault to inject. `FAULT_HELP` describes the kinds and parameters."""

    kind: str
    share: float = 1.0
    seed: int = 0
    times: int | None = None
    method: str | None = None
    path: str | None = None
    skip: int = 0
    when: str | None = None
    status: int = 503
    seconds: float = 5.0
    retry_after: float | None = None
    per_minute: int = 20

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise FaultError(
                f"There is no fault {_quote(self.kind)}. Use one of {', '.join(KINDS)}. "
                "Example: rate-limited:retry_after=2"
            )
        taken = get_parameters(self.kind)
        for name, value in describe_fault(self).items():
            if name == "kind":
                continue
            parameter = _PARAMETERS[name]
            if name not in taken:
                raise FaultError(
                    f"The fault {self.kind} does not take {name}. It takes {', '.join(taken)}. "
                    f"Example: {self.kind}:{_PARAMETERS[taken[0]].example.partition(':')[2]}"
                )
            if not parameter.accepts(value):
                raise _build_value_error(name, value)

    @property
    def comes_after(self) -> bool:
        """Whether the request has its effect, and only its answer is lost or late."""
        return (
            self.kind == "truncated" or (self.when or ("after" if self.kind == "disconnect" else "before")) == "after"
        )


def get_parameters(kind: str) -> tuple[str, ...]:
    """Return the names of the parameters that a kind takes."""
    return _PARAMETERS_BY_KIND.get(kind, _SHARED_PARAMETERS)


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
            "The body is not a JSON list of strings or objects, one for each fault. "
            'Example: ["rate-limited:retry_after=2", {"kind": "slow", "seconds": 3}]'
        )
    return [parse_fault(item) if isinstance(item, str) else build_fault(item) for item in items]


def build_fault(parameters: Mapping[str, object]) -> Fault:
    """Build a fault from its parameters. Numbers may be given as text.

    Raises:
        FaultError: The kind or a parameter is invalid.
    """
    for name in parameters:
        if name != "kind" and name not in _PARAMETERS:
            raise FaultError(
                f"A fault has no parameter {_quote(name)}. The parameters are {', '.join(_PARAMETERS)}. "
                "Example: slow:seconds=3"
            )
    values = {name: _convert(name, value) for name, value in parameters.items() if value is not None}
    return Fault(**{"kind": "", **values})  # type: ignore[arg-type]  # `_convert` has checked each type


def _convert(name: str, value: object) -> str | int | float:
    if name == "kind":
        return str(value)
    if _PARAMETERS[name].convert is int and isinstance(value, float) and not value.is_integer():
        raise _build_value_error(name, value)
    try:
        converted: str | int | float = _PARAMETERS[name].convert(value)
    except (TypeError, ValueError, OverflowError):
        raise _build_value_error(name, value) from None
    return converted


def _build_value_error(name: str, value: object) -> FaultError:
    parameter = _PARAMETERS[name]
    return FaultError(f"{name} cannot be {_quote(value)}: it must be {parameter.allowed}. Example: {parameter.example}")


def _quote(value: object) -> str:
    return repr(value)[:_MAX_QUOTED_CHARS]


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
        self._num_matched = 0
        self._num_injected = 0
        self._allowed_at: deque[float] = deque()

    def applies_to(self, method: str, path: str, now: float) -> bool:
        fault = self.fault
        if (fault.method and fault.method.upper() != method) or not _is_in_path(fault.path or "", path):
            return False
        if fault.kind == "rate-limit":
            return self._exceeds_rate(now)
        self._num_matched += 1
        if self._num_matched <= fault.skip:
            return False
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


def _is_in_path(part: str, path: str) -> bool:
    return path.endswith(part[:-1]) if part.endswith("$") else part in path
