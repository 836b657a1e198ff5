"""The texts of a job's document, over a service and a PDF reader that a test sets."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio

from llx_mcp.evidence.pages import SourcePage, SourceText
from llx_mcp.jobs.byte_cache import ByteCache
from llx_mcp.jobs.cache import CachedJob, JobKey
from llx_mcp.jobs.rate_limit import RateLimit
from llx_mcp.jobs.rate_limited_source import RateLimitedSource
from llx_mcp.jobs.source_texts import FETCH_SECONDS, SourceTexts
from llx_mcp.models import Job
from llx_mcp.scope import Scope
from llx_mcp.turns import TurnQueue
from tests.jobs.virtual_time import VirtualClock
from tests.sources import Bodies, Documents

KEY = JobKey("key", Scope(), "ext-1")
PARSED = SourceText("parse_job", [SourcePage(1, ["parsed"])], "block")
READ = SourceText("document", [SourcePage(1, ["read"])])


class Pdfs:
    """Reads every PDF as the same text, or fails.

    Attributes:
        result: the text, or the error to raise.
        seconds: how long it takes.
        read: the content of each PDF that was read.
    """

    def __init__(self) -> None:
        self.result: SourceText | Exception = READ
        self.seconds = 0.0
        self.read: list[bytes] = []

    async def read_text(self, content: bytes, *, total_seconds: float) -> SourceText:
        """Return the text, or raise the error."""
        assert total_seconds < FETCH_SECONDS
        self.read.append(content)
        await anyio.sleep(self.seconds)
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


class Service:
    """A service with documents, and the texts over it.

    Attributes:
        documents: what it has.
        pdfs: reads its PDFs.
        rate: the rate limit of the key.
        cache: holds the texts.
        turns: the turns at documents.
    """

    def __init__(self, *, max_bytes: int = 1 << 20, per_minute: float | None = None) -> None:
        bodies = Bodies(lambda _: b"")
        self.documents: Documents = bodies.documents
        self.pdfs = Pdfs()
        self.rate = RateLimit(per_minute)
        self.cache = ByteCache(max_bytes)
        self.turns = TurnQueue(4, 2)
        self._source = RateLimitedSource(bodies, self.rate, VirtualClock())

    @asynccontextmanager
    async def open(self) -> AsyncIterator[SourceTexts]:
        """Open the texts; at the end, cancel what still runs."""

        async def open_source() -> RateLimitedSource:
            return self._source

        async with anyio.create_task_group() as group:
            yield SourceTexts(open_source, self.pdfs, VirtualClock(), group, self.cache, self.turns)
            group.cancel_scope.cancel()


def job(
    *, parse_job: Any = "pjb-1", file: str | None = "dfl-1", status: str = "COMPLETED", job_id: str = "ext-1"
) -> CachedJob:
    """Make a cached job of a document."""
    wire = {"id": job_id, "status": status, "file_input": file, "extract_metadata": {"parse_job_id": parse_job}}
    return CachedJob(Job.parse(json.dumps(wire).encode()))


async def words(texts: SourceTexts, cached: CachedJob, key: JobKey = KEY) -> str:
    """Return the first word of a text, or why there is none."""
    found = await texts.fetch(key, cached)
    return found.problem or (await found.read()).pages[0].words[0]
