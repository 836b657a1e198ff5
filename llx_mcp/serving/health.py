"""`/healthz` says that the process answers, `/readyz` whether it takes calls."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import JSONResponse


@dataclass(frozen=True, slots=True)
class PartState:
    """The state of one part of the server.

    Attributes:
        status: one or two words, such as `ok` or `degraded`.
        is_ready: whether calls can be taken in this state.
        counts: how often something has happened to the part, for the metrics.
    """

    status: str
    is_ready: bool = True
    counts: Mapping[str, int] = field(default_factory=dict)


class Health:
    """The state of the server, of several parts. Other modules add theirs."""

    def __init__(self) -> None:
        self._parts: dict[str, Callable[[], PartState]] = {}

    def add(self, name: str, check: Callable[[], PartState]) -> None:
        """Add a part. Its check must return at once."""
        self._parts[name] = check

    def read(self) -> dict[str, PartState]:
        """Return the state of each part, by its name."""
        return {name: check() for name, check in self._parts.items()}

    async def answer_alive(self, _: Request) -> JSONResponse:
        """Answer `/healthz`: 200 as long as the event loop runs."""
        return _answer({"status": "ok"}, 200)

    async def answer_ready(self, _: Request) -> JSONResponse:
        """Answer `/readyz`: 200 if every part is ready, else 503; with the state of each."""
        states = self.read()
        is_ready = all(state.is_ready for state in states.values())
        parts = {name: state.status for name, state in states.items()}
        return _answer({"status": "ready" if is_ready else "not ready", "parts": parts}, 200 if is_ready else 503)


def _answer(content: dict[str, object], status: int) -> JSONResponse:
    return JSONResponse(content, status, headers={"cache-control": "no-store"})
