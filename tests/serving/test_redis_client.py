"""A URL says which Redis is used, and how."""

from pathlib import Path

import pytest
from redis.asyncio import SSLConnection
from redis.exceptions import RedisError

from llx_mcp.errors import ConfigurationError
from llx_mcp.serving.redis_client import open_redis
from tests.serving.redis_server import NEEDS_REDIS
from tests.serving.redis_setups import (
    LEAVES_CONNECTIONS,
    SENTINEL_PASSWORD,
    make_certificates,
    one_sentinel,
    one_server,
)


@pytest.mark.parametrize(
    "url",
    [
        "http://:pa55@h",
        "redis",
        "redis+sentinel://:pa55@h:1",
        "redis://:pa55@h:port",
        "redis+cluster://:pa55@h:1/1",
        "unix:///pa55",
        "redis://:pa55\u2100x@h/0",
        "redis://[pa55/0",
        "redis://:pa55@h/0?ssl_ca_cert=/ca.pem",
        "redis+sentinel://:pa55@h/main?unknown=1",
        "redis+sentinel://:pa55@h/main?sentinel_unknown=1",
        "redis+cluster://:pa55@h?unknown=1",
        "rediss+sentinel://:pa55@h/main?ssl=false",
        "rediss+sentinel://:pa55@h/main?sentinel_ssl_ca_certs=/ca.pem",
    ],
)
def test_url_that_cannot_be_used_is_not_shown(url: str) -> None:
    with pytest.raises(ConfigurationError, match="LLX_MCP_REDIS_URL: ") as caught:
        open_redis(url, 1.0)
    assert "pa55" not in str(caught.value)


def test_tls_is_used_where_the_url_says_so() -> None:
    plain, encrypted = (open_redis(f"{scheme}://h:6380/1", 1.0).connection_pool for scheme in ("redis", "rediss"))
    assert not issubclass(plain.connection_class, SSLConnection)
    assert issubclass(encrypted.connection_class, SSLConnection)
    master = open_redis("rediss+sentinel://h:1/main", 1.0).connection_pool
    assert issubclass(master.connection_class, SSLConnection)


@NEEDS_REDIS
@LEAVES_CONNECTIONS
async def test_sentinel_is_asked_with_tls_and_a_password_of_its_own(tmp_path: Path) -> None:
    certificates, others = make_certificates(tmp_path), make_certificates(tmp_path, "another authority")
    own = f"ssl_ca_certs={certificates.authority}"
    password = f"sentinel_password={SENTINEL_PASSWORD}"
    with one_sentinel(tmp_path, certificates, is_protected=True) as address:
        for query in (f"{own}&sentinel_ssl=true&{password}", f"{own}&sentinel_ssl=1&sentinel_{own}&{password}"):
            async with open_redis(f"{address}?{query}", 5.0) as client:
                assert await client.ping()
        for query in (
            f"{own}&{password}",
            f"{own}&sentinel_ssl=false&{password}",
            f"{own}&sentinel_ssl=true",
            f"{own}&sentinel_ssl=true&sentinel_password=other",
            f"{own}&sentinel_ssl=true&{password}&sentinel_ssl_ca_certs={others.authority}",
            f"sentinel_{own}&sentinel_ssl=true&{password}",
        ):
            async with open_redis(f"{address}?{query}", 5.0) as client:
                with pytest.raises((RedisError, OSError)):
                    await client.ping()


@NEEDS_REDIS
async def test_certificate_of_another_host_is_refused(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    with one_server(tmp_path, certificates) as address:
        for host, is_named in (("127.0.0.1", True), ("localhost", False)):
            url = f"{address.replace('127.0.0.1', host)}?ssl_ca_certs={certificates.authority}"
            async with open_redis(url, 5.0) as client:
                if is_named:
                    assert await client.ping()
                else:
                    with pytest.raises(RedisError, match="certificate"):
                        await client.ping()
