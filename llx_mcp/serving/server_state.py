"""The state of the server at one moment, for the metrics."""

from collections.abc import Mapping
from dataclasses import dataclass

from llx_mcp.serving.health import PartState


@dataclass(frozen=True, slots=True)
class ServerState:
    """The state of the server at one moment.

    Attributes:
        num_waits: waits that are open.
        num_requests: requests that are open, waits and subscriptions included.
        num_tenants: keys in use.
        num_workers: worker processes.
        cache_bytes: memory for finished jobs, in compressed bytes.
        refusals: how many requests and connections were refused, by reason.
        parts: the state of each part, by its name.
    """

    num_waits: int
    num_requests: int
    num_tenants: int
    num_workers: int
    cache_bytes: int
    refusals: Mapping[str, int]
    parts: Mapping[str, PartState]
