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
<table>
<tr><th>job<th>status<th>document<th>created
{rows}
</table>
{faults}
</html>
"""


def render_status_page(jobs: Sequence[ListedJob], num_jobs: int, faults: Sequence[str]) -> str:
    """Render the page as HTML without scripts.

    Args:
        jobs: The newest jobs.
        num_jobs: The number of all jobs.
        faults: The injected faults, each as one line of text.
    """
    rows = "\n".join(
        f"<tr><td><code>{escape(job.job_id)}</code><td>{escape(job.status)}<td>{escape(job.file_input or '')}"
        f"<td>{job.created:%Y-%m-%d %H:%M:%S}"
        for job in jobs
    )
    count = f"{num_jobs:,} jobs" if len(jobs) == num_jobs else f"The newest {len(jobs):,} of {num_jobs:,} jobs"
    injected = f"<p>Injected faults: {escape('; '.join(faults))}</p>" if faults else ""
    return _PAGE.format(count=count, rows=rows, faults=injected)
