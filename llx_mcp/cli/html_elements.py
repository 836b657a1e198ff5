"""Builds HTML in which every text is inert: escaped, with control and invisible characters made visible."""

import re
from collections.abc import Iterable
from html import escape

from llx_mcp.result.sanitize import sanitize_text

# A line break and a tab are shown as they are.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f]")
_VOID = frozenset({"br", "img", "link", "meta"})


class Markup(str):
    """HTML. Every other string is text, and is escaped where it becomes part of an element."""

    __slots__ = ()


def to_markup(text: str) -> Markup:
    """Return a text as HTML that shows it."""
    if isinstance(text, Markup):
        return text
    visible = _CONTROLS.sub(lambda match: f"\\u{ord(match.group()):04x}", sanitize_text(text))
    return Markup(escape(visible))


def element(name: str, *children: str, **attributes: str | int | None) -> Markup:
    """Build an element.

    Args:
        name: the name of the element.
        children: texts, which are escaped, and elements.
        attributes: its attributes; `class_` is `class`, and `aria_label` is `aria-label`. None leaves one out.
    """
    shown = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{to_markup(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Markup(f"<{name}{shown}>")
    return Markup(f"<{name}{shown}>{join(children)}</{name}>")


def join(children: Iterable[str], separator: str = "") -> Markup:
    """Join texts, which are escaped, and elements."""
    return Markup(separator.join(map(to_markup, children)))


def document_text(text: str, class_: str | None = None) -> Markup:
    """Return a text from a document as an element of its own, so that its writing direction changes nothing around."""
    return element("bdi", text, class_=class_)
