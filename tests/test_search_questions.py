"""A search for a whole question finds the value that answers it, for most of them in the first row, or all values."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from llx_mcp.answers.header import build_header
from llx_mcp.answers.requests import DEFAULT_HITS, JobRequest
from llx_mcp.answers.search import find_text, prepare_search
from llx_mcp.local.samples import SAMPLES, read_sample
from llx_mcp.models import Job
from llx_mcp.result.sections import JobSections
from tests.search_questions import (
    CORPUS_LIST_QUESTIONS,
    CORPUS_QUESTIONS,
    SAMPLE_LIST_QUESTIONS,
    SAMPLE_QUESTIONS,
    SearchQuestion,
)

NOW = datetime(2026, 11, 20, tzinfo=UTC)
FIRST_ROWS = 5
Search = Callable[[str], dict[str, Any]]


def open_search(body: bytes, limit: int) -> Search:
    """Return a function that searches a job for some words, and returns the structured answer."""
    job = Job.parse(body)
    sections = JobSections(job.sections)
    prepared = prepare_search(sections)
    request = JobRequest(job.id, max_chars=40_000)
    header = build_header(job, request, now=NOW)
    return lambda words: find_text(sections, header, request, words, limit, prepared).structured


def shown_paths(path: str, names: Sequence[str]) -> set[str]:
    """Return the paths of the values that a row may show: a field has its name within the row's object, or its path."""
    base = "" if path == "$" else path
    within = {base + name if name.startswith("[") else f"{base}.{name}".removeprefix(".") for name in names}
    return within | {base} | set(names) if "value" in names else within | set(names)


def find_rank(search: Search, question: SearchQuestion) -> int | None:
    """Return which row of the answer shows the value that answers the question, from 1; None where no row does."""
    structured = search(question.words)
    for number, (path, cells, *_) in enumerate(structured.get("hits", {"rows": []})["rows"], 1):
        if not shown_paths(path, [*cells, *structured.get("shared", {})]).isdisjoint(question.paths):
            return number
    return None


def check(questions: Sequence[SearchQuestion], read: Callable[[str], bytes], *, first: float, within: float) -> None:
    """Fail where fewer than a share of the questions are answered by the first row, or by one of the first rows."""
    open_cached = cache(lambda job: open_search(read(job), FIRST_ROWS))
    ranks = [(question, find_rank(open_cached(question.job), question)) for question in questions]
    missed = [f"{rank}: {question.job}: {question.words}" for question, rank in ranks if rank != 1]
    assert sum(rank == 1 for _, rank in ranks) >= first * len(ranks), missed
    assert sum(rank is not None and rank <= FIRST_ROWS for _, rank in ranks) >= within * len(ranks), missed


def check_all(questions: Sequence[SearchQuestion], read: Callable[[str], bytes]) -> None:
    """Fail where an answer lacks one of the values that answer a question together."""
    open_cached = cache(lambda job: open_search(read(job), DEFAULT_HITS))
    missed = {}
    for question in questions:
        structured = open_cached(question.job)(question.words)
        shared = structured.get("shared", {})
        rows = structured.get("hits", {"rows": []})["rows"]
        shown = set().union(*(shown_paths(path, [*cells, *shared]) for path, cells in rows))
        if lacking := set(question.paths) - shown:
            missed[f"{question.job}: {question.words}"] = lacking
    assert not missed


def test_questions_about_the_samples_are_answered() -> None:
    samples = {sample.name: sample for sample in SAMPLES}
    assert len(SAMPLE_QUESTIONS) > 100
    check(SAMPLE_QUESTIONS, lambda name: read_sample(samples[name]), first=0.94, within=0.96)


def test_questions_about_the_real_jobs_are_answered(corpus: Path) -> None:
    assert len(CORPUS_QUESTIONS) > 100
    read = lambda name: (corpus / f"{name}.job.json").read_bytes()  # noqa: E731
    check(CORPUS_QUESTIONS, read, first=0.92, within=0.96)


def test_all_values_of_the_samples_that_answer_a_question_are_shown() -> None:
    samples = {sample.name: sample for sample in SAMPLES}
    check_all(SAMPLE_LIST_QUESTIONS, lambda name: read_sample(samples[name]))


def test_all_values_of_the_real_jobs_that_answer_a_question_are_shown(corpus: Path) -> None:
    check_all(CORPUS_LIST_QUESTIONS, lambda name: (corpus / f"{name}.job.json").read_bytes())
