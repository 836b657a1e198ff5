"""Reads the bodies of error responses, which quote at most an excerpt of what the service says."""

import json
from collections.abc import Mapping

from llx_mcp.llamacloud.api_key import ApiKey
from llx_mcp.llamacloud.request_context import clean

_MAX_LOCATION_CHARS = 80
_MAX_VALIDATION_ERRORS = 5


def describe_error_body(body: bytes, key: ApiKey) -> str:
    """Describe the body of an error response in one short line.

    Args:
        body: the body, or its beginning.
        key: the key to remove from the text.

    Returns:
        `The service says: "…"` for a `detail` that is text and for a body that is not JSON; the validation errors of
        a `detail` that is a list; an empty string for everything else.
    """
    try:
        detail = _read_detail(body)
    except (ValueError, RecursionError):
        # JSON that was cut off may still hold the rejected input, which must not be quoted.
        is_json = body.lstrip()[:1] in (b"{", b"[")
        return "" if is_json else quote(body.decode(errors="replace"), key)
    if isinstance(detail, str):
        return quote(detail, key)
    return _describe_validation_errors(detail, key) if isinstance(detail, list) else ""


def is_of_service(body: bytes) -> bool:
    """Return whether the service itself wrote the body of an error. The pages of gateways have no `detail`."""
    try:
        return _read_detail(body) is not None
    except (ValueError, RecursionError):
        return False


def _read_detail(body: bytes) -> object:
    """Return `detail` of a JSON object; None where there is none.

    Raises:
        ValueError: the body is not JSON.
        RecursionError: it is nested too deeply.
    """
    decoded = json.loads(body)
    return decoded.get("detail") if isinstance(decoded, dict) else None


def find_invalid_locations(body: bytes, key: ApiKey) -> tuple[str, ...]:
    """Return where FastAPI's validation errors are, such as `query.expand.3`."""
    try:
        detail = _read_detail(body)
    except (ValueError, RecursionError):
        return ()
    locations = [item.get("loc") for item in detail if isinstance(item, dict)] if isinstance(detail, list) else []
    texts = [".".join(map(str, location)) for location in locations if isinstance(location, list)]
    return tuple(clean(text, key, _MAX_LOCATION_CHARS) for text in texts)


def _describe_validation_errors(detail: list[object], key: ApiKey) -> str:
    """Describe FastAPI's list of validation errors, without the rejected input that it repeats."""
    errors = [item for item in detail if isinstance(item, dict)]
    lines = [_describe_validation_error(item, key) for item in errors[:_MAX_VALIDATION_ERRORS]]
    if len(errors) > _MAX_VALIDATION_ERRORS:
        lines.append(f"and {len(errors) - _MAX_VALIDATION_ERRORS} more")
    return "; ".join(lines) + "." if lines else ""


def _describe_validation_error(item: Mapping[str, object], key: ApiKey) -> str:
    loc = item.get("loc")
    part, *names = [str(name) for name in loc] if isinstance(loc, list) and loc else ["request"]
    location = f"{'.'.join(names)} ({part})" if names else part
    message = str(item.get("msg") or "not accepted")
    return f"{clean(location, key, _MAX_LOCATION_CHARS)}: {clean(message, key)}"


def quote(text: str, key: ApiKey) -> str:
    """Return an excerpt of what the service says; empty for an empty text."""
    cleaned = clean(text, key)
    return f'The service says: "{cleaned}"' if cleaned else ""
