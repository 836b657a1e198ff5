"""What the body of an error says, in one readable and bounded line."""

import json
from typing import Any

from llx_mcp.errors import excerpt
from llx_mcp.llamacloud.api_key import ApiKey

_MOST_FAULTS = 5
_PLACE_CHARS = 80
_SAID_CHARS = 160


def describe_body(body: bytes, key: ApiKey) -> str:
    """`It says: "…"` for a `detail` that is text or a body that is no JSON; a list of faults in words; else nothing.

    Args:
        body: of an answer that is not 200; at most its beginning.
        key: is kept out of what is returned.
    """
    try:
        decoded = json.loads(body)
    except (ValueError, RecursionError):
        # JSON that was cut off still holds the input that the service repeats.
        is_json = body.lstrip()[:1] in (b"{", b"[")
        return "" if is_json else quote_text(body.decode(errors="replace"), key)
    detail = decoded.get("detail") if isinstance(decoded, dict) else None
    if isinstance(detail, str):
        return quote_text(detail, key)
    return _describe_faults(detail, key) if isinstance(detail, list) else ""


def quote_text(text: str, key: ApiKey) -> str:
    """A foreign text as `It says: "…"`, or nothing where nothing of it can be shown."""
    said = clean(text, key)
    return f'It says: "{said}"' if said else ""


def clean(text: str, key: ApiKey, max_chars: int = _SAID_CHARS) -> str:
    """A clean, bounded excerpt of a foreign text, without the key."""
    return excerpt(key.redact(text), max_chars)


def _describe_faults(detail: list[Any], key: ApiKey) -> str:
    """FastAPI's list of faults, one readable line each; never the input that it repeats."""
    faults = [item for item in detail if isinstance(item, dict)]
    lines = [_describe_fault(item, key) for item in faults[:_MOST_FAULTS]]
    if len(faults) > _MOST_FAULTS:
        lines.append(f"and {len(faults) - _MOST_FAULTS} more")
    return "; ".join(lines) + "." if lines else ""


def _describe_fault(item: dict[str, Any], key: ApiKey) -> str:
    loc = item.get("loc")
    place, *names = [str(part) for part in loc] if isinstance(loc, list) and loc else ["request"]
    where = f"{'.'.join(names)} ({place})" if names else place
    return f"{clean(where, key, _PLACE_CHARS)}: {clean(str(item.get('msg') or 'not accepted'), key)}"
