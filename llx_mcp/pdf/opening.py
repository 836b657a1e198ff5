"""Opens a PDF, or says why it cannot be opened. Runs in the pdfium process."""

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pypdfium2

# pdfium finds the start of a PDF within this many bytes.
_SIGNATURE_BYTES = 1_024
_REASONS = {
    4: "it is encrypted and needs a password",
    5: "it is encrypted in a way that is not supported",
}


class UnreadableError(Exception):
    """The content cannot be opened or shown. The message gives the reason."""


def is_pdf(content: bytes) -> bool:
    """Whether pdfium would take the content for a PDF."""
    return b"%PDF-" in content[:_SIGNATURE_BYTES]


def open_document(content: bytes) -> "pypdfium2.PdfDocument":
    """Open a PDF.

    Raises:
        UnreadableError: it is none, or pdfium cannot open it.
    """
    import pypdfium2

    if not content:
        raise UnreadableError("it is empty")
    if not is_pdf(content):
        raise UnreadableError("it is not a PDF")
    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as exc:
        raise UnreadableError(_REASONS.get(exc.err_code or 0, "it is damaged")) from None
    # Otherwise pages lack what is filled in.
    with contextlib.suppress(pypdfium2.PdfiumError):
        document.init_forms()
    return document
