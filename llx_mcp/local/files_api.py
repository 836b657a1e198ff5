"""Files and their pages: upload, get, list, delete, content and screenshots."""

import base64
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from llx_mcp.local.endpoints import Service, is_in_project, route
from llx_mcp.local.file_store import FILE_PREFIX, StoredFile
from llx_mcp.local.request_models import ContentQuery, FileQuery, ScopeQuery, invalid, read_query, read_uuid
from llx_mcp.local.screenshots import ScreenshotError, count_pages, draw_page
from llx_mcp.local.seeding import PROJECT_ID
from llx_mcp.local.signed_urls import is_signed, sign

FILES_PATH = "/api/v1/beta/files"
# A signed address needs no key, as those of the service's storage do.
CONTENT_PATH = "/_files"
DEFAULT_PAGE_SIZE = 50
ADDRESS_SECONDS = 3_600

_MAX_ADDRESS_SECONDS = 7 * 86_400
_SCREENSHOTS = "/api/v1/files/{id}/page_screenshots"
_SORTABLE = {"name", "created_at", "last_modified_at", "id", "purpose", "external_file_id"}


def file_routes(service: Service, secret: bytes) -> list[Route]:
    """The routes of files; addresses of contents are signed with the secret."""
    api = _FilesApi(service, secret)
    return [
        route("POST", FILES_PATH, api.upload),
        route("GET", FILES_PATH, api.list),
        route("GET", f"{FILES_PATH}/{{file_id}}/content", api.content),
        route("GET", f"{FILES_PATH}/{{file_id}}", api.get),
        route("DELETE", f"{FILES_PATH}/{{file_id}}", api.delete),
        route("GET", _SCREENSHOTS, api.list_screenshots),
        route("GET", f"{_SCREENSHOTS}/{{page_index}}", api.screenshot),
        route("POST", f"{_SCREENSHOTS}/{{page_index}}/presigned_url", api.screenshot_address),
        route("GET", f"{CONTENT_PATH}/{{file_id}}", api.download, is_open=True),
        route("GET", f"{CONTENT_PATH}/{{file_id}}/pages/{{page_index}}", api.download_page, is_open=True),
    ]


