"""Where jobs come from: LlamaCloud, or the embedded API. The two differ in what carries a request, in nothing else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llx_mcp.errors import ConfigurationError
from llx_mcp.jobs.poll_schedule import PollSchedule
from llx_mcp.jobs.reader import ReaderOptions
from llx_mcp.jobs.source import JobSource, OpenSource
from llx_mcp.settings import Settings

if TYPE_CHECKING:
    from llx_mcp.local import JobStore

LOCAL_KEY = "llx-local"


def open_cloud_backend(settings: Settings) -> OpenSource:
    """LlamaCloud, as the settings say."""

    @asynccontextmanager
    async def open_source() -> AsyncIterator[JobSource]:
        # Imported with the first question: the HTTP client is a third of the start-up otherwise.
        from llx_mcp.llamacloud import open_client

        async with open_client(settings) as client:
            yield client

    return open_source


def build_reader_options(settings: Settings) -> ReaderOptions:
    """How jobs are waited for and kept, as far as the settings say; the rest is as it is by default."""
    looks = {
        "early_poll_ages_seconds": settings.look_fresh_seconds,
        "share_of_age": settings.look_share_of_age,
        "shortest_seconds": settings.look_shortest_seconds,
        "longest_seconds": settings.look_longest_seconds,
        "jitter": settings.look_jitter,
    }
    given: dict[str, Any] = {name: value for name, value in looks.items() if value is not None}
    options = ReaderOptions(replace(PollSchedule(), **given), settings.requests_per_minute)
    return options if settings.cache_bytes is None else replace(options, cache_bytes=settings.cache_bytes)


def open_local_backend(path: Path | None) -> OpenSource:
    """The embedded API inside this process, over a file or in memory; the samples are in either."""

    @asynccontextmanager
    async def open_source() -> AsyncIterator[JobSource]:
        from llx_mcp.llamacloud import open_client
        from llx_mcp.local import create_app

        store = open_local_store(path)
        try:
            async with open_client(local_settings(), app=create_app(store)) as client:
                yield client
        finally:
            store.close()

    return open_source


def open_local_store(path: Path | None) -> "JobStore":
    """The store of the embedded API, with the samples in it.

    Raises:
        ConfigurationError: the file cannot be opened as a store.
    """
    from llx_mcp.local import StoreError, open_store

    try:
        return open_store(path)
    except StoreError as exc:
        raise ConfigurationError(f"--local-db: {exc}") from None


def local_settings() -> Settings:
    """Settings for the embedded API; nothing of the environment's key, project or address reaches it."""
    from pydantic import SecretStr

    return Settings.model_construct(api_key=SecretStr(LOCAL_KEY), base_url_override="http://127.0.0.1")
