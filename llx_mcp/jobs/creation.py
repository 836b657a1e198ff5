"""Creates jobs, so that no repetition of a call and no lost answer makes a second job of the same.

All state is in the service: a file is found again by the digest of its content, and a job by its document and its
options. A server that ends between two requests loses nothing, and the same call goes on where it ended.
"""

from collections.abc import Awaitable, Callable, Hashable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from llx_mcp.errors import ArgumentError, LlxError, NotFoundError, RejectedError, UnavailableError
from llx_mcp.jobs.call_limit import limit_creation
from llx_mcp.jobs.clock import Clock
from llx_mcp.jobs.configurations import build_fingerprint, override_options, read_configuration, select_options
from llx_mcp.jobs.creation_options import CreationOptions
from llx_mcp.jobs.creation_plan import CreatedJob, CreationPlan, CreationRequest, check_choices, check_document
from llx_mcp.jobs.existing_jobs import ExistingJobs
from llx_mcp.jobs.fetcher import JobFetcher
from llx_mcp.jobs.local_documents import LocalDocument, build_web_document, open_unchanged, read_document
from llx_mcp.jobs.paced_requests import PacedRequests
from llx_mcp.jobs.page_estimate import PageEstimate, estimate_pages
from llx_mcp.jobs.single_flight import SingleFlight
from llx_mcp.result.schema_limits import check_limits
from llx_mcp.scope import Scope

if TYPE_CHECKING:
    from llx_mcp.models import CloudFile, Job

CountPages = Callable[[LocalDocument], Awaitable[int | None]]

_PARSE_JOB_PREFIX = "pjb-"
# The service deletes an uploaded file after 48 hours. A job of the last day is found by its file, so a file is used
# again only while it has a day left.
_NEEDED_LIFETIME = timedelta(hours=25)
# Slower uploads are stopped.
_UPLOAD_BYTES_A_SECOND = 250_000
_MAX_VALIDATED = 64
_MAX_CREATED = 1_000
# It is not known what a generation costs, so it is not repeated often.
_MAX_GENERATIONS = 2


async def count_no_pages(_: LocalDocument) -> int | None:
    """Return None: the number of pages is not known."""
    return None


