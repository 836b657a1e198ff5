"""Finds the text of a document as far as a question about its job needs it."""

from anyio.abc import TaskGroup

from llx_mcp.answers.dispatch import (
    CitationsQuestion,
    Question,
    ReadQuestion,
    ReportQuestion,
    ReviewQuestion,
    SearchQuestion,
    SourceTextQuestion,
    SummaryQuestion,
)
from llx_mcp.jobs.cache import CachedJob, JobKey
from llx_mcp.jobs.cached_source import CachedSource
from llx_mcp.jobs.clock import Clock
from llx_mcp.jobs.fetcher import JobFetcher
from llx_mcp.jobs.reader_options import ReaderOptions
from llx_mcp.jobs.source_texts import SourceTexts
from llx_mcp.pdf.processes import PdfProcesses
from llx_mcp.turns import TurnQueue

# An answer waits for the text of the document for at most this share of the time of a call.
_WAIT_SHARE = 0.25


class EvidenceFinder:
    """Finds the texts of documents, with which answers check citations.

    Attributes:
        texts: fetches and caches them.
        pdfs: the processes that read and draw documents.
    """

    def __init__(
        self,
        fetcher: JobFetcher,
        pdfs: PdfProcesses,
        clock: Clock,
        group: TaskGroup,
        turns: TurnQueue,
        options: ReaderOptions,
    ) -> None:
        """Find texts.

        Args:
            fetcher: its source has the documents, and its cache holds their texts.
            pdfs: read and draw documents.
            clock: the clock of the pauses.
            group: runs the fetches, which outlive their callers.
            turns: the turns at having a document in memory.
            options: whether citations are checked, and the time of a call.
        """
        self.texts = SourceTexts(fetcher.open, pdfs, clock, group, fetcher.cache.entries, turns)
        self.pdfs = pdfs
        self._check_citations = options.check_citations
        self._max_wait_seconds = options.call_seconds * _WAIT_SHARE

    async def find(self, key: JobKey, cached: CachedJob, question: Question) -> CachedSource | None:
        """Return the text that a question needs, or what says why there is none; None where it needs none."""
        match question:
            case SummaryQuestion():
                return self.texts.peek(key)
            case SourceTextQuestion() | CitationsQuestion() | ReportQuestion():
                return await self.texts.fetch(key, cached, self._max_wait_seconds)
            case ReadQuestion() | SearchQuestion() | ReviewQuestion(check_citations=True):
                return await self.find_for_checks(key, cached)
            case _:
                return None

    async def find_for_checks(self, key: JobKey, cached: CachedJob) -> CachedSource | None:
        """Return the text to check the citations of a job; None where there are none, or the settings say so."""
        if not self._check_citations or not cached.job.has_result:
            return None
        return await self.texts.fetch(key, cached, self._max_wait_seconds)
