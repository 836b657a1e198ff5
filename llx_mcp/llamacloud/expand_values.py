"""Learns which values of `expand` the service accepts: not all are documented, and a service may be older."""

import logging
from collections.abc import Awaitable, Callable, Sequence

from llx_mcp.errors import RejectedError

_log = logging.getLogger("llx_mcp.llamacloud")

Send = Callable[[tuple[str, ...]], Awaitable[bytes]]


class ExpandValues:
    """The values of `expand` that the service has refused for one key. They are not sent again."""

    def __init__(self) -> None:
        self._refused: set[str] = set()

    async def fetch(self, values: Sequence[str], send: Send) -> bytes:
        """Send a request with these values. If the service refuses some, send it without them.

        Args:
            values: the values, the least documented last.
            send: sends the request with some of the values, and returns the response's body.

        Raises:
            RejectedError: the service refuses the request for another reason than its values.
            LlxError: the request failed.
        """
        wanted = tuple(value for value in values if value not in self._refused)
        try:
            return await send(wanted)
        except RejectedError as exc:
            if not wanted or not _may_concern_expand(exc):
                raise
            error = exc
        named = {value for index, value in enumerate(wanted) if f"query.expand.{index}" in error.locations}
        accepted, body = await _find_accepted(wanted, named or {wanted[-1]}, send, error)
        self._refused |= set(wanted) - set(accepted)
        _log.warning("The service refuses expand=%s, which is not sent any more", ", ".join(sorted(self._refused)))
        return body


def _may_concern_expand(error: RejectedError) -> bool:
    """Return whether `expand` may be the reason: the service names it, or names no reason."""
    return not error.locations or any(location.startswith("query.expand") for location in error.locations)


async def _find_accepted(
    wanted: tuple[str, ...], suspects: set[str], send: Send, error: RejectedError
) -> tuple[tuple[str, ...], bytes]:
    """Return the values that the service accepts, and its response to them.

    Raises:
        RejectedError: the given error, if the service refuses the request without any value too.
    """
    accepted = tuple(value for value in wanted if value not in suspects)
    body = await _try(accepted, send)
    if body is not None:
        return accepted, body
    accepted = ()
    body = await _try(accepted, send)
    if body is None:
        raise error
    for value in wanted:
        more = await _try((*accepted, value), send)
        if more is not None:
            accepted, body = (*accepted, value), more
    return accepted, body


async def _try(values: tuple[str, ...], send: Send) -> bytes | None:
    try:
        return await send(values)
    except RejectedError:
        return None
