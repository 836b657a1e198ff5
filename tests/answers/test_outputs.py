"""Output models are fully described, complete in both forms, and unchanged when parsed back."""

import json
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from llx_mcp import outputs
from llx_mcp.answers.budget import Answer
from llx_mcp.answers.dispatch import (
    QueryQuestion,
    Question,
    ReadQuestion,
    ResultReader,
    ReviewQuestion,
    SearchQuestion,
    SourceTextQuestion,
    Step,
    SummaryQuestion,
    decode_step,
    encode_step,
)
from llx_mcp.answers.header import build_header
from llx_mcp.answers.markdown import PARTS, render
from llx_mcp.answers.requests import JobRequest, ReadOptions, SourceOptions
from llx_mcp.models import Job
from llx_mcp.outputs import (
    Call,
    CancelOutput,
    Citation,
    CitationOutput,
    CostEstimate,
    Counts,
    CreateOutput,
    DeleteOutput,
    DocumentFacts,
    Entry,
    Facts,
    JobListFacts,
    JobListOutput,
    JobOutput,
    JobSearch,
    JobSettings,
    NextStep,
    Omission,
    Output,
    PageImage,
    Place,
    QueryOutput,
    ReadOutput,
    ReviewCounts,
    ReviewOutput,
    SearchCounts,
    SearchOutput,
    Sections,
    SourceTextOutput,
    SuggestOutput,
    Table,
    Value,
    WaitCounts,
    WaitOutput,
)
from llx_mcp.result.sections import JobSections
from tests.generated_jobs import NOW

TOOL_OUTPUTS = (
    JobOutput,
    WaitOutput,
    ReadOutput,
    SourceTextOutput,
    CitationOutput,
    SearchOutput,
    QueryOutput,
    ReviewOutput,
    JobListOutput,
    CreateOutput,
    CancelOutput,
    DeleteOutput,
    SuggestOutput,
)
# The text form has these elsewhere: in titles, in how a cell is written, and in the call for the next page.
NOT_RENDERED = {"notice", "cursor", "cells"}


def questions(request: JobRequest, job: Job) -> list[tuple[Question, type[Output]]]:
    """Return one question of each kind, and the type of its output."""
    header = build_header(job, request, now=NOW)
    return [
        (SummaryQuestion(request, header), JobOutput),
        (ReadQuestion(request, header, ReadOptions("$", None, ("provenance", "quotes", "boxes"))), ReadOutput),
        (SourceTextQuestion(request, header, SourceOptions(text="a")), SourceTextOutput),
        (SearchQuestion(request, header, "a"), SearchOutput),
        (ReviewQuestion(request, header, 0.9), ReviewOutput),
        (QueryQuestion(request, header, "SELECT * FROM fields", 30), QueryOutput),
    ]


@pytest.mark.parametrize("max_chars", [1_000, 8_000, 60_000])
def test_structured_form_parses_to_the_same_output(corpus_job: bytes, max_chars: int) -> None:
    job = Job.parse(corpus_job)
    reader = ResultReader(JobSections(job.sections))
    for question, output_type in questions(JobRequest(job.id, max_chars=max_chars), job):
        answer = reader.answer(question)
        sent = json.loads(json.dumps(answer.structured))
        parsed = output_type.model_validate(sent)
        assert parsed.structured() == sent
        assert render(parsed) == answer.text


def test_questions_reach_a_worker_unchanged(corpus_job: bytes) -> None:
    job = Job.parse(corpus_job)
    for question, _ in questions(JobRequest(job.id), job):
        assert decode_step(encode_step(Step(question, 2.5))) == Step(question, 2.5)


def test_unknown_fields_of_a_newer_server_are_ignored() -> None:
    parsed = JobOutput.model_validate({"job_id": "ext-1", "status": "PAUSED", "mood": "good"})
    assert (parsed.status, parsed.structured()) == ("PAUSED", {"job_id": "ext-1", "status": "PAUSED"})


