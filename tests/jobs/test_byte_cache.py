"""One budget for jobs, documents and their texts, shared fairly by credentials."""

from dataclasses import replace
from typing import Any

import pytest

from llx_mcp.jobs.byte_cache import ByteCache, CachedBytes
from llx_mcp.jobs.cache import JobKey
from llx_mcp.jobs.cached_source import BytesKey, CachedSource, DocumentKey
from llx_mcp.scope import DEFAULT_SCOPE
from tests.jobs.virtual_time import virtual

SIZE = 1_000
JOB = JobKey("large", DEFAULT_SCOPE, "ext-1")
DOCUMENT = DocumentKey("large", DEFAULT_SCOPE, "pjb-1", "dfl-1")
# What a credential has in the cache besides its jobs.
KINDS: list[Any] = [JOB, DOCUMENT, BytesKey(DOCUMENT)]


def entry(kind: Any) -> CachedBytes:
    """Make an entry of a kind, which counts in full."""
    cached = CachedSource(b"x" * SIZE) if isinstance(kind, DocumentKey) else CachedBytes(b"x" * SIZE)
    cached._compressible = False
    return cached


def number(kind: Any, at: int) -> Any:
    """Return another key of the same kind and credential."""
    if isinstance(kind, JobKey):
        return replace(kind, job_id=f"ext-{at}")
    if isinstance(kind, DocumentKey):
        return replace(kind, file_id=f"dfl-{at}")
    return BytesKey(number(kind.document, at))


@virtual
@pytest.mark.parametrize("kind", KINDS, ids=["jobs", "texts", "documents"])
async def test_whatever_a_credential_holds_counts_for_it(kind: Any) -> None:
    cache = ByteCache(SIZE * 6)
    small = [replace(JOB, identity="small", job_id=f"ext-{at}") for at in range(2)]
    for key in small:
        await cache.put(key, entry(key))
    for at in range(20):
        await cache.put(number(kind, at), entry(kind))
    assert list(cache.newest_first("small")) == small[::-1]
    assert list(cache.newest_first("large")) == [number(kind, at) for at in (19, 18, 17, 16)]
    assert cache.num_bytes == SIZE * 6


@virtual
async def test_least_recently_used_of_all_kinds_makes_room() -> None:
    cache = ByteCache(SIZE * 3)
    for key in KINDS:
        await cache.put(key, entry(key))
    assert cache.find(JOB) is not None
    assert cache.peek(DOCUMENT) is not None
    await cache.put(number(JOB, 2), entry(JOB))
    assert list(cache.newest_first("large")) == [number(JOB, 2), JOB, BytesKey(DOCUMENT)]


@virtual
async def test_everything_of_a_credential_is_dropped_and_nothing_else() -> None:
    cache = ByteCache()
    other = replace(JOB, identity="other")
    for key in [*KINDS, other]:
        await cache.put(key, entry(key))
    cache.drop_all("large")
    assert [cache.find(key) for key in KINDS] == [None] * 3
    assert (cache.list_identities(), cache.num_bytes) == (["other"], SIZE)
    cache.drop(other)
    cache.drop(other)
    cache.drop_all("unknown")
    assert (cache.list_identities(), cache.num_bytes) == ([], 0)


@virtual
async def test_entry_that_is_dropped_while_it_is_compressed_counts_nothing() -> None:
    cache = ByteCache()
    cached = CachedBytes(b"x" * SIZE)
    await cache.put(JOB, cached, compressed=False)
    assert cache.num_bytes == 0
    cache.drop_all("large")
    await cache.compress(JOB)
    assert (cached.is_compressed, cache.num_bytes) == (False, 0)
