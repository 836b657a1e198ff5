"""The client of the service: one method an endpoint, reading only."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import anyio
import httpx
import stamina

from llx_mcp import __version__
from llx_mcp.errors import ArgumentError, ConfigurationError, excerpt
from llx_mcp.llamacloud.failures import Origin, fault_of_exception, fault_of_status, malformed, too_large
from llx_mcp.llamacloud.retries import AttemptFailed, backoff_of
from llx_mcp.models import Job, MalformedJobError
from llx_mcp.settings import Settings

CONNECT_SECONDS = 5.0
READ_SECONDS = 60.0
# One attempt altogether: a server that sends a byte a minute would never run into the read timeout.
ATTEMPT_SECONDS = 300.0
MAX_TRIES = 6
MAX_RETRY_SECONDS = 90.0

_ERROR_BODY_BYTES = 64 * 1024
_OK = 200


class LlamaCloudClient:
    """Reads extract jobs. Calls are retried as the official clients do: on 408, 409, 429, 5xx and lost connections."""

    def __init__(self, http: httpx.AsyncClient, settings: Settings) -> None:
        self._http = http
        self._settings = settings

    async def fetch_job(
        self,
        job_id: str,
        expand: Sequence[str] = (),
        project_id: str | None = None,
        organization_id: str | None = None,
    ) -> Job:
        """`GET /api/v2/extract/{job_id}`.

        Args:
            job_id: any text that is not blank; it stays within its path segment.
            expand: sections to ask for; without them the service answers null for each.
            project_id: UUID; the setting's, then the key's default where it is None.
            organization_id: UUID, likewise.

        Raises:
            ConfigurationError: there is no key, or one that cannot be sent.
            ArgumentError: the id cannot be sent.
            UpstreamError: no job came of it; which kind says why.
        """
        segment = encode_segment(job_id)
        origin = self._origin(job_id)
        body = await self._get(f"/api/v2/extract/{segment}", self._scope(project_id, organization_id, expand), origin)
        try:
            return Job.parse(body)
        except MalformedJobError as exc:
            raise malformed(body, str(exc), origin) from None

    async def check(self) -> None:
        """Ask for one job of the list, to see that the service is there and takes the key.

        Raises:
            LlxError: it is not, or does not.
        """
        parameters = [("page_size", "1"), *self._scope(None, None, ())]
        await self._get("/api/v2/extract", parameters, self._origin(None))

    async def _get(self, path: str, parameters: list[tuple[str, str]], origin: Origin) -> bytes:
        headers = self._headers()
        url = httpx.URL(f"{self._settings.base_url}{path}", params=parameters)
        try:
            async for attempt in stamina.retry_context(
                on=backoff_of,
                attempts=MAX_TRIES,
                timeout=MAX_RETRY_SECONDS,
                wait_initial=0.5,
                wait_max=8.0,
                wait_jitter=0.5,
            ):
                with attempt:
                    return await self._attempt(url, headers, origin)
        except AttemptFailed as failed:
            # The request that hangs on the foreign exception holds the key.
            raise failed.error from None
        raise AssertionError("a retry context ends with a result or an exception")

    async def _attempt(self, url: httpx.URL, headers: Mapping[str, str], origin: Origin) -> bytes:
        failed: AttemptFailed
        try:
            with anyio.fail_after(ATTEMPT_SECONDS):
                async with self._http.stream("GET", url, headers=headers) as response:
                    if response.status_code == _OK:
                        return await self._read_whole(response, origin)
                    body = await _read_some(response)
                    failed = fault_of_status(response.status_code, response.headers, body, origin)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, TimeoutError) as exc:
            failed = fault_of_exception(exc, origin)
        raise failed

    async def _read_whole(self, response: httpx.Response, origin: Origin) -> bytes:
        most = self._settings.max_body_bytes
        chunks: list[bytes] = []
        size = 0
        async for chunk in response.aiter_bytes():
            size += len(chunk)
            if size > most:
                raise AttemptFailed(too_large(most, origin), is_retryable=False)
            chunks.append(chunk)
        return b"".join(chunks)

    def _headers(self) -> dict[str, str]:
        key = self._key()
        return {
            "Authorization": f"Bearer {key}",
            "Accept": "application/json",
            "User-Agent": f"llx-mcp/{__version__}",
        }

    def _key(self) -> str:
        secret = self._settings.api_key
        key = secret.get_secret_value().strip() if secret else ""
        if not key:
            raise ConfigurationError(
                "No LlamaCloud key is set. Set LLAMA_CLOUD_API_KEY in the environment of this server (in the client's "
                "configuration of it), or start it with --local to read the embedded API without an account."
            )
        if not key.isascii() or not key.isprintable() or " " in key:
            raise ConfigurationError(
                "LLAMA_CLOUD_API_KEY holds characters that no key has, such as a space or a line break. Copy it again."
            )
        return key

    def _scope(
        self, project_id: str | None, organization_id: str | None, expand: Sequence[str]
    ) -> list[tuple[str, str]]:
        scope = {
            "project_id": project_id or self._settings.project_id,
            "organization_id": organization_id or self._settings.organization_id,
        }
        return [("expand", name) for name in expand] + [(name, value) for name, value in scope.items() if value]

    def _origin(self, job_id: str | None) -> Origin:
        return Origin(job_id, self._settings.region_in_words, self._settings.base_url, self._key())


@asynccontextmanager
async def open_client(
    settings: Settings, *, app: Any = None, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator[LlamaCloudClient]:
    """A client with its own connections, closed at the end.

    Args:
        settings: key, address, project and the size of an answer.
        app: an ASGI application to ask in place of the network.
        transport: what carries the requests, in place of the network.
    """
    carrier = httpx.ASGITransport(app) if app is not None else transport
    timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
    # Proxies of the environment are honoured; a redirect could carry the key elsewhere.
    async with httpx.AsyncClient(transport=carrier, timeout=timeout, follow_redirects=False) as http:
        yield LlamaCloudClient(http, settings)


def encode_segment(job_id: str) -> str:
    """The id as one path segment, from which nothing in it can lead out.

    Raises:
        ArgumentError: it is blank, or no text that can be sent.
    """
    if not job_id.strip():
        raise ArgumentError("job_id is empty. Give the id of an extract job, such as ext-0abc….")
    try:
        segment = quote(job_id, safe="")
    except UnicodeEncodeError:
        raise ArgumentError(f"job_id {excerpt(job_id)!r} holds half a character and cannot be sent.") from None
    # Segments of one or two dots alone mean this folder and the one above.
    return segment.replace(".", "%2E") if not segment.strip(".") else segment


async def _read_some(response: httpx.Response) -> bytes:
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > _ERROR_BODY_BYTES:
            break
    return body[:_ERROR_BODY_BYTES]
