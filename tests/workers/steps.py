"""Steps for workers: questions about a job of three rows, and what they answer."""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from llx_mcp.answers.dispatch import BuildTables, LoadJob, Message, QueryQuestion, Step, encode_step
from llx_mcp.answers.header import Header
from llx_mcp.answers.requests import JobRequest
from llx_mcp.workers.pool import WorkerPool
from llx_mcp.workers.worker import Worker

HEADING = Header("ext-1", "COMPLETED")
# Far more than a worker needs, also on a busy machine.
ENOUGH_SECONDS = 60.0
ENDLESS = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r"
# A thousand different texts of 4 MB.
HUGE = (
    "WITH RECURSIVE g(n, s) AS (SELECT 1, 'x' UNION ALL SELECT n + 1, s || s FROM g WHERE n < 23), "
    "r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 1000) "
    "SELECT count(*) FROM (SELECT DISTINCT s || r.n FROM g, r WHERE g.n = 23)"
)


def job_body(value: Any) -> bytes:
    """Make the body of a job whose rows have this value."""
    return json.dumps({"extract_result": {"rows": [{"n": value}] * 3}}).encode()


def body_of(value: Any) -> Callable[[], Awaitable[bytes]]:
    """Return a function that returns the body of a job with this value, and counts its calls."""

    async def fetch() -> bytes:
        fetch.count += 1  # type: ignore[attr-defined]
        return job_body(value)

    fetch.count = 0  # type: ignore[attr-defined]
    return fetch


def question(sql: str, deadline_seconds: float = ENOUGH_SECONDS) -> QueryQuestion:
    """Build a question that runs a query."""
    return QueryQuestion(JobRequest("ext-1"), HEADING, sql, deadline_seconds)


def steps_of(sql: str, seconds: float = ENOUGH_SECONDS) -> Sequence[Step]:
    """Build the steps of a query, which may take this long."""
    load, build = Step(LoadJob(), ENOUGH_SECONDS), Step(BuildTables(sql), ENOUGH_SECONDS)
    return load, build, Step(question(sql), seconds)


async def first_cell(pool: WorkerPool, name: str, fetch: Callable[[], Awaitable[bytes]]) -> Any:
    """Return the value in the first row of a job."""
    answer = await pool.answer(name, name, fetch, steps_of("SELECT n FROM rows LIMIT 1"))
    return answer.structured["rows"]["rows"][0][0]


def send(worker: Worker, message: Message, body: bytes = b"", seconds: float = ENOUGH_SECONDS) -> Any:
    """Send a message to a worker, and return the structured form of its answer, if there is one."""
    worker.is_ready = False
    answer = worker.exchange(encode_step(Step(message, seconds)), body)
    return None if answer is None else answer.structured
