"""The document of a new job: read on this machine or downloaded, found at the service, and uploaded."""

from datetime import timedelta
from typing import TYPE_CHECKING

import anyio.to_thread

from llx_mcp.errors import RejectedError, UnavailableError
from llx_mcp.jobs.creation_plan import CreationRequest, FoundDocument
from llx_mcp.jobs.fetcher import JobFetcher
from llx_mcp.jobs.local_documents import LocalDocument, build_web_document, open_unchanged, read_document
from llx_mcp.models import PARSE_JOB_PREFIX

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from llx_mcp.jobs.paced_requests import PacedRequests
    from llx_mcp.scope import Scope

# The service deletes an uploaded file after 48 hours. A job of the last day is found by its file, so a file is used
# again only while it has a day left.
_NEEDED_LIFETIME = timedelta(hours=25)


class DocumentFinder:
    """Reads, finds and uploads documents."""

    def __init__(self, fetcher: JobFetcher, folders: "Sequence[Path]") -> None:
        self._fetcher = fetcher
        self._folders = folders

    async def read(self, request: CreationRequest, requests: "PacedRequests") -> LocalDocument | None:
        """Return the file or the download of a request; None for a document of the service.

        Raises:
            ArgumentError: it cannot be used; the message names the argument.
            UnreachableError: it cannot be downloaded.
        """
        if request.file:
            return await anyio.to_thread.run_sync(read_document, request.file, self._folders)
        if request.url:
            found = await requests.download(request.url)
            build = build_web_document
            return await anyio.to_thread.run_sync(build, request.url, found.name, found.media_type, found.content)
        return None

    async def find(
        self, request: CreationRequest, local: LocalDocument | None, requests: "PacedRequests"
    ) -> FoundDocument:
        """Find a document at the service.

        Raises:
            LlxError: the service cannot be asked, or has no such document.
        """
        if local is not None:
            return await self.find_again(
                FoundDocument(local, local.name, local.external_id, (), None), request.scope, requests
            )
        document_id = request.document_id or ""
        if document_id.startswith(PARSE_JOB_PREFIX):
            return FoundDocument(None, document_id, document_id, (document_id,), document_id)
        try:
            file = await requests.send(lambda creation: creation.fetch_file(document_id, request.scope))
        except RejectedError:
            # The endpoint of files may not take every form of an id that the endpoint of jobs takes.
            return FoundDocument(None, document_id, document_id, (document_id,), document_id)
        return FoundDocument(None, file.name, file.external_id or document_id, (document_id,), document_id)

    async def find_again(self, found: FoundDocument, scope: "Scope", requests: "PacedRequests") -> FoundDocument:
        """Return what the service has of a document now.

        Raises:
            LlxError: the service cannot be asked.
        """
        if found.local is None:
            return found
        files = await requests.send(lambda creation: creation.find_files(found.content_id, scope))
        until = self._fetcher.service_now() + _NEEDED_LIFETIME
        usable = [file.id for file in files if file.expires_at is None or file.expires_at > until]
        ids = tuple(dict.fromkeys([*usable, *(file.id for file in files)]))
        return FoundDocument(found.local, found.name, found.content_id, ids, usable[0] if usable else None)

    async def upload(self, found: FoundDocument, scope: "Scope", requests: "PacedRequests") -> str:
        """Return the id of a document at the service. It is uploaded if it has none yet.

        Raises:
            ArgumentError: the file has changed since it was read.
            LlxError: it cannot be uploaded.
        """
        local = found.local
        if found.usable_file is not None or local is None:
            return found.usable_file or ""
        try:
            with open_unchanged(local, self._folders) as stream:
                file = await requests.send(
                    lambda creation: creation.upload(stream, local.name, local.external_id, scope)
                )
        except (RejectedError, UnavailableError):
            # The service may refuse another file of the same external id. One that it will delete soon still serves.
            if not found.files:
                raise
            return found.files[0]
        return file.id
