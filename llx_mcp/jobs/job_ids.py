"""How many jobs one wait takes, and which."""

from collections.abc import Sequence

from llx_mcp.errors import ArgumentError

MAX_JOBS = 100


def check_job_ids(job_ids: Sequence[str]) -> list[str]:
    """Return the ids of the jobs to wait for, each once.

    Raises:
        ArgumentError: there is no id, or there are too many.
    """
    wanted = list(dict.fromkeys(job_id.strip() for job_id in job_ids))
    if not wanted:
        raise ArgumentError("No job is named. Give the ids of the extract jobs to wait for; they begin with ext-.")
    if len(wanted) > MAX_JOBS:
        raise ArgumentError(
            f"{len(wanted)} jobs are more than one wait takes. Give at most {MAX_JOBS}, and the rest in another."
        )
    return wanted
