"""Neither form of an answer exceeds its budget, for any job."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llx_mcp.answers.header import build_header
from llx_mcp.answers.requests import JobRequest
from llx_mcp.answers.summary import summarize
from llx_mcp.models import Job
from llx_mcp.result.sanitize import dump_json
from llx_mcp.result.sections import JobSections
from llx_mcp.scope import Scope
from tests.generated_jobs import NOW, jobs


@given(
    jobs(),
    st.one_of(st.integers(1_000, 3_000), st.integers(1_000, 60_000)),
    st.sets(st.sampled_from(["configuration", "extract_metadata", "usage", "metadata"])),
    st.booleans(),
)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_both_forms_stay_within_the_budget(
    wire: dict[str, Any], max_chars: int, expand: set[str], has_scope: bool
) -> None:
    scope = "12345678-1234-1234-1234-123456789abc" if has_scope else None
    request = JobRequest(wire["id"], tuple(sorted(expand)), max_chars, Scope(scope, scope))

    job = Job.parse(json.dumps(wire).encode())
    answer = summarize(JobSections(job.sections), build_header(job, request, now=NOW, waited_seconds=3599.9), request)

    assert len(answer.text) <= max_chars, answer.text
    assert len(dump_json(answer.structured)) <= max_chars, answer.structured
