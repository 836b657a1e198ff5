"""Run the conformance suite, the inspector, mcpscore, the npm client and schemathesis; exit 1 where one finds fault.

They come from npm and PyPI at the versions named here and in `package.json`, into `.judges/`. Node comes along,
since the suite needs 22 or newer. What each may still say of a server without fixture tools is listed beside this
file; an entry that no longer holds fails as well.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from judges.embedded import SCHEMATHESIS, judge_description, judge_npm_client

HERE = Path(__file__).parent
ROOT = HERE.parent
HOME = ROOT / ".judges"
NODE_BIN = HOME / "node_modules" / ".bin"
SERVE = [str(Path(sys.executable).with_name("llx-mcp")), "serve", "--local"]
TASK_SCENARIOS = (
    "tasks-lifecycle",
    "tasks-capability-negotiation",
    "tasks-wire-fields",
    "tasks-request-state-removal",
    "tasks-request-headers",
    "tasks-dispatch-and-envelope",
    "tasks-required-task-error",
)
REVISIONS = ("2025-11-25", "2026-07-28")
MCPSCORE = "mcpscore==1.29.0"


def main() -> int:
    """Install what is missing, then run each judge; returns the exit status."""
    install()
    verdicts = {
        "inspector --strict": judge_schemas(),
        "mcpscore": judge_score(),
        "@llamaindex/llama-cloud": judge_npm_client(HOME, NODE_BIN / "node"),
        "schemathesis": judge_description(HOME / "venv" / "bin" / "schemathesis"),
    }
    port = free_port()
    server = subprocess.Popen([*SERVE, "--http", "--port", str(port)], stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port)
        for revision in REVISIONS:
            verdicts[f"conformance {revision}"] = judge_conformance(revision, port)
    finally:
        server.terminate()
        server.wait(timeout=10)
    verdicts["conformance tasks"] = judge_tasks()
    for name, is_good in verdicts.items():
        print(f"{'passed' if is_good else 'FAILED'}  {name}")
    return 0 if all(verdicts.values()) else 1


def install() -> None:
    """Bring the judges into `.judges/`, where the versions asked for are not there yet."""
    wanted = (HERE / "package.json").read_text() + MCPSCORE + SCHEMATHESIS
    stamp = HOME / "installed"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    HOME.mkdir(exist_ok=True)
    shutil.copy(HERE / "package.json", HOME / "package.json")
    npm = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]
    subprocess.run(npm, cwd=HOME, check=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", HOME / "venv"], check=True)
    # Python compiles what these two import, which is little of what they bring along.
    pip = [sys.executable, "-m", "pip", "--python", str(HOME / "venv" / "bin" / "python")]
    subprocess.run([*pip, "install", "--quiet", "--no-compile", MCPSCORE, SCHEMATHESIS], check=True)
    stamp.write_text(wanted)


def judge_schemas() -> bool:
    """The inspector reads the tools over stdio and finds nothing in their schemas that a client would refuse."""
    run = judged([NODE_BIN / "mcp-inspector", "--cli", "--method", "tools/list", "--strict", *SERVE])
    is_good = run.returncode == 0 and not run.stderr.strip()
    if not is_good:
        print(run.stderr)
    return is_good


def judge_score() -> bool:
    """Of the rules that mcpscore applies, only those that the SDK decides are not met."""
    expected = set((HERE / "mcpscore-expected.txt").read_text().split())
    run = judged([HOME / "venv" / "bin" / "mcpscore", "--no-config", "--json", "--stdio", *SERVE])
    report = json.loads(run.stdout)
    failed = {rule["rule_id"] for rule in report["results"] if not rule["passed"]}
    if failed != expected:
        print(f"mcpscore: not met and not expected: {sorted(failed - expected)}; stale: {sorted(expected - failed)}")
    return failed == expected


def judge_conformance(revision: str, port: int) -> bool:
    """Every server scenario of the revision that needs no fixture passes."""
    run = judged([
        NODE_BIN / "node", NODE_BIN / "conformance", "server",
        "--url", f"http://127.0.0.1:{port}/mcp", "--requirements", revision,
        "--expected-failures", HERE / f"conformance-expected-{revision}.yml", "--output-dir", HOME / "results",
    ])  # fmt: skip
    if run.returncode:
        print(run.stdout[run.stdout.find("=== SUMMARY") :] + run.stderr)
    return run.returncode == 0


def judge_tasks() -> bool:
    """The scenarios of the tasks extension that ask for no input pass, against a build with their fixture tools."""
    port = free_port()
    server = subprocess.Popen([sys.executable, "-m", "judges.fixtures", str(port)], cwd=ROOT, stderr=subprocess.DEVNULL)
    is_good = True
    try:
        wait_for_port(port)
        for scenario in TASK_SCENARIOS:
            run = judged([
                NODE_BIN / "node", NODE_BIN / "conformance", "server", "--url", f"http://127.0.0.1:{port}/mcp",
                "--scenario", scenario, "--spec-version", "2026-07-28", "--force", "--output-dir", HOME / "results",
            ])  # fmt: skip
            if run.returncode or ", 0 failed, 0 warnings" not in run.stdout:
                is_good = False
                print(f"{scenario}: {run.stdout}{run.stderr}")
    finally:
        server.terminate()
        server.wait(timeout=10)
    return is_good


def judged(command: list[str | Path]) -> subprocess.CompletedProcess[str]:
    """Run a judge with our Node first on the path."""
    env = os.environ | {"PATH": f"{NODE_BIN}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(command, cwd=HOME, env=env, capture_output=True, text=True, timeout=300)


def free_port() -> int:
    """A port on this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int) -> None:
    """Until the server listens, 30 seconds at the most."""
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError("the server did not start to listen")


if __name__ == "__main__":
    sys.exit(main())
