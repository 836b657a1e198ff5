"""Opens the client of Redis that a URL describes: of one server, of the master that Sentinels name, or of a cluster."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from llx_mcp.errors import ConfigurationError, MissingExtraError

if TYPE_CHECKING:
    from redis.asyncio import Redis

SCHEMES = ("redis", "rediss", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster")
_SENTINEL_PORT = 26_379
# Options of a URL that begin so are for the connections to the Sentinels.
_OF_SENTINELS = "sentinel_"


def open_redis(url: str, timeout_seconds: float) -> "Redis":
    """Return a client of a Redis server, of the master that Sentinels name, or of a cluster. It connects later.

    Args:
        url: `redis://` or `rediss://`; `redis+cluster://` with any node; or `redis+sentinel://` with the Sentinels by
            comma and the name of the master as the path.
            All take options of the library as a query, such as `ssl_ca_certs`. With `sentinel_` before its name, such
            as `sentinel_password` or `sentinel_ssl`, an option is for the connections to the Sentinels.
        timeout_seconds: for connecting, and for one try of a command.

    Raises:
        ConfigurationError: the client is not installed, or the URL is not of this form. The message does not show it.
    """
    try:
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
        from redis.exceptions import RedisClusterException
    except ImportError:
        raise MissingExtraError("LLX_MCP_REDIS_URL", "redis") from None
    options: dict[str, Any] = {
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": timeout_seconds,
        "decode_responses": True,
        # The connections of a server that was restarted fail once.
        "retry": Retry(NoBackoff(), 1),
    }
    try:
        parts = urlsplit(url)
        if parts.scheme in SCHEMES:
            return _open(parts, options)
    except (ValueError, TypeError, RedisClusterException):
        # The reason could show the URL, which may hold a password.
        pass
    raise ConfigurationError(
        f"LLX_MCP_REDIS_URL: must be a URL such as redis://host:6379/0; the schemes are {', '.join(SCHEMES)}. Options "
        "after ? are those of redis-py, such as ssl_ca_certs."
    )


def _open(url: SplitResult, options: dict[str, Any]) -> "Redis":
    """Return the client of a URL.

    Raises:
        ConfigurationError: the installed client cannot use it.
        ValueError, TypeError, RedisClusterException: it is not of this form, or has an unknown option.
    """
    from redis.asyncio import Redis
    from redis.asyncio.cluster import RedisCluster

    scheme, _, kind = url.scheme.partition("+")
    if kind == "sentinel":
        return _open_by_sentinel(url, options, has_tls=scheme == "rediss")
    plain = urlunsplit(url._replace(scheme=scheme))
    if kind == "cluster":
        if not hasattr(RedisCluster, "pubsub"):
            raise ConfigurationError("LLX_MCP_REDIS_URL: a cluster needs a newer client: pip install -U redis.")
        # It has the same methods, as far as they are used here.
        return cast("Redis", RedisCluster.from_url(plain, **options))
    client = Redis.from_url(plain, **options)
    _check_options(client)
    return client


def _open_by_sentinel(url: SplitResult, options: dict[str, Any], *, has_tls: bool) -> "Redis":
    from redis.asyncio.sentinel import Sentinel

    credentials, _, hosts = url.netloc.rpartition("@")
    username, _, password = credentials.partition(":")
    master, _, database = url.path.strip("/").partition("/")
    if not master:
        raise ValueError("no master is named")
    sentinels = []
    for host in hosts.split(","):
        address = urlsplit(f"//{host}")
        sentinels.append((address.hostname or "", address.port or _SENTINEL_PORT))
    given = parse_qsl(url.query)
    of_master = _parse_options([(name, value) for name, value in given if not name.startswith(_OF_SENTINELS)])
    of_sentinels = _parse_options(
        [(name.removeprefix(_OF_SENTINELS), value) for name, value in given if name.startswith(_OF_SENTINELS)]
    )
    if "ssl" in of_master:
        raise ValueError("the scheme says whether TLS is used")
    if not of_sentinels.get("ssl") and any(name.startswith("ssl_") for name in of_sentinels):
        raise ValueError("options of TLS are given, but not TLS")
    options |= {"username": unquote(username) or None, "password": unquote(password) or None}
    options |= {"db": int(database or 0), "ssl": has_tls} | of_master
    # Each is asked once, so that those that do not answer leave time for the others.
    seconds = options["socket_timeout"] / len(sentinels)
    asking = {"socket_timeout": seconds, "socket_connect_timeout": seconds, "retry": None}
    # Most use the certificates of one authority for both.
    asking |= {name: value for name, value in of_master.items() if name.startswith("ssl_")} | of_sentinels
    build_sentinel: Any = Sentinel
    sentinel = build_sentinel(sentinels, sentinel_kwargs=asking)
    client: Redis = sentinel.master_for(master, **options)
    for one in (client, *sentinel.sentinels):
        _check_options(one)
    return client


def _check_options(client: Any) -> None:
    """Make a connection that does not connect yet: only that refuses unknown options.

    Raises:
        TypeError, ValueError: an option is not known, or has a wrong value.
    """
    client.connection_pool.make_connection()


def _parse_options(query: Sequence[tuple[str, str]]) -> dict[str, Any]:
    from redis.asyncio.connection import parse_url, to_bool

    options: dict[str, Any] = dict(parse_url(f"redis://?{urlencode(query)}"))
    if "ssl" in options:
        options["ssl"] = bool(to_bool(options["ssl"]))
    return options
