"""The header of an answer about a job: its status, what is known of it, and what to do where it has no result."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from llx_mcp.answers.budget import NOTICE, AnswerBuilder, part_cost
from llx_mcp.answers.outputs import Facts, JobFields, JobOutput, NextStep, Omission
from llx_mcp.answers.requests import JobRequest
from llx_mcp.errors import excerpt
from llx_mcp.result.sanitize import sanitize_line, sanitize_text, truncate

if TYPE_CHECKING:
    from llx_mcp.models import Job

STUCK = (
    "It may be stuck. Waiting bills nothing. Its owner can inspect and cancel it in LlamaCloud. A stuck job gives no "
    "result; only a new one does."
)
FREE = "Waiting changes and bills nothing."

# The most characters of a message of the service in an answer, and in the text of an error.
MESSAGE_CHARS = 1_000
_REASON_CHARS = 500
# Real jobs took from 22 s (2 pages) to 590 s (90 pages).
_SHORTEST_SECONDS, _LONGEST_SECONDS = 22.0, 590.0
_SECONDS_A_PAGE = 590 / 90
_QUEUED = frozenset({"PENDING", "THROTTLED"})
_WORD_CHARS = 24
_ID_CHARS = 64


@dataclass(frozen=True, slots=True)
class Header:
    """What every answer says of its job.

    Attributes:
        job_id: id of the job, cleaned and bounded.
        status: its status, cleaned and bounded.
        facts: what else is known of it; None where nothing is.
        next_steps: what to do about a job without a result, in full and then shorter; empty where there is a result.
        error: the service's reason for a failure.
        resource: URI of the whole job; None where there is no reason, which it would hold in full.
    """

    job_id: str
    status: str
    facts: Facts | None = None
    next_steps: tuple[tuple[NextStep, ...], ...] = ()
    error: str | None = None
    resource: str | None = None


def build_header(job: "Job", request: JobRequest, *, now: datetime, waited_seconds: float | None = None) -> Header:
    """Build the header of an answer about a job as it is at `now`, by the service's clock."""
    steps = build_next_steps(job, request, describe_overdue(job, now))
    facts = build_facts(job, now=now, waited_seconds=waited_seconds)
    job_id, status = sanitize_line(job.id, _ID_CHARS), sanitize_line(job.status, _WORD_CHARS)
    known = facts if facts.model_fields_set else None
    resource = request.resource() if job.error_message else None
    return Header(job_id, status, known, steps, job.error_message, resource)


def start_answer(header: Header, max_chars: int, output_type: type[JobFields]) -> AnswerBuilder:
    """Start an answer about a job: its status, and the notice or, where there is no result, why and what to do."""
    builder = _start(header, output_type(job_id=header.job_id, status=header.status), max_chars)
    if header.error and header.next_steps:
        add_message(builder, "error", header.error, header.resource)
    return builder


def start_summary(header: Header, max_chars: int) -> AnswerBuilder:
    """Start the summary of a job, which has the facts too."""
    head = JobOutput(job_id=header.job_id, status=header.status)
    head = head if header.facts is None else head.model_copy(update={"facts": header.facts})
    builder = _start(header, head, max_chars)
    if header.error:
        add_message(builder, "error", header.error, header.resource)
    return builder


def _start(header: Header, head: JobFields, max_chars: int) -> AnswerBuilder:
    builder = AnswerBuilder(head, max_chars)
    if header.next_steps:
        builder.add_next_steps(*header.next_steps)
    else:
        builder.add("notice", NOTICE)
    return builder