class JobCreator:
    """Plans and creates jobs. Concurrent calls for the same share one creation."""

    def __init__(
        self,
        fetcher: JobFetcher,
        options: CreationOptions,
        clock: Clock,
        group: TaskGroup,
        *,
        call_seconds: float | None = None,
        count_pages: CountPages = count_no_pages,
    ) -> None:
        """Prepare a creator.

        Args:
            fetcher: opens the service.
            options: what the operator allows.
            clock: the clock of the pauses.
            group: runs creations that several callers share.
            call_seconds: how long a plan or a creation may take, besides the upload; None sets no limit.
            count_pages: returns the pages of a file, or None where they are not known.
        """
        self._fetcher = fetcher
        self._options = options
        self._clock = clock
        self._call_seconds = call_seconds
        self._count_pages = count_pages
        self._flights: SingleFlight[CreatedJob] = SingleFlight(group)
        # By fingerprint: documents of one folder share a schema, and validating it once is enough.
        self._validated: dict[str, dict[str, Any]] = {}
        # The latest job of each document and options, and when it was created. A plan may be older.
        self._created: dict[Hashable, tuple[str, float]] = {}

    async def plan(self, request: CreationRequest, options: dict[str, Any] | None = None) -> CreationPlan:
        """Check a request and look for a job of the same. This uploads and creates nothing.

        Args:
            request: the document, and what to extract.
            options: what `build_options` has returned for the same request about another document.

        Raises:
            ArgumentError: an argument cannot be used; the message names it, and what to do.
            LlxError: the service cannot be asked.
        """
        with limit_creation(self._call_seconds):
            check_choices(request, has_files=bool(self._options.folders))
            requests = await self._open()
            document = await self._read_document(request, requests)
            options = await self.build_options(request) if options is None else options
            pages = None if document is None else await self._count_pages(document)
            options, is_capped = self._limit_pages(options, estimate_pages(options, pages), pages)
            estimate = estimate_pages(options, pages)
            name, files, usable = await self._find_document(request, document, requests)
            planned_at = self._clock.monotonic()
            existing = await self._find_existing(request, files, options, requests)
        return CreationPlan(request, document, name, files, usable, options, estimate, is_capped, existing, planned_at)

    async def create(self, plan: CreationPlan) -> CreatedJob:
        """Upload the document where that is needed, and create the job, unless there is one.

        Raises:
            ArgumentError: the file has changed since it was planned.
            UnclearOutcomeError: it is not known whether there is a job now; the message says what to do.
            LlxError: there is no job; the message says why.
        """
        if plan.existing is not None:
            return CreatedJob(plan.existing, plan, is_new=False)
        with limit_creation(self._call_seconds, _get_upload_seconds(plan.document)):
            return await self._flights.run(plan.key, lambda: self._create(plan))

    async def find_document(self, request: CreationRequest) -> tuple[str, str]:
        """Return the id and the name of the document of a request; a file is uploaded if it is not there yet.

        Raises:
            LlxError: there is no such document, or it cannot be uploaded.
        """
        check_document(request, has_files=bool(self._options.folders))
        requests = await self._open()
        with limit_creation(self._call_seconds):
            document = await self._read_document(request, requests)
            name, _, usable = await self._find_document(request, document, requests)
        if usable is None:
            with limit_creation(self._call_seconds, _get_upload_seconds(document)):
                usable = (await self._upload(document, request.scope, requests)).id
        return usable, name

    async def generate_schema(self, document_id: str, wish: str, scope: Scope) -> dict[str, Any]:
        """Return a schema for a document, by the service's own generation, ready for use.

        Raises:
            LlxError: the service gives no schema, or none that it accepts itself.
        """
        with limit_creation(self._call_seconds):
            requests = await self._open()
            generated = await requests.send(
                lambda creation: creation.generate_schema(wish, document_id, scope), max_tries=_MAX_GENERATIONS
            )
            return await self.validate(generated["data_schema"])

    async def validate(self, data_schema: Mapping[str, Any]) -> dict[str, Any]:
        """Return a schema as the service will use it.

        Raises:
            ArgumentError: it is not accepted; the message says where it is wrong.
        """
        check_limits(data_schema)
        fingerprint = build_fingerprint(data_schema)
        if fingerprint not in self._validated:
            requests = await self._open()
            try:
                validated = await requests.send(lambda creation: creation.validate_schema(data_schema))
            except RejectedError as exc:
                raise ArgumentError(f"data_schema is not accepted, so nothing was created. {exc}") from None
            if len(self._validated) >= _MAX_VALIDATED:
                self._validated.clear()
            self._validated[fingerprint] = validated
        return self._validated[fingerprint]

    async def build_options(self, request: CreationRequest) -> dict[str, Any]:
        """Return all options of a job: from the schema, the saved configuration or the earlier job.

        Raises:
            ArgumentError: the schema is not accepted, or the earlier job has none.
            LlxError: the service cannot be asked, or has no such configuration or job.
        """
        requests = await self._open()
        if request.data_schema is not None:
            schema = await self.validate(request.data_schema)
            base: dict[str, Any] = {"data_schema": schema, "cite_sources": True, "confidence_scores": True}
        elif request.configuration_id:
            configuration_id = request.configuration_id
            saved = await requests.send(lambda creation: creation.fetch_configuration(configuration_id, request.scope))
            base = select_options(saved)
        else:
            base = await self._copy_options(request, requests)
        return override_options(base, request.options)

    async def _open(self) -> PacedRequests:
        return PacedRequests(await self._fetcher.open(), self._clock)

    async def _read_document(self, request: CreationRequest, requests: PacedRequests) -> LocalDocument | None:
        if request.file:
            return await anyio.to_thread.run_sync(read_document, request.file, self._options.folders)
        if request.url:
            found = await requests.download(request.url)
            return await anyio.to_thread.run_sync(
                build_web_document, request.url, found.name, found.media_type, found.content
            )
        return None

    async def _copy_options(self, request: CreationRequest, requests: PacedRequests) -> dict[str, Any]:
        job = await requests.fetch_job(request.like_job or "", ("configuration",), request.scope)
        options = select_options(read_configuration(job))
        if "data_schema" not in options:
            raise ArgumentError(f"like_job: job {job.id} has no data_schema to copy. Give data_schema instead.")
        return options

    def _limit_pages(
        self, options: dict[str, Any], estimate: PageEstimate, document_pages: int | None
    ) -> tuple[dict[str, Any], bool]:
        """Keep a job within the operator's limit: refuse it, or bound it where its pages are not known."""
        limit = self._options.max_pages
        if limit is None or (estimate.most_pages is not None and estimate.most_pages <= limit):
            return options, False
        if estimate.most_pages is not None:
            known = f"The document has {document_pages} pages" if document_pages else "The job could read more pages"
            raise ArgumentError(
                f"{known}, and {estimate.most_pages} of them would be read; this server allows {limit} (--max-pages), "
                f"so nothing was uploaded. Give target_pages with at most {limit} pages."
            )
        return {**options, "max_pages": limit}, True

    async def _find_document(
        self, request: CreationRequest, document: LocalDocument | None, requests: PacedRequests
    ) -> tuple[str, tuple[str, ...], str | None]:
        """Return the name of the document, its ids at the service, and the id to create with."""
        if document is None:
            document_id = request.document_id or ""
            name = await _fetch_name(document_id, request.scope, requests)
            return name, (document_id,), document_id
        external_id = document.external_id
        files = await requests.send(lambda creation: creation.find_files(external_id, request.scope))
        until = self._fetcher.service_now() + _NEEDED_LIFETIME
        usable = [file.id for file in files if file.expires_at is None or file.expires_at > until]
        ids = tuple(dict.fromkeys([*usable, *(file.id for file in files)]))
        return document.name, ids, usable[0] if usable else None

    async def _find_existing(
        self, request: CreationRequest, files: tuple[str, ...], options: Mapping[str, Any], requests: PacedRequests
    ) -> "Job | None":
        if request.again or not files:
            return None
        return await ExistingJobs(requests, request.scope).find(files, options, self._fetcher.service_now())

    async def _create(self, plan: CreationPlan) -> CreatedJob:
        requests = await self._open()
        known = await self._find_created(plan, requests)
        if known is not None:
            return CreatedJob(known, plan, is_new=False)
        file_id = plan.usable_file or await self._upload_planned(plan, requests)
        existing = ExistingJobs(requests, plan.request.scope)
        # Only a job that is wanted again can be of a file that has such jobs.
        earlier = await existing.list_ids(file_id) if plan.request.again and plan.usable_file else frozenset()
        body = {"file_input": file_id, **plan.body}
        try:
            job = await existing.create(body, plan.options, earlier, self._fetcher.service_now, self._clock)
        except LlxError as exc:
            if plan.usable_file is None:
                exc.args = (f"{exc} The document is uploaded as {file_id}, and the same call uses it again.",)
            raise
        if len(self._created) >= _MAX_CREATED:
            self._created.pop(next(iter(self._created)))
        self._created[plan.key] = job.id, self._clock.monotonic()
        return CreatedJob(job, plan, is_new=True)

    async def _upload_planned(self, plan: CreationPlan, requests: PacedRequests) -> str:
        try:
            return (await self._upload(plan.document, plan.request.scope, requests)).id
        except (RejectedError, UnavailableError):
            # The service may refuse another file of the same external id. One that it will delete soon still serves.
            if not plan.files:
                raise
            return plan.files[0]

    async def _find_created(self, plan: CreationPlan, requests: PacedRequests) -> "Job | None":
        """Return the job that another call has created since the plan was made."""
        job_id, created_at = self._created.get(plan.key, ("", 0.0))
        if not job_id or plan.request.again or created_at < plan.planned_at:
            return None
        try:
            return await requests.fetch_job(job_id, ("configuration",), plan.request.scope)
        except NotFoundError:
            # It was deleted since.
            self._created.pop(plan.key, None)
            return None

    async def _upload(self, document: LocalDocument | None, scope: Scope, requests: PacedRequests) -> "CloudFile":
        assert document is not None  # noqa: S101 - a document of the service has an id
        with open_unchanged(document, self._options.folders) as stream:
            return await requests.send(
                lambda creation: creation.upload(stream, document.name, document.external_id, scope)
            )


async def _fetch_name(document_id: str, scope: Scope, requests: PacedRequests) -> str:
    """Return the name of a document of the service, or its id where there is no name.

    Raises:
        LlxError: there is no such file.
    """
    if document_id.startswith(_PARSE_JOB_PREFIX):
        return document_id
    try:
        return (await requests.send(lambda creation: creation.fetch_file(document_id, scope))).name
    except RejectedError:
        # The endpoint of files may not take every form of an id that the endpoint of jobs takes.
        return document_id


def _get_upload_seconds(document: LocalDocument | None) -> float:
    return 0.0 if document is None else document.num_bytes / _UPLOAD_BYTES_A_SECOND
