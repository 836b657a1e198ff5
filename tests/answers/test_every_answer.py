"""For any job and budget, no answer is too large, and every path that it shows exists."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llx_mcp.answers.budget import Answer
from llx_mcp.answers.header import build_header
from llx_mcp.answers.page import read_page
from llx_mcp.answers.query import answer_query
from llx_mcp.answers.requests import JobRequest, ReadOptions
from llx_mcp.answers.review import review_job
from llx_mcp.answers.search import find_text
from llx_mcp.answers.summary import summarize
from llx_mcp.models import Job
from llx_mcp.query.engine import Engine
from llx_mcp.result.jsonpath import find_locations, parse_path
from llx_mcp.result.sanitize import dump_json
from llx_mcp.result.sections import JobSections
from tests.generated_jobs import NOW, jobs

QUERIES = ("SELECT * FROM fields", "SELECT * FROM document", "SELECT * FROM tables", "SELECT path || value FROM fields")


def deep(depth: int) -> Any:
    """Return objects and lists nested in turn."""
    value: Any = "core"
    for level in range(depth):
        value = {"inner": value} if level % 2 else [value]
    return {"deep": value}


SHAPES: dict[str, Any] = {
    "deep": deep(300),
    "wide": {f"field_{index}": index for index in range(3_000)},
    "wide rows": {"rows": [{f"f{index}": index for index in range(300)}] * 5},
    "long strings": {"text": "word " * 20_000, "rows": [{"text": "x" * 5_000}] * 20},
    "Japanese": {"明細": [{"品名": "緩衝液" * 30, "金額": index} for index in range(200)]},
    "digits": {"numbers": [str(10**40 + index) for index in range(500)], "n": [10**17 + i for i in range(500)]},
    "ids": {"ids": [f"{index:08x}-0000-4000-8000-{index:012x}" for index in range(500)]},
    "long names": {("name " * 60): {("other " * 60): [1, 2, 3]}},
    "lists of lists": {"matrix": [[[row, column] for column in range(20)] for row in range(20)]},
    "odd names": {"a.b": {"c[0]": [{"d'e": 1, "": 2}] * 3}, "$": {"*": [1]}, "```": "|"},
    "mixed": {"rows": [1, "a", None, {"n": 1}, [2], {"n": "x", "m": []}, {}]},
    "one": {"a": 1},
    "empty": {"a": [], "b": {}, "c": None, "rows": [{}]},
    "a list": [{"n": index} for index in range(50)],
}  # fmt: skip


def metadata_of(value: Any) -> Any:
    """Return metadata with a long quote for every value."""
    if isinstance(value, dict):
        return {name: metadata_of(child) for name, child in value.items()}
    if isinstance(value, list):
        return [metadata_of(child) for child in value]
    return {"confidence": 0.55, "citation": [{"page": 3, "matching_text": f"the words around {value} " * 3}]}


def job_of_shape(result: Any) -> Job:
    """Return a job with this result and a citation of every value."""
    level = "row_metadata" if isinstance(result, list) else "document_metadata"
    fields = {level: metadata_of(result)}
    wire = {
        "id": "ext-1",
        "status": "COMPLETED",
        "extract_result": result,
        "extract_metadata": {"field_metadata": fields},
    }
    return Job.parse(json.dumps(wire).encode())


def answers_about(job: Job, max_chars: int) -> list[Answer]:
    """Return the answers of every tool about a job."""
    sections = JobSections(job.sections)
    request = JobRequest(job.id, max_chars=max_chars)
    header = build_header(job, request, now=NOW)
    answers = [
        summarize(sections, header, request),
        review_job(sections, header, request, 0.8),
        find_text(sections, header, request, "e"),
        find_text(sections, header, request, "1"),
    ]
    includes: tuple[tuple[str, ...], ...] = ((), ("provenance", "quotes", "boxes"))
    answers += [read_page(sections, header, request, ReadOptions("$", None, include)) for include in includes]
    if sections.has_result:
        answers += _query_answers(sections, header, request)
    return answers


def _query_answers(sections: JobSections, header: Any, request: JobRequest) -> list[Answer]:
    engine = Engine(sections.document)
    answers = []
    for sql in QUERIES:
        # Only a result that is an object has the table `document`.
        if "document" in engine.tables.sql_tables or "document" not in sql:
            engine.build(sql)
            answers.append(answer_query(engine, header, request, sql, deadline_seconds=30))
    return answers


def paths_in(structured: dict[str, Any]) -> list[str]:
    """Return every path that an answer shows."""
    paths = [structured["value"]["path"]] if "value" in structured else []
    tables = [structured[name] for name in ("lowest_confidence", "hits") if name in structured]
    paths += structured.get("similar_names", [])
    for table in [*tables, *structured.get("values", [])]:
        paths += [row[0] for row in table["rows"]]
    for _, path, *_, example, _, why in structured.get("findings", {"rows": []})["rows"]:
        # A field that is absent has no value at its path.
        paths += [shown for shown in (None if why == "absent" else path, example) if shown is not None]
    columns = structured.get("rows", {"columns": []})["columns"]
    for index, name in enumerate(columns):
        if name in ("path", "_path"):
            paths += [row[index] for row in structured["rows"]["rows"]]
    return [path for path in paths if "…[+" not in path]


def assert_fits_and_paths_exist(job: Job, answers: list[Answer], max_chars: int) -> None:
    """Fail where a form exceeds the budget, or a shown path names nothing."""
    root = JobSections(job.sections).bare_document.root
    for answer in answers:
        assert len(answer.text) <= max_chars, answer.text
        assert len(dump_json(answer.structured)) <= max_chars, answer.structured
        for path in paths_in(answer.structured)[:60]:
            assert next(find_locations(parse_path(path), root), None) is not None, path


@pytest.mark.parametrize("max_chars", [1_000, 1_700, 4_000, 20_000])
@pytest.mark.parametrize("shape", SHAPES)
def test_answers_about_every_shape_fit_every_budget(shape: str, max_chars: int) -> None:
    job = job_of_shape(SHAPES[shape])
    assert_fits_and_paths_exist(job, answers_about(job, max_chars), max_chars)


@pytest.mark.parametrize("max_chars", [1_000, 5_000])
def test_answers_about_real_jobs_fit_every_budget(corpus_job: bytes, max_chars: int) -> None:
    job = Job.parse(corpus_job)
    assert_fits_and_paths_exist(job, answers_about(job, max_chars), max_chars)


@given(jobs(), st.integers(1_000, 6_000))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_answers_about_any_job_fit_any_budget(wire: dict[str, Any], max_chars: int) -> None:
    job = Job.parse(json.dumps(wire).encode())
    assert_fits_and_paths_exist(job, answers_about(job, max_chars), max_chars)
