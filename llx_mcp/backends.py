"""The backends that jobs come from: LlamaCloud, or the embedded API. They differ only in the HTTP transport."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from llx_mcp.errors import ConfigurationError
from llx_mcp.jobs.poll_schedule import PollSchedule
from llx_mcp.jobs.reader_options import ReaderOptions
from llx_mcp.jobs.source import JobSource, OpenSource
from llx_mcp.settings import EMBEDDED_URL, Settings

if TYPE_CHECKING:
    from llx_mcp.local import JobStore

LOCAL_KEY = "llx-local"

# Opens the source of any key; None stands for the key of the settings.
BuildSource = Callable[[SecretStr | None], JobSource]
OpenShared = Callable[[], AbstractAsyncContextManager[BuildSource]]


class _CloudBackend:
    """Opens clients of LlamaCloud.

    Attributes:
        redactor: removes the key from texts.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.redactor = settings.build_redactor()

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[JobSource]:
        # Imported with the first request, because the HTTP client would take a third of the start-up time.
        from llx_mcp.llamacloud import open_client

        async with open_client(self._settings) as client:
            yield client


def open_cloud_backend(settings: Settings) -> OpenSource:
    """Return a function that opens a client of LlamaCloud with these settings. Servers over it redact the key."""
    return _CloudBackend(settings)


def share_cloud_backend(settings: Settings) -> OpenShared:
    """Return a function that opens LlamaCloud for many keys, over one pool of connections."""

    @asynccontextmanager
    async def open_shared() -> AsyncIterator[BuildSource]:
        from llx_mcp.llamacloud.opening import open_shared_clients

        async with open_shared_clients(settings.max_body_bytes) as build_client:
            yield lambda key: build_client(_with_key(settings, key), key is not None)

    return open_shared


def _with_key(settings: Settings, key: SecretStr | None) -> Settings:
    return settings if key is None else settings.model_copy(update={"api_key": key})


def share_local_backend(path: Path | None) -> OpenShared:
    """Return a function that opens the embedded API in this process for many keys. It takes any key.

    Args:
        path: an existing database file; None for the samples, in memory.

    Raises:
        ConfigurationError: the file does not exist.
    """
    _check_exists(path)

    @asynccontextmanager
    async def open_shared() -> AsyncIterator[BuildSource]:
        from llx_mcp.llamacloud.opening import open_shared_clients
        from llx_mcp.local import create_app

        store, settings = open_local_store(path), local_settings()
        try:
            async with open_shared_clients(settings.max_body_bytes, app=create_app(store)) as build_client:
                yield lambda key: build_client(_with_key(settings, key), key is not None)
        finally:
            store.close()

    return open_shared


def build_reader_options(settings: Settings) -> ReaderOptions:
    """Build the options of a reader from the settings; defaults fill what is not set."""
    options = ReaderOptions(
        requests_per_minute=settings.requests_per_minute,
        call_seconds=settings.call_seconds,
        check_citations=settings.check_citations,
    )
    if settings.poll_max_seconds is not None:
        options = replace(options, schedule=PollSchedule().with_longest(settings.poll_max_seconds))
    if settings.cache_bytes is not None:
        options = replace(options, cache_bytes=settings.cache_bytes)
    return options


def open_local_backend(path: Path | None) -> OpenSource:
    """Return a function that opens the embedded API in this process.

    Args:
        path: an existing database file; None for the samples, in memory.

    Raises:
        ConfigurationError: the file does not exist.
    """
    _check_exists(path)

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


def open_local_store(path: Path | None, *, creates: bool = False, with_samples: bool = False) -> "JobStore":
    """Open the database of the embedded API.

    Args:
        path: the database file; None for the samples, in memory.
        creates: make the file if it does not exist.
        with_samples: add the samples to the file.

    Raises:
        ConfigurationError: the file does not exist, or cannot be opened as such a database.
    """
    from llx_mcp.local import StoreError, open_store

    if not creates:
        _check_exists(path)
    try:
        return open_store(path, with_samples=with_samples or path is None)
    except StoreError as exc:
        raise ConfigurationError(f"--local-db: {exc}") from None


def _check_exists(path: Path | None) -> None:
    # SQLite would create it, and a mistyped name would look like a store without jobs.
    if path is not None and not path.exists():
        raise ConfigurationError(
            f"--local-db: {path} does not exist. Check the path, or fill a new database: llx-mcp local import FILE "
            f"--local-db PATH."
        )


def local_settings() -> Settings:
    """Return settings for the embedded API, which ignore the key, the project and the address of the environment."""
    return Settings.model_construct(api_key=SecretStr(LOCAL_KEY), base_url_override=EMBEDDED_URL)
