"""The client of LlamaCloud: one method for each endpoint that is read."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime

import anyio.to_thread

from llx_mcp.llamacloud.api_key import read_key
from llx_mcp.llamacloud.creation import CreationClient
from llx_mcp.llamacloud.documents import DocumentClient
from llx_mcp.llamacloud.error_mapping import map_bad_body, map_other_job
from llx_mcp.llamacloud.expand_values import ExpandValues
from llx_mcp.llamacloud.request_context import RequestContext
from llx_mcp.llamacloud.requester import Requester, decode_object
from llx_mcp.llamacloud.transport import Connection
from llx_mcp.llamacloud.urls import FILES_PATH, JOBS_PATH, build_job_path
from llx_mcp.models import FILE_PREFIX, Job, JobPage
from llx_mcp.scope import DEFAULT_SCOPE, JobFilter, Scope
from llx_mcp.settings import Settings

# Larger bodies are parsed in a thread, so that other requests do not wait.
_PARSE_IN_THREAD_BYTES = 1 << 20


class LlamaCloudClient:
    """Reads extract jobs. Like the official clients, it retries 408, 409, 429, 5xx and lost connections.

    Attributes:
        documents: reads the documents of jobs.
    """

    def __init__(self, connection: Connection, settings: Settings, *, is_callers_key: bool = False) -> None:
        self._connection = connection
        self._settings = settings
        self._requester = Requester(connection, settings, is_callers_key=is_callers_key)
        self._expand_values = ExpandValues()
        self.documents = DocumentClient(self._requester)

    @property
    def creation(self) -> CreationClient:
        """The endpoints that create, cancel and delete."""
        return CreationClient(self._requester)

    @property
    def clock_offset_seconds(self) -> float:
        """Seconds that the service's clock is ahead of this machine's, from its latest `Date` header; else 0."""
        return self._connection.clock_offset_seconds

    def identity(self) -> str:
        """Return a hex digest of key and address. It identifies both and reveals neither.

        Raises:
            ConfigurationError: there is no usable key.
        """
        key = read_key(self._settings).value.encode()
        return hashlib.blake2b(self._settings.base_url.encode(), key=hashlib.sha256(key).digest()).hexdigest()[:32]

    def derive_key(self, purpose: str) -> bytes:
        """Return a secret of 32 bytes for one purpose, derived from key and address. It does not reveal the key.

        Raises:
            ConfigurationError: there is no usable key.
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
        """Send `GET /api/v2/extract/{job_id}` and return the job.

        Args:
            job_id: any text that is not blank; it is percent-encoded.
            expand: sections to request, the least documented last; the service returns null for the others. Those
                that it does not know are left out.
            scope: project and organization; where they are None, those of the settings, else the key's default.
            max_tries: the most requests to send; None stands for the default of the retry rules.

        Raises:
            ConfigurationError: there is no usable key or address.
            ArgumentError: the id or another argument cannot be sent.
            UpstreamError: there is no job; the subclass says why.
        """
        path = build_job_path(job_id)
        scope_parameters = self._requester.build_scope(scope)
        context = self._requester.build_context(job_id)

        async def send(values: tuple[str, ...]) -> bytes:
            parameters = [*(("expand", value) for value in values), *scope_parameters]
            return await self._requester.fetch_body(path, parameters, context, max_tries)

        job = await _parse_job(await self._expand_values.fetch(expand, send), context)
        if job.id.strip().casefold() != job_id.strip().casefold():
            raise map_other_job(job.id, context)
        return job

    async def list_jobs(
        self, wanted: JobFilter, scope: Scope = DEFAULT_SCOPE, *, max_tries: int | None = None
    ) -> JobPage:
        """Send `GET /api/v2/extract` and return one page of the jobs that pass every filter.

        Args:
            wanted: the filters and the page; empty filters are not sent.
            scope: as for `fetch_job`.
            max_tries: as for `fetch_job`.

        Raises:
            ConfigurationError: there is no usable key or address.
            ArgumentError: an argument cannot be sent.
            UpstreamError: there is no list; the subclass says why.
        """
        parameters = [*_build_filters(wanted), *self._requester.build_scope(scope)]
        context = self._requester.build_context()
        body = await self._requester.fetch_body(JOBS_PATH, parameters, context, max_tries)
        try:
            return JobPage.parse(body)
        except ValueError as exc:
            reason = str(exc)
        raise map_bad_body(body, reason, context)

    async def check(self) -> None:
        """Request a list of one job, to check that the service can be reached and accepts the key.

        Raises:
            LlxError: it cannot be reached or does not accept the key; the subclass says why.
        """
        context = self._requester.build_context()
        body = await self._requester.fetch_body(
            JOBS_PATH, [("page_size", "1"), *self._requester.build_scope(DEFAULT_SCOPE)], context
        )
        try:
            decoded = json.loads(body)
            if isinstance(decoded, dict) and isinstance(decoded.get("items"), list):
                return
            reason = "it is JSON without a list of jobs"
        except (ValueError, RecursionError) as exc:
            reason = f"it is not JSON ({type(exc).__name__})"
        raise map_bad_body(body, reason, context)

    async def fetch_file_names(
        self,
        file_ids: Sequence[str],
        scope: Scope = DEFAULT_SCOPE,
        *,
        max_tries: int | None = None,
    ) -> dict[str, str]:
        """Send `GET /api/v1/beta/files?file_ids=…` and return the names of the files that the service knows, by id.

        Args:
            file_ids: up to 100 ids, in the form that jobs use.
            scope: as for `fetch_job`.
            max_tries: as for `fetch_job`.

        Raises:
            ConfigurationError: there is no usable key or address.
            UpstreamError: there is no list; the subclass says why.
        """
        page_size = ("page_size", str(len(file_ids)))
        parameters = [*(("file_ids", file_id) for file_id in file_ids), page_size, *self._requester.build_scope(scope)]
        body = await self._requester.fetch_body(FILES_PATH, parameters, self._requester.build_context(), max_tries)
        files = decode_object(body).get("items")
        # The service may return an id with or without the prefix that jobs use.
        names = {
            str(file.get("id", "")).removeprefix(FILE_PREFIX): file["name"]
            for file in (files if isinstance(files, list) else [])
            if isinstance(file, dict) and isinstance(file.get("name"), str)
        }
        bare_ids = {file_id: file_id.removeprefix(FILE_PREFIX) for file_id in file_ids}
        return {file_id: names[bare_id] for file_id, bare_id in bare_ids.items() if bare_id in names}


async def _parse_job(body: bytes, context: RequestContext) -> Job:
    try:
        is_small = len(body) < _PARSE_IN_THREAD_BYTES
        return Job.parse(body) if is_small else await anyio.to_thread.run_sync(Job.parse, body)
    except ValueError as exc:
        # Malformed, or not UTF-8. The text names the position and the kind of error and does not quote the body.
        reason = str(exc)
    raise map_bad_body(body, reason, context)


def _build_filters(wanted: JobFilter) -> list[tuple[str, str]]:
    filters = {
        "file_input": wanted.file_input,
        "configuration_id": wanted.configuration_id,
        "created_at_on_or_after": _format_time(wanted.created_since),
        "created_at_on_or_before": _format_time(wanted.created_until),
        "page_size": None if wanted.page_size is None else str(wanted.page_size),
        "page_token": wanted.page_token,
    }
    return [
        *(("job_ids", job_id) for job_id in wanted.job_ids),
        *(("status", name) for name in wanted.statuses),
        *(("expand", name) for name in wanted.expand),
        *((name, value) for name, value in filters.items() if value),
    ]


def _format_time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
