"""Each of the forty questions is answered right, through a client, in both forms."""

import json
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from llx_mcp.result.sanitize import dump_json, sanitize_json
from llx_mcp.server.app import build_server
from tests.questions import QUESTIONS, Question
from tests.server.test_tools import text_of
from tests.sources import Bodies, open_bodies

MOST_CALLS = 3


def open_client(folder: Path) -> Client:
    """A client of a server over the real jobs, by the names of their files."""
    return Client(build_server(open_bodies(Bodies(lambda name: (folder / f"{name}.job.json").read_bytes()))))


def test_there_are_forty_questions_about_all_kinds_of_documents() -> None:
    assert len({question.words for question in QUESTIONS}) == 40
    assert len({question.job for question in QUESTIONS}) >= 9
    assert all(len(question.calls) <= MOST_CALLS for question in QUESTIONS)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: f"{question.job}: {question.words}")
async def test_a_question_is_answered_right(question: Question, corpus: Path) -> None:
    wire = json.loads((corpus / f"{question.job}.job.json").read_bytes())
    fields = wire["extract_metadata"]["field_metadata"]
    tree = fields["document_metadata"] or fields["row_metadata"] or fields["page_metadata"]
    async with open_client(corpus) as client:
        for tool, arguments in question.calls:
            result = await client.call_tool(tool, {"job_id": question.job} | arguments)
            assert not result.is_error, result
    expected: Any = sanitize_json(question.expected(wire["extract_result"], tree))
    assert result.structured_content is not None
    assert question.got(result.structured_content) == expected
    for part in expected if isinstance(expected, list) and expected and not isinstance(expected[0], list) else []:
        assert dump_json(part).strip('"[]') in text_of(result)
