"""Completion of the arguments of prompts and resource templates: ids of jobs, and names of tables."""

from collections.abc import Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import anyio
import anyio.to_thread
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp_types import Completion, CompletionArgument, CompletionContext, PromptReference, ResourceTemplateReference

from llx_mcp.answers.requests import JobRequest
from llx_mcp.errors import LlxError
from llx_mcp.jobs.reader import JobReader
from llx_mcp.scope import JobFilter

if TYPE_CHECKING:
    from llx_mcp.result.sections import JobSections

# The most that the protocol allows.
_MAX_VALUES = 100
# A client asks at each key, and a person waits for the answer.
_LIST_TTL_SECONDS = 30.0
_LIST_SECONDS = 5.0
_PAGE_SIZE = 25
_JOB_ID, _JOB_IDS, _TABLE = "job_id", ("job_id", "other_job_id"), "table"


class Completions:
    """Middleware and handler of `completion/complete`. An argument that it does not know has no completions."""

    def __init__(self) -> None:
        # The SDK hands the reader to middleware, but not to the handler.
        self._reader: ContextVar[JobReader] = ContextVar("reader")
        self._listed: WeakKeyDictionary[JobReader, tuple[float, list[str]]] = WeakKeyDictionary()

    async def __call__(self, ctx: ServerRequestContext[JobReader, Any], call_next: CallNext) -> HandlerResult:
        """Remember the reader of a request for completions."""
        if ctx.method == "completion/complete":
            self._reader.set(ctx.lifespan_context)
        return await call_next(ctx)

    async def complete(
        self,
        ref: PromptReference | ResourceTemplateReference,
        argument: CompletionArgument,
        context: CompletionContext | None,
    ) -> Completion:
        """Return the values of an argument that go with what was typed."""
        known = (context.arguments or {}) if context is not None else {}
        if argument.name in _JOB_IDS:
            values = await self._find_job_ids()
        elif argument.name == _TABLE and isinstance(ref, ResourceTemplateReference) and known.get(_JOB_ID):
            values = await self._find_tables(known[_JOB_ID])
        else:
            values = []
        return _build_completion(values, argument.value.strip())

    async def _find_job_ids(self) -> list[str]:
        """Return the ids of cached jobs, the latest used first, then those of the newest jobs of the service."""
        reader = self._reader.get()
        try:
            cached = reader.fetcher.cache.job_ids(await reader.fetcher.identity())
        except LlxError:
            return []
        return list(dict.fromkeys([*cached, *await self._list_job_ids(reader)]))

    async def _list_job_ids(self, reader: JobReader) -> list[str]:
        listed_at, job_ids = self._listed.get(reader, (float("-inf"), []))
        if reader.clock.monotonic() - listed_at < _LIST_TTL_SECONDS:
            return job_ids
        with anyio.move_on_after(_LIST_SECONDS):
            try:
                page = await reader.fetcher.fetch_page(JobFilter(page_size=_PAGE_SIZE))
                job_ids = [job.id for job in page.items]
            except LlxError:
                # No completions are better than an error while someone types.
                pass
        self._listed[reader] = reader.clock.monotonic(), job_ids
        return job_ids

    async def _find_tables(self, job_id: str) -> list[str]:
        from llx_mcp.result.sections import JobSections

        try:
            job = await self._reader.get().fetch(JobRequest(job_id))
        except LlxError:
            return []
        return await anyio.to_thread.run_sync(_list_tables, JobSections(job.sections)) if job.has_result else []


def _list_tables(sections: "JobSections") -> list[str]:
    from llx_mcp.result.table_records import list_table_names

    try:
        return list_table_names(sections.document)
    except (ValueError, RecursionError):
        # The result is not JSON.
        return []


def _build_completion(values: Sequence[str], typed: str) -> Completion:
    """Return the values that begin with what was typed, then those that contain it."""
    part = typed.casefold()
    found = [value for value in values if part in value.casefold()]
    found.sort(key=lambda value: not value.casefold().startswith(part))
    return Completion(values=found[:_MAX_VALUES], total=len(found), has_more=len(found) > _MAX_VALUES)
