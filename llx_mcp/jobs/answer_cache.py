"""Recent answers about finished jobs. The same question about the same body always has the same answer."""

from dataclasses import dataclass, field

from pydantic_core import PydanticSerializationError, from_json, to_json

from llx_mcp.answers.budget import Answer
from llx_mcp.answers.dispatch import Question, Step, encode_step
from llx_mcp.jobs.byte_cache import ByteCache, CachedBytes
from llx_mcp.jobs.cache import CachedJob, JobKey


@dataclass(frozen=True, slots=True)
class _AnswerKey:
    """Key of an answer. It belongs to one body of one job, so neither another credential nor a later body gets it."""

    identity: str
    body_name: str
    question: bytes = field(repr=False)


class _CachedAnswer(CachedBytes):
    """An answer; its bytes are the structured form as JSON, which takes less memory than objects."""

    def __init__(self, structured: bytes, text: str, num_key_bytes: int) -> None:
        super().__init__(structured, compressible=False)
        self.structured = structured
        self.text = text
        self._num_key_bytes = num_key_bytes

    @property
    def num_cached_bytes(self) -> int:
        """Memory of both forms, and of the question, which can be long."""
        return super().num_cached_bytes + len(self.text) + self._num_key_bytes


class AnswerCache:
    """Answers in the cache that also holds the jobs, so each credential has its share of one budget."""

    def __init__(self, entries: ByteCache) -> None:
        self._entries = entries

    def find(self, job: JobKey, cached: CachedJob, question: Question) -> Answer | None:
        """Return the answer to a question about a body; None if it is not cached."""
        key = _build_key(job, cached, question)
        found = None if key is None else self._entries.find(key)
        return Answer(from_json(found.structured), found.text) if isinstance(found, _CachedAnswer) else None

    async def put(self, job: JobKey, cached: CachedJob, question: Question, answer: Answer) -> None:
        """Cache an answer, if its job has ended."""
        key = _build_key(job, cached, question)
        if key is None:
            return
        try:
            # Not msgspec, which writes no integer of more than 64 bits.
            structured = to_json(answer.structured, inf_nan_mode="constants")
        except PydanticSerializationError:
            # It holds half of a surrogate pair.
            return
        await self._entries.put(key, _CachedAnswer(structured, answer.text, len(key.question)))


def _build_key(job: JobKey, cached: CachedJob, question: Question) -> _AnswerKey | None:
    if not cached.job.is_terminal:
        return None
    try:
        return _AnswerKey(job.identity, cached.name, encode_step(Step(question, 0.0)))
    except UnicodeEncodeError:
        # An argument holds half of a surrogate pair.
        return None
