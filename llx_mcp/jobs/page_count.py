"""Counts the pages of a document on this machine, as far as that is cheap."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread

from llx_mcp.errors import ArgumentError, excerpt
from llx_mcp.jobs.document_types import PICTURES, get_type
from llx_mcp.jobs.local_documents import LocalDocument, open_unchanged
from llx_mcp.pdf.processes import PdfError, PdfProcesses

# In the words of `llx_mcp.pdf`.
_PROTECTED = "encrypted"
_DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class PageCount:
    """What is known of the pages of a document.

    Attributes:
        pages: their number; None where it is not known.
        is_damaged: whether it is a PDF that pdfium cannot open. The service may still read it.
    """

    pages: int | None
    is_damaged: bool = False


class PageCounter:
    """Counts pages: of a PDF with pdfium, in a process of its own; a picture is one page."""

    def __init__(self, processes: PdfProcesses, folders: Sequence[Path]) -> None:
        self._processes = processes
        self._folders = folders

    async def count(self, document: LocalDocument) -> PageCount:
        """Return the number of pages, as far as it is known.

        Raises:
            ArgumentError: the document has changed, or cannot be read without a password.
        """
        kind = get_type(document.name)
        if kind in PICTURES:
            return PageCount(1)
        if kind != "pdf":
            return PageCount(None)
        content = await anyio.to_thread.run_sync(self._read, document)
        try:
            return PageCount(await self._processes.count_pages(content))
        except PdfError as exc:
            reason = str(exc)
        if _PROTECTED in reason:
            argument = "file" if document.content is None else "url"
            raise ArgumentError(
                f'{argument}: "{excerpt(document.name, 80)}" is protected by a password, and LlamaExtract cannot read '
                "it. Save it without the password."
            )
        return PageCount(None, is_damaged=_DAMAGED in reason)

    def _read(self, document: LocalDocument) -> bytes:
        with open_unchanged(document, self._folders) as stream:
            return stream.read()
