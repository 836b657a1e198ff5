"""Small jobs for tests: a result, and metadata for some of its values."""

import json
from typing import Any

from llx_mcp.models import Job


def build_job(result: Any, tree: Any = None, **keys: Any) -> Job:
    """Build a completed job with this result and document metadata."""
    wire = {
        "id": "ext-1",
        "status": "COMPLETED",
        "extract_result": result,
        "extract_metadata": {"field_metadata": {"document_metadata": tree}},
    }
    return Job.parse(json.dumps(wire | keys).encode())


def cited(confidence: float, page: float, quote: str) -> dict[str, Any]:
    """Return the metadata of one value: a confidence and a citation."""
    return {"confidence": confidence, "citation": [{"page": page, "matching_text": quote}]}
