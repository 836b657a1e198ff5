"""Chromium shows the report: nothing runs, nothing is loaded, pictures decode, and it prints."""

import base64
import http.server
import io
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pypdfium2
import pytest
from PIL import Image

from llx_mcp.cli.report_html import render_report
from llx_mcp.cli.report_model import Check, Figure, Report, ReportValue

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: apt-get install chromium")

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
LIGHT, DARK = (255, 255, 255), (15, 18, 22)
PICTURE = (10, 200, 30)


class Requests(list[str]):
    """The paths that were asked for, and the address at which they are noted."""

    address = ""


@pytest.fixture
def requests() -> Iterator[Requests]:
    """Serve on a free port of this machine, and note each request."""
    noted = Requests()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            noted.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        noted.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield noted
        server.shutdown()
        thread.join()


def encode_picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (400, 300), PICTURE).save(buffer, "PNG")
    return buffer.getvalue()


def build_report(address: str) -> Report:
    hostile = (
        f'<script>document.title="ran";fetch("{address}/script")</script>'
        f'<img src="{address}/image"><link rel=stylesheet href="{address}/style"><svg onload=\'document.title="ran"\'>'
        f'<style>@import "{address}/import"; body{{background:url({address}/ground)}}</style>'
        f'<iframe src="{address}/frame"></iframe><meta http-equiv=refresh content="0;url={address}/moved">'
    )
    values = [
        ReportValue(f"items[{index}].name", hostile, 0.4, 1, hostile, Check("verified", "good")) for index in range(60)
    ]
    return Report(
        job_id="ext-1",
        status="COMPLETED",
        created_at="2026-11-28T18:00:00Z",
        version="1",
        document=hostile,
        figures=[Figure("Page 1", encode_picture(), "image/png", 400, 300, values[:1], [1])],
        values=values,
        num_values=60,
    )


@pytest.fixture
def page(tmp_path: Path, requests: Requests) -> Path:
    """Write a report of a hostile document."""
    path = tmp_path / "report.html"
    path.write_text(render_report(build_report(requests.address)), encoding="utf-8")
    return path


def run_chromium(page: Path, *arguments: str) -> str:
    """Open a page in Chromium, and return what it prints."""
    assert CHROMIUM is not None
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={page.parent / 'profile'}", *arguments, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def take_screenshot(page: Path, *arguments: str, size: str = "1000,4000") -> Image.Image:
    path = page.with_suffix(".png")
    run_chromium(page, f"--window-size={size}", f"--screenshot={path}", *arguments)
    return Image.open(path).convert("RGB")


def test_nothing_runs_and_nothing_is_loaded(page: Path, requests: Requests) -> None:
    dom = run_chromium(page, "--dump-dom", "--virtual-time-budget=2000")
    title = re.search(r"<title>(.*?)</title>", dom)
    assert title is not None
    assert title[1].startswith("Extraction report: &lt;script&gt;")
    assert not re.search(r"<(script|iframe|link|svg)\b", dom)
    assert requests == []


def test_page_that_loads_something_would_be_noticed(tmp_path: Path, requests: Requests) -> None:
    page = tmp_path / "control.html"
    page.write_text(f'<title>x</title><img src="{requests.address}/image"><script>document.title="ran"</script>')
    assert "<title>ran</title>" in run_chromium(page, "--dump-dom", "--virtual-time-budget=2000")
    assert "/image" in requests


def test_pictures_decode(page: Path) -> None:
    colors = take_screenshot(page).getcolors(1 << 24) or []
    shown = {color: count for count, color in colors}
    assert shown[PICTURE] == 400 * 300
    assert base64.b64encode(encode_picture()).decode() in page.read_text(encoding="utf-8")


def test_ground_is_light_or_dark_as_the_reader_prefers(page: Path) -> None:
    assert take_screenshot(page).getpixel((2, 2)) == LIGHT
    assert take_screenshot(page, "--blink-settings=preferredColorScheme=0").getpixel((2, 2)) == DARK


def test_narrow_screen_shows_the_whole_picture_and_needs_no_scrolling_sideways(page: Path) -> None:
    image = take_screenshot(page, size="500,3000")
    columns = [x for x in range(image.width) if any(image.getpixel((x, y)) == PICTURE for y in range(0, 3000, 5))]
    # The picture is reduced to the width that is left, and its right edge is on the screen.
    assert 300 < len(columns) <= 400
    assert max(columns) < 490


def test_report_prints_in_dark_ink_on_several_pages(page: Path) -> None:
    path = page.with_suffix(".pdf")
    run_chromium(page, "--blink-settings=preferredColorScheme=0", "--no-pdf-header-footer", f"--print-to-pdf={path}")
    with pypdfium2.PdfDocument(path) as document:
        assert len(document) > 2
        texts = [document[index].get_textpage().get_text_bounded() for index in range(len(document))]
        ground = document[0].render().to_pil().convert("RGB").getpixel((2, 2))
    assert ground == (255, 255, 255)
    assert "Summary" in texts[0]
    assert "items[59].name" in "".join(texts).replace("\r\n", "")
    # The names of the columns are repeated on each page of the table.
    assert sum("Confidence" in text for text in texts) > 2
