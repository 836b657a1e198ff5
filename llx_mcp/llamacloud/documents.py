"""Reads the documents of jobs: the text of their parse jobs, their files, and pictures of their pages."""

from collections.abc import Sequence
from dataclasses import dataclass

import anyio.to_thread

from llx_mcp.errors import BadResponseError, NotFoundError
from llx_mcp.evidence.pages import SourcePage, SourceText
from llx_mcp.evidence.parse_pages import EXPAND, ParsedPages, build_source
from llx_mcp.llamacloud.error_mapping import map_bad_body
from llx_mcp.llamacloud.expand_values import ExpandValues
from llx_mcp.llamacloud.request_context import RequestContext
from llx_mcp.llamacloud.requester import Requester, decode_object
from llx_mcp.llamacloud.urls import build_file_path, build_parse_path, build_screenshot_path, is_allowed_download_url
from llx_mcp.models import FILE_PREFIX
from llx_mcp.scope import DEFAULT_SCOPE, Scope

# LlamaExtract takes files of up to 100 MB.
MAX_FILE_BYTES = 128 * 1024 * 1024
MAX_SCREENSHOT_BYTES = 16 * 1024 * 1024

# What is read of one document: some thousand pages, which take some hundred megabytes of memory meanwhile.
_MAX_WORDS = 2_000_000
_TOO_LONG = f"not read: the pages before it have more than {_MAX_WORDS:,} words"
# Pages that a thread reads before other work runs: some hundredths of a second.
_PAGES_A_STEP = 20
_PNG, _JPEG, _RIFF, _WEBP = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF", b"WEBP"


@dataclass(frozen=True, slots=True)
class DownloadedFile:
    """A file of the service.

    Attributes:
        name: its file name, or its id where the service gives no name.
        project_id: a UUID, or None where the service gives none.
        content: its bytes.
    """

    name: str
    project_id: str | None
    content: bytes


