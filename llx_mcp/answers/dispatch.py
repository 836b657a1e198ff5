"""The questions about a job, and the reader that answers them, in the server or in a worker process.

A question is one of the structs below. They are msgspec structs with a tag each, so that a question can be sent to
a worker as JSON and decoded there into the same type.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from llx_mcp.answers.budget import Answer
from llx_mcp.answers.header import Header, start_answer
from llx_mcp.answers.output_base import Output
from llx_mcp.answers.outputs import QueryOutput
from llx_mcp.answers.requests import DEFAULT_HITS, JobRequest, JobsRequest, ReadOptions
from llx_mcp.answers.wait_report import JobRow
from llx_mcp.raw_json import split_json
from llx_mcp.result.sections import JobSections

if TYPE_CHECKING:
    from llx_mcp.query.engine import Engine
    from llx_mcp.result.object_search import ObjectSearch

QUERY_SECONDS = 2.0


class SummaryQuestion(msgspec.Struct, frozen=True, tag="summary"):
    """What is the summary of the job?"""

    request: JobRequest
    header: Header


class ReadQuestion(msgspec.Struct, frozen=True, tag="read"):
    """Which values are at a path?"""

    request: JobRequest
    header: Header
    options: ReadOptions


class SearchQuestion(msgspec.Struct, frozen=True, tag="search"):
    """What does the result say about some words?"""

    request: JobRequest
    header: Header
    text: str
    limit: int = DEFAULT_HITS


class ReviewQuestion(msgspec.Struct, frozen=True, tag="review"):
    """What should be checked?"""

    request: JobRequest
    header: Header
    threshold: float


class QueryQuestion(msgspec.Struct, frozen=True, tag="query"):
    """What does a SELECT over the result's tables return?"""

    request: JobRequest
    header: Header
    sql: str
    deadline_seconds: float = QUERY_SECONDS


class JoinedQueryQuestion(msgspec.Struct, frozen=True, tag="joined_query"):
    """What does a SELECT over the tables of several jobs return?"""

    request: JobsRequest
    jobs: tuple[JobRow, ...]
    sql: str
    deadline_seconds: float = QUERY_SECONDS


Question = SummaryQuestion | ReadQuestion | SearchQuestion | ReviewQuestion | QueryQuestion


class LoadJob(msgspec.Struct, frozen=True, tag="load"):
    """Load a job, whose JSON is the body of the frame, and drop the previous one."""


class LoadJobs(msgspec.Struct, frozen=True, tag="load_jobs"):
    """Load several jobs, and drop what was loaded before. Their JSON, one after the other, is the body of the frame.

    Attributes:
        sizes: the bytes of each job, by its id.
    """

    sizes: dict[str, int]


class DecodeJob(msgspec.Struct, frozen=True, tag="decode"):
    """Decode the result and its metadata, which takes the longer the larger the job is."""


class BuildTables(msgspec.Struct, frozen=True, tag="build"):
    """Build the tables that a query reads, which may take longer than the query."""

    sql: str


Message = Question | JoinedQueryQuestion | LoadJob | LoadJobs | DecodeJob | BuildTables


class Step(msgspec.Struct, frozen=True):
    """One message to a worker, and how long the worker may take for it.

    Attributes:
        message: what to do.
        seconds: the time limit.
    """

    message: Message
    seconds: float


def _encode_output(value: Any) -> Any:
    if isinstance(value, Output):
        return value.structured()
    raise NotImplementedError(f"{type(value).__name__} is not part of a message")


def _decode_output(kind: type, value: Any) -> Any:
    if issubclass(kind, Output):
        return kind.model_validate(value)
    raise NotImplementedError(f"{kind.__name__} is not part of a message")


_encoder = msgspec.json.Encoder(enc_hook=_encode_output)
_decoder = msgspec.json.Decoder(Step, dec_hook=_decode_output)


def encode_step(step: Step) -> bytes:
    """Return a step as JSON.

    Raises:
        UnicodeEncodeError: a text has half of a surrogate pair.
    """
    return _encoder.encode(step)