class _FilesApi:
    def __init__(self, service: Service, secret: bytes) -> None:
        self._files = service.store.files
        self._clock = service.clock
        self._secret = secret

    async def upload(self, request: Request) -> Response:
        scope = read_query(request, ScopeQuery)
        async with request.form() as form:
            file, purpose, external = form.get("file"), form.get("purpose"), form.get("external_file_id")
            if not isinstance(purpose, str):
                raise invalid("missing", ["body", "purpose"], "Field required", None)
            if not isinstance(file, UploadFile):
                raise invalid("missing", ["body", "file"], "Field required", None)
            content = await file.read()
            name = file.filename or "file"
        stored = await run_in_threadpool(
            self._files.put_file,
            content,
            name,
            self._clock(),
            project_id=str(scope.project_id or PROJECT_ID),
            purpose=purpose,
            external_file_id=external if isinstance(external, str) else None,
        )
        return JSONResponse(self._describe(stored, request, ()), 201)

    async def get(self, request: Request) -> Response:
        query = read_query(request, FileQuery)
        file = await self._find(request, "file_id", query)
        return JSONResponse(self._describe(file, request, query.expand))

    async def list(self, request: Request) -> Response:
        query = read_query(request, FileQuery)
        held = await run_in_threadpool(self._files.list_files)
        ids = None if query.file_ids is None else {text.removeprefix(FILE_PREFIX).lower() for text in query.file_ids}
        files = [
            file
            for file in held
            if is_in_project(file.project_id, query.project_id)
            and (query.file_name is None or file.name == query.file_name)
            and (query.external_file_id is None or file.external_file_id == query.external_file_id)
            and (ids is None or file.file_uuid in ids or file.file_id.removeprefix(FILE_PREFIX) in ids)
        ]
        files = _sorted(files, query.order_by)
        start = _read_offset(query.page_token)
        end = start + (query.page_size or DEFAULT_PAGE_SIZE)
        token = base64.urlsafe_b64encode(str(end).encode()).decode() if end < len(files) else None
        items = [self._describe(file, request, query.expand) for file in files[start:end]]
        return JSONResponse({"items": items, "next_page_token": token, "total_size": None})

    async def delete(self, request: Request) -> Response:
        file = await self._find(request, "file_id", read_query(request, ScopeQuery))
        await run_in_threadpool(self._files.delete_file, file)
        return Response(status_code=204)

    async def content(self, request: Request) -> Response:
        query = read_query(request, ContentQuery)
        file = await self._find(request, "file_id", query)
        seconds = ADDRESS_SECONDS if query.expires_at_seconds is None else query.expires_at_seconds
        seconds = min(max(seconds, 1), _MAX_ADDRESS_SECONDS)
        return JSONResponse(self._address(request, f"{CONTENT_PATH}/{file.file_uuid}", seconds))

    async def list_screenshots(self, request: Request) -> Response:
        file = await self._find(request, "id", read_query(request, ScopeQuery))
        content = await self._content(file)
        count = await _drawing(count_pages, content)
        sizes = [len(await _drawing(draw_page, content, index)) for index in range(count)]
        return JSONResponse([
            {"page_index": index, "file_id": file.file_uuid, "image_size": size, "metadata": None}
            for index, size in enumerate(sizes)
        ])  # fmt: skip

    async def screenshot(self, request: Request) -> Response:
        page_index = _page_index(request)
        file = await self._find(request, "id", read_query(request, ScopeQuery))
        return await self._picture(file, page_index)

    async def screenshot_address(self, request: Request) -> Response:
        page_index = _page_index(request)
        file = await self._find(request, "id", read_query(request, ScopeQuery))
        await self._picture(file, page_index)
        path = f"{CONTENT_PATH}/{file.file_uuid}/pages/{page_index}"
        return JSONResponse(self._address(request, path, ADDRESS_SECONDS))

    async def download(self, request: Request) -> Response:
        file = await self._signed_file(request)
        content = await self._content(file)
        return Response(content, media_type="application/pdf" if _extension(file) == "pdf" else None)

    async def download_page(self, request: Request) -> Response:
        file = await self._signed_file(request)
        return await self._picture(file, _page_index(request))

    async def _picture(self, file: StoredFile, page_index: int) -> Response:
        picture = await _drawing(draw_page, await self._content(file), page_index)
        if picture is None:
            raise HTTPException(404, f"Page {page_index} of file {file.file_id!r} not found")
        return Response(picture, media_type="image/png")

    async def _find(self, request: Request, name: str, scope: ScopeQuery) -> StoredFile:
        file_id: str = request.path_params[name]
        if not file_id.startswith(FILE_PREFIX):
            file_id = str(read_uuid(file_id, ["path", name]))
        file = await run_in_threadpool(self._files.get_file, file_id)
        if file is None or not is_in_project(file.project_id, scope.project_id):
            raise HTTPException(404, f"File {file_id!r} not found")
        return file

    async def _content(self, file: StoredFile) -> bytes:
        content = await run_in_threadpool(self._files.get_content, file)
        if content is None:
            raise HTTPException(404, f"File {file.file_id!r} not found")
        return content

    async def _signed_file(self, request: Request) -> StoredFile:
        if not is_signed(self._secret, request.url.path, request.query_params, self._clock()):
            raise HTTPException(403, "The address has expired or is not one that was given; ask for a new one")
        return await self._find(request, "file_id", ScopeQuery())

    def _address(self, request: Request, path: str, seconds: int) -> dict[str, Any]:
        expires = self._clock() + timedelta(seconds=seconds)
        query = sign(self._secret, path, expires)
        url = request.url.replace(path=path, query=query, fragment="")
        return {"url": str(url), "expires_at": _time(expires), "form_fields": None}

    def _describe(self, file: StoredFile, request: Request, expand: Sequence[str]) -> dict[str, Any]:
        path = f"{CONTENT_PATH}/{file.file_uuid}"
        return {
            "id": file.file_id,
            "name": file.name,
            "external_file_id": file.external_file_id,
            "file_type": _extension(file),
            "project_id": str(UUID(file.project_id)),
            "last_modified_at": _time(file.created),
            "expires_at": None,
            "purpose": file.purpose,
            "download_url": self._address(request, path, ADDRESS_SECONDS) if "download_url" in expand else None,
        }


async def _drawing(draw: Any, *arguments: Any) -> Any:
    try:
        return await run_in_threadpool(draw, *arguments)
    except ScreenshotError as exc:
        # Asking again does not help, and the official clients would.
        raise HTTPException(501 if exc.is_missing else 422, str(exc), {"x-should-retry": "false"}) from None


def _page_index(request: Request) -> int:
    text = request.path_params["page_index"]
    try:
        return int(text)
    except ValueError:
        message = "Input should be a valid integer, unable to parse string as an integer"
        raise invalid("int_parsing", ["path", "page_index"], message, text) from None


def _extension(file: StoredFile) -> str | None:
    _, dot, extension = file.name.rpartition(".")
    return extension.lower() if dot and extension else None


def _sorted(files: list[StoredFile], order_by: str | None) -> list[StoredFile]:
    for part in reversed((order_by or "").split(",")):
        name, _, direction = part.strip().partition(" ")
        if not name:
            continue
        if name not in _SORTABLE or direction.strip().lower() not in ("", "asc", "desc"):
            message = f"Value error, order by {', '.join(sorted(_SORTABLE))}, each with ' desc' or without"
            raise invalid("value_error", ["query", "order_by"], message, order_by)
        attribute = {"id": "file_id", "created_at": "created", "last_modified_at": "created"}.get(name, name)
        is_descending = direction.strip().lower() == "desc"
        files = sorted(files, key=lambda file, at=attribute: getattr(file, at) or "", reverse=is_descending)  # type: ignore[misc]  # a sort key of one attribute
    return files


def _read_offset(token: str | None) -> int:
    if not token:
        return 0
    try:
        offset = int(base64.urlsafe_b64decode(token.encode()).decode("ascii")[:9])
    except ValueError:
        offset = -1
    if offset < 0:
        raise invalid("value_error", ["query", "page_token"], "Value error, not a token of this list", token)
    return offset


def _time(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
