"""What a command needs to read jobs, from its flags and the environment."""

import argparse
import errno
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llx_mcp.errors import ConfigurationError
from llx_mcp.redaction import RedactingFilter, Redactor
from llx_mcp.scope import Scope
from llx_mcp.settings import LogFormat, Permission, Settings, load_settings

if TYPE_CHECKING:
    import logging

    from llx_mcp.jobs.creation_options import CreationOptions
    from llx_mcp.jobs.reader_options import ReaderOptions
    from llx_mcp.jobs.source import OpenSource
    from llx_mcp.local import JobStore


@dataclass(frozen=True, slots=True)
class CommandSetup:
    """What a command needs to read jobs.

    Attributes:
        settings: from flags and environment.
        open_source: opens LlamaCloud, or the embedded API.
        reader_options: how jobs are polled and cached.
        scope: the project and organization of the flags.
        source_flags: the flags that say where jobs come from, as they were given.
    """

    settings: Settings
    open_source: "OpenSource"
    reader_options: "ReaderOptions"
    scope: Scope
    source_flags: tuple[str, ...] = ()

    @property
    def redactor(self) -> Redactor:
        """Removes the key from what a command prints."""
        return self.settings.build_redactor()


def set_up(arguments: argparse.Namespace) -> CommandSetup:
    """Read the settings, start logging, and choose where jobs come from.

    Raises:
        ConfigurationError: a setting is not valid, or the database file does not exist.
    """
    from llx_mcp.backends import build_reader_options, open_cloud_backend, open_local_backend

    settings = set_up_settings(arguments)
    return CommandSetup(
        settings,
        open_local_backend(arguments.local_db) if is_local(arguments) else open_cloud_backend(settings),
        build_reader_options(settings),
        Scope(arguments.project_id, arguments.organization_id),
        _list_source_flags(arguments),
    )


def set_up_settings(arguments: argparse.Namespace) -> Settings:
    """Read the settings from flags and environment, and start logging to stderr, without the key.

    Raises:
        ConfigurationError: a setting is not valid.
    """
    import logging

    settings = load_settings(
        region=arguments.region,
        base_url_override=arguments.base_url,
        project_id=arguments.project_id,
        organization_id=arguments.organization_id,
        log_level=arguments.log_level,
        allow=getattr(arguments, "allow", None),
        max_pages=getattr(arguments, "max_pages", None),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_build_formatter(settings.log_format))
    handler.addFilter(RedactingFilter(settings.build_redactor()))
    logging.basicConfig(handlers=[handler], level=settings.log_level)
    return settings


def build_creation_options(arguments: argparse.Namespace, settings: Settings) -> "CreationOptions":
    """Return what the flags and the settings allow besides reading. The embedded API bills nothing."""
    from llx_mcp.jobs.creation_options import CreationOptions

    free: frozenset[Permission] = frozenset({"create", "cancel"}) if is_local(arguments) else frozenset()
    folders = tuple(arguments.files or [Path.cwd()])
    if not arguments.files and folders[0] == Path(folders[0].anchor):
        # Some clients start servers in the root of the file system, which would allow every file of the machine.
        folders = ()
    return CreationOptions(settings.allow | free, folders, settings.max_pages, is_billed=not is_local(arguments))


def _build_formatter(log_format: LogFormat) -> "logging.Formatter":
    if log_format == "json":
        from llx_mcp.json_log import JsonFormatter

        return JsonFormatter()
    import logging

    return logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")


def is_local(arguments: argparse.Namespace) -> bool:
    """Return whether the flags choose the embedded API."""
    return arguments.local or arguments.local_db is not None


@contextmanager
def open_store(path: Path | None, *, creates: bool = False, with_samples: bool = False) -> "Iterator[JobStore]":
    """Open the database of the embedded API, and close it at the end.

    Args:
        path: the database file; None for the samples in memory.
        creates: make the file if it does not exist.
        with_samples: add the samples to the file.

    Raises:
        ConfigurationError: the file does not exist, cannot be opened as such a database, or cannot be used any more.
    """
    from llx_mcp.backends import open_local_store
    from llx_mcp.local import StoreError

    with closing(open_local_store(path, creates=creates, with_samples=with_samples)) as store:
        try:
            yield store
        except StoreError as exc:
            raise ConfigurationError(f"--local-db: {exc}") from None


@contextmanager
def explain_port(port: int) -> Iterator[None]:
    """Say in words that a port of this machine cannot be used.

    Raises:
        ConfigurationError: it is in use, or needs more rights.
    """
    try:
        yield
    except OSError as exc:
        if exc.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        reason = "is in use" if exc.errno == errno.EADDRINUSE else "may not be used without more rights"
        raise ConfigurationError(f"--port: port {port} {reason}. Choose another, or 0 for a free one.") from None


def _list_source_flags(arguments: argparse.Namespace) -> tuple[str, ...]:
    if arguments.local_db is not None:
        return "--local-db", str(arguments.local_db)
    if arguments.local:
        return ("--local",)
    given = {"--region": arguments.region, "--base-url": arguments.base_url}
    return tuple(word for flag, value in given.items() if value is not None for word in (flag, value))
