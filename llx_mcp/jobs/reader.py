"""Jobs as answers: fetched, waited for, and read within a budget, for tools, resources and people alike.

The job model and the reading are imported with the first question: a server that is only started and listed
does without them.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Protocol

import anyio
import anyio.to_thread

from llx_mcp.errors import BadResponseError
from llx_mcp.jobs.watch import Clock, Look, wait_for_end
from llx_mcp.reading.facts import Ask

if TYPE_CHECKING:
    from llx_mcp.models import Job
    from llx_mcp.reading.budget import Answer

# Smaller jobs are read in less time than a thread costs.
_THREAD_BYTES = 1 << 18


class JobSource(Protocol):
    """The one endpoint that reading needs."""

    async def fetch_job(
        self,
        job_id: str,
        expand: Sequence[str] = (),
        project_id: str | None = None,
        organization_id: str | None = None,
    ) -> "Job":
        """One job, with the sections named."""
        ...


OpenSource = Callable[[], AbstractAsyncContextManager[JobSource]]


class JobReader:
    """Answers about jobs. The source is opened with the first question, so that starting costs nothing."""

    def __init__(self, open_source: OpenSource, clock: Clock, stack: AsyncExitStack) -> None:
        self._open_source = open_source
        self._clock = clock
        self._stack = stack
        self._source: JobSource | None = None
        self._opening = anyio.Lock()

    async def fetch(self, ask: Ask) -> "Job":
        """The job with all its sections.

        Raises:
            LlxError: there is no way to it; the message says the next move.
        """
        from llx_mcp.models import EXPANDABLE_SECTIONS

        return await self._look(ask, EXPANDABLE_SECTIONS)

    async def get(self, ask: Ask) -> "Answer":
        """The answer about a job as it is now.

        Raises:
            LlxError: there is no way to it; the message says the next move.
        """
        return await self._answer(await self.fetch(ask), ask, None)

    async def wait(self, ask: Ask, timeout_seconds: float, on_look: Callable[[Look], Awaitable[None]]) -> "Answer":
        """The answer about a job once it has ended, or as it is when the time is up.

        Raises:
            LlxError: there is no way to it; the message says the next move.
        """
        seen = await wait_for_end(
            lambda: self._look(ask, ()), timeout_seconds=timeout_seconds, clock=self._clock, on_look=on_look
        )
        # A wait that saw the job never ends without one; the sections are fetched once, at the end.
        job = seen.job if seen.job is not None and not seen.job.is_terminal else await self.fetch(ask)
        return await self._answer(job, ask, seen.waited_seconds)

    async def _look(self, ask: Ask, expand: Sequence[str]) -> "Job":
        source = await self._open()
        return await source.fetch_job(ask.job_id, expand, ask.project_id, ask.organization_id)

    async def _open(self) -> JobSource:
        async with self._opening:
            if self._source is None:
                self._source = await self._stack.enter_async_context(self._open_source())
        return self._source

    async def _answer(self, job: "Job", ask: Ask, waited_seconds: float | None) -> "Answer":
        from llx_mcp.reading.summary import summarize

        def read() -> "Answer":
            return summarize(job, ask, now=now, waited_seconds=waited_seconds)

        now = self._clock.now()
        size = sum(memoryview(raw).nbytes for raw in job.sections.values())
        try:
            return read() if size < _THREAD_BYTES else await anyio.to_thread.run_sync(read)
        except (ValueError, RecursionError) as exc:
            # The message of a parser names a place and a kind of fault, never the text itself.
            raise BadResponseError(
                f"The job came, but its result or metadata cannot be read as JSON ({type(exc).__name__}). A retry "
                f"seldom helps; the resource {ask.resource()} gives it as it came."
            ) from None


@asynccontextmanager
async def open_reader(open_source: OpenSource, clock: Clock) -> AsyncIterator[JobReader]:
    """A reader whose source is closed at the end."""
    async with AsyncExitStack() as stack:
        yield JobReader(open_source, clock, stack)
