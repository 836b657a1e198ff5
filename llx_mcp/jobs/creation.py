"""Creates jobs, so that no repetition of a call and no lost answer makes a second job of the same.

All state is in the service: a file is found again by the digest of its content, and a job by its document and its
options. A server that ends between two requests loses nothing, and the same call does the rest.
"""

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from anyio.abc import TaskGroup

from llx_mcp.answers.plurals import format_count
from llx_mcp.errors import ArgumentError, LlxError, NotFoundError, UnclearOutcomeError, UnreachableError, extend_message
from llx_mcp.jobs.call_limit import limit_creation
from llx_mcp.jobs.clock import Clock
from llx_mcp.jobs.configurations import override_options, read_configuration, select_options
from llx_mcp.jobs.creation_documents import DocumentFinder
from llx_mcp.jobs.creation_options import CreationOptions
from llx_mcp.jobs.creation_plan import (
    CreatedJob,
    CreationPlan,
    CreationRequest,
    FoundDocument,
    check_choices,
    check_document,
)
from llx_mcp.jobs.creation_schemas import SchemaSource
from llx_mcp.jobs.existing_jobs import ExistingJobs, build_unclear
from llx_mcp.jobs.fetcher import JobFetcher
from llx_mcp.jobs.local_documents import LocalDocument
from llx_mcp.jobs.paced_requests import PacedRequests
from llx_mcp.jobs.page_estimate import PageEstimate, estimate_pages, normalize_target_pages
from llx_mcp.jobs.single_flight import SingleFlight
from llx_mcp.scope import Scope

if TYPE_CHECKING:
    from llx_mcp.jobs.page_count import PageCount
    from llx_mcp.models import Job

CountPages = Callable[[LocalDocument], Awaitable["PageCount"]]

_MAX_CREATED = 1_000
# From the request that creates a job to its answer, with the looks for a job after a lost answer.
_CREATION_SECONDS = 600.0
# While a person is asked, or other files are planned, someone else may create the same job.
_FRESH_SECONDS = 5.0
# After a lost answer the service may create the job some time later.
_UNCLEAR_SECONDS = 50.0
_STOPPED = "The service did not answer in time, and the call was stopped."


