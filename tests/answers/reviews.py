"""Reviews of small results, and what they show."""

import time
from collections.abc import Callable
from typing import Any

from llx_mcp.answers.budget import Answer
from llx_mcp.answers.header import build_header
from llx_mcp.answers.requests import JobRequest
from llx_mcp.answers.review import review_job
from llx_mcp.models import Job
from llx_mcp.result.sections import JobSections
from tests.generated_jobs import NOW


def review_of(
    job: Job, threshold: float = 0.8, max_chars: int = 8_000, clock: Callable[[], float] = time.thread_time
) -> Answer:
    """Return the review of a job."""
    request = JobRequest(job.id, max_chars=max_chars)
    return review_job(JobSections(job.sections), build_header(job, request, now=NOW), request, threshold, clock)


def rows_of(structured: dict[str, Any], kind: str) -> list[list[Any]]:
    """Return the groups of one kind, without the kind."""
    return [row[1:] for row in structured["findings"]["rows"] if row[0] == kind]


def confidence_of(confidence: float) -> dict[str, float]:
    """Return the metadata of a value without a citation."""
    return {"confidence": confidence}


def low_confidence(value: Any) -> Any:
    """Return metadata with a low confidence for every value."""
    if isinstance(value, dict):
        return {name: low_confidence(child) for name, child in value.items()}
    return [low_confidence(child) for child in value] if isinstance(value, list) else confidence_of(0.5)


def groups_omitted(structured: dict[str, Any]) -> list[str]:
    """Return what an answer says of the groups that it leaves out."""
    return [omission["what"] for omission in structured.get("omitted", []) if "groups" in omission["what"]]
