"""What goes wrong on purpose, so that a client can be seen to bear it."""

import json
import random
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import anyio
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FAULT_HELP = """\
rate-limited          429; `retry_after` in seconds sends that header
rate-limit            429 beyond `per_minute` requests in any minute (20, as on the free tier)
unavailable           5xx; `status` (503)
slow                  nothing for `seconds` (5), then the answer
cut                   the connection is closed in the middle of the body
truncated             a body that ends too early, and looks whole to HTTP
not-json              200 with a page of HTML
wrong-region          401, as for a key of another region
out-of-credits        402

Each is written KIND or KIND:name=value,name=value, and takes `share`, of the requests that it meets, from
0 to 1 (1), drawn by `seed` (0); `times`, after which it is over; `method`; and `path`, a text that it holds.
"""
KINDS = (
    "rate-limited", "rate-limit", "unavailable", "slow", "cut", "truncated", "not-json", "wrong-region",
    "out-of-credits",
)  # fmt: skip
# Where faults are switched and looked at, nothing goes wrong.
_SPARED = ("/_admin/", "/_files/")
_MINUTE_SECONDS = 60.0


class FaultError(ValueError):
    """A fault that there is not, or a value that it does not take; the message says what there is."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong, as `FAULT_HELP` describes it."""

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
            raise FaultError("share is a number from 0 to 1.")
        if not 500 <= self.status <= 599:
            raise FaultError("status is a number from 500 to 599.")
        if not 0 <= self.seconds <= 3_600:
            raise FaultError("seconds is a number from 0 to 3600.")
        if self.per_minute < 0 or (self.times is not None and self.times < 0):
            raise FaultError("per_minute and times are numbers from 0 on.")
        if self.retry_after is not None and not 0 <= self.retry_after <= 86_400:
            raise FaultError("retry_after is a number of seconds from 0 to 86400.")


def parse_fault(words: str) -> Fault:
    """The fault that is written as `KIND:name=value,…`.

    Raises:
        FaultError: it is none.
    """
    kind, _, rest = words.partition(":")
    pairs = [pair.partition("=") for pair in rest.split(",") if pair]
    return build_fault({"kind": kind} | {name.strip().replace("-", "_"): value.strip() for name, _, value in pairs})


def build_fault(given: Mapping[str, Any]) -> Fault:
    """The fault of named values, as numbers or as their text.

    Raises:
        FaultError: it is none.
    """
    taken = {"share": float, "seed": int, "times": int, "method": str, "path": str, "status": int, "seconds": float,
             "retry_after": float, "per_minute": int, "kind": str}  # fmt: skip
    unknown = sorted(set(given) - set(taken))
    if unknown:
        raise FaultError(f"A fault does not take {unknown[0][:40]!r}; it takes {', '.join(taken)}.")
    values: dict[str, Any] = {}
    for name, value in given.items():
        if value is None:
            continue
        try:
            values[name] = taken[name](value)
        except (TypeError, ValueError, OverflowError):
            raise FaultError(f"{name} is not {'a whole number' if taken[name] is int else 'a number'}.") from None
    return Fault(**{"kind": "", **values})


