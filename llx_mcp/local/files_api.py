"""The endpoints of files: upload, get, list, delete, content and page screenshots."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TypedDict
from uuid import UUID

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from llx_mcp.local.endpoints import DO_NOT_RETRY, ApiContext, build_route, is_in_project
from llx_mcp.local.file_queries import filter_files, sort_files, sort_files_by_list
from llx_mcp.local.file_store import StoredFile
from llx_mcp.local.page_tokens import slice_page
from llx_mcp.local.request_models import (
    FileContentQuery,
    FileFilter,
    FileQuery,
    FileQueryBody,
    ScopeQuery,
    parse_body,
    parse_query,
    parse_uuid,
    validation_error,
)
from llx_mcp.local.screenshots import PageRenderer, ScreenshotError
from llx_mcp.local.seeding import PROJECT_ID
from llx_mcp.local.signed_urls import is_signature_valid, sign_path
from llx_mcp.local.timestamps import format_time
from llx_mcp.models import FILE_PREFIX

FILES_PATH = "/api/v1/beta/files"
# URLs under this path are signed and need no API key, like those of the service's storage.
CONTENT_PATH = "/_files"
DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1_000
URL_LIFETIME_SECONDS = 3_600

_MAX_URL_LIFETIME_SECONDS = 7 * 86_400
_SCREENSHOTS_PATH = "/api/v1/files/{id}/page_screenshots"


class PresignedUrl(TypedDict):
    """A URL that needs no API key and expires."""

    url: str
    expires_at: str
    form_fields: None


class FileDescription(TypedDict):
    """A file as the service describes it."""

    id: str
    name: str
    external_file_id: str | None
    file_type: str | None
    project_id: str
    last_modified_at: str
    expires_at: None
    purpose: str | None
    download_url: PresignedUrl | None


def build_file_routes(context: ApiContext, renderer: PageRenderer, secret: bytes) -> list[Route]:
    """Build the routes of files.

    Args:
        context: The store and the clock.
        renderer: Renders page screenshots; the caller closes it.
        secret: Signs the URLs of contents.
    """
    api = _FilesApi(context, renderer, secret)
    page_path = f"{_SCREENSHOTS_PATH}/{{page_index}}"
    signed_page_path = f"{CONTENT_PATH}/{{file_id}}/pages/{{page_index}}"
    return [
        build_route("POST", FILES_PATH, api.upload),
        build_route("GET", FILES_PATH, api.list),
        build_route("POST", f"{FILES_PATH}/query", api.query),
        build_route("GET", f"{FILES_PATH}/{{file_id}}/content", api.get_content_url),
        build_route("GET", f"{FILES_PATH}/{{file_id}}", api.get),
        build_route("DELETE", f"{FILES_PATH}/{{file_id}}", api.delete),
        build_route("GET", _SCREENSHOTS_PATH, api.list_screenshots),
        build_route("GET", page_path, api.get_screenshot),
        build_route("POST", f"{page_path}/presigned_url", api.create_screenshot_url),
        build_route("GET", f"{CONTENT_PATH}/{{file_id}}", api.download, requires_key=False),
        build_route("GET", signed_page_path, api.download_screenshot, requires_key=False),
    ]


class _FilesApi:
    def __init__(self, context: ApiContext, renderer: PageRenderer, secret: bytes) -> None:
        self._files = context.store.files
        self._clock = context.clock
        self._secret = secret
        self._renderer = renderer

    async def upload(self, request: Request) -> Response:
        scope = parse_query(request, ScopeQuery)
        async with request.form() as form:
            file, purpose, external_id = form.get("file"), form.get("purpose"), form.get("external_file_id")
            if not isinstance(purpose, str):
                raise validation_error("missing", ["body", "purpose"], "Field required", None)
            if not isinstance(file, UploadFile):
                raise validation_error("missing", ["body", "file"], "Field required", None)
            if not file.filename or not file.size:
                raise HTTPException(400, "The file has no name" if file.size else "The file is empty")
            stored = await run_in_threadpool(
                self._files.put_file,
                file.file,
                file.filename,
                self._clock(),
                project_id=str(scope.project_id or PROJECT_ID),
                purpose=purpose,
                external_file_id=external_id if isinstance(external_id, str) else None,
            )
        return JSONResponse(self._describe(stored, request, ()), 201)

    async def get(self, request: Request) -> Response:
        query = parse_query(request, FileQuery)
        file = await self._find(request, "file_id", query)
        return JSONResponse(self._describe(file, request, query.expand))

    async def list(self, request: Request) -> Response:
        query = parse_query(request, FileQuery)
        file_filter = FileFilter(
            file_name=query.file_name,
            file_ids=query.file_ids,
            external_file_id=query.external_file_id,
            project_id=query.project_id,
        )
        files = sort_files(await self._filter(file_filter), query.order_by)
        size = query.page_size or DEFAULT_PAGE_SIZE
        page, token = slice_page(files, query.page_token, size, ["query", "page_token"])
        return self._render_page(page, token, request, query.expand)

    async def query(self, request: Request) -> Response:
        """The deprecated way to list files, by POST."""
        scope = parse_query(request, ScopeQuery)
        body = await parse_body(request, FileQueryBody)
        file_filter = body.filter or FileFilter()
        file_filter = file_filter.model_copy(update={"project_id": file_filter.project_id or scope.project_id})
        files = sort_files_by_list(await self._filter(file_filter), body.order_by)
        size = min(body.page_size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
        page, token = slice_page(files, body.page_token, size, ["body", "page_token"])
        return self._render_page(page, token, request, ())

    async def _filter(self, file_filter: FileFilter) -> Sequence[StoredFile]:
        return filter_files(await run_in_threadpool(self._files.list_files), file_filter)

    def _render_page(
        self, page: Sequence[StoredFile], token: str | None, request: Request, expand: Sequence[str]
    ) -> Response:
        items = [self._describe(file, request, expand) for file in page]
        return JSONResponse({"items": items, "next_page_token": token, "total_size": None})

    async def delete(self, request: Request) -> Response:
        file = await self._find(request, "file_id", parse_query(request, ScopeQuery))
        await run_in_threadpool(self._files.delete_file, file)
        return Response(status_code=204)

    async def get_content_url(self, request: Request) -> Response:
        query = parse_query(request, FileContentQuery)
        file = await self._find(request, "file_id", query)
        seconds = URL_LIFETIME_SECONDS if query.expires_at_seconds is None else query.expires_at_seconds
        seconds = min(max(seconds, 1), _MAX_URL_LIFETIME_SECONDS)
        return JSONResponse(self._presign(request, f"{CONTENT_PATH}/{file.file_uuid}", seconds))

    async def list_screenshots(self, request: Request) -> Response:
        file = await self._find(request, "id", parse_query(request, ScopeQuery))
        with _http_errors():
            sizes = await self._renderer.measure_images(file.sha256, lambda: self._read_content(file))
        return JSONResponse([
            {"page_index": index, "file_id": file.file_uuid, "image_size": size, "metadata": None}
            for index, size in enumerate(sizes)
        ])  # fmt: skip

    async def get_screenshot(self, request: Request) -> Response:
        page_index = _parse_page_index(request)
        file = await self._find(request, "id", parse_query(request, ScopeQuery))
        return await self._render_screenshot(file, page_index)

    async def create_screenshot_url(self, request: Request) -> Response:
        page_index = _parse_page_index(request)
        file = await self._find(request, "id", parse_query(request, ScopeQuery))
        # Rendered now, so that a page that does not exist is refused here.
        await self._render_screenshot(file, page_index)
        path = f"{CONTENT_PATH}/{file.file_uuid}/pages/{page_index}"
        return JSONResponse(self._presign(request, path, URL_LIFETIME_SECONDS))

    async def download(self, request: Request) -> Response:
        file = await self._find_signed(request)
        content = await self._read_content(file)
        return Response(content, media_type="application/pdf" if _get_extension(file) == "pdf" else None)

    async def download_screenshot(self, request: Request) -> Response:
        file = await self._find_signed(request)
        return await self._render_screenshot(file, _parse_page_index(request))

    async def _render_screenshot(self, file: StoredFile, page_index: int) -> Response:
        with _http_errors():
            image = await self._renderer.render_page(file.sha256, page_index, lambda: self._read_content(file))
        if image is None:
            raise HTTPException(404, f"Page {page_index} of file {file.file_id!r} not found")
        return Response(image, media_type="image/png")

    async def _find(self, request: Request, parameter: str, scope: ScopeQuery) -> StoredFile:
        file_id: str = request.path_params[parameter]
        if not file_id.startswith(FILE_PREFIX):
            file_id = str(parse_uuid(file_id, ["path", parameter]))
        file = await run_in_threadpool(self._files.get_file, file_id)
        if file is None or not is_in_project(file.project_id, scope.project_id):
            raise HTTPException(404, f"File {file_id!r} not found")
        return file

    async def _find_signed(self, request: Request) -> StoredFile:
        if not is_signature_valid(self._secret, request.url.path, request.query_params, self._clock()):
            raise HTTPException(403, "The URL has expired or its signature is wrong. Request a new URL.")
        return await self._find(request, "file_id", ScopeQuery())

    async def _read_content(self, file: StoredFile) -> bytes:
        content = await run_in_threadpool(self._files.get_content, file)
        if content is None:
            raise HTTPException(404, f"File {file.file_id!r} not found")
        return content

    def _presign(self, request: Request, path: str, lifetime_seconds: int) -> PresignedUrl:
        expires = self._clock() + timedelta(seconds=lifetime_seconds)
        url = request.url.replace(path=path, query=sign_path(self._secret, path, expires), fragment="")
        return {"url": str(url), "expires_at": format_time(expires), "form_fields": None}

    def _describe(self, file: StoredFile, request: Request, expand: Sequence[str]) -> FileDescription:
        path = f"{CONTENT_PATH}/{file.file_uuid}"
        return {
            "id": file.file_id,
            "name": file.name,
            "external_file_id": file.external_file_id,
            "file_type": _get_extension(file),
            "project_id": str(UUID(file.project_id)),
            "last_modified_at": format_time(file.created),
            "expires_at": None,
            "purpose": file.purpose,
            "download_url": self._presign(request, path, URL_LIFETIME_SECONDS) if "download_url" in expand else None,
        }


@contextmanager
def _http_errors() -> Iterator[None]:
    """Turn errors of the renderer into HTTP errors that the clients do not retry."""
    try:
        yield
    except ScreenshotError as exc:
        raise HTTPException(422, str(exc), DO_NOT_RETRY) from None


def _parse_page_index(request: Request) -> int:
    text = request.path_params["page_index"]
    try:
        return int(text)
    except ValueError:
        message = "Input should be a valid integer, unable to parse string as an integer"
        raise validation_error("int_parsing", ["path", "page_index"], message, text) from None


def _get_extension(file: StoredFile) -> str | None:
    _, dot, extension = file.name.rpartition(".")
    return extension.lower() if dot and extension else None