def decode_step(data: bytes) -> Step:
    """Return the step that `encode_step` encoded."""
    return _decoder.decode(data)


def explain_unreadable(error: ValueError | RecursionError) -> str:
    """Return why a job cannot be read, as the end of a sentence about its result or metadata.

    The message of a parser could quote the document, so it is left out.
    """
    if isinstance(error, RecursionError):
        return "is nested too deeply"
    if isinstance(error, msgspec.DecodeError | json.JSONDecodeError):
        return "is not valid JSON"
    if isinstance(error, UnicodeError):
        return "is not valid UTF-8"
    return "holds a value that cannot be read, such as a number of thousands of digits"


class ResultReader:
    """Answers questions about one job, and caches what was decoded and built."""

    def __init__(self, sections: JobSections) -> None:
        self.sections = sections

    @cached_property
    def _search(self) -> "ObjectSearch":
        from llx_mcp.answers.search import prepare_search

        return prepare_search(self.sections)

    @cached_property
    def _engine(self) -> "Engine":
        from llx_mcp.query.engine import Engine

        return Engine(self.sections.document)

    def answer(self, question: Question) -> Answer:
        """Answer one question.

        Raises:
            ArgumentError: the question cannot be answered as it is.
            ValueError: the result or the metadata is not JSON that can be read.
        """
        # Each question imports what it needs: a worker starts for one of them.
        match question:
            case SummaryQuestion(request, header):
                from llx_mcp.answers.summary import summarize

                return summarize(self.sections, header, request)
            case ReadQuestion(request, header, options):
                from llx_mcp.answers.page import read_page

                return read_page(self.sections, header, request, options)
            case SearchQuestion(request, header, text, limit):
                from llx_mcp.answers.search import find_text

                return find_text(self.sections, header, request, text, limit, self._search)
            case ReviewQuestion(request, header, threshold):
                from llx_mcp.answers.review import review_job

                return review_job(self.sections, header, request, threshold)
            case QueryQuestion():
                return self._query(question)

    def decode(self) -> None:
        """Decode the result and its metadata."""
        if self.sections.has_result:
            _ = self.sections.document

    def build_tables(self, sql: str) -> None:
        """Build the tables that a query reads, which may take longer than the query."""
        if self.sections.has_result:
            self._engine.build(sql)

    def _query(self, question: QueryQuestion) -> Answer:
        from llx_mcp.answers.query import answer_query

        request, header = question.request, question.header
        if not self.sections.has_result:
            return start_answer(header, request.max_chars, QueryOutput).build()
        self.build_tables(question.sql)
        seconds = question.deadline_seconds
        return answer_query(self._engine, header, request, question.sql, deadline_seconds=seconds)


class JoinedReader:
    """Answers queries over several jobs, and caches what was decoded and built.

    A job that cannot be read has no rows, and a note that says why.
    """

    def __init__(self, bodies: Mapping[str, bytes | memoryview]) -> None:
        self._bodies = bodies
        self._unreadable: dict[str, str] = {}

    @cached_property
    def _engine(self) -> "Engine | None":
        from llx_mcp.query.engine import Engine

        documents = {}
        for job_id, body in self._bodies.items():
            try:
                documents[job_id] = JobSections(split_json(body)).document
            except (ValueError, RecursionError) as exc:
                self._unreadable[job_id] = f"its result or its metadata {explain_unreadable(exc)}"
        return Engine(documents) if documents else None

    def build_tables(self, sql: str) -> None:
        """Decode the jobs, and build the tables that a query reads."""
        if self._engine is not None:
            self._engine.build(sql)

    def answer(self, question: JoinedQueryQuestion) -> Answer:
        """Answer one question.

        Raises:
            ArgumentError: the query cannot be run.
        """
        from llx_mcp.answers.query import answer_joined_query

        self.build_tables(question.sql)
        jobs = [replace(job, note=self._unreadable.get(job.job_id, job.note)) for job in question.jobs]
        seconds = question.deadline_seconds
        return answer_joined_query(self._engine, jobs, question.request, question.sql, deadline_seconds=seconds)
