"""Suggests a schema for a document, and keeps the last ones, so that a larger answer shows the same schema."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from llx_mcp.answers.budget import NOTICE, Answer, AnswerBuilder
from llx_mcp.answers.creation_outputs import DocumentFacts, SuggestOutput
from llx_mcp.answers.limits import MAX_CHARS
from llx_mcp.answers.outputs import Call, NextStep, Omission
from llx_mcp.answers.requests import build_call, round_chars
from llx_mcp.answers.schema_lines import list_fields
from llx_mcp.errors import ArgumentError
from llx_mcp.jobs.creation import JobCreator
from llx_mcp.jobs.creation_plan import CreationRequest
from llx_mcp.result.sanitize import sanitize_line

_MAX_KEPT = 16
_NAME_CHARS = 80
_SCHEMA_PLACEHOLDER = "<data_schema of this answer>"
# Beside the schema: the document, the calls, and the titles.
_FRAME_CHARS = 1_000


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A schema for a document.

    Attributes:
        document_id: id of the document at the service.
        document_name: its name.
        data_schema: the schema, validated by the service.
    """

    document_id: str
    document_name: str
    data_schema: Mapping[str, Any]


class SchemaSuggester:
    """Suggests schemas by the service's own generation."""

    def __init__(self, creator: JobCreator) -> None:
        self._creator = creator
        self._kept: dict[tuple[str, str, object], Suggestion] = {}

    async def suggest(self, request: CreationRequest, wish: str, max_chars: int) -> Answer:
        """Return the answer with a schema for the document of a request.

        Raises:
            ArgumentError: an argument cannot be used, or no budget has room for the schema.
            LlxError: the service gives no schema.
        """
        if not wish.strip():
            raise ArgumentError(
                "wish is empty. Say in words what to extract, such as: vendor, date and each line item."
            )
        document_id, name = await self._creator.find_document(request)
        key = (document_id, wish, request.scope)
        if key not in self._kept:
            schema = await self._creator.generate_schema(document_id, wish, request.scope)
            if len(self._kept) >= _MAX_KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = Suggestion(document_id, name, schema)
        return build_suggestion_answer(self._kept[key], request, wish, max_chars)


def build_suggestion_answer(suggestion: Suggestion, request: CreationRequest, wish: str, max_chars: int) -> Answer:
    """Return the answer about a schema. The schema is in it whole or not at all.

    Raises:
        ArgumentError: no budget has room for the schema.
    """
    builder = AnswerBuilder(SuggestOutput(), max_chars)
    document = DocumentFacts(
        name=sanitize_line(suggestion.document_name, _NAME_CHARS), document_id=suggestion.document_id
    )
    builder.add("document", document)
    builder.add("notice", NOTICE)
    call = Call(
        tool="create_extract_job",
        arguments={"document_id": suggestion.document_id, "data_schema": _SCHEMA_PLACEHOLDER, **_get_scope(request)},
    )
    if builder.add("data_schema", dict(suggestion.data_schema)):
        builder.add_next_steps(
            [NextStep(text="Change the schema as you need. To create the job:", call=call)],
            [NextStep(text="To create the job:", call=call)],
        )
    else:
        builder.omit(Omission(what="the schema in full", call=_build_larger_call(builder, request, wish)))
    fields = list_fields(suggestion.data_schema)
    if not builder.add("fields", fields):
        builder.omit(Omission(what="fields in words", count=len(fields), hint="the schema describes them too"))
    return builder.build()


def _build_larger_call(builder: AnswerBuilder, request: CreationRequest, wish: str) -> Call:
    need = round_chars(builder.unmet.chars + builder.spent.chars + _FRAME_CHARS)
    if need > MAX_CHARS:
        raise ArgumentError(
            "wish: the schema that LlamaExtract generated is larger than any answer. Ask for fewer fields at once."
        )
    arguments = {
        "file": request.file,
        "url": request.url,
        "document_id": request.document_id,
        "wish": wish,
        "max_chars": need,
        **_get_scope(request),
    }
    return build_call("suggest_extract_schema", arguments)


def _get_scope(request: CreationRequest) -> dict[str, Any]:
    return {name: value for name, value in asdict(request.scope).items() if value is not None}
