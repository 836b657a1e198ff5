"""What a server may do besides reading comes from flags and settings, and is little by default."""

import argparse
from pathlib import Path

import pytest

from llx_mcp.cli.main import build_parser
from llx_mcp.cli.setup import build_creation_options
from llx_mcp.settings import load_settings
from tests.cli.command import run_command


def parse(*flags: str) -> argparse.Namespace:
    """Parse the flags of `llx-mcp serve`."""
    return build_parser().parse_args(["serve", *flags])


def test_nothing_is_allowed_by_default_and_the_embedded_api_bills_nothing() -> None:
    settings = load_settings()
    assert build_creation_options(parse(), settings).allowed == frozenset()
    assert build_creation_options(parse("--local"), settings).allowed == {"create", "cancel"}
    assert build_creation_options(parse(), settings).is_billed
    assert not build_creation_options(parse("--local"), settings).is_billed
    allowed = load_settings(allow=parse("--allow", "Delete").allow)
    assert build_creation_options(parse("--local"), allowed).allowed == {"create", "cancel", "delete"}


def test_files_are_those_of_the_working_directory_unless_folders_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "below").mkdir()
    settings = load_settings()
    assert build_creation_options(parse(), settings).folders == (tmp_path,)
    flags = ("--files", "below", "--files", str(tmp_path))
    assert build_creation_options(parse(*flags), settings).folders == (tmp_path / "below", tmp_path)


def test_root_of_the_file_system_is_a_folder_only_if_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(Path.cwd().anchor)
    monkeypatch.chdir(root)
    assert build_creation_options(parse(), load_settings()).folders == ()
    assert build_creation_options(parse("--files", str(root)), load_settings()).folders == (root,)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--allow", "all"), "must be a list of create, cancel, delete, such as create,cancel"),
        (("--files", "no-such-folder"), "no-such-folder is not a folder"),
        (("--max-pages", "0"), "give a whole number from 1"),
        (("--max-pages", "many"), "give a whole number from 1"),
    ],
)
def test_flag_that_cannot_be_used_is_explained(flags: tuple[str, str], words: str) -> None:
    assert words in run_command("serve", *flags, exit_status=2).stderr
