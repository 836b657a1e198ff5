"""The answer to a query says what of its tables is not whole."""

from typing import Any

import pytest

from llx_mcp.answers.header import build_header
from llx_mcp.answers.query import answer_query
from llx_mcp.answers.requests import JobRequest
from llx_mcp.query.engine import Engine
from llx_mcp.result.sections import JobSections
from tests.example_jobs import build_job
from tests.generated_jobs import NOW
from tests.structured import omissions


def answer_of(result: Any, sql: str, max_chars: int = 4_000) -> Any:
    """Return the structured answer to a query over a result."""
    job = build_job(result)
    request = JobRequest(job.id, max_chars=max_chars)
    engine = Engine(JobSections(job.sections).document)
    engine.build(sql)
    return answer_query(engine, build_header(job, request, now=NOW), request, sql, deadline_seconds=30).structured


def test_texts_that_were_cut_are_an_omission_with_the_resource_that_has_them() -> None:
    result = {"long": "x" * 9_000_000, "n": 1, "rows": [{"a": 1}]}
    assert omissions(answer_of(result, "SELECT length(long), n FROM document")) == [
        "1 ends of texts, lists and names too long for a table: resource llx://jobs/ext-1/result"
    ]
    assert omissions(answer_of(result, "SELECT a FROM rows")) == []


@pytest.mark.parametrize(("num_rows", "num_shown"), [(3, 3), (900, 0)])
def test_rows_that_do_not_fit_are_counted(num_rows: int, num_shown: int) -> None:
    answer = answer_of(
        {"rows": [{"n": number, "text": "word " * 9} for number in range(num_rows)]}, "SELECT * FROM rows"
    )
    shown = len(answer["rows"]["rows"])
    assert answer["num_rows"] == num_rows
    if num_shown:
        assert (shown, omissions(answer)) == (num_shown, [])
    else:
        hint = f"aggregate, select fewer columns, or add LIMIT and OFFSET {shown}"
        assert omissions(answer) == [f"{num_rows - shown} of {num_rows} rows; {hint}"]
