"""The page at `/`, which shows a person the jobs of the embedded API."""

from collections.abc import Sequence
from html import escape

from llx_mcp.local.job_queries import ListedJob

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>llx-mcp local</title>
<style>body{{font:15px/1.5 sans-serif;margin:2rem}}td,th{{text-align:left;padding:.15rem 1rem .15rem 0}}</style>
<h1>The embedded LlamaExtract API</h1>
<p>This is llx-mcp on this machine, not LlamaCloud. Any key that begins with <code>llx-</code> is accepted.</p>
<p>{count}</p>
{jobs}
{faults}
</html>
"""
_HIDDEN = "<p>To see them, open the address that <code>llx-mcp local serve</code> printed, or send an API key.</p>"


def render_status_page(jobs: Sequence[ListedJob] | None, num_jobs: int, faults: Sequence[str]) -> str:
    """Render the page as HTML without scripts.

    Args:
        jobs: The newest jobs; None if the reader may not see them.
        num_jobs: The number of all jobs.
        faults: The injected faults, each as one line of text.
    """
    is_cut = jobs is not None and len(jobs) < num_jobs
    count = f"The newest {len(jobs or ()):,} of {num_jobs:,} jobs" if is_cut else f"{num_jobs:,} jobs"
    injected = f"<p>Injected faults: {escape('; '.join(faults))}</p>" if faults else ""
    return _PAGE.format(count=count, jobs=_HIDDEN if jobs is None else _render_table(jobs), faults=injected)


def _render_table(jobs: Sequence[ListedJob]) -> str:
    rows = "\n".join(
        f"<tr><td><code>{escape(job.job_id)}</code><td>{escape(job.status)}<td>{escape(job.file_input or '')}"
        f"<td>{job.created:%Y-%m-%d %H:%M:%S}"
        for job in jobs
    )
    return f"<table>\n<tr><th>job<th>status<th>document<th>created\n{rows}\n</table>"
