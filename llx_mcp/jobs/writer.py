"""Creates, cancels and deletes jobs, and suggests schemas, for tools and the command line.

All of it is imported with the first request that needs it: most servers only read.
"""

from collections.abc import Callable
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
    from llx_mcp.pdf.processes import PdfProcesses


class JobWriter:
    """Opens what creates, cancels and deletes jobs."""

    def __init__(
        self,
        fetcher: JobFetcher,
        clock: Clock,
        group: TaskGroup,
        options: ReaderOptions,
        open_pdfs: Callable[[], "PdfProcesses"],
    ) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._group = group
        self._options = options
        self._open_pdfs = open_pdfs

    @cached_property
    def creator(self) -> "JobCreator":
        """Plans and creates jobs."""
        from llx_mcp.jobs.creation import JobCreator
        from llx_mcp.jobs.page_count import PageCounter

        options = self._options
        return JobCreator(
            self._fetcher,
            options.creation,
            self._clock,
            self._group,
            call_seconds=options.call_seconds,
            count_pages=PageCounter(self._open_pdfs(), options.creation.folders).count,
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
