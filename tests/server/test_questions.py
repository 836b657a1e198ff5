"""Both forms of an answer hold the right value for each of forty questions."""

import json
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from llx_mcp.result.sanitize import dump_json, sanitize_json
from tests.clients import call, structured, text_of
from tests.kept_open import IN_ONE_LOOP
from tests.questions import QUESTIONS, Question

MAX_CALLS = 3


def test_forty_questions_cover_all_kinds_of_documents() -> None:
    assert len({question.words for question in QUESTIONS}) == 40
    assert len({question.job for question in QUESTIONS}) >= 9
    assert all(len(question.calls) <= MAX_CALLS for question in QUESTIONS)


@IN_ONE_LOOP
@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: f"{question.job}: {question.words}")
async def test_answer_to_a_question_is_right(corpus_client: Client, question: Question, corpus: Path) -> None:
    wire = json.loads((corpus / f"{question.job}.job.json").read_bytes())
    fields = wire["extract_metadata"]["field_metadata"]
    tree = fields["document_metadata"] or fields["row_metadata"] or fields["page_metadata"]
    for tool, arguments in question.calls:
        result = await call(corpus_client, tool, job_id=question.job, **arguments)
    expected: Any = sanitize_json(question.expected(wire["extract_result"], tree))
    assert question.got(structured(result)) == expected
    for part in expected if isinstance(expected, list) and expected and not isinstance(expected[0], list) else []:
        assert dump_json(part).strip('"[]') in text_of(result)
