"""A file is replaced only by a complete one."""

from pathlib import Path

import pytest

from llx_mcp.cli.files import check_target, replace_file
from llx_mcp.errors import ArgumentError
from tests.cli.command import run_command


def test_file_is_replaced_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")
    with replace_file(path) as target:
        target.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_file_is_left_as_it_was_where_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), replace_file(path) as target:
        target.write(b"half" * (1 // 0))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_error_names_the_file_that_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "a.txt"
    with pytest.raises(OSError, match="No such file") as caught, replace_file(path):
        pass
    assert caught.value.filename == str(path)


def test_file_can_be_made_only_in_a_folder_that_exists(tmp_path: Path) -> None:
    check_target(tmp_path / "a.txt")
    with pytest.raises(ArgumentError, match=r"the folder .*missing does not exist\. Create it"):
        check_target(tmp_path / "missing" / "a.txt")
    with pytest.raises(ArgumentError, match="this is a folder"):
        check_target(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [(("report", "ext-1"), "r.html"), (("show", "ext-1", "a"), "page.png"), (("export", "ext-1"), "values.csv")],
)
def test_missing_folder_is_reported_before_any_work(arguments: tuple[str, ...], name: str, tmp_path: Path) -> None:
    output = tmp_path / "missing" / name
    # The job does not exist either, and would be reported if it were read.
    run = run_command(*arguments, "--local", "--output", str(output), exit_status=2)
    assert run.stderr.startswith(f"llx-mcp: --output {output}: the folder {output.parent} does not exist. Create it")
