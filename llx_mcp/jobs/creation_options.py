"""What the operator allows besides reading."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from llx_mcp.settings import Permission

TierName = Literal["cost_effective", "agentic", "agentic_plus", "turbo"]
TargetName = Literal["per_doc", "per_page", "per_table_row"]


@dataclass(frozen=True, slots=True)
class CreationOptions:
    """What may be created, cancelled and deleted; by default nothing.

    Attributes:
        allowed: the permissions.
        folders: a document may be a file in one of these folders; empty where no file of this machine may be read.
        max_pages: the most pages of one job; None sets no limit.
        is_billed: whether jobs cost credits.
    """

    allowed: frozenset[Permission] = frozenset()
    folders: tuple[Path, ...] = ()
    max_pages: int | None = None
    is_billed: bool = True
