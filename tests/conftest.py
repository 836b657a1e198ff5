"""What the tests share: the real documents, where they lie beside the checkout, and the committed snapshots."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"
CORPUS = SHARED / "corpus"
CORPUS_JOBS = sorted(CORPUS.glob("*.job.json"))
NEEDS_CORPUS = "LLX_MCP_TESTS_NEED_CORPUS"


def need_shared(path: Path) -> Path:
    """The path, or a skip that says what is missing; a failure where it must be there."""
    if not path.exists():
        words = f"{path.relative_to(ROOT.parent)} does not lie beside this checkout"
        if os.environ.get(NEEDS_CORPUS):
            pytest.fail(words)
        pytest.skip(words)
    return path


@pytest.fixture
def corpus() -> Path:
    """The folder with real documents and their jobs."""
    return need_shared(CORPUS)


@pytest.fixture(params=[path.name for path in CORPUS_JOBS] or ["missing"])
def corpus_job(request: pytest.FixtureRequest, corpus: Path) -> bytes:
    """Each real job in turn, as the service's own bytes."""
    return (corpus / str(request.param)).read_bytes()


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine's reaches a test."""
    for name in list(os.environ):
        if name.startswith(("LLAMA_", "LLX_MCP_")) and name != NEEDS_CORPUS:
            monkeypatch.delenv(name)
