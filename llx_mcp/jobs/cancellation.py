"""Cancels and deletes jobs, and says how they ended."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from llx_mcp.errors import ArgumentError, LlxError, NotFoundError, UnavailableError, UnclearOutcomeError
from llx_mcp.jobs.call_limit import limit_creation
from llx_mcp.jobs.clock import Clock
from llx_mcp.jobs.fetcher import JobFetcher
from llx_mcp.jobs.paced_requests import PacedRequests
from llx_mcp.scope import Scope

if TYPE_CHECKING:
    from llx_mcp.models import Job

_MAX_TRIES = 3
# A job that was cancelled may end a moment later.
_ENDS_AFTER_SECONDS = (0.0, 1.0, 2.0, 4.0)


class JobCanceller:
    """Cancels and deletes jobs by their exact id."""

    def __init__(self, fetcher: JobFetcher, clock: Clock, *, call_seconds: float, can_cancel: bool) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._call_seconds = call_seconds
        self._can_cancel = can_cancel

    async def cancel(self, job_id: str, scope: Scope) -> "tuple[Job, bool]":
        """Cancel a job, and return it as it is then, and whether it had ended before.

        Raises:
            LlxError: there is no such job, or it cannot be cancelled.
        """
        with self._limit("cancelled"):
            requests = await self._open()
            job = await requests.fetch_job(job_id, (), scope)
            if job.is_terminal:
                return job, True
            return await self._cancel(job_id, scope, requests)

    async def delete(self, job_id: str, scope: Scope, *, cancel_first: bool = False) -> "Job":
        """Delete a job with its result, and return it as it was.

        Raises:
            ArgumentError: it has not ended, and `cancel_first` is not set.
            LlxError: there is no such job, or it cannot be deleted.
        """
        with self._limit("deleted"):
            requests = await self._open()
            job = await requests.fetch_job(job_id, (), scope)
            if not job.is_terminal:
                if not cancel_first:
                    advice = " or cancel_first=true cancels it" if self._can_cancel else ""
                    raise ArgumentError(
                        f"job_id: job {job.id} is {job.status} and was not deleted: a job that runs is not deleted. "
                        f"Wait until it has ended{advice}."
                    )
                job, _ = await self._cancel(job_id, scope, requests)
            if not job.is_terminal:
                raise UnavailableError(f"Job {job.id} was cancelled but has not ended yet. Call again in a minute.")
            await self._delete(job_id, scope, requests)
            self._fetcher.cache.forget_job(job_id)
            return job

    async def _open(self) -> PacedRequests:
        return PacedRequests(await self._fetcher.open(), self._clock)

    def _limit(self, done: str) -> AbstractContextManager[None]:
        text = (
            f"The service did not answer in time, so it is not known whether the job was {done}. Call again with the "
            "same arguments: that does no harm if it was."
        )
        return limit_creation(self._call_seconds, lambda: UnclearOutcomeError(text))

    async def _delete(self, job_id: str, scope: Scope, requests: PacedRequests) -> None:
        try:
            await requests.send(lambda creation: creation.delete(job_id, scope))
        except NotFoundError as exc:
            # An earlier try may have deleted it, and its answer was lost. Only a job that does not exist is deleted.
            if exc.is_forbidden or not await self._is_gone(job_id, scope, requests):
                raise

    async def _is_gone(self, job_id: str, scope: Scope, requests: PacedRequests) -> bool:
        try:
            await requests.fetch_job(job_id, (), scope)
        except NotFoundError as exc:
            return not exc.is_forbidden
        return False

    async def _cancel(self, job_id: str, scope: Scope, requests: PacedRequests) -> "tuple[Job, bool]":
        for number in range(1, _MAX_TRIES + 1):
            try:
                await requests.send(lambda creation: creation.cancel(job_id, scope), max_tries=1)
            except LlxError as exc:
                # The answer may be lost, or the job ended meanwhile: what it is now decides.
                job = await requests.fetch_job(job_id, (), scope)
                if job.is_terminal:
                    return job, job.status != "CANCELLED"
                if number == _MAX_TRIES or not exc.is_transient:
                    raise
            else:
                break
        return await self._await_end(job_id, scope, requests), False

    async def _await_end(self, job_id: str, scope: Scope, requests: PacedRequests) -> "Job":
        for seconds in _ENDS_AFTER_SECONDS:
            await self._clock.sleep(seconds)
            job = await requests.fetch_job(job_id, (), scope)
            if job.is_terminal:
                break
        return job
