"""The parse job that an extract job names in its metadata."""

from collections.abc import Mapping

import msgspec

from llx_mcp.raw_json import decode_json, split_json

PARSE_JOB_PREFIX = "pjb-"


def read_parse_job_id(sections: Mapping[str, msgspec.Raw]) -> str | None:
    """Return `extract_metadata.parse_job_id` of a job, or None if the job has none. Decodes no other metadata."""
    try:
        metadata = split_json(sections["extract_metadata"])
        value = decode_json(metadata["parse_job_id"])
    except (KeyError, ValueError, RecursionError):
        return None
    return value if isinstance(value, str) else None
