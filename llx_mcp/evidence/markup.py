"""Takes out of a quote what a parser's Markdown adds: tables, emphasis, links, HTML and LaTeX."""

import html
import re
import unicodedata

_HAS_MARKUP = re.compile(r"[\\*_`#|<>&$^~\[{]")
_TAGS = (
    "a|abbr|b|blockquote|br|caption|center|code|col|colgroup|dd|del|div|dl|dt|em|figcaption|figure|font|h[1-6]|hr|i|"
    "img|ins|kbd|li|mark|ol|p|pre|q|s|small|span|strike|strong|table|tbody|td|tfoot|th|thead|tr|tt|u|ul"
)
_TAG = re.compile(rf"</?(?:{_TAGS})(?:\s[^<>]{{0,500}})?/?>|<!--.{{0,500}}?-->", re.IGNORECASE)
_GLUED_TAG = re.compile(r"</?(?:sub|sup|wbr)\s*/?>", re.IGNORECASE)
_LINK = re.compile(
    r"!?\[([^\[\]]{0,500})\]\([^()\s]{0,500}(?:\([^()\s]{0,100}\)[^()\s]{0,100})?(?:\s+\"[^\"]{0,200}\")?\)"
)
_FOOTNOTE = re.compile(r"\[\^([\w-]{1,20})\]")
_EMPHASIS = re.compile(r"\*+|`+|~~+|(?<!\\)(?<![^\W_])_+|(?<!\\)_+(?![^\W_])")
_COMMAND = re.compile(r"\\([A-Za-z]{1,24})\*?")
_ESCAPE = re.compile(r"\\([^A-Za-z0-9\s])")
# The standard library does not read references to characters with thousands of digits.
_LONG_ENTITY = re.compile(r"&#[0-9]{8,}")
# LaTeX commands for spaces inside numbers, and for braces that only group.
_GROUPED_COMMA = re.compile(r"\{([.,])\}|(?<=\d)\\[,;:! ](?=\d)")
_CHARACTERS = {"percent": "%", "degree": "°", "ss": "ß", "ldots": "…", "dots": "…", "euro": "€", "pounds": "£"}
_SPACES = frozenset({"quad", "qquad", "newline", "hline", "hfill", "par", "item", "cr", "tabularnewline"})


def strip_markup(text: str) -> str:
    """Return a text without Markdown, HTML and LaTeX; the same text where it has none."""
    if not _HAS_MARKUP.search(text):
        return text
    text = _GLUED_TAG.sub("", html.unescape(_LONG_ENTITY.sub(" ", text)))
    text = _LINK.sub(r"\1", _TAG.sub(" ", text))
    text = _GROUPED_COMMA.sub(r"\1", _FOOTNOTE.sub(r"\1", text))
    text = _COMMAND.sub(_replace_command, _EMPHASIS.sub("", text).replace("}{", "} {"))
    text = _ESCAPE.sub(r"\1", text)
    return text.translate(_DROPPED)


_DROPPED = str.maketrans({"|": " ", "#": " ", "$": None, "^": None, "{": None, "}": None, "\\": " "})


def _replace_command(match: re.Match[str]) -> str:
    """Return the character that a LaTeX command stands for; most commands only format what follows."""
    name = match[1]
    if name in _SPACES:
        return " "
    return _CHARACTERS.get(name) or _find_greek(name)


def _find_greek(name: str) -> str:
    size = "CAPITAL" if name[0].isupper() else "SMALL"
    try:
        return unicodedata.lookup(f"GREEK {size} LETTER {name.upper().replace('LAMBDA', 'LAMDA').removeprefix('VAR')}")
    except KeyError:
        return ""
