"""Suggests a schema for a document, and keeps the last ones, so that a larger answer shows the same schema."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from llx_mcp.answers.budget import NOTICE, Answer, AnswerBuilder
from llx_mcp.answers.creation_outputs import DocumentFacts, SuggestOutput
from llx_mcp.answers.limits import MAX_CHARS
from llx_mcp.answers.markdown import render
from llx_mcp.answers.outputs import Call, NextStep, Omission
from llx_mcp.answers.requests import build_call, round_chars
from llx_mcp.answers.schema_lines import list_fields
from llx_mcp.errors import ArgumentError
from llx_mcp.jobs.creation import JobCreator
from llx_mcp.jobs.creation_answers import describe_document
from llx_mcp.jobs.creation_plan import CreationRequest, SuggestionPlan
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

    async def plan(self, request: CreationRequest, prompt: str) -> SuggestionPlan:
        """Find the document of a request. This uploads nothing.

        Raises:
            ArgumentError: an argument cannot be used.
            LlxError: there is no such document.
        """
        if not prompt.strip():
            raise ArgumentError(
                "prompt is empty. Say in words what to extract, such as: vendor, date and each line item."
            )
        return SuggestionPlan(request, prompt, await self._creator.find_document(request))

    async def suggest(self, plan: SuggestionPlan, max_chars: int) -> Answer:
        """Return the answer with a schema, after the upload of the document where that is needed.

        Raises:
            ArgumentError: no budget has room for the schema.
            LlxError: the service gives no schema.
        """
        request, found = plan.request, plan.found
        key = (found.content_id, plan.prompt, request.scope)
        if key not in self._kept:
            document_id, schema = await self._creator.generate_schema(found, plan.prompt, request.scope)
            if len(self._kept) >= _MAX_KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = Suggestion(document_id, found.name, schema)
        return build_suggestion_answer(self._kept[key], request, plan.prompt, max_chars)


def build_declined_suggestion(plan: SuggestionPlan) -> Answer:
    """Return the answer after the person did not agree to the upload."""
    text = "The person did not agree, and nothing was uploaded. Ask what to change; do not call again before that."
    output = SuggestOutput(document=describe_document(plan.request, plan.found), next_steps=[NextStep(text=text)])
    return Answer(output.structured(), render(output))


def build_suggestion_answer(suggestion: Suggestion, request: CreationRequest, prompt: str, max_chars: int) -> Answer:
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
    call = build_call("create_extract_job", {**_name_document(request), "data_schema": _SCHEMA_PLACEHOLDER})
    if builder.add("data_schema", dict(suggestion.data_schema)):
        builder.add_next_steps(
            [NextStep(text="Change the schema as you need. To create the job:", call=call)],
            [NextStep(text="To create the job:", call=call)],
        )
    else:
        builder.omit(Omission(what="the schema in full", call=_build_larger_call(builder, request, prompt)))
    fields = list_fields(suggestion.data_schema)
    if not builder.add("fields", fields):
        builder.omit(Omission(what="fields in words", count=len(fields), hint="the schema describes them too"))
    return builder.build()


def _build_larger_call(builder: AnswerBuilder, request: CreationRequest, prompt: str) -> Call:
    need = round_chars(builder.unmet.chars + builder.spent.chars + _FRAME_CHARS)
    if need > MAX_CHARS:
        raise ArgumentError(
            "prompt: the schema that LlamaExtract generated is larger than any answer. Ask for fewer fields at once."
        )
    arguments = {**_name_document(request), "prompt": prompt, "max_chars": need}
    return build_call("suggest_extract_schema", arguments)


def _name_document(request: CreationRequest) -> dict[str, Any]:
    """Return the document as it was given: the pages of a file are known, and its job is found by its content."""
    given = {"file": request.file, "url": request.url, "document_id": request.document_id}
    return {**given, **asdict(request.scope)}
