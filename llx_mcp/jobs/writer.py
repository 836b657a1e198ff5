"""Creates, cancels and deletes jobs, and suggests schemas, for tools and the command line.

All of it is imported with the first request that needs it: most servers only read.
"""

from contextlib import AsyncExitStack
from functools import cached_property
from typing import TYPE_CHECKING

from anyio.abc import TaskGroup

from llx_mcp.jobs.clock import Clock
from llx_mcp.jobs.fetcher import JobFetcher
from llx_mcp.jobs.reader_options import ReaderOptions

if TYPE_CHECKING:
    from llx_mcp.jobs.cancellation import JobCanceller
    from llx_mcp.jobs.creation import JobCreator
    from llx_mcp.jobs.schema_suggestion import SchemaSuggester


class JobWriter:
    """Opens what creates, cancels and deletes jobs."""

    def __init__(
        self, fetcher: JobFetcher, clock: Clock, stack: AsyncExitStack, group: TaskGroup, options: ReaderOptions
    ) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._stack = stack
        self._group = group
        self._options = options

    @cached_property
    def creator(self) -> "JobCreator":
        """Plans and creates jobs."""
        from llx_mcp.jobs.creation import JobCreator
        from llx_mcp.jobs.page_count import PageCounter
        from llx_mcp.pdf.processes import PdfProcesses

        processes = PdfProcesses()
        self._stack.push_async_callback(processes.close)
        options = self._options
        return JobCreator(
            self._fetcher,
            options.creation,
            self._clock,
            self._group,
            call_seconds=options.call_seconds,
            count_pages=PageCounter(processes, options.creation.folders).count,
        )

    @cached_property
    def canceller(self) -> "JobCanceller":
        """Cancels and deletes jobs."""
        from llx_mcp.jobs.cancellation import JobCanceller

        options = self._options
        can_cancel = "cancel" in options.creation.allowed
        return JobCanceller(self._fetcher, self._clock, call_seconds=options.call_seconds, can_cancel=can_cancel)

    @cached_property
    def suggester(self) -> "SchemaSuggester":
        """Suggests schemas."""
        from llx_mcp.jobs.schema_suggestion import SchemaSuggester

        return SchemaSuggester(self.creator)
