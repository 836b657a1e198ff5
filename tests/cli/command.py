"""Runs the command in a process of its own."""

import subprocess
import sys

from llx_mcp.local import SAMPLES

ID_BY_NAME = {sample.name: sample.job_id for sample in SAMPLES}


def run_command(*arguments: str, exit_status: int = 0) -> subprocess.CompletedProcess[str]:
    """Run `llx-mcp` with these arguments to its end, and assert its exit status."""
    run = subprocess.run([sys.executable, "-m", "llx_mcp", *arguments], capture_output=True, text=True, timeout=60)
    assert run.returncode == exit_status, run.stderr
    return run
