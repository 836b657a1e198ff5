"""Values of the sections of jobs, decoded and encoded one by one."""

from collections.abc import Mapping
from typing import Any

import msgspec

from llx_mcp.raw_json import decode_or_none

NULL = msgspec.Raw(b"null")


def encode_value(value: object) -> msgspec.Raw:
    """Encode a value as a section."""
    return msgspec.Raw(msgspec.json.encode(value))


def decode_object(raw: msgspec.Raw | None) -> Mapping[str, Any]:
    """Decode an object; an empty one for anything else."""
    value = decode_or_none(raw)
    return value if isinstance(value, dict) else {}
