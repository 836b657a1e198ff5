"""How many pages a job will read, and about how many credits they cost."""

import re
from dataclasses import dataclass
from typing import Any

from llx_mcp.errors import ArgumentError, excerpt

# Credits for a page. Extraction: the reference of `tier` in the official client. Parsing: what live jobs were billed
# (cost_effective 5 + 3 = 8, agentic 15 + 10 = 25). For agentic_plus, sources give 60 to 95 credits in all.
_EXTRACT_CREDITS = {"cost_effective": 5, "agentic": 15, "agentic_plus": 50, "turbo": 35}
_PARSE_CREDITS = {"fast": 1, "cost_effective": 3, "agentic": 10, "agentic_plus": 45}
DEFAULT_TIER = "cost_effective"
_RANGE = re.compile(r"\s*(\d{1,6})\s*(?:-\s*(\d{1,6})\s*)?\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class PageEstimate:
    """Pages and credits of a job; None is unknown.

    Attributes:
        document_pages: pages of the document.
        pages: pages that the job reads.
        most_pages: the most pages that it reads, where it is not known how many it reads.
        credits_a_page: documented credits for one page.
    """

    document_pages: int | None
    pages: int | None
    most_pages: int | None
    credits_a_page: int | None

    @property
    def credits(self) -> int | None:
        """The credits of all pages."""
        return None if self.pages is None or self.credits_a_page is None else self.pages * self.credits_a_page


def estimate_pages(configuration: dict[str, Any], document_pages: int | None) -> PageEstimate:
    """Estimate the pages and credits of a job.

    Args:
        configuration: the options of the job.
        document_pages: pages of the document; None where they are not known.

    Raises:
        ArgumentError: the target pages cannot be used, or the document does not have them.
    """
    chosen = parse_target_pages(configuration.get("target_pages"))
    num_chosen = sum(last - first + 1 for first, last in chosen) or None
    if chosen and document_pages is not None and chosen[-1][1] > document_pages:
        raise ArgumentError(f"target_pages: the document has {document_pages} pages, and no page {chosen[-1][1]}.")
    limits = [num_chosen, configuration.get("max_pages")]
    most = min((limit for limit in limits if isinstance(limit, int)), default=None)
    # Pages are counted from 1, so the pages that were chosen exist if their number is known.
    known = num_chosen or document_pages
    pages = None if known is None else min(known, most if most is not None else known)
    return PageEstimate(document_pages, pages, pages if pages is not None else most, _get_credits(configuration))


def parse_target_pages(text: object) -> tuple[tuple[int, int], ...]:
    """Return the first and last pages of the ranges in a text such as `1,3,5-7`, in order and apart; empty for all.

    Raises:
        ArgumentError: the text is not such a list.
    """
    if text is None:
        return ()
    ranges: list[tuple[int, int]] = []
    for part in str(text).split(","):
        match = _RANGE.match(part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last:
            raise ArgumentError(
                f'target_pages: "{excerpt(str(text), 60)}" is not a list of pages. Write it as 1,3,5-7; the first page '
                "is 1."
            )
        ranges.append((first, last))
    joined: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = joined[-1][0], max(joined[-1][1], last)
        else:
            joined.append((first, last))
    return tuple(joined)


def normalize_target_pages(text: object) -> str | None:
    """Return the shortest text for the same pages; None for all.

    Raises:
        ArgumentError: the text is not a list of pages.
    """
    ranges = parse_target_pages(text)
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges) or None


def _get_credits(configuration: dict[str, Any]) -> int | None:
    tier = configuration.get("tier") or DEFAULT_TIER
    extract = _EXTRACT_CREDITS.get(tier)
    if extract is None or tier == "turbo":
        return extract
    parse = _PARSE_CREDITS.get(configuration.get("parse_tier") or tier)
    return None if parse is None else extract + parse
