"""Recent answers about finished jobs. The same question about the same body always has the same answer."""

import json
from collections import OrderedDict

from llx_mcp.answers.budget import Answer
from llx_mcp.answers.dispatch import Question, Step, encode_step
from llx_mcp.jobs.cache import CachedJob

MAX_ANSWER_BYTES = 16 << 20

_Key = tuple[str, bytes]


class AnswerCache:
    """An LRU cache of answers with a byte budget, for one or more credentials.

    An answer belongs to the body that it is about. The name of a body is unique, so no other credential and no later
    body of the same job gets it.
    """

    def __init__(self, max_bytes: int = MAX_ANSWER_BYTES) -> None:
        self._max_bytes = max_bytes
        # The text of each answer, and its structured form as JSON, which takes less memory.
        self._answers: OrderedDict[_Key, tuple[str, str]] = OrderedDict()
        self._num_bytes = 0

    def find(self, cached: CachedJob, question: Question) -> Answer | None:
        """Return the answer to a question about a body; None if it is not cached."""
        key = _build_key(cached, question)
        found = None if key is None else self._answers.get(key)
        if key is None or found is None:
            return None
        self._answers.move_to_end(key)
        text, structured = found
        return Answer(json.loads(structured), text)

    def put(self, cached: CachedJob, question: Question, answer: Answer) -> None:
        """Cache an answer, if its job has ended."""
        key = _build_key(cached, question)
        if key is None or key in self._answers:
            return
        forms = answer.text, json.dumps(answer.structured)
        self._answers[key] = forms
        self._num_bytes += _size_of(key, forms)
        while self._num_bytes > self._max_bytes:
            self._num_bytes -= _size_of(*self._answers.popitem(last=False))


def _build_key(cached: CachedJob, question: Question) -> _Key | None:
    if not cached.job.is_terminal:
        return None
    try:
        return cached.name, encode_step(Step(question, 0.0))
    except UnicodeEncodeError:
        # An argument holds half of a surrogate pair.
        return None


def _size_of(key: _Key, forms: tuple[str, str]) -> int:
    return len(key[0]) + len(key[1]) + sum(map(len, forms))