def add_message(builder: AnswerBuilder, name: str, message: str, resource: str | None) -> None:
    """Add a message of the service, cut where it is long: one real message has 466,000 characters.

    Args:
        builder: the answer.
        name: the field for it.
        message: the message.
        resource: URI of what holds the whole message.
    """
    line = " ".join(sanitize_text(message).split())
    full = part_cost(name, truncate(line, MESSAGE_CHARS))
    most = min(MESSAGE_CHARS, builder.max_chars // 8)
    builder.unmet += full - part_cost(name, truncate(line, most))
    builder.add(name, truncate(line, most))
    if len(line) > most:
        builder.omit(Omission(what=f"characters of {name}", count=len(line) - most, resource=resource))


def describe_no_result(header: Header, describe_step: Callable[[NextStep], str]) -> str:
    """Describe in one line why a job has no result, and what to do.

    Args:
        header: the header of a job without a result.
        describe_step: writes a next step in the words of its reader.
    """
    reason = f' Reason given by the service: "{excerpt(header.error, _REASON_CHARS)}"' if header.error else ""
    *_, shortest = header.next_steps
    steps = " ".join(map(describe_step, shortest))
    return f"The job is {header.status} and has no result.{reason} {steps}"


def format_time(moment: datetime) -> str:
    """Return a time to the second: ISO 8601, UTC."""
    # `strftime` writes years below 1000 with fewer than four digits.
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def describe_overdue(job: "Job", now: datetime) -> str | None:
    """Describe a job that is stuck in one state unusually long; None for any other.

    Args:
        job: the job.
        now: the time by the service's clock.
    """
    since = job.updated_at or job.created_at
    if job.is_terminal or since is None:
        return None
    seconds = (now - since).total_seconds()
    usual = max(_LONGEST_SECONDS, (job.num_pages or 0) * _SECONDS_A_PAGE)
    if seconds < (usual if job.status in _QUEUED else 2 * usual):
        return None
    status = sanitize_line(job.status, _WORD_CHARS)
    return f"{status} for {_duration(seconds)}; jobs usually take {_SHORTEST_SECONDS:.0f} s to {usual:.0f} s in all"


def build_facts(job: "Job", *, now: datetime, waited_seconds: float | None) -> Facts:
    """Build the facts of a job; those that are not known are left out."""
    configuration = job.configuration
    facts = {
        **_times(job, now),
        "waited_seconds": None if waited_seconds is None else round(waited_seconds, 1),
        "tier": _line(configuration.tier) if configuration else None,
        "version": _line(job.version),
        "target": _line(configuration.extraction_target) if configuration else None,
        "pages": job.num_pages,
        "credits": job.usage.credits if job.usage else None,
    }
    return Facts.model_validate({name: value for name, value in facts.items() if value is not None})


def build_next_steps(job: "Job", request: JobRequest, overdue: str | None) -> tuple[tuple[NextStep, ...], ...]:
    """Build what to do about a job without a result, in full and then shorter; empty where there is a result."""
    if not job.is_terminal:
        return _steps_of_running(request, overdue)
    if job.status == "FAILED":
        return _steps_of_failed(job, request)
    if job.status == "CANCELLED":
        text = "The job was cancelled before it ended, and stays so. A result needs a new job."
        return ((NextStep(text=text),),)
    if not job.has_result:
        return _steps_of_empty(request)
    return ()


def _steps_of_running(request: JobRequest, overdue: str | None) -> tuple[tuple[NextStep, ...], ...]:
    wait = request.call("wait_for_extract_job")
    if overdue:
        full = NextStep(text=f"Unusual: {overdue}. {STUCK} To keep waiting:", call=wait)
    else:
        full = NextStep(text=f"The job has not ended. {FREE} To wait:", call=wait)
    return (full,), (NextStep(text="To wait:", call=wait),)


def _steps_of_failed(job: "Job", request: JobRequest) -> tuple[tuple[NextStep, ...], ...]:
    reason = "" if job.error_message else "The service gave no reason. "
    short = f"{reason}The job stays failed. A result needs a new job."
    advice = "Check that the document opens, and that its pages, the schema and the tier suit."
    steps = [NextStep(text=f"{short} {advice}")]
    if "configuration" not in request.expand:
        steps.append(_configuration_step(request, "To see what the job was asked to do:"))
    return tuple(steps), (NextStep(text=short),)


def _steps_of_empty(request: JobRequest) -> tuple[tuple[NextStep, ...], ...]:
    text = "The job completed and found no value: the document may be unreadable, or lack what the schema asks for."
    step = NextStep(text=text)
    return (step, _configuration_step(request, "To see the schema:")), (step,)


def _configuration_step(request: JobRequest, text: str) -> NextStep:
    return NextStep(text=text, call=request.call("get_extract_job", expand=["configuration"]))


def _times(job: "Job", now: datetime) -> dict[str, float | str]:
    if job.created_at is None:
        return {}
    created = {"created_at": format_time(job.created_at)}
    if not job.is_terminal:
        # The service's clock may be ahead of ours: an age is never negative.
        return {"age_seconds": round(max((now - job.created_at).total_seconds(), 0.0), 1), **created}
    if job.updated_at is None or job.updated_at < job.created_at:
        return {**created}
    return {"took_seconds": round((job.updated_at - job.created_at).total_seconds(), 1)}


def _line(text: str | None, max_chars: int = _WORD_CHARS) -> str | None:
    return sanitize_line(text, max_chars) if text else None


def _duration(seconds: float) -> str:
    if seconds < 3_600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"
