"""What the commands share: their flags, what these mean, and how a command ends."""

import argparse
import sys
from pathlib import Path
from typing import Any

from llx_mcp.scope import Scope
from llx_mcp.settings import Settings, load_settings

EXIT_FAILED = 1
EXIT_ERROR = 2
EXIT_TIMEOUT = 3
EXIT_INTERRUPTED = 130


def add_lasting_store(parser: argparse.ArgumentParser) -> None:
    """`--local-db`, where it must be given."""
    parser.add_argument("--local-db", type=Path, required=True, metavar="PATH", help="the store, made if missing")


def add_store(parser: argparse.ArgumentParser) -> None:
    """`--local-db`."""
    parser.add_argument(
        "--local-db", type=Path, metavar="PATH", help="a store that lasts (default: samples, in memory)"
    )


def add_connection(parser: argparse.ArgumentParser) -> None:
    """Where jobs come from: the service, or the embedded API."""
    parser.add_argument("--local", action="store_true", help="read the embedded API instead of LlamaCloud")
    add_store(parser)
    add_service(parser)


def add_service(parser: argparse.ArgumentParser) -> None:
    """The settings of the service that have flags."""
    parser.add_argument("--region", choices=("na", "eu"), help="LlamaCloud's region (LLAMA_CLOUD_REGION)")
    parser.add_argument("--base-url", metavar="URL", help="address of the service (LLAMA_CLOUD_BASE_URL)")
    parser.add_argument("--project-id", metavar="ID", help="project (LLAMA_CLOUD_PROJECT_ID)")
    parser.add_argument("--organization-id", metavar="ID", help="organization (LLAMA_CLOUD_ORGANIZATION_ID)")
    parser.add_argument("--log-level", choices=("DEBUG", "INFO", "WARNING", "ERROR"), help="log to stderr from here on")


def read_settings(arguments: argparse.Namespace) -> Settings:
    """Settings from flags and environment.

    Raises:
        ConfigurationError: one of them cannot be used.
    """
    return load_settings(
        region=arguments.region,
        base_url_override=arguments.base_url,
        project_id=arguments.project_id,
        organization_id=arguments.organization_id,
        log_level=arguments.log_level,
    )


def read_scope(arguments: argparse.Namespace) -> Scope:
    """The project and organization of the flags."""
    return Scope(arguments.project_id, arguments.organization_id)


def choose_source(arguments: argparse.Namespace, settings: Settings) -> Any:
    """LlamaCloud, or the embedded API."""
    from llx_mcp.backends import open_cloud_backend, open_local_backend

    return open_local_backend(store_path(arguments)) if is_local(arguments) else open_cloud_backend(settings)


def is_local(arguments: argparse.Namespace) -> bool:
    """Whether the embedded API is read."""
    return arguments.local or arguments.local_db is not None


def store_path(arguments: argparse.Namespace) -> Path | None:
    """The store that lasts, where one is named."""
    path: Path | None = arguments.local_db
    return path


def start_logging(settings: Settings) -> None:
    """Log to standard error."""
    import logging

    logging.basicConfig(
        stream=sys.stderr, level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )


def parse_port(text: str) -> int:
    """A port of this machine."""
    port = int(text)
    if not 0 <= port <= 65_535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return port


def parse_seconds(text: str) -> float:
    """A span of time."""
    seconds = float(text)
    if not seconds >= 0:
        raise argparse.ArgumentTypeError("seconds are a number from 0 on")
    return seconds
