"""A generation is repeated only after errors that pass, and its errors are about the generated schema."""

from typing import Any

import httpx
import pytest

from llx_mcp.errors import BadResponseError
from llx_mcp.jobs.creation_plan import CreationRequest
from tests.jobs.creating import CREATE_PATH, Workshop, count

GENERATE_PATH = f"{CREATE_PATH}/schema/generate"


async def suggest(workshop: Workshop, response: httpx.Response, path: str = GENERATE_PATH) -> tuple[str, int]:
    """Ask for a schema where one request gets another response; return the error and the number of generations."""
    line = workshop.line(on_response=lambda request, _: response if request.url.path == path else None)
    async with workshop.open(line) as reader:
        suggester = reader.writer.suggester
        with pytest.raises(BadResponseError) as caught:
            await suggester.suggest(await suggester.plan(CreationRequest(file="invoice.pdf"), "all"), 8_000)
    return str(caught.value), count(line.sent, "POST", GENERATE_PATH)


@pytest.mark.parametrize("body", [{"parameters": {}}, {}, []])
async def test_answer_without_a_schema_is_not_asked_for_again(workshop: Workshop, body: Any) -> None:
    _, num_generations = await suggest(workshop, httpx.Response(200, json=body))
    assert num_generations == 1


async def test_generated_schema_that_is_not_accepted_is_not_called_an_argument(workshop: Workshop) -> None:
    refused = httpx.Response(422, json={"detail": "data_schema.properties.a.type: bad"})
    text, _ = await suggest(workshop, refused, f"{CREATE_PATH}/schema/validation")
    assert text.startswith("LlamaExtract generated a schema that it does not accept itself. Try again with another")
    assert "nothing was created" not in text
    generated = httpx.Response(200, json={"parameters": {"data_schema": {"type": "array"}}})
    text, _ = await suggest(workshop, generated)
    assert text.startswith("LlamaExtract generated a schema that it does not accept itself")
