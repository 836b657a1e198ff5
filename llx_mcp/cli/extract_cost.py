"""What an extraction will cost, in words for the person who has to agree."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from llx_mcp.answers.plurals import format_count
from llx_mcp.cli.extract_files import FileState
from llx_mcp.errors import excerpt
from llx_mcp.jobs.page_estimate import DEFAULT_TIER

if TYPE_CHECKING:
    from llx_mcp.jobs.creation_plan import CreationPlan

_NAME_CHARS = 80
_MAX_NAMES = 3
_SOURCE = "This is an estimate from documented prices; the bill can differ."


def list_new_plans(states: Sequence[FileState]) -> list["CreationPlan"]:
    """Return the plans that create a job. Files of the same content share one."""
    plans = {state.plan.key: state.plan for state in states if state.plan is not None and state.plan.existing is None}
    return list(plans.values())


def describe_cost(states: Sequence[FileState]) -> str:
    """Describe which jobs are created, and what is known of their pages and credits."""
    plans = list_new_plans(states)
    num_found = sum(state.plan is not None and state.plan.existing is not None for state in states)
    num_errors = sum(state.error is not None for state in states)
    parts = [f"{format_count(len(plans), 'job')} to create"]
    parts += [f"{format_count(num_found, 'job')} of the same documents and options found"] if num_found else []
    parts += [f"{format_count(num_errors, 'file')} that cannot be used"] if num_errors else []
    return " ".join([f"{', '.join(parts)}.", *_describe_estimate(plans), _SOURCE])


def _describe_estimate(plans: Sequence["CreationPlan"]) -> list[str]:
    first = plans[0]
    each = first.estimate.credits_a_page
    price = "the credits for a page are not known" if each is None else f"about {each} credits a page"
    sentences = [f"Tier {first.options.get('tier') or DEFAULT_TIER}: {price}."]
    known = [plan.estimate.pages for plan in plans if plan.estimate.pages is not None]
    if known:
        credits_in_all = "" if each is None else f", about {sum(known) * each:,} credits"
        sentences.append(f"{format_count(sum(known), 'page')}{credits_in_all}.")
    if len(known) < len(plans):
        sentences.append(f"The number of pages of {format_count(len(plans) - len(known), 'document')} is not known.")
    if damaged := [excerpt(plan.found.name, _NAME_CHARS) for plan in plans if plan.is_damaged]:
        more = f" and {len(damaged) - _MAX_NAMES} more" if len(damaged) > _MAX_NAMES else ""
        sentences.append(
            f"Warning: {format_count(len(damaged), 'damaged PDF')} cannot be opened on this machine: "
            f"{', '.join(damaged[:_MAX_NAMES])}{more}."
        )
    if any(plan.is_capped for plan in plans):
        most = max(plan.options["max_pages"] for plan in plans if plan.is_capped)
        sentences.append(f"Of these, no more than {format_count(most, 'page')} each are read (LLX_MCP_MAX_PAGES).")
    return sentences
