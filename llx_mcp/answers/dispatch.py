"""Questions about an extraction, answered: in the server's own process, or in a worker."""

from dataclasses import asdict, dataclass, field
from typing import Any

from llx_mcp.answers.budget import Answer, start_answer
from llx_mcp.answers.header import Header, JobRequest
from llx_mcp.result.sections import JobSections
from llx_mcp.scope import Scope


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a job, in words that can be sent to a worker.

    Attributes:
        kind: `summarize`, `read`, `find`, `review` or `query`.
        ask: the arguments that all kinds share.
        arguments: those of this kind, as JSON.
    """

    kind: str
    ask: JobRequest
    arguments: dict[str, Any] = field(default_factory=dict)

    def dump(self, heading: Header) -> dict[str, Any]:
        """The question with its heading, as JSON."""
        return {
            "kind": self.kind,
            "ask": asdict(self.ask),
            "arguments": self.arguments,
            "heading": asdict(heading),
        }


def load_question(header: dict[str, Any]) -> tuple[Question, Header]:
    """What `Question.dump` wrote."""
    ask = dict(header["ask"])
    heading = header["heading"]
    return (
        Question(
            header["kind"],
            JobRequest(**ask | {"expand": tuple(ask["expand"]), "scope": Scope(**ask["scope"])}),
            header["arguments"],
        ),
        Header(heading["facts"], tuple(heading["moves"]), heading["error"]),
    )


class ResultReader:
    """One extraction, and what was made of it for the questions before."""

    def __init__(self, extraction: JobSections) -> None:
        self.extraction = extraction
        self._engine: Any = None

    def answer(self, question: Question, heading: Header) -> Answer:
        """Answer one question.

        Raises:
            ArgumentError: the question cannot be answered as it is.
            ValueError: the result or the metadata is not JSON that can be read.
        """
        match question.kind:
            case "summarize":
                from llx_mcp.answers.summary import summarize

                return summarize(self.extraction, heading, question.ask)
            case "read":
                from llx_mcp.answers.page import ReadOptions, read_page

                arguments = question.arguments
                page = ReadOptions(arguments["path"], arguments["cursor"], tuple(arguments["include"]))
                return read_page(self.extraction, heading, question.ask, page)
            case "find":
                from llx_mcp.answers.search import find_text

                arguments = question.arguments
                return find_text(self.extraction, heading, question.ask, arguments["text"], tuple(arguments["where"]))
            case "review":
                from llx_mcp.answers.review import review_job

                return review_job(self.extraction, heading, question.ask, question.arguments["threshold"])
            case _:
                return self._query(question, heading)

    def build_tables(self, sql: str) -> None:
        """Build the tables that a query may read, which may take longer than the query."""
        if self._engine is None:
            from llx_mcp.query.engine import Engine

            self._engine = Engine(self.extraction.document)
        self._engine.build(sql)

    def _query(self, question: Question, heading: Header) -> Answer:
        from llx_mcp.answers.query import answer_query

        if not self.extraction.has_result:
            return start_answer(heading, question.ask.max_chars).answer()
        arguments = question.arguments
        self.build_tables(arguments["sql"])
        return answer_query(
            self._engine, heading, question.ask, arguments["sql"], deadline_seconds=arguments["deadline_seconds"]
        )
