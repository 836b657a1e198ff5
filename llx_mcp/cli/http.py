"""`llx-mcp serve --http`: the settings of HTTP, and where jobs come from for many keys."""

import argparse
from typing import TYPE_CHECKING

from llx_mcp.backends import share_cloud_backend, share_local_backend
from llx_mcp.cli.setup import CommandSetup, explain_port, is_local
from llx_mcp.serving.app import HttpOptions
from llx_mcp.serving.modes import check_key
from llx_mcp.serving.run import serve_http
from llx_mcp.serving.settings import HttpSettings
from llx_mcp.settings import read_settings

if TYPE_CHECKING:
    from llx_mcp.jobs.reader_options import ReaderOptions


def run_http(arguments: argparse.Namespace, setup: CommandSetup, reader_options: "ReaderOptions") -> None:
    """Serve over HTTP until a signal stops the server.

    Args:
        arguments: the flags.
        setup: the settings of the service.
        reader_options: how jobs are polled and cached, and what is allowed besides reading.

    Raises:
        ConfigurationError: a setting is missing or not valid, or the port cannot be used.
    """
    settings = read_settings(
        HttpSettings,
        auth=arguments.auth,
        host=arguments.host,
        port=arguments.port,
        path=arguments.path,
        allowed_hosts=arguments.allowed_hosts,
        trusted_proxies=arguments.trusted_proxies,
        metrics_host=arguments.metrics_host,
        metrics_port=arguments.metrics_port,
    )
    local = is_local(arguments)
    if settings.is_loopback and not local:
        # On another address, the server does not start without a mode.
        check_key(settings, setup.settings)
    options = HttpOptions(
        share_local_backend(arguments.local_db) if local else share_cloud_backend(setup.settings),
        setup.settings,
        reader_options,
        log_level=setup.settings.log_level,
    )
    with explain_port(settings.port):
        serve_http(settings, options)
