"""The server listens where it is told, or says in one line why it cannot."""

import errno
import socket

import pytest

from llx_mcp.errors import ConfigurationError
from llx_mcp.serving.run import open_listener


@pytest.mark.parametrize("host", ["203.0.113.1", "no-such-host.invalid"])
def test_address_of_another_machine_is_an_error_that_names_the_flag(host: str) -> None:
    with pytest.raises(ConfigurationError, match=f"--host {host}: the server cannot listen there"):
        open_listener(host, 0)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_address_of_this_machine_is_listened_on(host: str) -> None:
    with open_listener(host, 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(OSError, match="in use") as caught:
            open_listener(host, port)
    assert caught.value.errno == errno.EADDRINUSE


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_connections_send_each_part_of_an_answer_at_once(host: str) -> None:
    with open_listener(host, 0) as listener, socket.create_connection(listener.getsockname()[:2]):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
