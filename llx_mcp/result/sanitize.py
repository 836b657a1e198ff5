r"""Makes invisible characters in text from a document visible.

A model reads characters that people cannot see: bidirectional controls, zero-width characters, "tag" characters,
fillers, C1 controls, lone surrogates. They are replaced by visible escapes such as `\u202e`. C0 controls are left as
they are, because JSON escapes them.
"""

import json
import re
from typing import Any

INVISIBLE = re.compile(
    "[\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ud800-\udfff\ufe00-\ufe0e\ufeff\uffa0\ufff9-\ufffb\ufffe\uffff\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_encode = _encoder.encode
_CONTROLS = re.compile(r"[\x00-\x1f]+")


def sanitize_text(text: str) -> str:
    """Return the text with each invisible character replaced by its escape."""
    return INVISIBLE.sub(lambda match: _escape(match.group()), text)


def sanitize_line(text: str, max_chars: int) -> str:
    """Return the text as one visible line of at most `max_chars` characters; a cut text ends in `…`."""
    line = " ".join(sanitize_text(_CONTROLS.sub(" ", text[: max_chars * 4])).split())
    return line if len(line) <= max_chars and len(text) <= max_chars * 4 else line[: max_chars - 1] + "…"


def sanitize_json(value: Any) -> Any:
    """Return the value with all strings and names sanitized; the same object if there is nothing to replace."""
    return _sanitize_tree(value) if INVISIBLE.search(dump_json(value)) else value


def dump_json(value: Any) -> str:
    r"""Return the value as compact JSON without `\u` escapes; sizes in a budget are measured in this form."""
    return _encode(value)


def format_value(value: Any) -> str:
    """Return a string as it is, and any other value as compact JSON."""
    return value if isinstance(value, str) else _encode(value)


def begin_json(value: Any, max_chars: int) -> str:
    """Return the first `max_chars` characters of a value as compact JSON; a cut text ends in `…`."""
    text = ""
    # Only as much of a large value is encoded as is shown.
    for chunk in _encoder.iterencode(value):
        text += chunk
        if len(text) > max_chars:
            return f"{text[:max_chars]}…"
    return text


def truncate(value: Any, max_chars: int) -> Any:
    """Return a string cut to `max_chars` characters plus the number left out; other values are returned unchanged."""
    if not isinstance(value, str) or len(value) <= max_chars:
        return value
    return f"{value[:max_chars]}…[+{len(value) - max_chars}]"


def _sanitize_tree(value: Any) -> Any:
    if isinstance(value, str):
        return sanitize_text(value)
    if isinstance(value, dict):
        return {sanitize_text(name): _sanitize_tree(child) for name, child in value.items()}
    if isinstance(value, list):
        return [_sanitize_tree(child) for child in value]
    return value


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\u{{{code:x}}}"