class DocumentClient:
    """Reads documents and their text."""

    def __init__(self, requester: Requester) -> None:
        self._requester = requester
        self._expand_values = ExpandValues()

    async def fetch_parse_pages(
        self, parse_job_id: str, scope: Scope = DEFAULT_SCOPE, *, max_tries: int | None = None
    ) -> SourceText:
        """Send `GET /api/v2/parse/{parse_job_id}` and return the text of the document.

        A parse job that has not ended, has failed or has no text is no error: `problem` says so. What the answer has
        of another type than documented is taken for absent.

        Args:
            parse_job_id: any text that is not blank; it is percent-encoded.
            scope: project and organization; where they are None, those of the settings, else the key's default.
            max_tries: the most tries of a request; None stands for the default of the retry rules.

        Raises:
            ConfigurationError: there is no usable key or address.
            ArgumentError: the id cannot be sent.
            UpstreamError: there is no answer; the subclass says why.
        """
        path = build_parse_path(parse_job_id)
        scope_parameters = self._requester.build_scope(scope)
        context = self._requester.build_context(subject="the parse job of the document")

        async def send(values: tuple[str, ...]) -> bytes:
            parameters = [*(("expand", value) for value in values), *scope_parameters]
            return await self._requester.fetch_body(path, parameters, context, max_tries)

        body = await self._expand_values.fetch(EXPAND, send)
        parsed = await _split_pages(body, context)
        if parsed.problem:
            return SourceText(problem=parsed.problem)
        return build_source(await _read_pages(parsed))

    async def fetch_document(self, file_id: str, scope: Scope = DEFAULT_SCOPE) -> DownloadedFile:
        """Send `GET /api/v1/beta/files/{file_id}`, and download the file.

        Raises:
            ConfigurationError: there is no usable key or address.
            ArgumentError: the id cannot be sent.
            UpstreamError: there is no document; the subclass says why.
        """
        body = await self._requester.fetch_body(
            build_file_path(file_id), self._requester.build_scope(scope), self._build_file_context()
        )
        file = decode_object(body)
        if str(file.get("id", file_id)).removeprefix(FILE_PREFIX) != file_id.removeprefix(FILE_PREFIX):
            raise BadResponseError("The service sent another file than the one that was requested. Try again later.")
        content = await self.fetch_content(file_id, scope)
        project_id = file.get("project_id")
        return DownloadedFile(str(file.get("name") or file_id), str(project_id) if project_id else None, content)

    async def fetch_content(self, file_id: str, scope: Scope = DEFAULT_SCOPE, *, max_tries: int | None = None) -> bytes:
        """Send `GET /api/v1/beta/files/{file_id}/content`, and download the file from the URL that it gives.

        The key is not sent to that URL, which must be https, or on the host of the service itself.

        Raises:
            ConfigurationError: there is no usable key or address.
            ArgumentError: the id cannot be sent.
            UpstreamError: there is no document, or it is too large; the subclass says why.
        """
        context = self._build_file_context()
        path = f"{build_file_path(file_id)}/content"
        body = await self._requester.fetch_body(path, self._requester.build_scope(scope), context, max_tries)
        url = decode_object(body).get("url")
        if not isinstance(url, str) or not is_allowed_download_url(url, context.base_url):
            raise BadResponseError("The service gave no https URL to download the document from.")
        return await self._requester.download(url, context, max_tries, MAX_FILE_BYTES)

    async def fetch_screenshot(
        self, file_id: str, page_index: int, scope: Scope = DEFAULT_SCOPE, *, max_tries: int | None = None
    ) -> bytes | None:
        """Send `GET /api/v1/files/{file_id}/page_screenshots/{page_index}` and return a PNG, JPEG or WebP image.

        Args:
            file_id: id of the file, as jobs have it.
            page_index: index of the page, from 0.
            scope: as for `fetch_parse_pages`.
            max_tries: as for `fetch_parse_pages`.

        Returns:
            The image; None where the service has none of this page.

        Raises:
            ConfigurationError: there is no usable key or address.
            ArgumentError: the id cannot be sent.
            UpstreamError: the request failed in another way; the subclass says why.
        """
        path = build_screenshot_path(file_id, page_index)
        context = self._requester.build_context(subject="the picture of the page")
        try:
            image = await self._requester.fetch_body(
                path, self._requester.build_scope(scope), context, max_tries, MAX_SCREENSHOT_BYTES
            )
        except NotFoundError:
            return None
        if not image.startswith((_PNG, _JPEG)) and (image[:4], image[8:12]) != (_RIFF, _WEBP):
            raise BadResponseError("The service sent something else than a PNG, JPEG or WebP picture of the page.")
        return image

    def _build_file_context(self) -> RequestContext:
        return self._requester.build_context(subject="the source file")


async def _split_pages(body: bytes, context: RequestContext) -> ParsedPages:
    try:
        return await anyio.to_thread.run_sync(ParsedPages, body)
    except (ValueError, RecursionError) as exc:
        # The text names the position and the kind of error and does not quote the body.
        reason = str(exc)
    raise map_bad_body(body, reason, context)


async def _read_pages(parsed: ParsedPages) -> list[SourcePage]:
    """Decode all pages, a few at a time, in a thread: a large document must not hold up other requests."""

    def read(numbers: Sequence[int]) -> list[SourcePage]:
        return [parsed.read_page(number) for number in numbers]

    pages: list[SourcePage] = []
    num_words = 0
    for start in range(0, len(parsed.numbers), _PAGES_A_STEP):
        numbers = parsed.numbers[start : start + _PAGES_A_STEP]
        if num_words > _MAX_WORDS:
            pages += [SourcePage(number, problem=_TOO_LONG) for number in numbers]
            continue
        found = await anyio.to_thread.run_sync(read, numbers)
        num_words += sum(len(page.words) for page in found)
        pages += found
    return pages
