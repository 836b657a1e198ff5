"""Documents for the tests of exports."""

from typing import Any

from llx_mcp.result.document import Document
from llx_mcp.result.sections import JobSections
from tests.example_jobs import build_job


def build_document(result: Any, metadata: Any = None) -> Document:
    """Build a document from a result and its field metadata."""
    return JobSections(build_job(result, metadata).sections).document
