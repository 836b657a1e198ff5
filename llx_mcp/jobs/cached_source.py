"""The text of a document as the cache holds it, and which document a job is about."""

from dataclasses import dataclass
from itertools import count

import anyio.to_thread

from llx_mcp.evidence.pages import SourceText, decode_source, encode_source
from llx_mcp.jobs.byte_cache import THREAD_BYTES, CachedBytes
from llx_mcp.jobs.cache import CachedJob
from llx_mcp.models import PARSE_JOB_PREFIX, read_parse_job_id
from llx_mcp.raw_json import split_json
from llx_mcp.scope import Scope

_serial = count()


@dataclass(frozen=True, slots=True)
class DocumentKey:
    """Key of a document, or of its text. It includes the credential, so no credential sees what another fetched.

    Attributes:
        identity: digest of the API key and the service's address.
        scope: project and organization of the request.
        parse_job_id: id of the parse job; "" where there is none.
        file_id: id of the file; "" where there is none.
    """

    identity: str
    scope: Scope
    parse_job_id: str
    file_id: str


@dataclass(frozen=True, slots=True)
class BytesKey:
    """Key of the content of a file."""

    document: DocumentKey

    @property
    def identity(self) -> str:
        """Digest of the credential."""
        return self.document.identity


class CachedSource(CachedBytes):
    """The text of a document; its bytes are the text as `encode_source` writes it.

    Attributes:
        name: unique name of this text; a worker process uses it to recognize a text that it holds.
        problem: why there is no text; "" where there is some.
        may_come: whether there may be text later, where there is none now.
    """

    def __init__(self, body: bytes, problem: str = "", *, may_come: bool = False) -> None:
        super().__init__(body)
        self.name = f"source {next(_serial)}"
        self.problem = problem
        self.may_come = may_come

    async def read(self) -> SourceText:
        """Return the text."""
        body = await self.body()
        if len(body) < THREAD_BYTES:
            return decode_source(body)
        return await anyio.to_thread.run_sync(decode_source, body)


async def cache_source(source: SourceText) -> CachedSource:
    """Make a cached text of a document. A long one is encoded in a thread."""
    is_short = sum(len(page.words) for page in source.pages) < THREAD_BYTES // 8
    body = encode_source(source) if is_short else await anyio.to_thread.run_sync(encode_source, source)
    return CachedSource(body)


def build_missing(problem: str, *, may_come: bool = False) -> CachedSource:
    """Return what stands for the text of a document where there is none, and says why."""
    return CachedSource(encode_source(SourceText(problem=problem)), problem, may_come=may_come)


async def find_document(cached: CachedJob, identity: str, scope: Scope) -> DocumentKey:
    """Return the document of a job: its parse job and its file."""
    body = await cached.body()
    is_small = len(body) < THREAD_BYTES
    named = find_parse_job_id(body) if is_small else await anyio.to_thread.run_sync(find_parse_job_id, body)
    document = (cached.job.document or "").strip()
    is_parse_job = document.startswith(PARSE_JOB_PREFIX)
    return DocumentKey(identity, scope, named or (document if is_parse_job else ""), "" if is_parse_job else document)


def find_parse_job_id(body: bytes) -> str:
    """Return `extract_metadata.parse_job_id` of a job's JSON; "" where it is absent, null or no text."""
    try:
        return (read_parse_job_id(split_json(body)) or "").strip()
    except (ValueError, RecursionError):
        return ""
