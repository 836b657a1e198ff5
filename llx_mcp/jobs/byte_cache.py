"""An in-memory cache of bytes with one budget for all kinds of them, which evicts the least recently used."""

import zlib
from collections import OrderedDict
from collections.abc import Hashable, Iterator

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


class ByteCache:
    """An LRU cache. The budget counts compressed bytes.

    What is not compressed yet does not count, because its size in the cache is not known. All of it together is limited
    to a quarter of the budget, or to the newest entry where that alone is larger.

    Attributes:
        max_bytes: the budget; 0 turns the cache off.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.max_bytes = max_bytes
        self._entries: OrderedDict[Hashable, CachedBytes] = OrderedDict()
        # How much of each entry counts.
        self._counted: dict[Hashable, int] = {}
        self._num_bytes = 0

    def newest_first(self) -> Iterator[Hashable]:
        """Yield the keys, the latest used first."""
        return reversed(self._entries)

    def peek(self, key: Hashable) -> CachedBytes | None:
        """Return an entry, and leave its place in the order of use as it is."""
        return self._entries.get(key)

    def find(self, key: Hashable) -> CachedBytes | None:
        """Return an entry, which is the latest used from now on."""
        if key in self._entries:
            self._entries.move_to_end(key)
        return self._entries.get(key)

    async def put(self, key: Hashable, entry: CachedBytes, *, compressed: bool = True) -> None:
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
        self._entries[key] = entry
        self._counted[key] = 0
        self._count(key, entry)

    async def compress(self, key: Hashable) -> None:
        """Compress an entry that was added without compression."""
        entry = self._entries.get(key)
        if entry is None:
            return
        await entry.compress()
        if self._entries.get(key) is entry:
            self._count(key, entry)

    def drop(self, key: Hashable) -> None:
        """Remove an entry, if there is one."""
        if self._entries.pop(key, None) is not None:
            self._num_bytes -= self._counted.pop(key)

    async def _limit_uncompressed(self, num_new_bytes: int) -> None:
        """Compress the oldest of the uncompressed entries until a new one fits beside the others."""
        waiting = [(key, entry) for key, entry in self._entries.items() if not entry.is_compressed]
        num_bytes = num_new_bytes + sum(entry.num_bytes for _, entry in waiting)
        for key, entry in waiting:
            if num_bytes <= self.max_bytes * _UNCOMPRESSED_SHARE:
                return
            await self.compress(key)
            num_bytes -= entry.num_bytes

    def _count(self, key: Hashable, entry: CachedBytes) -> None:
        """Count an entry if it is compressed, and evict the least recently used while the budget is exceeded."""
        size = entry.num_cached_bytes if entry.is_compressed else 0
        if size > self.max_bytes:
            # It would evict every other entry, and itself in the end.
            self.drop(key)
            return
        self._num_bytes += size - self._counted[key]
        self._counted[key] = size
        while self._num_bytes > self.max_bytes:
            self.drop(next(iter(self._entries)))
