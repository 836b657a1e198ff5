"""A judge that cannot run says so."""

from pathlib import Path

import pytest

from judges import embedded


@pytest.mark.parametrize(("required", "passes"), [(None, True), ("1", False)])
def test_missing_description_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], required: str | None, passes: bool
) -> None:
    monkeypatch.setattr(embedded, "OPENAPI", embedded.ROOT.parent / "nowhere" / "openapi.json")
    if required:
        monkeypatch.setenv("LLX_MCP_TESTS_NEED_CORPUS", required)
    else:
        monkeypatch.delenv("LLX_MCP_TESTS_NEED_CORPUS", raising=False)
    assert embedded.judge_description(Path("schemathesis")) is passes
    path = Path("nowhere", "openapi.json")
    assert capsys.readouterr().out == (
        f"Schemathesis did not run: the service's OpenAPI file is not at {path}, next to this checkout.\n"
    )
