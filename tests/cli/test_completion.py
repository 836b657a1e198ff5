"""The shell completes commands, flags, their values and files."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.command import run_command

BASH = shutil.which("bash")
SCRIPT = """
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_shtab_llx_mcp
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.skipif(BASH is None, reason="needs bash")
@pytest.mark.parametrize(
    ("words", "completions"),
    [
        (["re"], ["report"]),
        (["se"], ["serve"]),
        (["local", "re"], ["record", "redact"]),
        (["list", "--stat"], ["--status"]),
        (["list", "--status", "C"], ["COMPLETED", "CANCELLED"]),
        (["export", "--output", "jo"], ["job.json"]),
    ],
)
def test_bash_completes_words(words: list[str], completions: list[str], tmp_path: Path) -> None:
    script = tmp_path / "completion.bash"
    script.write_text(run_command("completion", "bash").stdout)
    (tmp_path / "job.json").touch()
    command = [str(BASH), "-c", SCRIPT, "bash", str(script), "llx-mcp", *words]
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (run.stdout.split(), run.stderr) == (completions, "")


@pytest.mark.parametrize("shell", ["zsh", "fish", "tcsh"])
def test_other_shells_have_a_script(shell: str) -> None:
    script = run_command("completion", shell).stdout
    assert "llx-mcp" in script
    assert "scenarios" in script
