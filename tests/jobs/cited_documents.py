"""A job with two cited values, and its document."""

import json
from typing import Any

from tests.pdf_files import build_text_pdf, write_lines
from tests.sources import Bodies

PDF = build_text_pdf(write_lines("net total 12.50 EUR", "second line"), write_lines("due 14 May 2026"))
# The words of the first line begin here.
BOX = {"x": 100, "y": 88, "w": 60, "h": 14}
SIZE = {"width": 600.0, "height": 800.0}


def cite(page: int, quote: str, *, has_box: bool = True, size: object = SIZE) -> dict[str, Any]:
    """Return the metadata of one value."""
    citation = {"page": page, "matching_text": quote, "page_dimensions": size}
    return {"confidence": 0.9, "citation": [citation | ({"bounding_boxes": [BOX]} if has_box else {})]}


TREE = {"total": cite(1, "net total 12.50 EUR"), "due": cite(2, "due 14 May 2026")}
RESULT = {"total": 12.5, "due": "14 May 2026"}


def build_source(tree: Any = None, result: Any = None, **keys: Any) -> Bodies:
    """Return a source with one job, whose document and parse job have no content yet."""
    wire = {
        "id": "ext-1",
        "status": "COMPLETED",
        "file_input": "dfl-1",
        "extract_result": result or RESULT,
        "extract_metadata": {"parse_job_id": "pjb-1", "field_metadata": {"document_metadata": tree or TREE}},
    }
    return Bodies(lambda _: json.dumps(wire | keys).encode())
