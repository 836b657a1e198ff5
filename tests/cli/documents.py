"""Documents for the tests of exports."""

import json
from typing import Any

from llx_mcp.models import Job
from llx_mcp.result.document import Document
from llx_mcp.result.sections import JobSections


def build_document(result: Any, metadata: Any = None) -> Document:
    """Build a document from a result and its field metadata."""
    sections = {
        "id": "ext-1",
        "status": "COMPLETED",
        "extract_result": result,
        "extract_metadata": {"field_metadata": {"document_metadata": metadata}},
    }
    return JobSections(Job.parse(json.dumps(sections).encode()).sections).document
