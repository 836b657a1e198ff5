"""What a reader can do besides reading: create, cancel and delete jobs, and suggest schemas."""

from contextlib import AsyncExitStack
from functools import cached_property

from anyio.abc import TaskGroup

from llx_mcp.jobs.cancellation import JobCanceller
from llx_mcp.jobs.clock import Clock
from llx_mcp.jobs.creation import JobCreator
from llx_mcp.jobs.creation_options import CreationOptions
from llx_mcp.jobs.fetcher import JobFetcher
from llx_mcp.jobs.page_count import PageCounter
from llx_mcp.jobs.schema_suggestion import SchemaSuggester
from llx_mcp.pdf.processes import PdfProcesses


class JobChanges:
    """Builds what creates, cancels and deletes jobs when it is first needed."""

    def __init__(
        self,
        fetcher: JobFetcher,
        clock: Clock,
        stack: AsyncExitStack,
        group: TaskGroup,
        options: CreationOptions,
        call_seconds: float,
    ) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._stack = stack
        self._group = group
        self._options = options
        self._call_seconds = call_seconds

    @cached_property
    def creator(self) -> JobCreator:
        """Plans and creates jobs."""
        processes = PdfProcesses()
        self._stack.push_async_callback(processes.close)
        return JobCreator(
            self._fetcher,
            self._options,
            self._clock,
            self._group,
            call_seconds=self._call_seconds,
            count_pages=PageCounter(processes, self._options.folders).count,
        )

    @cached_property
    def canceller(self) -> JobCanceller:
        """Cancels and deletes jobs."""
        can_cancel = "cancel" in self._options.allowed
        return JobCanceller(self._fetcher, self._clock, call_seconds=self._call_seconds, can_cancel=can_cancel)

    @cached_property
    def suggester(self) -> SchemaSuggester:
        """Suggests schemas."""
        return SchemaSuggester(self.creator)
