"""One golden answer of each tool, in Markdown, so that a changed answer shows as a diff."""

from pathlib import Path
from typing import Any

import pytest

from llx_mcp.local import SAMPLES
from tests.clients import call, connect_with_clock, text_of
from tests.conftest import Snapshot
from tests.fake_clock import FakeClock

ANSWERS = Path(__file__).parent / "snapshots" / "answers"
INVOICE, STATEMENT, LAB_REPORT, LOAN = (sample.job_id for sample in SAMPLES[:4])
# The embedded API's jobs were created on 2026-07-06; the clock stands at the end of that day.
SECONDS = 186 * 86_400 + 86_399.0

CALLS: dict[str, dict[str, Any]] = {
    "get_extract_job": {"job_id": STATEMENT, "max_chars": 3_000},
    "wait_for_extract_job": {"job_ids": [INVOICE, LAB_REPORT, "ext-unknown"], "max_chars": 4_000},
    "read_extract_result": {"job_id": INVOICE, "path": "line_items[*]", "max_chars": 2_000},
    "find_in_extract_result": {"job_id": LOAN, "text": "interest cover covenant"},
    "query_extract_result": {
        "job_id": STATEMENT,
        "sql": "SELECT substr(date, 1, 7) AS month, count(*) AS payments, round(sum(amount), 2) AS net "
        "FROM transactions GROUP BY 1 ORDER BY 1",
    },
    "review_extract_job": {"job_id": LOAN, "max_chars": 2_000},
    "list_extract_jobs": {"status": "COMPLETED", "max_chars": 2_000},
}


@pytest.mark.parametrize("tool", CALLS)
async def test_answer_is_as_committed(tool: str, snapshot: Snapshot) -> None:
    clock = FakeClock()
    clock.seconds = SECONDS
    async with connect_with_clock(clock) as client:
        result = await call(client, tool, **CALLS[tool])
    snapshot.check(ANSWERS / f"{tool}.md", text_of(result))
