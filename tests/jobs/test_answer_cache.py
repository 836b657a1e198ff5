"""Answers are cached for each credential, within one budget that no credential can take from another."""

from llx_mcp.answers.budget import Answer
from llx_mcp.jobs.answer_cache import MAX_ANSWER_BYTES, AnswerCache


def build_answer(size: int = 100) -> Answer:
    return Answer({"result": {"total": 1.5, "names": ["é", None]}}, "x" * size)


def test_answer_is_returned_as_it_was_and_cannot_be_changed_from_outside() -> None:
    cache = AnswerCache()
    cache.put("one", b"question", build_answer())
    found = cache.find("one", b"question")
    assert found == build_answer()
    found.structured["result"]["names"].append("more")
    assert cache.find("one", b"question") == build_answer()


def test_credential_and_question_must_be_the_same() -> None:
    cache = AnswerCache()
    cache.put("one", b"question", build_answer())
    assert cache.find("other", b"question") is None
    assert cache.find("one", b"other question") is None


def test_credential_that_holds_the_most_loses_its_least_recently_used() -> None:
    cache = AnswerCache(6_000)
    cache.put("small", b"first", build_answer())
    for number in range(3):
        cache.put("large", bytes([number]), build_answer(1_000))
    assert cache.find("large", bytes([0])) is not None
    cache.put("large", bytes([3]), build_answer(1_000))
    assert cache.num_bytes <= 6_000
    assert cache.find("small", b"first") is not None
    assert [cache.find("large", bytes([number])) is not None for number in range(4)] == [True, False, True, True]


def test_answer_that_is_put_again_counts_once() -> None:
    cache = AnswerCache()
    cache.put("one", b"question", build_answer())
    num_bytes = cache.num_bytes
    cache.put("one", b"question", build_answer())
    assert cache.num_bytes == num_bytes


def test_large_answer_is_not_cached() -> None:
    cache = AnswerCache()
    cache.put("one", b"question", build_answer(MAX_ANSWER_BYTES))
    assert (cache.find("one", b"question"), cache.num_bytes) == (None, 0)


def test_forgotten_credential_leaves_nothing() -> None:
    cache = AnswerCache()
    cache.put("one", b"question", build_answer())
    cache.forget("one")
    assert (cache.find("one", b"question"), cache.num_bytes) == (None, 0)
