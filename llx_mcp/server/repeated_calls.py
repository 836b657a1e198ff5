"""Answers a call from memory if the same call was answered before and nothing has changed that the answer is made from.

Building an answer and converting it to the protocol take most of the time of a call. The results are kept with the job
in the cache, so they go with it.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver.tools import Tool
from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, from_json, to_json

from llx_mcp.answers.limits import CHECK_SECONDS
from llx_mcp.answers.outputs import NOT_CHECKED
from llx_mcp.answers.requests import JobRequest
from llx_mcp.errors import LlxError
from llx_mcp.jobs.reader import JobReader
from llx_mcp.observation import observe

if TYPE_CHECKING:
    from llx_mcp.jobs.answering import SummaryBasis

# Other parameters of a call are not known here, so a call that has one is not a repeated one.
_PARAMS = frozenset({"name", "arguments", "_meta"})


class RepeatedCalls:
    """Middleware, the innermost one. A call that is answered from memory is not checked again by the SDK."""

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
        found = self._find(ctx)
        if found is None:
            return await call_next(ctx)
        basis, call = found
        reader = ctx.lifespan_context
        with suppress(LlxError):
            async with reader.answers.turn_if_shared(basis.key):
                kept = basis.job.find_result(call)
                if kept is not None:
                    with observe("cache") as step:
                        step.outcome = "hit"
                    return cast("HandlerResult", from_json(kept))
        started = time.monotonic()
        result = await call_next(ctx)
        # A check of citations that ran out of time may come further the next time. And the job or the text of its
        # document can have been fetched in the meantime.
        if time.monotonic() - started < CHECK_SECONDS and found == self._find(ctx) and _is_lasting(result):
            body = to_json(result)
            with suppress(ValueError):
                # It may be too deep to be read.
                from_json(body)
                reader.fetcher.cache.keep_result(basis.key, call, body)
        return result

    def _find(self, ctx: ServerRequestContext[JobReader, Any]) -> "tuple[SummaryBasis, bytes] | None":
        """Return what a call is about, and its name; None for every other message, and if the job is not cached."""
        arguments = _read_arguments(ctx, self._tool.name)
        if arguments is None:
            return None
        try:
            request = self._build_request(**self._tool.fn_metadata.validate_arguments(arguments))
            basis = ctx.lifespan_context.answers.find_summary_basis(request)
            return None if basis is None else (basis, to_json((ctx.protocol_version, basis.text_name, arguments)))
        except (ValidationError, PydanticSerializationError):
            # The call itself says what is wrong with it.
            return None


def _read_arguments(ctx: ServerRequestContext[JobReader, Any], tool: str) -> dict[str, Any] | None:
    """Return the arguments of a call of a tool; None for every other message."""
    params = ctx.params
    if ctx.method != "tools/call" or params is None or params.get("name") != tool or params.keys() - _PARAMS:
        return None
    arguments = params.get("arguments")
    return arguments if isinstance(arguments, dict) else None


def _is_lasting(result: HandlerResult) -> bool:
    """Return whether a later call would have the same result. The reason why nothing was checked may pass."""
    if not isinstance(result, dict) or result.get("isError"):
        return False
    structured = result.get("structuredContent") or {}
    return not str(structured.get("citation_check", "")).startswith(NOT_CHECKED)
