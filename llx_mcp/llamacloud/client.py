"""The client of the service: one method an endpoint, reading only."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import anyio.to_thread

from llx_mcp.errors import ArgumentError, BadResponseError
from llx_mcp.llamacloud.api_key import ApiKey, read_key
from llx_mcp.llamacloud.error_mapping import Origin, not_a_job
from llx_mcp.llamacloud.retries import try_until_answered
from llx_mcp.llamacloud.transport import Connection
from llx_mcp.llamacloud.urls import (
    FILES_PATH,
    JOBS_PATH,
    build_file_path,
    build_job_path,
    build_url,
    is_signed_address,
)
from llx_mcp.models import Job, JobPage
from llx_mcp.scope import DEFAULT_SCOPE, JobFilter, Scope
from llx_mcp.settings import Settings


@dataclass(frozen=True, slots=True)
class Access:
    """The service was reached and took the key.

    Attributes:
        region: `na`, `eu`, or the host of a service of one's own.
        base_url: where the request went.
    """

    region: str
    base_url: str


@dataclass(frozen=True, slots=True)
class DownloadedFile:
    """A file of the service.

    Attributes:
        project_id: a UUID, where the service names one.
    """

    name: str
    project_id: str | None
    content: bytes


_FILE_PREFIX = "dfl-"
# Parsing more than this would be felt by whoever else is served.
_THREAD_BYTES = 1 << 20


class LlamaCloudClient:
    """Reads extract jobs. Calls are retried as the official clients do: on 408, 409, 429, 5xx and lost connections."""

    def __init__(self, connection: Connection, settings: Settings) -> None:
        self._connection = connection
        self._settings = settings

    @property
    def clock_offset_seconds(self) -> float:
        """How far the service's clock is ahead of this machine's, from the `Date` of its latest answer; 0 without."""
        return self._connection.clock_offset_seconds

    def identity(self) -> str:
        """A digest of key and address, in hex: the same wherever both are the same, and of no use as a key.

        Raises:
            ConfigurationError: there is no key, or one that cannot be sent.
        """
        key = read_key(self._settings).value.encode()
        return hashlib.blake2b(self._settings.base_url.encode(), key=hashlib.sha256(key).digest()).hexdigest()[:32]

    def derive_key(self, purpose: str) -> bytes:
        """A secret for one purpose, 32 bytes, made from key and address; the key cannot be had from it.

        Raises:
            ConfigurationError: there is no key, or one that cannot be sent.
        """
        key = read_key(self._settings).value.encode()
        return hmac.digest(key, f"llx-mcp {purpose}\0{self._settings.base_url}".encode(), "sha256")

    async def fetch_job(
        self,
        job_id: str,
        expand: Sequence[str] = (),
        scope: Scope = DEFAULT_SCOPE,
        *,
        max_tries: int | None = None,
    ) -> Job:
        """`GET /api/v2/extract/{job_id}`.

        Args:
            job_id: any text that is not blank; it stays within its path segment.
            expand: sections to ask for; without them the service answers null for each.
            scope: project and organization; the settings', then the key's default where they are None.
            max_tries: how often to ask at most; None leaves it to the rules for retries.

        Raises:
            ConfigurationError: there is no key, or one that cannot be sent, or no usable address.
            ArgumentError: the id or another argument cannot be sent.
            UpstreamError: no job came of it; which kind says why.
        """
        path = build_job_path(job_id)
        parameters = [*(("expand", name) for name in expand), *self._scope(scope)]
        origin = self._origin(job_id)
        body = await self._get(path, parameters, origin, max_tries)
        try:
            return Job.parse(body) if len(body) < _THREAD_BYTES else await anyio.to_thread.run_sync(Job.parse, body)
        except ValueError as exc:
            # Malformed, or not UTF-8. The text names a place and a kind of fault, never what stood there.
            reason = str(exc)
        raise not_a_job(body, reason, origin)

    async def list_jobs(
        self, wanted: JobFilter, scope: Scope = DEFAULT_SCOPE, *, max_tries: int | None = None
    ) -> JobPage:
        """`GET /api/v2/extract`: one page of the jobs that pass every filter; empty filters are left out.

        Args:
            wanted: the filters and the page.
            scope: as for `fetch_job`.
            max_tries: as for `fetch_job`.

        Raises:
            ConfigurationError: there is no key, or one that cannot be sent, or no usable address.
            ArgumentError: an argument cannot be sent.
            UpstreamError: no list came of it; which kind says why.
        """
        filters = {
            "file_input": wanted.file_input,
            "configuration_id": wanted.configuration_id,
            "created_at_on_or_after": _format_time(wanted.created_since),
            "created_at_on_or_before": _format_time(wanted.created_until),
            "page_size": None if wanted.page_size is None else str(wanted.page_size),
            "page_token": wanted.page_token,
        }
        parameters = [
            *(("job_ids", job_id) for job_id in wanted.job_ids),
            *(("status", name) for name in wanted.statuses),
            *((name, value) for name, value in filters.items() if value),
            *self._scope(scope),
        ]
        origin = self._origin(None)
        body = await self._get(JOBS_PATH, parameters, origin, max_tries)
        try:
            return JobPage.parse(body)
        except ValueError as exc:
            reason = str(exc)
        raise not_a_job(body, reason, origin)

    async def check(self) -> Access:
        """Ask for one job of the list, to see that the service is there and takes the key.

        Raises:
            LlxError: it is not, or does not; which kind says why.
        """
        origin = self._origin(None)
        body = await self._get(JOBS_PATH, [("page_size", "1"), *self._scope(DEFAULT_SCOPE)], origin)
        try:
            answer = json.loads(body)
            if isinstance(answer, dict) and isinstance(answer.get("items"), list):
                return Access(origin.region, origin.base_url)
            reason = "it is JSON without a list of jobs"
        except (ValueError, RecursionError) as exc:
            reason = f"it is no JSON ({type(exc).__name__})"
        raise not_a_job(body, reason, origin)

    async def fetch_file_names(
        self,
        file_ids: Sequence[str],
        scope: Scope = DEFAULT_SCOPE,
        *,
        max_tries: int | None = None,
    ) -> dict[str, str]:
        """`GET /api/v1/beta/files?file_ids=…`: the names of those files that the service knows, by id.

        Args:
            file_ids: up to 100, as jobs name them.
            scope: as for `fetch_job`.
            max_tries: as for `fetch_job`.

        Raises:
            ConfigurationError: there is no key, or one that cannot be sent, or no usable address.
            UpstreamError: no list came of it; which kind says why.
        """
        page_size = ("page_size", str(len(file_ids)))
        parameters = [*(("file_ids", file_id) for file_id in file_ids), page_size, *self._scope(scope)]
        files = _read_object(await self._get(FILES_PATH, parameters, self._origin(None), max_tries)).get("items")
        named = {
            str(file.get("id", "")).removeprefix(_FILE_PREFIX): file["name"]
            for file in (files if isinstance(files, list) else [])
            if isinstance(file, dict) and isinstance(file.get("name"), str)
        }
        bare = {file_id: file_id.removeprefix(_FILE_PREFIX) for file_id in file_ids}
        return {file_id: named[name] for file_id, name in bare.items() if name in named}

    async def fetch_document(self, file_id: str) -> DownloadedFile:
        """`GET /api/v1/beta/files/{file_id}`, its `/content`, and what that address holds.

        Raises:
            ConfigurationError: there is no key, or one that cannot be sent, or no usable address.
            ArgumentError: the id cannot be sent.
            UpstreamError: no document came of it; which kind says why.
        """
        path = build_file_path(file_id)
        origin = self._origin(None)
        file = _read_object(await self._get(path, self._scope(DEFAULT_SCOPE), origin))
        address = _read_object(await self._get(f"{path}/content", self._scope(DEFAULT_SCOPE), origin)).get("url")
        if not isinstance(address, str) or not is_signed_address(address, origin.base_url):
            raise BadResponseError("The service named no address that a document may be fetched from.")
        url = address
        content = await try_until_answered(lambda tries: self._connection.try_get(url, origin, tries, with_key=False))
        project_id = file.get("project_id")
        return DownloadedFile(str(file.get("name") or file_id), str(project_id) if project_id else None, content)

    async def _get(
        self, path: str, parameters: list[tuple[str, str]], origin: Origin, max_tries: int | None = None
    ) -> bytes:
        _refuse_key(origin.key, [origin.job_id or "", *(value for _, value in parameters)])
        url = build_url(origin.base_url, path, parameters)
        return await try_until_answered(lambda tries: self._connection.try_get(url, origin, tries), max_tries)

    def _scope(self, scope: Scope) -> list[tuple[str, str]]:
        parameters = {
            "project_id": scope.project_id or self._settings.project_id,
            "organization_id": scope.organization_id or self._settings.organization_id,
        }
        return [(name, value) for name, value in parameters.items() if value]

    def _origin(self, job_id: str | None) -> Origin:
        settings = self._settings
        return Origin(job_id, settings.region_in_words, settings.base_url, read_key(settings))


def _read_object(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise BadResponseError("The service answered with something that is no file.")
    return answer


def _format_time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _refuse_key(key: ApiKey, values: Sequence[str]) -> None:
    """Addresses are logged on the way, by proxies too."""
    if any(key.is_in(value) for value in values):
        raise ArgumentError("An argument holds the API key, which goes into no address. Give the id alone.")
