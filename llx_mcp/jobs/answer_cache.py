"""Answers that were given before. A finished job does not change, so the same question has the same answer."""

import json
from collections import OrderedDict
from dataclasses import dataclass

from llx_mcp.answers.budget import Answer

MAX_BYTES = 16 << 20
# Building a larger answer is rare, and it would push out many small ones.
MAX_ANSWER_BYTES = 64 << 10
# For the objects of an entry, beside its texts.
_ENTRY_BYTES = 500


@dataclass(frozen=True, slots=True)
class _Entry:
    text: str
    structured: str
    num_bytes: int


class AnswerCache:
    """The latest answers of each credential, within one budget. The credential that holds the most loses its oldest."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        # The entries of each credential, the latest used last, and their bytes.
        self._entries: dict[str, OrderedDict[bytes, _Entry]] = {}
        self._num_bytes: dict[str, int] = {}

    @property
    def num_bytes(self) -> int:
        """The bytes of all answers."""
        return sum(self._num_bytes.values())

    def find(self, identity: str, question: bytes) -> Answer | None:
        """Return the answer to a question; None if it is not cached.

        Args:
            identity: digest of the credential.
            question: the question, with the unique name of the job's content.
        """
        own = self._entries.get(identity)
        entry = None if own is None else own.get(question)
        if own is None or entry is None:
            return None
        own.move_to_end(question)
        return Answer(json.loads(entry.structured), entry.text)

    def put(self, identity: str, question: bytes, answer: Answer) -> None:
        """Cache an answer, unless it is large."""
        # As text it takes a tenth of the memory.
        structured = json.dumps(answer.structured, separators=(",", ":"))
        num_bytes = len(answer.text.encode(errors="replace")) + len(structured) + len(question) + _ENTRY_BYTES
        if num_bytes > min(MAX_ANSWER_BYTES, self._max_bytes):
            return
        self._drop(identity, question)
        self._entries.setdefault(identity, OrderedDict())[question] = _Entry(answer.text, structured, num_bytes)
        self._num_bytes[identity] = self._num_bytes.get(identity, 0) + num_bytes
        while self.num_bytes > self._max_bytes:
            largest = max(self._num_bytes, key=self._num_bytes.__getitem__)
            self._drop(largest, next(iter(self._entries[largest])))

    def forget(self, identity: str) -> None:
        """Drop all answers of a credential."""
        self._entries.pop(identity, None)
        self._num_bytes.pop(identity, None)

    def _drop(self, identity: str, question: bytes) -> None:
        entry = self._entries.get(identity, OrderedDict()).pop(question, None)
        if entry is not None:
            self._num_bytes[identity] -= entry.num_bytes
