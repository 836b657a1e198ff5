"""Imports run downward only, and each outside library has its room."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "llx_mcp"

# Each room may import those in the rows below its own, and its own row's modules of the same name.
LEVELS = [
    {
        "cli",
        "people",
        "demo",
        "export",
        "local_commands",
        "options",
        "serving",
        "server",
        "sources",
        "transfers",
        "waiting",
        "pytest_plugin",
        "__main__",
    },
    {"waits"},
    {"tools", "resources", "prompts", "subscriptions"},
    {"tasks"},
    {"jobs", "llamacloud", "local"},
    {"workers"},
    {"query"},
    {"reading"},
    {"models", "errors", "settings", "wire"},
]
ONLY_HERE = {
    "mcp": {"tools", "resources", "subscriptions", "tasks", "waits", "server", "demo"},
    "mcp_types": {"tools", "resources", "subscriptions", "tasks", "server"},
    "httpx": {"llamacloud"},
    "stamina": {"llamacloud"},
    "starlette": {"local"},
    "sqlite3": {"local", "query"},
    "uvicorn": {"local", "serving"},
    "pytest": {"pytest_plugin"},
    "jsonschema": {"local", "reading"},
    "pypdfium2": {"local"},
    "pydantic": {"models", "settings", "tools", "waits", "server", "sources", "local"},
    "pydantic_settings": {"settings"},
    "openpyxl": {"export"},
    "rich": {"waiting"},
    "pyarrow": {"export"},
    "msgspec": {"models", "wire", "reading", "workers", "local"},
}
# The embedded API could be lifted out as it is.
ISLANDS = {"local": {"models", "wire"}}


def imports_of(path: Path) -> list[str]:
    """Every module that a file imports, however deep inside it."""
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            assert node.module
            found += [
                f"{node.module}.{alias.name}" if node.module == "llx_mcp" else node.module for alias in node.names
            ]
    return found


def room_of(path: Path) -> str:
    """The module or folder right below the package that a file belongs to."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def level_of(room: str) -> int:
    """How far down a room is."""
    return next(index for index, rooms in enumerate(LEVELS) if room in rooms)


FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_downward_only(path: Path) -> None:
    room = room_of(path)
    for name in imports_of(path):
        top, _, rest = name.partition(".")
        if top != "llx_mcp" or rest in ("", "__version__"):
            continue
        other = rest.split(".")[0]
        if room in ISLANDS:
            assert other == room or other in ISLANDS[room], f"{room} imports {name}"
        is_same_row_allowed = level_of(room) in (0, len(LEVELS) - 1)
        assert other == room or level_of(other) > level_of(room) or is_same_row_allowed, f"{room} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_outside_libraries_stay_in_their_rooms(path: Path) -> None:
    for name in imports_of(path):
        rooms = ONLY_HERE.get(name.split(".")[0])
        assert rooms is None or room_of(path) in rooms, f"{path.relative_to(PACKAGE)} imports {name}"


def test_every_room_is_on_the_map() -> None:
    assert {room_of(path) for path in FILES} == set().union(*LEVELS)


def test_serving_imports_nothing_heavy_before_it_is_asked() -> None:
    heavy = ("httpx", "stamina", "sqlite3", "msgspec", "llx_mcp.models", "llx_mcp.reading.summary", "llx_mcp.local")
    code = f"import sys, llx_mcp.cli, llx_mcp.serving; print([name for name in {heavy} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_a_test_run_that_does_not_ask_for_the_fixture_imports_nothing_of_ours() -> None:
    code = "import sys, pytest; before = set(sys.modules); import llx_mcp.pytest_plugin; "
    code += "new = set(sys.modules) - before; "
    code += "print(sorted(name for name in new if name.partition('.')[0] not in sys.stdlib_module_names))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "['llx_mcp', 'llx_mcp.pytest_plugin']"