class JobCreator:
    """Plans and creates jobs. Concurrent calls for the same share one creation."""

    def __init__(
        self,
        fetcher: JobFetcher,
        options: CreationOptions,
        clock: Clock,
        group: TaskGroup,
        *,
        call_seconds: float,
        count_pages: CountPages,
    ) -> None:
        """Prepare a creator.

        Args:
            fetcher: opens the service.
            options: what the operator allows.
            clock: the clock of the pauses.
            group: runs creations that several callers share.
            call_seconds: how long a plan or a creation may take, besides the upload.
            count_pages: returns what is known of the pages of a file.
        """
        self.options = options
        self._fetcher = fetcher
        self._clock = clock
        self._call_seconds = call_seconds
        self._count_pages = count_pages
        self._documents = DocumentFinder(fetcher, options.folders)
        self._schemas = SchemaSource()
        self._flights: SingleFlight[CreatedJob] = SingleFlight(group)
        # The latest job of each document and options, and when it was created. A plan may be older.
        self._created: dict[Hashable, tuple[str, float]] = {}
        # Jobs whose callers had given up. The next call for another job of the same gets this one.
        self._unclaimed: dict[Hashable, Job] = {}
        # The latest error that left it open whether there is a job, and when it came.
        self._unclear: dict[Hashable, tuple[UnclearOutcomeError, float]] = {}

    async def plan(self, request: CreationRequest, options: dict[str, Any] | None = None) -> CreationPlan:
        """Check a request and look for a job of the same. This uploads and creates nothing.

        Args:
            request: the document, and what to extract.
            options: what `build_options` has returned for the same request about another document.

        Raises:
            ArgumentError: an argument cannot be used; the message names it, and what to do.
            LlxError: the service cannot be asked.
        """
        with limit_creation(
            self._call_seconds, lambda: UnreachableError(f"{_STOPPED} Nothing was created. Try again.")
        ):
            check_choices(request, has_files=bool(self.options.folders))
            requests = await self._open()
            document = await self._documents.read(request, requests)
            options = await self.build_options(request) if options is None else options
            count = None if document is None else await self._count_pages(document)
            pages = None if count is None else count.pages
            options, is_capped = self._limit_pages(options, estimate_pages(options, pages))
            estimate = estimate_pages(options, pages)
            found = await self._documents.find(request, document, requests)
            planned_at = self._clock.monotonic()
            is_damaged = count is not None and count.is_damaged
            plan = CreationPlan(request, found, options, estimate, is_capped, None, planned_at, is_damaged)
            return replace(plan, existing=await self._find_existing(plan, requests))

    async def create(self, plan: CreationPlan) -> CreatedJob:
        """Upload the document where that is needed, and create the job, unless there is one.

        A caller that gives up does not end a creation whose request was sent: the same call again joins it.

        Raises:
            ArgumentError: the file has changed since it was planned.
            UnclearOutcomeError: it is not known whether there is a job now; the message says what to do.
            LlxError: there is no job; the message says why.
        """
        unclaimed = self._unclaimed.pop(plan.key, None)
        if plan.existing is not None:
            return CreatedJob(plan.existing, plan, is_new=False)
        if unclaimed is not None:
            return CreatedJob(unclaimed, plan, is_new=False)
        seconds = self._call_seconds + plan.found.upload_seconds
        with limit_creation(seconds, lambda: build_unclear(_STOPPED)):
            return await self._flights.run(plan.key, lambda: self._create(plan))

    async def find_document(self, request: CreationRequest) -> FoundDocument:
        """Return the document of a request, and what the service has of it. Nothing is uploaded.

        Raises:
            LlxError: there is no such document.
        """
        with limit_creation(
            self._call_seconds, lambda: UnreachableError(f"{_STOPPED} Nothing was uploaded. Try again.")
        ):
            check_document(request, has_files=bool(self.options.folders))
            requests = await self._open()
            document = await self._documents.read(request, requests)
            return await self._documents.find(request, document, requests)

    async def generate_schema(self, found: FoundDocument, prompt: str, scope: Scope) -> tuple[str, dict[str, Any]]:
        """Upload a document where that is needed, and return its id and a schema for it, ready for use.

        Raises:
            LlxError: the service gives no schema, or none that it accepts itself.
        """
        stopped = f"{_STOPPED} Call again with the same arguments: a document that is uploaded is used again."
        with limit_creation(self._call_seconds + found.upload_seconds, lambda: UnreachableError(stopped)):
            requests = await self._open()
            document_id = await self._documents.upload(found, scope, requests)
            return document_id, await self._schemas.generate(document_id, prompt, scope, requests)

    async def build_options(self, request: CreationRequest) -> dict[str, Any]:
        """Return all options of a job: from the schema, the saved configuration or the earlier job.

        Raises:
            ArgumentError: the schema is not accepted, the pages are no list, or the earlier job has no schema.
            LlxError: the service cannot be asked, or has no such configuration or job.
        """
        requests = await self._open()
        if request.data_schema is not None:
            schema = await self._schemas.validate(request.data_schema, requests)
            base: dict[str, Any] = {"data_schema": schema, "cite_sources": True, "confidence_scores": True}
        elif request.configuration_id:
            configuration_id = request.configuration_id
            saved = await requests.send(lambda creation: creation.fetch_configuration(configuration_id, request.scope))
            base = select_options(saved)
        else:
            base = await self._copy_options(request, requests)
        pages = request.options.get("target_pages")
        return override_options(base, {**request.options, "target_pages": normalize_target_pages(pages)})

    async def _open(self) -> PacedRequests:
        return PacedRequests(await self._fetcher.open(), self._clock)

    async def _copy_options(self, request: CreationRequest, requests: PacedRequests) -> dict[str, Any]:
        job = await requests.fetch_job(request.like_job or "", ("configuration",), request.scope)
        options = select_options(read_configuration(job))
        if "data_schema" not in options:
            raise ArgumentError(f"like_job: job {job.id} has no data_schema to copy. Give data_schema instead.")
        return options

    def _limit_pages(self, options: dict[str, Any], estimate: PageEstimate) -> tuple[dict[str, Any], bool]:
        """Keep a job within the operator's limit: refuse it, or bound it where its pages are not known."""
        limit = self.options.max_pages
        if limit is None or (estimate.most_pages is not None and estimate.most_pages <= limit):
            return options, False
        if estimate.most_pages is not None:
            pages = estimate.document_pages
            known = f"The document has {pages} pages" if pages else "The job could read more pages"
            most = format_count(limit, "page")
            raise ArgumentError(
                f"{known}, and {estimate.most_pages} of them would be read; the limit is {most} (--max-pages), so "
                f"nothing was uploaded. Give target_pages with at most {most}."
            )
        return {**options, "max_pages": limit}, True

    async def _find_existing(self, plan: CreationPlan, requests: PacedRequests) -> "Job | None":
        if plan.request.again or not plan.found.files:
            return None
        existing = ExistingJobs(requests, plan.request.scope, plan.is_done_by)
        return await existing.find(plan.found.files, self._fetcher.service_now())

    async def _create(self, plan: CreationPlan) -> CreatedJob:
        requests = await self._open()
        known = await self._find_created(plan, requests)
        if known is None and self._clock.monotonic() - plan.planned_at > _FRESH_SECONDS:
            found = await self._documents.find_again(plan.found, plan.request.scope, requests)
            plan = replace(plan, found=found)
            known = await self._find_existing(plan, requests)
        if known is not None:
            return CreatedJob(known, plan, is_new=False)
        self._refuse_unclear(plan)
        file_id = await self._documents.upload(plan.found, plan.request.scope, requests)
        try:
            job = await self._send(plan, file_id, requests)
        except LlxError as exc:
            if plan.found.usable_file is not None:
                raise
            more = f"The document is uploaded as {file_id}, and the same call uses it again."
            raise extend_message(exc, more) from None
        _remember(self._created, plan.key, (job.id, self._clock.monotonic()))
        if not self._flights.has_callers(plan.key):
            _remember(self._unclaimed, plan.key, job)
        return CreatedJob(job, plan, is_new=True)

    async def _send(self, plan: CreationPlan, file_id: str, requests: PacedRequests) -> "Job":
        existing = ExistingJobs(requests, plan.request.scope, plan.is_done_by)
        # Only a job that is wanted again can be of a file that has such jobs.
        is_second = plan.request.again and plan.found.usable_file is not None
        earlier = await existing.list_latest_ids(file_id, self._fetcher.service_now()) if is_second else frozenset()
        self._flights.keep(plan.key)
        body = {"file_input": file_id, **plan.body}
        try:
            with limit_creation(_CREATION_SECONDS, lambda: build_unclear(_STOPPED)):
                return await existing.create(body, earlier, self._fetcher.service_now, self._clock)
        except UnclearOutcomeError as exc:
            _remember(self._unclear, plan.key, (exc, self._clock.monotonic()))
            raise

    def _refuse_unclear(self, plan: CreationPlan) -> None:
        """Raise the error of the last creation again, while its job may still come to be."""
        error, raised_at = self._unclear.get(plan.key, (None, 0.0))
        if error is not None and self._clock.monotonic() - raised_at < _UNCLEAR_SECONDS:
            raise error.with_traceback(None)

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


def _remember(kept: dict[Hashable, Any], key: Hashable, value: object) -> None:
    kept.pop(key, None)
    if len(kept) >= _MAX_CREATED:
        kept.pop(next(iter(kept)))
    kept[key] = value
