"""What was asked, what is known of a job beside its result, and what to do next."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from llx_mcp.result.sanitize import INVISIBLE, dump_json, sanitize_line
from llx_mcp.scope import DEFAULT_SCOPE, Scope

if TYPE_CHECKING:
    from llx_mcp.models import Job

DEFAULT_EXPAND = ("extract_metadata",)
MIN_CHARS = 1_000
MAX_CHARS = 400_000
DEFAULT_CHARS = 8_000
# The documented cut-off for review.
REVIEW_THRESHOLD = 0.8

# In a call, for an argument that is longer than a call should be.
SAME = "<the same>"
STUCK = (
    "It may be stuck: waiting on bills nothing; whoever created it can look at it in LlamaCloud, cancel it there and "
    "create it anew (this server only reads)."
)

# Real jobs took from 22 s (2 pages) to 590 s (90 pages).
_SHORTEST_SECONDS, _LONGEST_SECONDS = 22.0, 590.0
_SECONDS_A_PAGE = 590 / 90
_QUEUED = frozenset({"PENDING", "THROTTLED"})
_FACT_CHARS = 60
_WORD_CHARS = 24
_ID_CHARS = 64
_ROUND_UP = 100


@dataclass(frozen=True, slots=True)
class JobRequest:
    """The arguments of a call, as far as they shape its answer and must be repeated in the next."""

    job_id: str
    expand: tuple[str, ...] = DEFAULT_EXPAND
    max_chars: int = DEFAULT_CHARS
    scope: Scope = DEFAULT_SCOPE

    def call(self, need_chars: int) -> str | None:
        """The call that answers with at least `need_chars`, or None where no budget allows it."""
        rounded = -(-need_chars // _ROUND_UP) * _ROUND_UP
        if rounded > MAX_CHARS:
            return None
        extra = {} if self.expand == DEFAULT_EXPAND else {"expand": list(self.expand)}
        return self.format_call("get_extract_job", **extra, max_chars=rounded)

    def format_call(self, tool: str, **arguments: Any) -> str:
        """A call of a tool on this job, with everything filled in."""
        return format_call(tool, {"job_id": self.job_id} | arguments | asdict(self.scope))

    def way_to(self, need_chars: int, section: str) -> str:
        """The call that shows what `need_chars` show, or the resource that holds the section whole."""
        return self.call(need_chars) or f"resource {self.resource(section)}"

    def resource(self, section: str = "") -> str:
        """The address of this job, or of a section of it, as a resource."""
        job_id = SAME if len(self.job_id) > _ID_CHARS else quote(self.job_id, safe="")
        return f"llx://jobs/{job_id}/{section}".rstrip("/")


@dataclass(frozen=True, slots=True)
class Header:
    """What is said of a job whatever else is asked of it.

    Attributes:
        facts: the job's id, its status, and what else is known of it.
        moves: what to do about a job that gives no result, in full and in short; empty where there is nothing to do.
        error: the service's reason for a failure.
    """

    facts: dict[str, Any]
    moves: tuple[str, ...] = ()
    error: str | None = None


def format_call(tool: str, arguments: Mapping[str, Any]) -> str:
    """A call of a tool with its arguments; those that are None or empty texts are left out."""
    given = {name: value for name, value in arguments.items() if value is not None and value != ""}
    return f"{tool}({', '.join(f'{name}={_argument(value)}' for name, value in given.items())})"


def describe_overdue(job: "Job", now: datetime) -> str | None:
    """That a job has been in its state far longer than jobs usually are, in words; None where it has not.

    Args:
        job: the job.
        now: by the service's clock.
    """
    since = job.updated_at or job.created_at
    if job.is_terminal or since is None:
        return None
    seconds = (now - since).total_seconds()
    usual = max(_LONGEST_SECONDS, (job.num_pages or 0) * _SECONDS_A_PAGE)
    if seconds < (usual if job.status in _QUEUED else 2 * usual):
        return None
    status = sanitize_line(job.status, _WORD_CHARS)
    return (
        f"{status} for {_duration(seconds)}, where jobs usually take {_SHORTEST_SECONDS:.0f} s to {usual:.0f} s in all"
    )


def build_header(job: "Job", ask: JobRequest, *, now: datetime, waited_seconds: float | None = None) -> Header:
    """The heading of an answer about a job as it is now."""
    moves = next_moves(job, ask, has_result=job.has_result, overdue=describe_overdue(job, now))
    return Header(build_facts(job, now=now, waited_seconds=waited_seconds), tuple(moves), job.error_message)


def build_facts(job: "Job", *, now: datetime, waited_seconds: float | None) -> dict[str, Any]:
    """The facts that head every answer; those that are not known are left out."""
    configuration = job.configuration
    facts = {
        **_times(job, now),
        "waited_seconds": None if waited_seconds is None else round(waited_seconds, 1),
        "document": _line(job.document, _FACT_CHARS),
        "tier": _line(configuration.tier) if configuration else None,
        "version": _line(job.version),
        "target": _line(configuration.extraction_target) if configuration else None,
        "pages": job.num_pages,
        "credits": job.usage.credits if job.usage else None,
    }
    known = {name: value for name, value in facts.items() if value is not None}
    head = {"job_id": sanitize_line(job.id, _ID_CHARS), "status": sanitize_line(job.status, _WORD_CHARS)}
    return head | ({"facts": known} if known else {})


def next_moves(job: "Job", ask: JobRequest, *, has_result: bool, overdue: str | None = None) -> list[str]:
    """What to do about a job that gives no result, in full and in short; empty where there is nothing to do."""
    configuration = ask.format_call("get_extract_job", expand=["configuration"])
    if not job.is_terminal:
        wait = ask.format_call("wait_for_extract_job")
        if overdue:
            return [f"Unusual: {overdue}. {STUCK} {wait} waits on.", wait]
        return [f"The job has not ended: {wait} waits for it. Looking and waiting change and bill nothing.", wait]
    if job.status == "FAILED":
        asked = "" if "configuration" in ask.expand else f" {configuration} shows what was asked of it."
        reason = "" if job.error_message else "The service gave no reason. "
        short = f"{reason}The job stays failed; for a result, create a new job elsewhere (this server only reads)."
        return [
            f"{short}{asked} Check that the document opens, and that its pages, the schema and the tier suit.",
            short,
        ]
    if job.status == "CANCELLED":
        return [
            "The job was cancelled before it ended; for a result, create a new job elsewhere (this server only reads)."
        ]
    if not has_result:
        short = (
            "The job completed and found no value: the document may be unreadable, or lack what the schema asks for."
        )
        return [f"{short} {configuration} shows the schema.", short]
    return []


def _times(job: "Job", now: datetime) -> dict[str, Any]:
    if job.created_at is None:
        return {}
    created = {"created_at": job.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
    if not job.is_terminal:
        # The service's clock may be ahead of ours: an age is never negative.
        return {"age_seconds": round(max((now - job.created_at).total_seconds(), 0.0), 1)} | created
    if job.updated_at is None or job.updated_at < job.created_at:
        return created
    return {"took_seconds": round((job.updated_at - job.created_at).total_seconds(), 1)} | created


def _line(text: str | None, max_chars: int = _WORD_CHARS) -> str | None:
    return sanitize_line(text, max_chars) if text else None


def _argument(value: Any) -> str:
    # No id of the service is as long, or cannot be seen; one that is would crowd out the answer, or mislead.
    is_odd = isinstance(value, str) and (len(value) > _ID_CHARS or INVISIBLE.search(value) is not None)
    is_same = value == SAME or is_odd
    return SAME if is_same else dump_json(value)


def _duration(seconds: float) -> str:
    if seconds < 3_600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"
