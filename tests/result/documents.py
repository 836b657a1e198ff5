"""Builds documents and metadata for tests."""

import json
from typing import Any

import msgspec

from llx_mcp.result.document import STRUCT_MIN_BYTES, Document, read_document


def build_entry(confidence: Any, page: Any, quote: str, **keys: Any) -> dict[str, Any]:
    """The metadata entry of a value with one citation."""
    return {"confidence": confidence, "citation": [{"page": page, "matching_text": quote}]} | keys


def build_document(result: Any, metadata: Any, struct_min_bytes: int = STRUCT_MIN_BYTES) -> Document:
    """The document of a result and its `extract_metadata`."""
    raw = None if metadata is None else msgspec.Raw(json.dumps(metadata).encode())
    return read_document(result, raw, struct_min_bytes=struct_min_bytes)


def build_metadata(tree: Any) -> dict[str, Any]:
    """The `extract_metadata` of an object result with this tree."""
    return {"field_metadata": {"document_metadata": tree}}
