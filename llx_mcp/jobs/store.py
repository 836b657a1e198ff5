"""Finished jobs, kept for the next question: compressed, least recently used first to go, within a bound of bytes.

A store belongs to one source, and so to one credential; it is never shared between two.
"""

import zlib
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

if TYPE_CHECKING:
    from llx_mcp.models import Job
    from llx_mcp.reading.budget import Answer

DEFAULT_BYTES = 256 << 20

_COMPRESS_FROM_BYTES = 1 << 16
_serial = count()
_MOST_ANSWERS = 64
_MOST_ANSWER_CHARS = 1_000_000


@dataclass(eq=False)
class KeptJob:
    """A job as it was fetched.

    Attributes:
        key: under which the store keeps it.
        job: its facts, without the bytes.
        fetched_at: when, by the clock of the waiting, in seconds.
        num_bytes: size of the body.
        body_key: names this very body.
    """

    key: Hashable
    job: "Job"
    fetched_at: float
    num_bytes: int
    body_key: str
    _body: bytes | None = None
    _packed: bytes | None = None
    _answers: "OrderedDict[Hashable, Answer]" = field(default_factory=OrderedDict)

    @classmethod
    def of(cls, job: "Job", *, key: Hashable, fetched_at: float) -> "KeptJob":
        """Keep a job's body beside its facts."""
        body = job.body
        return cls(key, job.without_sections(), fetched_at, len(body), f"{job.id}\n{next(_serial)}", body)

    @property
    def kept_bytes(self) -> int:
        """What it takes, its answers included."""
        answers = sum(len(answer.text) for answer in self._answers.values()) * 2
        return len(self._body or b"") + len(self._packed or b"") + answers

    @property
    def is_billed(self) -> bool:
        """Whether billing has recorded what it cost."""
        return self.job.usage is not None and self.job.usage.credits is not None

    async def body(self) -> bytes:
        """The job's JSON, as it came."""
        if self._body is not None:
            return self._body
        packed = self._packed or b""
        return await anyio.to_thread.run_sync(zlib.decompress, packed)

    @property
    def is_compressed(self) -> bool:
        """Whether there is nothing left to compress."""
        return self._body is None or len(self._body) < _COMPRESS_FROM_BYTES

    async def compress(self) -> None:
        """Keep the body compressed; what is small is kept as it is."""
        body = self._body
        if body is None or self.is_compressed:
            return
        # zlib lets other threads run meanwhile.
        self._packed = await anyio.to_thread.run_sync(zlib.compress, body, 1)
        self._body = None

    def answer_to(self, question: Hashable) -> "Answer | None":
        """The answer that was given to the same question before."""
        answer = self._answers.get(question)
        if answer is not None:
            self._answers.move_to_end(question)
        return answer

    def keep_answer(self, question: Hashable, answer: "Answer") -> None:
        """Keep an answer for when the same is asked again."""
        self._answers[question] = answer
        while len(self._answers) > _MOST_ANSWERS or (
            sum(len(kept.text) for kept in self._answers.values()) > _MOST_ANSWER_CHARS
        ):
            self._answers.popitem(last=False)


class JobStore:
    """Finished jobs by their key, within `max_bytes`."""

    def __init__(self, max_bytes: int = DEFAULT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._jobs: OrderedDict[Hashable, KeptJob] = OrderedDict()
        self._sizes: dict[Hashable, int] = {}
        self.num_bytes = 0

    def get(self, key: Hashable) -> KeptJob | None:
        """A job that is kept."""
        kept = self._jobs.get(key)
        if kept is not None:
            self._jobs.move_to_end(key)
        return kept

    def put(self, key: Hashable, kept: KeptJob) -> None:
        """Keep a job; those not asked for longest go where there is no room."""
        self._jobs[key] = kept
        self._jobs.move_to_end(key)
        self.measure(key)

    def measure(self, key: Hashable) -> None:
        """Take note that a kept job has grown or shrunk."""
        kept = self._jobs.get(key)
        if kept is None:
            return
        size = kept.kept_bytes
        self.num_bytes += size - self._sizes.get(key, 0)
        self._sizes[key] = size
        while self.num_bytes > self._max_bytes and self._jobs:
            oldest, _ = self._jobs.popitem(last=False)
            self.num_bytes -= self._sizes.pop(oldest)
