"""The limit on the size of request bodies."""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# The service takes files of up to 100 MB.
DEFAULT_UPLOAD_BYTES = 100_000_000
MAX_JSON_BYTES = 4_000_000
# A multipart body is larger than its file: boundaries, headers and the other fields.
_MULTIPART_BYTES = 100_000


class BodyLimitMiddleware:
    """Refuses bodies that are too large with 413, at the latest when too many bytes have arrived."""

    def __init__(self, app: ASGIApp, upload_path: str, max_upload_bytes: int) -> None:
        """Wrap an application.

        Args:
            app: The application. It must answer an HTTPException from `receive`.
            upload_path: The path of uploads. Every other body is JSON, of at most 4 MB.
            max_upload_bytes: The maximum size of an uploaded file.
        """
        self._app = app
        self._upload_path = upload_path
        self._max_upload_bytes = max_upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        max_bytes, detail = self._get_limit(scope["path"])
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared[:20]) > max_bytes:
            await JSONResponse({"detail": detail}, 413)(scope, receive, send)
            return
        num_received = 0

        async def receive_counted() -> Message:
            nonlocal num_received
            message = await receive()
            num_received += len(message.get("body", b""))
            if num_received > max_bytes:
                raise HTTPException(413, detail)
            return message

        await self._app(scope, receive_counted, send)

    def _get_limit(self, path: str) -> tuple[int, str]:
        if path.rstrip("/") == self._upload_path:
            limit = self._max_upload_bytes
            detail = f"The file is larger than {limit / 1e6:g} MB. The server's flag --max-upload-mb allows more."
            return limit + _MULTIPART_BYTES, detail
        return MAX_JSON_BYTES, f"The body is larger than {MAX_JSON_BYTES / 1e6:g} MB"
