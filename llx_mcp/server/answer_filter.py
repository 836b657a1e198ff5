"""The one place where answers, errors and progress leave the server: secrets and lone surrogates are replaced."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.session import ServerSession
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR
from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError, to_json

from llx_mcp.redaction import Redactor, map_strings

_SURROGATES = re.compile("[\ud800-\udfff]")


class AnswerFilter:
    """Middleware around all others. It replaces secrets by `[key]`, and lone surrogates, which UTF-8 lacks, by U+FFFD.

    All transports send what it returns: answers of tools, resources, prompts and tasks, errors, and progress.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Call the next middleware, and filter what it returns or raises."""
        filtered = replace(ctx, session=_FilteredSession(ctx.session, self._filter_text))
        try:
            result = await call_next(filtered)
        except MCPError as exc:
            error = MCPError(exc.error.code, self._filter(exc.error.message), self._filter(exc.error.data))
        except ValidationError:
            # The client gets a text without the values.
            raise
        except Exception as exc:
            text = str(exc)
            if self._filter_text(text) == text:
                raise
            error = MCPError(INTERNAL_ERROR, self._filter_text(text))
        else:
            return cast("HandlerResult", self._filter(result))
        # Raised outside of the handler, so that no traceback holds the text as it was.
        raise error

    def _filter(self, value: Any) -> Any:
        """Return the value itself if there is nothing to replace, which is the usual case."""
        dumped = value.model_dump(by_alias=True, exclude_none=True) if isinstance(value, BaseModel) else value
        try:
            if not self._redactor.may_hold(to_json(dumped)):
                return value
        except PydanticSerializationError:
            # The value holds a lone surrogate.
            pass
        return map_strings(dumped, self._filter_text)

    def _filter_text(self, text: str) -> str:
        return _SURROGATES.sub("\ufffd", self._redactor.redact(text))


class _FilteredSession(ServerSession):
    """The session of a request, whose progress messages are filtered."""

    def __init__(self, session: ServerSession, filter_text: Callable[[str], str]) -> None:
        vars(self).update(vars(session))
        self._filter_text = filter_text

    async def report_progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        await super().report_progress(progress, total, None if message is None else self._filter_text(message))
