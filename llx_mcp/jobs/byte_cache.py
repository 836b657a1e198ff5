"""An in-memory cache of bytes with one budget for all kinds of them, and for all credentials that share it.

The credential that holds the most loses an entry first, its least recently used. So none can evict what belongs to one
that holds less.
"""

import zlib
from collections import OrderedDict
from collections.abc import Iterator
from typing import Protocol

import anyio
import anyio.to_thread

MAX_BYTES = 256 * 1024 * 1024

# Compressing fewer bytes takes less time than starting a thread.
THREAD_BYTES = 1 << 18
_FASTEST = 1
_UNCOMPRESSED_SHARE = 0.25


class CachedBytes:
    """Bytes that are compressed when there is time.

    Attributes:
        num_bytes: their size, not compressed.
    """

    def __init__(self, body: bytes, *, compressible: bool = True) -> None:
        """Hold some bytes.

        Args:
            body: the bytes.
            compressible: whether compression would make them smaller.
        """
        self.num_bytes = len(body)
        self._body: bytes | None = body
        self._packed = b""
        self._compressible = compressible
        self._compressing = anyio.Lock()

    @property
    def is_compressed(self) -> bool:
        """Whether they are held in their final form."""
        return self._body is None or not self._compressible

    @property
    def num_cached_bytes(self) -> int:
        """Memory of the bytes as they are held."""
        return len(self._body or b"") + len(self._packed)

    async def body(self) -> bytes:
        """Return the bytes."""
        if self._body is not None:
            return self._body
        if len(self._packed) < THREAD_BYTES:
            return zlib.decompress(self._packed)
        return await anyio.to_thread.run_sync(zlib.decompress, self._packed)

    async def compress(self) -> None:
        """Replace the bytes by their compressed form."""
        async with self._compressing:
            body = self._body
            if body is None or not self._compressible:
                return
            if len(body) < THREAD_BYTES:
                self._packed = zlib.compress(body, _FASTEST)
            else:
                # zlib releases the interpreter lock.
                self._packed = await anyio.to_thread.run_sync(zlib.compress, body, _FASTEST)
            self._body = None


class CacheKey(Protocol):
    """Key of an entry, which names the credential that the entry belongs to. It can be hashed."""

    @property
    def identity(self) -> str:
        """Digest of the credential."""
        ...


class _Holding:
    """What belongs to one credential.

    Attributes:
        entries: its entries, the latest used last.
        counted: how much of each entry counts.
        num_bytes: how much counts of all of them.
    """

    def __init__(self) -> None:
        self.entries: OrderedDict[CacheKey, CachedBytes] = OrderedDict()
        self.counted: dict[CacheKey, int] = {}
        self.num_bytes = 0

    def drop(self, key: CacheKey) -> None:
        """Remove an entry, if there is one."""
        if self.entries.pop(key, None) is not None:
            self.num_bytes -= self.counted.pop(key, 0)

    def count(self, key: CacheKey, num_bytes: int) -> None:
        """Count an entry with its present size."""
        self.num_bytes += num_bytes - self.counted.get(key, 0)
        self.counted[key] = num_bytes


class ByteCache:
    """An LRU cache for one or more credentials. The budget counts compressed bytes.

    What is not compressed yet does not count, because its size in the cache is not known. All of it together is limited
    to a quarter of the budget, or to the newest entry where that alone is larger.

    Attributes:
        max_bytes: the budget; 0 turns the cache off.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.max_bytes = max_bytes
        self._holdings: dict[str, _Holding] = {}

    @property
    def num_bytes(self) -> int:
        """The bytes that count against the budget."""
        return sum(holding.num_bytes for holding in self._holdings.values())

    def newest_first(self, identity: str) -> Iterator[CacheKey]:
        """Yield the keys of a credential, the latest used first."""
        holding = self._holdings.get(identity)
        return iter(()) if holding is None else reversed(holding.entries)

    def list_identities(self) -> list[str]:
        """Return the credentials that have entries."""
        return list(self._holdings)

    def peek(self, key: CacheKey) -> CachedBytes | None:
        """Return an entry, and leave its place in the order of use as it is."""
        holding = self._holdings.get(key.identity)
        return None if holding is None else holding.entries.get(key)

    def find(self, key: CacheKey) -> CachedBytes | None:
        """Return an entry, which is the latest used from now on."""
        entry = self.peek(key)
        if entry is not None:
            self._holdings[key.identity].entries.move_to_end(key)
        return entry

    async def put(self, key: CacheKey, entry: CachedBytes, *, compressed: bool = True) -> None:
        """Add an entry in place of one with the same key.

        Args:
            key: its key.
            entry: the entry.
            compressed: whether to compress it now; otherwise call `compress` later.
        """
        if not self.max_bytes:
            return
        if compressed:
            await entry.compress()
        else:
            await self._limit_uncompressed(entry.num_bytes)
        self.drop(key)
        self._holdings.setdefault(key.identity, _Holding()).entries[key] = entry
        self._count(key, entry)

    async def compress(self, key: CacheKey) -> None:
        """Compress an entry that was added without compression."""
        entry = self.peek(key)
        if entry is None:
            return
        await entry.compress()
        if self.peek(key) is entry:
            self._count(key, entry)

    def recount(self, key: CacheKey) -> None:
        """Count an entry again, because its memory has changed."""
        entry = self.peek(key)
        if entry is not None:
            self._count(key, entry)

    def drop(self, key: CacheKey) -> None:
        """Remove an entry, if there is one."""
        holding = self._holdings.get(key.identity)
        if holding is None:
            return
        holding.drop(key)
        if not holding.entries:
            del self._holdings[key.identity]

    def drop_all(self, identity: str) -> None:
        """Remove everything that belongs to a credential."""
        self._holdings.pop(identity, None)

    async def _limit_uncompressed(self, num_new_bytes: int) -> None:
        """Compress the oldest of the uncompressed entries until a new one fits beside the others."""
        entries = [item for holding in self._holdings.values() for item in holding.entries.items()]
        waiting = [(key, entry) for key, entry in entries if not entry.is_compressed]
        num_bytes = num_new_bytes + sum(entry.num_bytes for _, entry in waiting)
        for key, entry in waiting:
            if num_bytes <= self.max_bytes * _UNCOMPRESSED_SHARE:
                return
            await self.compress(key)
            num_bytes -= entry.num_bytes

    def _count(self, key: CacheKey, entry: CachedBytes) -> None:
        """Count an entry if it is compressed, and evict others while the budget is exceeded."""
        size = entry.num_cached_bytes if entry.is_compressed else 0
        if size > self.max_bytes:
            # It would evict every other entry, and itself in the end.
            self.drop(key)
            return
        self._holdings[key.identity].count(key, size)
        while self.num_bytes > self.max_bytes:
            largest = max(self._holdings.values(), key=lambda holding: holding.num_bytes)
            self.drop(next(iter(largest.entries)))
