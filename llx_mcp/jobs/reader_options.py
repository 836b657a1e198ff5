"""How a reader polls, caches and checks."""

from dataclasses import dataclass, field

from llx_mcp.jobs.byte_cache import MAX_BYTES
from llx_mcp.jobs.creation_options import CreationOptions
from llx_mcp.jobs.poll_schedule import PollSchedule
from llx_mcp.settings import CALL_SECONDS


@dataclass(frozen=True, slots=True)
class ReaderOptions:
    """How a reader polls and caches jobs, and what it checks.

    Attributes:
        schedule: poll intervals.
        requests_per_minute: the rate limit of the key, if it is known; otherwise it is learned from refusals.
        cache_bytes: budget for finished jobs in memory, in compressed bytes.
        call_seconds: how long one call may take; the timeout of a wait comes on top.
        check_citations: whether reading, searching and reviewing fetch the text of the document.
        creation: what the operator allows besides reading.
    """

    schedule: PollSchedule = field(default_factory=PollSchedule)
    requests_per_minute: float | None = None
    cache_bytes: int = MAX_BYTES
    call_seconds: float = CALL_SECONDS
    check_citations: bool = True
    creation: CreationOptions = field(default_factory=CreationOptions)
