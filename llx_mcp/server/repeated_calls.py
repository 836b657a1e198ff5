"""Answers a call that was answered before, as long as nothing has changed that the answer is made from.

Checking arguments, building an answer and converting it to the protocol take most of the time of a call. The summary
of a finished job is made from its body and, once it is known, from the text of its document.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver.tools import Tool
from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, from_json, to_json

from llx_mcp.answers.limits import CHECK_SECONDS
from llx_mcp.answers.requests import JobRequest
from llx_mcp.jobs.byte_cache import ByteCache, CachedBytes
from llx_mcp.jobs.reader import JobReader
from llx_mcp.observation import observe

# Other parameters of a call are not known here, so a call that has one is not a repeated one.
_PARAMS = frozenset({"name", "arguments", "_meta"})


@dataclass(frozen=True, slots=True)
class _CallKey:
    """Key of a result. Neither another credential gets it, nor a call after what it is made from has changed.

    Attributes:
        identity: digest of the credential.
        basis: name of what the result is made from.
        call: version of the protocol, and arguments.
    """

    identity: str
    basis: str
    call: bytes = field(repr=False)


class _CachedResult(CachedBytes):
    """The result of a call as JSON, which takes less memory than objects."""

    def __init__(self, result: bytes, num_key_bytes: int) -> None:
        super().__init__(result, compressible=False)
        self.result = result
        self._num_key_bytes = num_key_bytes

    @property
    def num_cached_bytes(self) -> int:
        """Memory of the result and of its key."""
        return super().num_cached_bytes + self._num_key_bytes


class RepeatedCalls:
    """Middleware, the innermost one. Results are kept in the cache of the jobs, where each credential has its share."""

    def __init__(self, tool: Tool, build_request: Callable[..., JobRequest]) -> None:
        """Keep the results of one tool, whose answer is the summary of a job.

        Args:
            tool: the tool.
            build_request: returns the request that a call makes, from the arguments of the tool.
        """
        self._tool = tool
        self._build_request = build_request

    async def __call__(self, ctx: ServerRequestContext[JobReader, Any], call_next: CallNext) -> HandlerResult:
        """Answer one message."""
        key = self._find_key(ctx)
        if key is None:
            return await call_next(ctx)
        reader = ctx.lifespan_context
        entries = reader.fetcher.cache.entries
        async with reader.answers.short_turn(key):
            kept = entries.find(key)
            if isinstance(kept, _CachedResult):
                with observe("cache") as step:
                    step.outcome = "hit"
                return cast("HandlerResult", from_json(kept.result))
        started = time.monotonic()
        result = await call_next(ctx)
        # A check of citations that ran out of time may come further the next time. And the job or the text of its
        # document can have been fetched in the meantime.
        if time.monotonic() - started < CHECK_SECONDS and key == self._find_key(ctx):
            await _keep(entries, key, result)
        return result

    def _find_key(self, ctx: ServerRequestContext[JobReader, Any]) -> _CallKey | None:
        """Return the key of a call about a job that is cached; None for every other message."""
        call = _read_arguments(ctx, self._tool.name)
        if call is None:
            return None
        try:
            request = self._build_request(**self._tool.fn_metadata.validate_arguments(call))
            arguments = to_json((ctx.protocol_version, call))
        except (ValidationError, PydanticSerializationError):
            # The call itself says what is wrong with it.
            return None
        found = ctx.lifespan_context.answers.find_basis(request)
        return None if found is None else _CallKey(found[0].identity, found[1], arguments)


def _read_arguments(ctx: ServerRequestContext[JobReader, Any], tool: str) -> dict[str, Any] | None:
    """Return the arguments of a call of a tool; None for every other message."""
    params = ctx.params
    if ctx.method != "tools/call" or params is None or params.get("name") != tool or params.keys() - _PARAMS:
        return None
    arguments = params.get("arguments")
    return arguments if isinstance(arguments, dict) else None


async def _keep(entries: ByteCache, key: _CallKey, result: HandlerResult) -> None:
    if isinstance(result, dict) and not result.get("isError"):
        # Not msgspec, which writes no integer of more than 64 bits.
        await entries.put(key, _CachedResult(to_json(result), len(key.call)))
