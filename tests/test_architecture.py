"""Imports go downward only, no module is part of a cycle, and each outside library stays in its package."""

import ast
import os
import subprocess
import sys
from collections.abc import Collection
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "llx_mcp"
# Measuring coverage imports modules of its own into every process.
WITHOUT_COVERAGE = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}

# From the top down. A package or module may import those in the rows below its own.
LAYERS = [
    {"__main__", "pytest_plugin", "outputs"},
    {"cli"},
    {"serving"},
    {"server"},
    {"backends"},
    {"jobs", "llamacloud", "local"},
    {"workers", "pdf"},
    {"answers"},
    {"query", "evidence", "relations"},
    {"result"},
    {"models", "settings"},
    {"json_log"},
    {"errors", "observation", "raw_json", "redaction", "scope", "turns"},
]
# The packages that may import each outside library. Everything else stays free of it.
LIBRARIES = {
    "mcp": {"serving", "server", "cli"},
    "mcp_types": {"serving", "server"},
    "httpx": {"llamacloud", "serving"},
    "jwt": {"serving"},
    "prometheus_client": {"serving"},
    "opentelemetry": {"serving"},
    "stamina": {"llamacloud"},
    "starlette": {"local", "serving"},
    "sqlite3": {"local", "query"},
    "uvicorn": {"local", "serving"},
    "pytest": {"pytest_plugin"},
    "jsonschema": {"local", "result"},
    "rapidfuzz": {"evidence"},
    "re2": {"result"},
    "referencing": {"result"},
    "pypdfium2": {"pdf"},
    "PIL": {"pdf"},
    "redis": {"serving"},
    "pydantic": {"models", "settings", "answers", "serving", "server", "backends", "local"},
    "pydantic_settings": {"settings", "serving"},
    "openpyxl": {"cli"},
    "pyarrow": {"cli"},
    "rich": {"cli"},
    "msgspec": {"models", "raw_json", "result", "evidence", "answers", "workers", "pdf", "local"},
}
# The embedded API could be a package of its own: it imports nothing else of ours.
LOCAL_IMPORTS = {"models", "raw_json", "pdf"}


def module_name(path: Path) -> str:
    """Return the dotted name of a module; a package has the name of its folder."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = {module_name(path): path for path in FILES}


def imports_of(path: Path, modules: Collection[str]) -> set[str]:
    """Return every module that a file imports: at its top, inside functions, and for type checking.

    Args:
        path: the file.
        modules: dotted names of the modules that `from package import module` can import.
    """
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            assert node.module
            # `from package import module` imports the module, `from module import name` the module that has it.
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            submodules = names.intersection(modules)
            found |= submodules
            if submodules != names:
                found.add(node.module)
    return found


@cache
def list_imports() -> dict[str, set[str]]:
    """Return what each module imports."""
    return {name: imports_of(path, MODULES) for name, path in MODULES.items()}


@cache
def list_own_imports() -> dict[str, set[str]]:
    """Return which of our modules each module imports."""
    return {name: imports & MODULES.keys() for name, imports in list_imports().items()}


def layer_name(module: str) -> str:
    """Return the package, or the module at the top level, that a module belongs to."""
    return module.split(".")[1] if "." in module else ""


def layer_of(module: str) -> int:
    """Return the index of a module's layer."""
    return next(index for index, names in enumerate(LAYERS) if layer_name(module) in names)


CHECKED = sorted(name for name in MODULES if name != "llx_mcp")


def test_imports_go_downward_only() -> None:
    def is_allowed(module: str, imported: str) -> bool:
        return layer_name(imported) == layer_name(module) or layer_of(imported) > layer_of(module)

    upward = [
        f"{module} imports {imported}"
        for module in CHECKED
        for imported in list_own_imports()[module] - {"llx_mcp"}
        if not is_allowed(module, imported)
    ]
    assert upward == []


def test_no_module_is_part_of_an_import_cycle() -> None:
    try:
        TopologicalSorter(list_own_imports()).prepare()
    except CycleError as exc:
        pytest.fail(f"import cycle: {' -> '.join(exc.args[1])}")


def test_embedded_api_imports_nothing_else_of_ours() -> None:
    imports = [list_own_imports()[module] for module in CHECKED if layer_name(module) == "local"]
    assert {layer_name(imported) for imported in set().union(*imports)} - {"local", ""} == LOCAL_IMPORTS


def test_outside_libraries_stay_in_their_packages() -> None:
    strays = [
        f"{module} imports {imported}"
        for module in CHECKED
        for imported in list_imports()[module]
        if layer_name(module) not in LIBRARIES.get(imported.split(".")[0], {layer_name(module)})
    ]
    assert strays == []


def test_every_package_has_a_layer() -> None:
    assert {layer_name(name) for name in CHECKED} == set().union(*LAYERS)


def test_start_up_imports_nothing_heavy() -> None:
    heavy = (
        "httpx",
        "stamina",
        "sqlite3",
        "msgspec",
        "rich",
        "shtab",
        "llx_mcp.models",
        "llx_mcp.answers.summary",
        "llx_mcp.local",
        "jwt",
        "redis",
        "prometheus_client",
    )
    code = "import sys, llx_mcp.cli.main, llx_mcp.server.run, llx_mcp.serving.run; "
    code += f"print([name for name in {heavy} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=WITHOUT_COVERAGE)
    assert run.stdout.strip() == "[]"


def test_help_imports_no_outputs() -> None:
    code = "import sys; from llx_mcp.cli.main import build_parser; build_parser().format_help(); "
    code += "print([name for name in sys.modules if name.startswith(('llx_mcp.answers.', 'llx_mcp.outputs'))])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=WITHOUT_COVERAGE)
    assert run.stdout.strip() == "['llx_mcp.answers.limits']"


def test_pytest_plugin_imports_nothing_else_until_the_fixture_is_used() -> None:
    code = "import sys, pytest; before = set(sys.modules); import llx_mcp.pytest_plugin; "
    code += "new = set(sys.modules) - before; "
    code += "print(sorted(name for name in new if name.partition('.')[0] not in sys.stdlib_module_names))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=WITHOUT_COVERAGE)
    assert run.stdout.strip() == "['llx_mcp', 'llx_mcp.pytest_plugin']"


def test_no_file_imports_a_test_module() -> None:
    modules = {module_name(path) for path in (ROOT / "tests").rglob("test_*.py")}
    files = [path for folder in ("tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    importing = [module_name(path) for path in files if not imports_of(path, modules).isdisjoint(modules)]
    assert importing == []
