"""Extracts several files: checks each, creates a job for it, and waits until the jobs have ended.

All state is in the service. Doing the same again finds the files and jobs that exist, and creates only the rest.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import anyio

from llx_mcp.answers.wait_report import UNREADABLE
from llx_mcp.errors import AuthenticationError, ConfigurationError, LlxError, OutOfCreditsError, UnclearOutcomeError
from llx_mcp.jobs.creation_plan import CreationRequest
from llx_mcp.jobs.job_ids import MAX_JOBS
from llx_mcp.jobs.reader import JobReader

if TYPE_CHECKING:
    from llx_mcp.jobs.creation_plan import CreatedJob, CreationPlan
    from llx_mcp.jobs.progress import JobSnapshot, WaitProgress

# How far a file is that has no job yet.
UNCHECKED, READY, FOUND, UNCLEAR = "unchecked", "ready", "found", "unclear"
# Files that are checked, uploaded or created at a time. The rate limit of the key slows them down where it must.
MAX_RUNNING = 4
# Each try sends a request several times already, within seconds.
_MAX_TRIES = 4
_PAUSE_SECONDS = 20.0
# After a lost answer, the service may still work on the request, and create the job. A request is given up within
# five minutes, by the service or by a gateway in front of it.
_PAUSES_BEFORE_SEARCH_SECONDS = (20.0, 40.0, 60.0, 60.0, 60.0, 60.0)
# After these errors the next file would fail in the same way.
_FAILING_ALL = (AuthenticationError, ConfigurationError, OutOfCreditsError)


@dataclass(eq=False, slots=True)
class FileState:
    """How far the extraction of one file is.

    Attributes:
        path: the file, as it was given.
        plan: what creating its job will do; None before it was checked.
        created: its job, new or found; None before that.
        is_unclear: whether the answer to its creation was lost, so that its job is looked for.
        snapshot: its job in the wait, without its large sections; None before the first poll.
        error: why there is no job, or why it cannot be read or written; nothing more happens to the file.
    """

    path: str
    plan: "CreationPlan | None" = None
    created: "CreatedJob | None" = None
    is_unclear: bool = False
    snapshot: "JobSnapshot | None" = None
    error: LlxError | None = None

    @property
    def job_id(self) -> str | None:
        """Id of its job."""
        return None if self.created is None else self.created.job.id

    @property
    def status(self) -> str:
        """The status of its job, as the service says, or how far it is before there is one."""
        if self.error is not None or (self.snapshot is not None and self.snapshot.error is not None):
            return UNREADABLE
        if self.snapshot is not None and self.snapshot.job is not None:
            return self.snapshot.job.status
        if self.created is not None:
            return self.created.job.status
        if self.is_unclear:
            return UNCLEAR
        if self.plan is not None:
            return READY if self.plan.existing is None else FOUND
        return UNCHECKED

    @property
    def has_ended(self) -> bool:
        """Whether nothing more happens to it."""
        return self.error is not None or (self.snapshot is not None and self.snapshot.has_ended)

    @property
    def is_done(self) -> bool:
        """Whether its job has ended, also where its result is not written yet, or nothing more happens to it."""
        return self.has_ended or (self.created is not None and self.created.job.is_terminal)


# Called after each change, with the seconds until the next poll where a poll is planned.
OnChange = Callable[[float | None], None]
OnEnd = Callable[[FileState], Awaitable[None]]


class FileExtractor:
    """Extracts files. `prepare`, `plan`, `create` and `wait` are called in this order; none raises for a single file.

    `plan` may be left out where nobody has to agree first: then each file is checked just before its job is created,
    which takes fewer requests.

    Attributes:
        states: one for each file, in the order of the paths.
    """

    def __init__(
        self,
        reader: JobReader,
        request: CreationRequest,
        paths: Sequence[str],
        on_change: OnChange = lambda _: None,
        *,
        allows_damaged: bool = False,
    ) -> None:
        """Prepare an extraction.

        Args:
            reader: creates and reads jobs.
            request: what to extract, without a document.
            paths: the files.
            on_change: called after each change of a state.
            allows_damaged: create jobs also for PDFs that cannot be opened here; otherwise that is an error.
        """
        self.states = [FileState(path) for path in paths]
        self._reader = reader
        self._request = request
        self._on_change = on_change
        self._allows_damaged = allows_damaged
        self._options: dict[str, Any] = {}

    async def prepare(self) -> None:
        """Check what to extract.

        Raises:
            LlxError: it is not accepted, or the service cannot be asked.
        """
        self._options = await self._reader.writer.creator.build_options(self._request)

    async def plan(self) -> None:
        """Check all files, and look for their jobs. This uploads and creates nothing."""
        await self._for_each(self.states, self._plan)

    async def create(self) -> None:
        """Upload the files and create their jobs, where there are none."""
        await self._for_each([state for state in self.states if state.error is None], self._create)

    async def wait(self, timeout_seconds: float, on_end: OnEnd) -> None:
        """Wait until all jobs have ended, or the time is up.

        Args:
            timeout_seconds: the longest wait.
            on_end: called once for each file whose job has ended; its error is noted as that of the file.

        Raises:
            LlxError: no request can be made at all.
        """
        until = self._reader.clock.monotonic() + timeout_seconds
        for states in self._batch():
            seconds = max(until - self._reader.clock.monotonic(), 0.0)
            await self._wait_for(states, seconds, on_end)

    async def _plan(self, state: FileState) -> "CreationPlan":
        request = replace(self._request, file=state.path)
        plan = await self._reader.writer.creator.plan(request, self._options)
        if not self._allows_damaged:
            plan.refuse_damaged()
        state.plan = plan
        return plan

    async def _create(self, state: FileState) -> None:
        creator = self._reader.writer.creator
        try:
            state.created = await creator.create(state.plan or await self._plan(state))
        except UnclearOutcomeError:
            if self._request.again:
                # Nothing distinguishes the new job from those that there were before.
                raise
            state.created = await creator.create(await self._find_lost_job(state))

    async def _find_lost_job(self, state: FileState) -> "CreationPlan":
        """Return a plan that has the job which was created after all, or one for another try if there is none."""
        state.is_unclear = True
        self._on_change(None)
        for seconds in _PAUSES_BEFORE_SEARCH_SECONDS:
            await self._reader.clock.sleep(seconds)
            plan = await self._plan(state)
            if plan.existing is not None:
                break
        return plan

    async def _for_each(self, states: Sequence[FileState], work: Callable[[FileState], Awaitable[object]]) -> None:
        """Do some work for each file, a few at a time, and note its errors. Some errors end it for all."""
        remaining = iter(states)
        failures: list[LlxError] = []

        async def run() -> None:
            for state in remaining:
                try:
                    if failures:
                        raise failures[0]
                    await self._repeat(work, state)
                except LlxError as exc:
                    state.error = exc
                    if isinstance(exc, _FAILING_ALL):
                        failures.append(exc)
                self._on_change(None)

        async with anyio.create_task_group() as group:
            for _ in range(MAX_RUNNING):
                group.start_soon(run)

    async def _repeat(self, work: Callable[[FileState], Awaitable[object]], state: FileState) -> None:
        """Do some work, and do it again after errors that pass, such as a rate limit that is used up."""
        for number in range(1, _MAX_TRIES):
            try:
                await work(state)
            except LlxError as exc:
                if not exc.is_transient:
                    raise
            else:
                return
            await self._reader.clock.sleep(_PAUSE_SECONDS * number)
        await work(state)

    def _batch(self) -> Iterator[dict[str, list[FileState]]]:
        """Yield files by the id of their job, as many jobs as one wait takes. Files of the same content share a job."""
        by_id: dict[str, list[FileState]] = {}
        for state in self.states:
            if state.job_id is not None:
                by_id.setdefault(state.job_id, []).append(state)
        ids = list(by_id)
        for start in range(0, len(ids), MAX_JOBS):
            yield {job_id: by_id[job_id] for job_id in ids[start : start + MAX_JOBS]}

    async def _wait_for(self, states: dict[str, list[FileState]], timeout_seconds: float, on_end: OnEnd) -> None:
        async def show(progress: "WaitProgress") -> None:
            for snapshot in progress.snapshots:
                for state in states[snapshot.job_id]:
                    await self._record(state, snapshot, on_end)
            self._on_change(progress.next_poll_seconds)

        await self._reader.wait_many(
            list(states), timeout_seconds=timeout_seconds, scope=self._request.scope, on_progress=show
        )

    async def _record(self, state: FileState, snapshot: "JobSnapshot", on_end: OnEnd) -> None:
        if state.has_ended:
            return
        state.snapshot = _drop_sections(snapshot)
        if snapshot.job is None or not snapshot.has_ended:
            return
        try:
            await on_end(state)
        except LlxError as exc:
            state.error = exc


def _drop_sections(snapshot: "JobSnapshot") -> "JobSnapshot":
    """Return a snapshot that does not keep the result in memory."""
    return snapshot if snapshot.job is None else replace(snapshot, job=snapshot.job.without_sections())