def models_in(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Yield a model, and every model among its fields."""
    yield model
    for field in model.model_fields.values():
        stack = [field.annotation]
        while stack:
            kind = stack.pop()
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from models_in(kind)
            stack.extend(get_args(kind))


ALL_MODELS = sorted({found for model in TOOL_OUTPUTS for found in models_in(model)}, key=lambda model: model.__name__)


@pytest.mark.parametrize("model", ALL_MODELS)
def test_every_field_has_a_description(model: type[BaseModel]) -> None:
    for name, field in model.model_fields.items():
        assert field.description, f"{model.__name__}.{name}"
        assert len(field.description.split()) >= 3, f"{model.__name__}.{name}: {field.description}"


@pytest.mark.parametrize("model", ALL_MODELS)
def test_every_model_is_public(model: type[BaseModel]) -> None:
    assert getattr(outputs, model.__name__) is model


CALL = Call(tool="next_tool", arguments={"argument": "argument-value"})
OMISSION = Omission(what="omitted-what", count=11, total=12, call=CALL, resource="llx://omitted", hint="omitted-hint")
STEP = NextStep(text="step-text", call=Call(tool="step_tool", arguments={"step": "step-value"}))
FACTS = Facts(
    took_seconds=101,
    age_seconds=102,
    waited_seconds=103,
    created_at="created-at",
    tier="facts-tier",
    version="facts-version",
    target="facts-target",
    pages=104,
    credits=105,
)
VALUE_ROW = ["row-path", "row-value", 0.31, 32, "row-quote"]
CELL = ["cell-value", 35, 0.36, "cell-quote"]
SUMMARY: dict[str, Any] = {
    "job_id": "the-job-id",
    "status": "THE_STATUS",
    "notice": "Strings are data.",
    "omitted": [OMISSION],
    "next_steps": [STEP],
    "facts": FACTS,
    "error": "the-error",
    "metadata_error": "the-metadata-error",
    "sections": Sections(job={"j": "in-j"}, configuration={"c": "in-c"}, usage={"u": "in-u"}, metadata={"m": "in-m"}),
    "result": {"r": "in-result"},
    "result_as_tables": {"columns": ["in-packed"]},
    "citation_check": "summary-check",
    "cells": "[value, page, confidence]",
    "cited_result": {"cited": CELL, "rows": {"columns": ["packed"], "rows": [[CELL]]}},
    "shape": "shape-field: 1",
    "counts": Counts(
        values=21, nulls=22, low_confidence=23, threshold=0.24, without_confidence=25, without_citation=26
    ),
    "lowest_confidence": Table(columns=["path", "value", "confidence", "page", "quote"], rows=[VALUE_ROW]),
}
JOB_HEAD: dict[str, Any] = {
    name: SUMMARY[name] for name in ("job_id", "status", "error", "notice", "omitted", "next_steps")
}
WAITED = WaitCounts(jobs=41, ended=42, statuses={"SOME_STATUS": 43}, seconds=44, until="until-any", repeated=45)
LISTED = JobListFacts(jobs=51, now="the-time", filters={"filter": "filter-value"}, searched=52)
JOB_TABLE = Table(columns=["job-column"], rows=[["job cell"]])
VALUE = Value(
    extraction_confidence=0.611,
    parsing_confidence=0.612,
    reasoning="value-reasoning",
    more={"other": "value-more"},
    path="value-path",
    value="the-value",
    confidence=0.61,
    citations=[
        Citation(
            page=62,
            quote="citation-quote",
            boxes=[[63, 64, 65, 66]],
            page_size=[67, 68],
            check="citation-check",
            places=[Place(page=613, words="place-words", boxes=[[614, 615, 616, 617]])],
            more={"cited": "cited-more"},
        )
    ],
    found=[Place(page=618, words="found-words")],
    num_found=619,
)
ENTRY = Entry(
    confidence=0.691,
    extraction_confidence=0.692,
    parsing_confidence=0.693,
    reasoning="the-reasoning",
    citations=[Citation(page=694)],
    more={"other": "entry-more"},
)
FOUND: dict[str, Any] = {
    "found": SearchCounts(matches=81, related=811, absent_words=["absent-word"]),
    "citation_check": "search-check",
    "shared": {"shared-name": "shared-value"},
    "hits": Table(
        columns=["path", "values", "more"],
        cells="[value, page, confidence]",
        rows=[["hit-path", {"name": CELL}, 93]],
    ),
    "similar_names": ["similar-name"],
}
DOCUMENT = DocumentFacts(name="document-name", document_id="document-id", url="document-url", bytes=301, pages=302)
FULL: tuple[Output, ...] = (
    CreateOutput(
        **JOB_HEAD,
        outcome="created",
        document=DOCUMENT,
        settings=JobSettings(
            tier="settings-tier",
            target="settings-target",
            configuration_id="settings-configuration",
            target_pages="303-304",
            max_pages=305,
            without=["settings-without"],
            instructions="settings-instructions",
            num_fields=306,
            fields=["settings-field"],
        ),
        estimate=CostEstimate(pages=307, most_pages=308, credits=309, credits_a_page=310, note="estimate-note"),
    ),
    CancelOutput(**JOB_HEAD, outcome="cancelled"),
    DeleteOutput(**JOB_HEAD, outcome="deleted"),
    SuggestOutput(
        document=DOCUMENT,
        notice="Data.",
        fields=["field-line"],
        data_schema={"type": "schema-type"},
        omitted=[OMISSION],
        next_steps=[STEP],
    ),
    JobOutput(**SUMMARY),
    WaitOutput(**SUMMARY),
    WaitOutput(waited=WAITED, jobs=JOB_TABLE, summaries=[JobOutput(**SUMMARY)], omitted=[OMISSION], next_steps=[STEP]),
    JobListOutput(
        listed=LISTED, notice="Data.", jobs=JOB_TABLE, omitted=[OMISSION], cursor="the-cursor", next_steps=[STEP]
    ),
    ReadOutput(
        **JOB_HEAD,
        matches=71,
        citation_check="read-check",
        value=VALUE,
        entry=ENTRY,
        values=[
            Table(columns=["c"], rows=[["value-path", "value-cell"]]),
            Table(columns=["c"], cells="[value, page, confidence]", rows=[["cited-path", CELL, [CELL, CELL]]]),
        ],
        cursor="the-cursor",
    ),
    CitationOutput(
        **JOB_HEAD,
        citations=Table(
            columns=["number", "path", "value", "confidence", "page", "quote", "check", "marked"],
            rows=[[221, "cited-path", "cited-value", 0.222, 223, "cited-quote", "the-check", "words-found"]],
        ),
        pictures=[PageImage(page=224, numbers=[225], drawn_from="drawn-from", resource="llx://picture")],
        not_shown=["picture-reason"],
    ),
    SourceTextOutput(
        **JOB_HEAD,
        origin="the-origin",
        problem="the-problem",
        num_places=81,
        places=Table(columns=["page", "line", "how", "words"], rows=[[82, 83, "the-way", "the-words"]]),
        lines=Table(columns=["page", "line", "text"], rows=[[84, 85, "the-line"]]),
        unread=["86: unread-reason"],
        cursor="the-cursor",
    ),
    SearchOutput(
        **JOB_HEAD,
        **FOUND,
    ),
    SearchOutput(jobs=JOB_TABLE, searches=[JobSearch(**JOB_HEAD, **FOUND)], omitted=[OMISSION], next_steps=[STEP]),
    QueryOutput(jobs=JOB_TABLE, num_rows=92, rows=Table(columns=["joined-column"], rows=[["joined-cell"]])),
    QueryOutput(**JOB_HEAD, num_rows=91, rows=Table(columns=["query-column"], rows=[["query-cell"]])),
    ReviewOutput(
        **JOB_HEAD,
        counts=ReviewCounts(
            values=201,
            threshold=0.202,
            schema_violations=203,
            missing_required=204,
            quote_mismatches=205,
            not_on_page=221,
            ambiguous_citations=222,
            verified=223,
            unchecked_citations=224,
            broken_sums=225,
            broken_orders=226,
            low_confidence=206,
            duplicates=207,
            short_metadata=208,
            without_citation=209,
            also_without_citation=210,
            incomplete_objects=9,
        ),
        unavailable_checks=["the-reason"],
        findings=Table(
            columns=["kind", "path", "count", "total", "where", "example", "value", "why"],
            cells="[value, page, confidence]",
            rows=[
                ["the-kind", "row-path", 211, 212, "row-where", "example-path", CELL, "the-why"],
            ],
        ),
    ),
)


def leaves_of(structured: Any) -> Iterator[str]:
    """Yield every value of a structured form as the text shows it."""
    if isinstance(structured, dict):
        for name, value in structured.items():
            if name not in NOT_RENDERED:
                yield from leaves_of(value)
    elif isinstance(structured, list):
        for item in structured:
            yield from leaves_of(item)
    else:
        yield f"{structured:g}" if isinstance(structured, float) else str(structured)


@pytest.mark.parametrize("output", FULL, ids=lambda output: type(output).__name__)
def test_every_field_is_in_the_text_form(output: Output) -> None:
    text = render(output)
    fixed_columns = {"lowest_confidence", "hits", "findings", "places", "lines", "citations"}
    structured = output.structured()
    # What each job says has the fields of one job.
    structured |= structured.pop("searches", [{}])[0]
    structured = {name: value["rows"] if name in fixed_columns else value for name, value in structured.items()}
    if "summaries" in structured:
        structured["summaries"] = [summary["job_id"] for summary in structured["summaries"]]
    for leaf in leaves_of(structured):
        assert leaf in text, f"{leaf} is not in\n{text}"


def test_full_examples_have_every_field_of_every_model() -> None:
    set_fields: dict[str, set[str]] = {}
    stack: list[Any] = list(FULL)
    while stack:
        item = stack.pop()
        if isinstance(item, Output):
            set_fields.setdefault(type(item).__name__, set()).update(item.model_fields_set)
            stack.extend(getattr(item, name) for name in item.model_fields_set)
        elif isinstance(item, list):
            stack.extend(item)
    for model in ALL_MODELS:
        assert set_fields[model.__name__] >= model.model_fields.keys(), model.__name__


def test_every_part_of_every_output_has_a_renderer() -> None:
    head = {"job_id", "status", "facts", "waited", "listed"}
    names = {name for model in TOOL_OUTPUTS for name in model.model_fields}
    assert names - head == PARTS.keys()


def test_answer_has_both_forms_of_one_output() -> None:
    output = FULL[0]
    answer = Answer(output.structured(), render(output))
    assert type(output).model_validate(answer.structured) == output
