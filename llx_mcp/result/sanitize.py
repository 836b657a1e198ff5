"""Text from a document, made safe to look at.

Characters that a person cannot see but a model reads (bidirectional controls, zero-width characters,
"tag" characters, fillers, C1 controls, lone surrogates) are replaced by their visible escape `\\u202e`.
C0 controls need none here: JSON escapes them wherever such a text is written.
"""

import json
import re
from typing import Any

INVISIBLE = re.compile(
    "[\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ud800-\udfff\ufe00-\ufe0e\ufeff\uffa0\ufff9-\ufffb\ufffe\uffff\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_CONTROLS = re.compile(r"[\x00-\x1f]+")


def sanitize_text(text: str) -> str:
    """The text with each invisible character as its escape."""
    return INVISIBLE.sub(lambda match: _escape(match.group()), text)


def sanitize_line(text: str, max_chars: int) -> str:
    """The text in one visible line of at most `max_chars` characters; a cut ends in `…`."""
    line = " ".join(sanitize_text(_CONTROLS.sub(" ", text[: max_chars * 4])).split())
    return line if len(line) <= max_chars and len(text) <= max_chars * 4 else line[: max_chars - 1] + "…"


def sanitize_json(value: Any) -> Any:
    """The value with every string and name made visible; the same object where nothing is hidden."""
    return _visible_tree(value) if INVISIBLE.search(dump_json(value)) else value


def dump_json(value: Any) -> str:
    """Compact JSON without `\\u` escapes, as the structured form is measured and the text form is written."""
    return _encode(value)


def truncate(value: Any, max_chars: int) -> Any:
    """A long string cut to `max_chars` characters with the number of those left out; other values as they are."""
    if not isinstance(value, str) or len(value) <= max_chars:
        return value
    return f"{value[:max_chars]}…[+{len(value) - max_chars}]"


def _visible_tree(value: Any) -> Any:
    if isinstance(value, str):
        return sanitize_text(value)
    if isinstance(value, dict):
        return {sanitize_text(name): _visible_tree(child) for name, child in value.items()}
    if isinstance(value, list):
        return [_visible_tree(child) for child in value]
    return value


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\u{{{code:x}}}"
