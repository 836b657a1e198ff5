"""Which files the service takes, by the ending of the name and by the first bytes.

The list is that of https://developers.llamaindex.ai/llamaparse/general/supported_document_types/ (documents, images
and spreadsheets; audio has no pages and is not extracted from). The size limit is that of its page on limitations.
"""

from collections.abc import Callable, Mapping
from pathlib import PurePath

from llx_mcp.errors import ArgumentError, excerpt

MAX_DOCUMENT_BYTES = 100 * 1000 * 1000
# Enough for every signature below. A PDF may begin with up to 1,024 other bytes.
HEAD_BYTES = 1_024

_DOCUMENTS = (
    "pdf docx doc pptx ppt rtf txt epub 602 abw cgm cwk docm dot dotm hwp key lwp mw mcw pages pbd pptm pot potm potx "
    "sda sdd sdp sdw sgl sti sxi sxw stw sxg uof uop uot vdx vsd vsdm vsdx vor wpd wps xml zabw"
)
_IMAGES = "jpg jpeg png gif bmp tiff tif webp heic heif svg htm html"
_SPREADSHEETS = (
    "xlsx xls csv tsv numbers ods xlsm xlsb xlw dif sylk slk prn et fods uos1 uos2 dbf wk1 wk2 wk3 wk4 wks 123 wq1 wq2 "
    "wb1 wb2 wb3 qpw xlr eth"
)
TYPES = frozenset(f"{_DOCUMENTS} {_IMAGES} {_SPREADSHEETS}".split())
# One picture is one page.
PICTURES = frozenset({"jpg", "jpeg", "png", "gif", "bmp", "webp", "heic", "heif", "svg"})

_ZIP = (b"PK\x03\x04",)
_SIGNATURES: Mapping[str, tuple[bytes, ...]] = {
    "png": (b"\x89PNG\r\n\x1a\n",),
    "jpg": (b"\xff\xd8\xff",),
    "jpeg": (b"\xff\xd8\xff",),
    "gif": (b"GIF87a", b"GIF89a"),
    "bmp": (b"BM",),
    "tiff": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "tif": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "webp": (b"RIFF",),
    **dict.fromkeys(("docx", "pptx", "xlsx", "xlsm", "docm", "pptm", "epub", "ods", "vsdx"), _ZIP),
    # Of Apple's programs. Many a private key has the first of these endings too.
    **dict.fromkeys(("key", "pages", "numbers"), _ZIP),
}
# These may begin like a web page.
_MARKUP = frozenset({"htm", "html", "svg", "xml", "txt", "csv", "tsv"})
_WEB_PAGES = (b"<!doctype html", b"<html")
# What a document of the web is, by what its host says.
_ENDINGS = {
    "application/pdf": "pdf",
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/tiff": "tiff",
    "image/webp": "webp",
    "text/html": "html",
    "text/plain": "txt",
    "text/csv": "csv",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
}
_SHOWN_TYPES = "pdf, docx, pptx, xlsx, csv, txt, html, png, jpg, tiff and others"


def get_type(name: str) -> str:
    """Return the ending of a file's name in lower case, without its dot; empty where there is none."""
    return PurePath(name).suffix.removeprefix(".").lower()


def add_ending(name: str, media_type: str) -> str:
    """Return the name of a document of the web, with an ending of the media type where it has no known one.

    An ending such as .php says nothing of the document.
    """
    ending = _ENDINGS.get(media_type)
    return name if ending is None or get_type(name) in TYPES else f"{name}.{ending}"


def check_type(argument: str, name: str, head: bytes) -> None:
    """Check that the service takes a file.

    Args:
        argument: the argument that gave it.
        name: its name.
        head: its first bytes.

    Raises:
        ArgumentError: its type is unknown, or its content is of another type.
    """
    kind = get_type(name)
    if kind not in TYPES:
        ending = f"of type .{excerpt(kind, 20)}" if kind else "without an ending"
        raise ArgumentError(f"{argument}: a file {ending} is not taken by LlamaExtract. It takes {_SHOWN_TYPES}.")
    has_type: Callable[[bytes], bool] = _is_pdf if kind == "pdf" else _build_check(_SIGNATURES.get(kind, ()))
    is_page = kind not in _MARKUP and head.lstrip().lower().startswith(_WEB_PAGES)
    if is_page or not has_type(head):
        raise ArgumentError(
            f'{argument}: "{excerpt(name, 80)}" is named .{kind}, but its content is something else. Check the file.'
        )


def _is_pdf(head: bytes) -> bool:
    return b"%PDF-" in head


def _build_check(signatures: tuple[bytes, ...]) -> Callable[[bytes], bool]:
    return lambda head: not signatures or head.startswith(signatures)