class Faults:
    """The switchboard: which faults there are now. It may be switched from any thread while requests come.

    Args:
        clock: seconds that only rise, for `rate-limit`.
        sleep: waits for seconds, for `slow`.
    """

    def __init__(
        self,
        faults: Iterable[Fault] = (),
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._lock = threading.Lock()
        self._clock = clock
        self.sleep = sleep
        self.set(faults)

    def set(self, faults: Iterable[Fault]) -> None:
        """What goes wrong from now on; none puts all right."""
        with self._lock:
            self._switches = [_Switch(fault) for fault in faults]

    def clear(self) -> None:
        """Put all right."""
        self.set(())

    def get(self) -> list[Fault]:
        """What goes wrong now, including what is over."""
        with self._lock:
            return [switch.fault for switch in self._switches]

    def draw(self, method: str, path: str) -> list[Fault]:
        """Those that meet a request, in their order. Asking counts as the request."""
        if path == "/" or path.startswith(_SPARED):
            return []
        with self._lock:
            now = self._clock()
            return [switch.fault for switch in self._switches if switch.meets(method, path, now)]


class _Switch:
    """A fault with what it has met."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self._random = random.Random(fault.seed)  # noqa: S311 - to be repeated, not to be secret
        self._met = 0
        self._passed: deque[float] = deque()

    def meets(self, method: str, path: str, now: float) -> bool:
        fault = self.fault
        if (fault.method and fault.method.upper() != method) or (fault.path and fault.path not in path):
            return False
        if fault.kind == "rate-limit":
            return self._is_beyond_rate(now)
        if (fault.times is not None and self._met >= fault.times) or self._random.random() >= fault.share:
            return False
        self._met += 1
        return True

    def _is_beyond_rate(self, now: float) -> bool:
        while self._passed and self._passed[0] <= now - _MINUTE_SECONDS:
            self._passed.popleft()
        if len(self._passed) >= self.fault.per_minute:
            return True
        self._passed.append(now)
        return False


class FaultMiddleware:
    """Lets the faults of a switchboard happen to the requests of an application."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        broken: str | None = None
        for fault in self._faults.draw(scope["method"], scope["path"]):
            if fault.kind == "slow":
                await self._faults.sleep(fault.seconds)
            elif fault.kind in ("cut", "truncated"):
                broken = fault.kind
            else:
                await _answer(fault)(scope, receive, send)
                return
        if broken is None:
            await self._app(scope, receive, send)
        else:
            await _send_half(self._app, scope, receive, send, is_cut=broken == "cut")


def _answer(fault: Fault) -> Response:
    if fault.kind in ("rate-limited", "rate-limit"):
        headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
        return JSONResponse({"detail": "Rate limit exceeded"}, 429, headers)
    if fault.kind == "wrong-region":
        return JSONResponse({"detail": "Invalid API Key. Please check your region and try again."}, 401)
    if fault.kind == "out-of-credits":
        return JSONResponse({"detail": "You have run out of credits. Please upgrade your plan."}, 402)
    if fault.kind == "not-json":
        return HTMLResponse("<!doctype html><title>Just a moment...</title><p>Checking your browser.")
    return JSONResponse({"detail": "The service is temporarily unavailable"}, fault.status)


async def _send_half(app: ASGIApp, scope: Scope, receive: Receive, send: Send, *, is_cut: bool) -> None:
    """Half of the answer: under its whole length, after which the server closes the connection, or under its own."""
    start: Message = {}
    body = bytearray()

    async def keep(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            body.extend(message.get("body", b""))

    await app(scope, receive, keep)
    half = bytes(body[: len(body) // 2])
    headers = [(name, value) for name, value in start["headers"] if name != b"content-length"]
    length = len(body) if is_cut else len(half)
    await send({**start, "headers": [*headers, (b"content-length", str(length).encode())]})
    await send({"type": "http.response.body", "body": half, "more_body": is_cut})


def describe_faults(faults: Faults) -> list[dict[str, Any]]:
    """Each fault with the values that are not the usual ones."""
    usual = {each.name: each.default for each in fields(Fault)}
    return [{name: value for name, value in asdict(fault).items() if value != usual[name]} for fault in faults.get()]


def read_faults(body: bytes) -> list[Fault]:
    """The faults of a request to the admin endpoint: a JSON list of their words or of objects of named values.

    Raises:
        FaultError: it is none.
    """
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, list) or not all(isinstance(each, str | dict) for each in given):
        raise FaultError(
            'Send a JSON list, such as ["rate-limited:retry_after=2"] or [{"kind": "slow", "seconds": 3}].'
        )
    return [parse_fault(each) if isinstance(each, str) else build_fault(each) for each in given]
