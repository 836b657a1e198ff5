"""A feature whose packages are missing names the extra that brings them, and the page that says how to install it."""

import re
import sys
import tomllib
from collections.abc import Callable

import pytest

from llx_mcp.cli.export_formats import check_format
from llx_mcp.errors import MissingExtraError
from llx_mcp.serving.metrics_server import build_metrics
from llx_mcp.serving.redis_client import open_redis
from llx_mcp.serving.settings import HttpSettings
from llx_mcp.settings import read_settings
from tests.conftest import ROOT

EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


@pytest.mark.parametrize(
    ("module", "use", "extra"),
    [
        ("openpyxl", lambda: check_format("xlsx"), "export"),
        ("pyarrow", lambda: check_format("parquet"), "export"),
        ("redis.asyncio.retry", lambda: open_redis("redis://127.0.0.1", 1.0), "redis"),
        ("llx_mcp.serving.metrics", lambda: build_metrics(read_settings(HttpSettings, metrics_port=0)), "metrics"),
    ],
)
def test_missing_package_is_an_error_that_names_the_extra(
    module: str, use: Callable[[], object], extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Importing it fails as if it were not installed.
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"needs the extra {extra}\. .* see Extras in docs/install\.md\."):
        use()


def test_page_has_every_extra_and_a_way_to_install_it_wherever_the_package_comes_from() -> None:
    page = (ROOT / "docs" / "install.md").read_text()
    section = page.partition("## Extras\n")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(EXTRAS)
    assert {name for names in re.findall(r"\[([a-z,]+)\]", section) for name in names.split(",")} <= EXTRAS.keys()
    plain, with_extras = (list_ways(part) for part in (page.partition("## Extras")[0], section))
    assert len(plain) == 5
    assert plain <= with_extras


def list_ways(text: str) -> set[str]:
    """Return the first column of the table of places that the package comes from."""
    rows = text.partition("| where from |")[2].partition("\n\n")[0].splitlines()[2:]
    return {re.sub(r"\[(\w+)\]\(.*?\)", r"\1", row).split(" | ")[0] for row in rows}
