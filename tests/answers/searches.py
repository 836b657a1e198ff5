"""Searches of jobs, and what they found."""

from typing import Any

from llx_mcp.answers.budget import Answer
from llx_mcp.answers.header import build_header
from llx_mcp.answers.limits import DEFAULT_CHARS
from llx_mcp.answers.requests import DEFAULT_HITS, JobRequest
from llx_mcp.answers.search import find_text
from llx_mcp.models import Job
from llx_mcp.result.sections import JobSections
from tests.generated_jobs import NOW


def find_in(job: Job, text: str, limit: int = DEFAULT_HITS, max_chars: int = DEFAULT_CHARS) -> Answer:
    """Search a job."""
    request = JobRequest(job.id, max_chars=max_chars)
    return find_text(JobSections(job.sections), build_header(job, request, now=NOW), request, text, limit)


def hits(answer: Answer) -> list[tuple[str, dict[str, Any]]]:
    """Return path and values of each hit."""
    return [(path, values) for path, values, *_ in answer.structured.get("hits", {"rows": []})["rows"]]
