"""Acknowledged writes survive a kill of the process at any moment."""

import os
import random
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from llx_mcp.local import JobStore

KILLS = 200
# Forks one writer per input line, so that the interpreter starts only once. A writer prints each acknowledged write
# and continues until it is killed.
FORK_SERVER = """
import os, sys
from pathlib import Path
from datetime import UTC, datetime
from llx_mcp.local.job_store import JobStore
for line in sys.stdin:
    pid = os.fork()
    if pid:
        print(pid, flush=True)
        os.waitpid(pid, 0)
        continue
    store, number = JobStore(Path(sys.argv[1])), 0
    while True:
        number += 1
        body = b'{"id":"ext-%s-%d","status":"COMPLETED","x":"%s"}' % (line.strip().encode(), number, b"x" * 3000)
        job_id = store.import_job(body)
        if number % 3 == 0:
            store.delete_job(job_id)
            os.write(2, b"-%s\\n" % job_id.encode())
        else:
            os.write(2, b"+%s\\n" % job_id.encode())
"""


def test_acknowledged_writes_survive_200_kills(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    JobStore(path).close()
    rng = random.Random(1)
    imported: set[str] = set()
    deleted: set[str] = set()
    fork_server = subprocess.Popen(
        [sys.executable, "-c", FORK_SERVER, str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1,
    )  # fmt: skip
    assert fork_server.stdin
    assert fork_server.stdout
    assert fork_server.stderr
    for round_number in range(KILLS):
        fork_server.stdin.write(f"{round_number}\n")
        writer = int(fork_server.stdout.readline())
        for _ in range(rng.randrange(1, 12)):
            record(fork_server.stderr.readline(), imported, deleted)
        # Work for a random time, so that the kill comes at a random moment of a write.
        sum(range(rng.randrange(1, 60_000)))
        os.kill(writer, signal.SIGKILL)
    fork_server.stdin.close()
    for line in fork_server.stderr:
        record(line, imported, deleted)
    fork_server.wait(timeout=10)
    fork_server.stdout.close()
    fork_server.stderr.close()
    with closing(JobStore(path)) as store:
        stored = {job_id for job_id, _ in store.list_jobs()}
    assert len(imported) > KILLS
    assert imported - stored == set()
    assert deleted & stored == set()
    # Each writer may have committed one more write than it acknowledged.
    assert len(stored - imported) <= KILLS


def record(line: str, imported: set[str], deleted: set[str]) -> None:
    """Record one acknowledged write. A line is written in one piece or not at all."""
    (imported if line[0] == "+" else deleted).add(line[1:].strip())
