"""Fixtures of all tests: the real documents, where they lie beside the checkout, and snapshots."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"
CORPUS = SHARED / "corpus"
CORPUS_JOBS = sorted(CORPUS.glob("*.job.json"))
NEEDS_CORPUS = "LLX_MCP_TESTS_NEED_CORPUS"


def need_shared(path: Path) -> Path:
    """Return the path. Where it is missing, skip the test, or fail it if the corpus is required."""
    if not path.exists():
        reason = f"{path.relative_to(ROOT.parent)} is missing beside this checkout"
        if os.environ.get(NEEDS_CORPUS):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--update-snapshots`."""
    parser.addoption("--update-snapshots", action="store_true", help="write the committed snapshots anew")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return how many tests `-n auto` runs at once: more than processors, because many tests mostly wait."""
    return max((os.cpu_count() or 1) * 3 // 2, 2)


@dataclass(frozen=True)
class Snapshot:
    """Compares texts with committed files, or writes the files where `--update-snapshots` is given."""

    is_update: bool

    def check(self, path: Path, text: str) -> None:
        """Fail where a text differs from its file."""
        if self.is_update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif not path.exists():
            pytest.fail(f"{path.name} is missing. If it is new, run pytest --update-snapshots, read it and commit it.")
        committed = path.read_text(encoding="utf-8")
        assert text == committed, f"{path.name} differs. If the change is meant, run pytest --update-snapshots."


@pytest.fixture
def snapshot(request: pytest.FixtureRequest) -> Snapshot:
    """Return the comparison with committed files."""
    return Snapshot(bool(request.config.getoption("--update-snapshots")))


@pytest.fixture(scope="session")
def corpus() -> Path:
    """Return the folder with real documents and their jobs."""
    return need_shared(CORPUS)


@pytest.fixture(params=[path.name for path in CORPUS_JOBS] or ["missing"])
def corpus_job(request: pytest.FixtureRequest, corpus: Path) -> bytes:
    """Return each real job in turn, as the bytes that the service sent."""
    return (corpus / str(request.param)).read_bytes()


@pytest.fixture(autouse=True, scope="session")
def _clean_environment() -> Iterator[None]:
    """Remove every setting of this machine from the environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("LLAMA_", "LLX_MCP_")) and name != NEEDS_CORPUS:
                patch.delenv(name)
        yield
