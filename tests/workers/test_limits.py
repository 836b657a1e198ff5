"""The limits are really applied to a process; `test_worker.py` has workers that exceed them."""

import subprocess
import sys

import pytest

from tests.platforms import LIMITS_MEMORY

pytestmark = LIMITS_MEMORY

RESOURCE = "import mmap, resource; from llx_mcp.workers.limits import *; "


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own."""
    code = f"import sys; sys.path[:] = {sys.path!r}; {RESOURCE}{code}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)


def test_process_gets_no_more_memory_than_its_limit() -> None:
    assert run("limit_memory(0); mmap.mmap(-1, 600 << 20); print('enough')").stdout == "enough\n"
    assert "Cannot allocate memory" in run("limit_memory(0); mmap.mmap(-1, 800 << 20)").stderr
    assert run("limit_memory(50 << 20); mmap.mmap(-1, 1300 << 20); print('enough')").stdout == "enough\n"
    assert "Cannot allocate memory" in run("limit_memory(50 << 20); mmap.mmap(-1, 1400 << 20)").stderr


def test_processor_time_is_limited_to_what_was_used_and_three_seconds_more() -> None:
    code = "time = lambda: sum(resource.getrusage(resource.RUSAGE_SELF)[:2]); before = time(); "
    code += "hard = resource.getrlimit(resource.RLIMIT_CPU)[1]; limit_processor_time(5.5); "
    code += "soft, same = resource.getrlimit(resource.RLIMIT_CPU); "
    code += "print(int(before + 8.5) <= soft <= int(time() + 8.5), hard == same)"
    assert run(code).stdout == "True True\n"


def test_limit_does_not_exceed_the_hard_limit() -> None:
    code = "resource.setrlimit(resource.RLIMIT_CPU, (5, 20)); limit_processor_time(100.0); "
    assert run(f"{code} print(resource.getrlimit(resource.RLIMIT_CPU))").stdout == "(20, 20)\n"
    code = "resource.setrlimit(resource.RLIMIT_AS, (1 << 33, 1 << 33)); limit_memory(1 << 40); "
    assert run(f"{code} print(resource.getrlimit(resource.RLIMIT_AS))").stdout == f"({1 << 33}, {1 << 33})\n"


def test_memory_limit_is_what_is_used_and_a_multiple_of_the_body_and_room_for_a_query() -> None:
    code = "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize(); limit_memory({}); "
    code += "print(resource.getrlimit(resource.RLIMIT_AS)[0] - used)"
    for num_bytes in (0, 1_000_000):
        expected = 768 * 1024 * 1024 + 12 * num_bytes
        assert int(run(code.format(num_bytes)).stdout) == pytest.approx(expected, abs=500_000)


def test_memory_limit_can_be_raised_for_a_larger_job() -> None:
    code = "limit_memory(0); a = resource.getrlimit(resource.RLIMIT_AS)[0]; "
    code += "limit_memory(1000); print(resource.getrlimit(resource.RLIMIT_AS)[0] - a)"
    assert run(code).stdout == "12000\n"


def test_system_without_limits_is_left_alone() -> None:
    code = "sys.modules['resource'] = None; sys.platform = 'other'; limit_memory(1); limit_processor_time(1.0); "
    done = run(f"{code} print('done')".replace("mmap, resource;", "mmap;"))
    assert "done" in done.stdout
