"""A page that takes long to draw is given up, and blocks nothing else."""

import os
import signal
import sys

import anyio
import httpx
import pytest

from llx_mcp.local import JobStore, create_app
from llx_mcp.local.screenshots import PageRenderer, ScreenshotError
from tests.fake_clock import FakeClock
from tests.local.clients import connect
from tests.pdf_files import build_heavy_pdf, build_pdf
from tests.platforms import HAS_PROC
from tests.processes import list_children
from tests.waiting import until

HEAVY = build_heavy_pdf(num_pages=2)
SMALL = build_pdf((100, 100), (200, 100))

started: list[str] = []
sys.addaudithook(lambda event, arguments: started.append(event) if event == "subprocess.Popen" else None)


@pytest.fixture(autouse=True)
def _forget_started_processes() -> None:
    started.clear()


async def load_heavy() -> bytes:
    return HEAVY


async def load_small() -> bytes:
    return SMALL


async def test_heavy_page_is_given_up_once_for_all_who_ask() -> None:
    renderer = PageRenderer(page_seconds=0.5)
    errors: list[str] = []

    async def ask() -> None:
        with pytest.raises(ScreenshotError) as caught:
            await renderer.render_page("heavy", 0, load_heavy)
        errors.append(str(caught.value))

    async with anyio.create_task_group() as tasks:
        for _ in range(45):
            tasks.start_soon(ask)
    assert errors == ["Page 1 cannot be drawn within the time limit"] * 45
    assert len(started) == 1


async def test_failure_is_forgotten_after_a_minute() -> None:
    clock = FakeClock()
    renderer = PageRenderer(page_seconds=0.1, clock=clock.monotonic)
    for seconds, num_started in ((0.0, 1), (59.9, 1), (60.1, 2)):
        clock.seconds = seconds
        with pytest.raises(ScreenshotError):
            await renderer.render_page("heavy", 0, load_heavy)
        assert len(started) == num_started


async def test_two_files_are_drawn_at_a_time_and_one_page_of_each() -> None:
    renderer = PageRenderer(page_seconds=120)
    loaded: list[str] = []
    both_loaded = anyio.Event()

    async def draw(name: str, page_index: int) -> None:
        async def load() -> bytes:
            loaded.append(name)
            if len(loaded) == 2:
                both_loaded.set()
            return HEAVY

        await renderer.render_page(name, page_index, load)

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            for name, page_index in (("a", 0), ("a", 1), ("b", 0), ("c", 0)):
                tasks.start_soon(draw, name, page_index)
            await both_loaded.wait()
            await anyio.wait_all_tasks_blocked()
            assert loaded == ["a", "b"]
            tasks.cancel_scope.cancel()


@HAS_PROC
async def test_cancelled_drawing_ends_its_process() -> None:
    renderer = PageRenderer(page_seconds=120)
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(renderer.render_page, "heavy", 0, load_heavy)
            await until(lambda: bool(started))
            assert len(list_children()) == 1
            tasks.cancel_scope.cancel()
    assert not list_children()


@HAS_PROC
async def test_process_that_ends_by_itself_is_an_error() -> None:
    renderer = PageRenderer(page_seconds=120)

    async def ask() -> None:
        with pytest.raises(ScreenshotError, match="Page 1 cannot be drawn: it needs too much memory or time"):
            await renderer.render_page("heavy", 0, load_heavy)

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await until(lambda: bool(started))
            (child,) = list_children()
            os.kill(child, signal.SIGKILL)


async def test_list_of_many_heavy_pages_ends_within_its_time() -> None:
    renderer = PageRenderer(page_seconds=120, list_seconds=0.5)
    with anyio.fail_after(60), pytest.raises(ScreenshotError, match="Page 1 cannot be drawn within the time limit"):
        await renderer.measure_images("heavy", load_heavy)


async def test_images_are_cached_and_missing_pages_are_known() -> None:
    renderer = PageRenderer()
    sizes = await renderer.measure_images("small", load_small)
    images = [await renderer.render_page("small", index, load_small) for index in (0, 1, 2, -1, 1 << 40)]
    assert [len(image) if image else None for image in images] == [*sizes, None, None, None]
    assert await renderer.measure_images("small", load_small) == sizes
    assert len(started) == 1


async def test_page_that_does_not_exist_is_none_in_a_file_not_seen_before() -> None:
    assert await PageRenderer().render_page("small", 2, load_small) is None


async def test_other_requests_are_answered_while_a_heavy_page_is_drawn() -> None:
    store = JobStore()
    async with connect(create_app(store)) as client, anyio.create_task_group() as tasks:
        upload = {"file": ("heavy.pdf", HEAVY)}
        file_id = (await client.post("/api/v1/beta/files", files=upload, data={"purpose": "extract"})).json()["id"]
        path = f"/api/v1/files/{file_id}/page_screenshots/0"
        for _ in range(45):
            tasks.start_soon(client.get, path)
        with anyio.fail_after(60):
            await until(lambda: bool(started))
            # Ten seconds would pass if these waited for the drawing; 45 threads would be too many.
            responses: list[httpx.Response] = [await client.get("/api/v2/extract") for _ in range(5)]
        assert [response.status_code for response in responses] == [200] * 5
        assert len(started) == 1
        tasks.cancel_scope.cancel()
    store.close()
