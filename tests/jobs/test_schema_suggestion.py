"""A suggested schema is in the answer whole or not at all, and then the call that shows it is."""

from typing import Any

import pytest

from llx_mcp.answers.limits import MAX_CHARS
from llx_mcp.errors import ArgumentError
from llx_mcp.jobs.creation_plan import CreationRequest
from llx_mcp.jobs.schema_suggestion import Suggestion, build_suggestion_answer
from llx_mcp.result.sanitize import dump_json
from llx_mcp.scope import Scope

REQUEST = CreationRequest(file="invoice.pdf", scope=Scope("p", None))


def suggest(num_fields: int, max_chars: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a schema, and the answer about it, which is within its budget."""
    schema = {"type": "object", "properties": {f"field_{n}": {"type": "string"} for n in range(num_fields)}}
    answer = build_suggestion_answer(Suggestion("dfl-1", "invoice.pdf", schema), REQUEST, "all fields", max_chars)
    assert max(len(answer.text), len(dump_json(answer.structured))) <= max_chars
    return schema, answer.structured


@pytest.mark.parametrize("num_fields", [1, 20, 25, 40, 100, 1_000])
@pytest.mark.parametrize("max_chars", [1_000, 2_000, 4_000, 50_000])
def test_schema_is_whole_or_the_suggested_call_shows_it(num_fields: int, max_chars: int) -> None:
    schema, answer = suggest(num_fields, max_chars)
    if "data_schema" in answer:
        assert answer["data_schema"] == schema
        return
    (call,) = [item["call"] for item in answer["omitted"] if "call" in item]
    assert call["tool"] == "suggest_extract_schema"
    assert call["arguments"] | {"max_chars": 0} == {
        "file": "invoice.pdf", "prompt": "all fields", "max_chars": 0, "project_id": "p",
    }  # fmt: skip
    assert suggest(num_fields, call["arguments"]["max_chars"])[1]["data_schema"] == schema


def test_next_step_gives_the_document_as_it_was_given() -> None:
    (step,) = suggest(1, 4_000)[1]["next_steps"]
    assert step["call"] == {
        "tool": "create_extract_job",
        "arguments": {"file": "invoice.pdf", "data_schema": "<data_schema of this answer>", "project_id": "p"},
    }


def test_schema_that_is_larger_than_any_answer_is_an_error() -> None:
    with pytest.raises(ArgumentError, match="Ask for fewer fields"):
        suggest(MAX_CHARS // 20, 4_000)
