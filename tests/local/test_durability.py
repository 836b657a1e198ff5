"""What was acknowledged is there after the process was killed, at whatever moment."""

import os
import random
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from llx_mcp.local import JobStore

KILLS = 200
# Forks a writer for each line that it reads, so that the interpreter is started once. A writer says what the store
# has acknowledged, and goes on until it is killed.
NURSERY = """
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


def test_nothing_acknowledged_is_lost_when_the_writer_is_killed_200_times(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    JobStore(path).close()
    chance = random.Random(1)
    kept: set[str] = set()
    deleted: set[str] = set()
    nursery = subprocess.Popen(
        [sys.executable, "-c", NURSERY, str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1,
    )  # fmt: skip
    assert nursery.stdin
    assert nursery.stdout
    assert nursery.stderr
    for life in range(KILLS):
        nursery.stdin.write(f"{life}\n")
        writer = int(nursery.stdout.readline())
        for _ in range(chance.randrange(1, 12)):
            note(nursery.stderr.readline(), kept, deleted)
        # Busy for a moment that differs, so that the kill falls anywhere within a write.
        sum(range(chance.randrange(1, 60_000)))
        os.kill(writer, signal.SIGKILL)
    nursery.stdin.close()
    for line in nursery.stderr:
        note(line, kept, deleted)
    nursery.wait(timeout=10)
    nursery.stdout.close()
    nursery.stderr.close()
    with closing(JobStore(path)) as store:
        held = {job_id for job_id, _ in store.list_jobs()}
    assert len(kept) > KILLS
    assert kept - held == set()
    assert deleted & held == set()
    # At most the one that each writer was about to acknowledge.
    assert len(held - kept) <= KILLS


def note(line: str, kept: set[str], deleted: set[str]) -> None:
    """Remember what a writer said; it is written in one piece or not at all."""
    (kept if line[0] == "+" else deleted).add(line[1:].strip())
