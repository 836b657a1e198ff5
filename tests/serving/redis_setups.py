"""Redis with TLS, behind Sentinels, and as a cluster: real servers on this machine."""

import gc
import subprocess
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from redis.asyncio.cluster import RedisCluster

from tests.server.serving import find_port
from tests.serving.redis_server import RedisServer
from tests.waiting import block_until

# For tests with a cluster or a Sentinel: the library leaves some connections to the garbage collector.
LEAVES_CONNECTIONS = pytest.mark.filterwarnings("ignore:unclosed", "ignore::pytest.PytestUnraisableExceptionWarning")
HOST = "127.0.0.1"
PASSWORD = "pa55"
SENTINEL_PASSWORD = "5ent1nel"
_NUM_PRIMARIES = 3
_USES = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
_SIGNS = x509.KeyUsage(
    **dict.fromkeys(_USES, False), key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False
)


def collect_connections() -> None:
    """Collect the connections that the library has left, so that no later test is warned of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()


def cli(server: RedisServer, *words: str) -> str:
    """Send a command with redis-cli and return its answer."""
    options = ("-a", PASSWORD) if "--requirepass" in server.options else ()
    command = ["redis-cli", "--no-auth-warning", "-p", str(server.port), *options, *server.cli_options, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def await_text(server: RedisServer, text: str, *words: str) -> None:
    """Wait until the answer to a command has a text."""
    block_until(lambda: text in cli(server, *words), 20)


@dataclass(frozen=True, slots=True)
class Certificates:
    """An authority, and the certificate that it gave to 127.0.0.1.

    Attributes:
        authority: file with the certificate of the authority.
        certificate: file with the certificate of the server.
        key: file with the key of the server.
    """

    authority: Path
    certificate: Path
    key: Path

    @property
    def options(self) -> tuple[str, ...]:
        """Options of a server that uses them, besides its port."""
        files = ("--tls-cert-file", self.certificate, "--tls-key-file", self.key, "--tls-ca-cert-file", self.authority)
        return (*map(str, files), "--tls-auth-clients", "no")


def make_certificates(folder: Path, name: str = "authority") -> Certificates:
    """Make a new authority and a certificate for 127.0.0.1."""
    authority_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    found = Certificates(*(folder / f"{name}-{part}.pem" for part in ("ca", "server", "key")))
    authority_name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)

    def sign(subject: x509.Name, key: ec.EllipticCurvePrivateKey, *extensions: x509.ExtensionType) -> bytes:
        builder = x509.CertificateBuilder(authority_name, subject, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        # Python 3.13 refuses certificates that name no keys.
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
        builder = builder.add_extension(issuer, critical=False)
        for extension in extensions:
            builder = builder.add_extension(extension, critical=True)
        return builder.sign(authority_key, SHA256()).public_bytes(Encoding.PEM)

    found.authority.write_bytes(
        sign(authority_name, authority_key, x509.BasicConstraints(ca=True, path_length=0), _SIGNS)
    )
    server_name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    addresses = x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))])
    found.certificate.write_bytes(sign(server_name, server_key, addresses))
    found.key.write_bytes(server_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return found


@contextmanager
def running(server: RedisServer) -> Iterator[RedisServer]:
    """Run a server until the block ends."""
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _with_tls(server: RedisServer, certificates: Certificates) -> RedisServer:
    """Return a server that does not run yet, so that it speaks TLS only."""
    if not _has_tls():
        pytest.skip("this redis-server has no TLS")
    options = ("--port", "0", "--tls-port", str(server.port), *certificates.options)
    cli_options = ("--tls", "--cacert", str(certificates.authority))
    return replace(server, options=(*server.options, *options), cli_options=(*server.cli_options, *cli_options))


@cache
def _has_tls() -> bool:
    # It names the first option that it does not understand.
    command = ["redis-server", "--tls-port", "0", "--port", "none"]
    return "tls-port" not in subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL).stderr


@dataclass
class Watched:
    """A primary with a replica, and the Sentinels that watch them.

    Attributes:
        primary: the first primary.
        replica: the first replica.
        sentinels: the Sentinels.
    """

    primary: RedisServer
    replica: RedisServer
    sentinels: list[RedisServer]

    @property
    def url(self) -> str:
        """The address of the primary, whichever server it is."""
        hosts = ",".join(f"{HOST}:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://:{PASSWORD}@{hosts}/main/0"


@contextmanager
def watched_redis(folder: Path, num_sentinels: int = 1) -> Iterator[Watched]:
    """Run a primary, a replica and Sentinels that follow each other's state."""
    shared = ("--requirepass", PASSWORD, "--masterauth", PASSWORD, "--repl-diskless-sync-delay", "0")
    with ExitStack() as stack:
        primary = stack.enter_context(running(RedisServer(find_port(), folder, shared)))
        follows = ("--replicaof", f"{HOST} {primary.port}")
        replica = stack.enter_context(running(RedisServer(find_port(), folder, (*shared, *follows))))
        await_text(replica, "master_link_status:up", "info", "replication")
        sentinels = [
            stack.enter_context(running_sentinel(folder / f"sentinel-{number}", primary, num_sentinels // 2 + 1))
            for number in range(num_sentinels)
        ]
        for sentinel in sentinels:
            await_text(sentinel, f"slaves=1,sentinels={num_sentinels}", "info", "sentinel")
        yield Watched(primary, replica, sentinels)


@contextmanager
def running_sentinel(
    folder: Path,
    primary: RedisServer,
    quorum: int = 1,
    certificates: Certificates | None = None,
    *,
    is_protected: bool = False,
) -> Iterator[RedisServer]:
    """Run a Sentinel that calls a server down after half a second.

    With certificates, it reaches the server by TLS. If it is protected, it needs TLS and a password itself.
    """
    folder.mkdir()
    file, server = folder / "sentinel.conf", RedisServer(find_port(), folder)
    ports = [f"port {server.port}"]
    if is_protected:
        ports = ["port 0", f"tls-port {server.port}", "tls-auth-clients no", f"requirepass {SENTINEL_PASSWORD}"]
        server.cli_options = (*primary.cli_options, "-a", SENTINEL_PASSWORD)
    lines = [
        *ports,
        f"dir {folder}",
        f"sentinel monitor main {HOST} {primary.port} {quorum}",
        f"sentinel auth-pass main {PASSWORD}",
        "sentinel down-after-milliseconds main 500",
        "sentinel failover-timeout main 2000",
    ]
    if certificates is not None:
        lines += ["tls-replication yes", f"tls-ca-cert-file {certificates.authority}"]
        lines += [f"tls-cert-file {certificates.certificate}", f"tls-key-file {certificates.key}"]
    file.write_text("\n".join(lines))
    server.start_as(["redis-server", str(file), "--sentinel"])
    try:
        # By default, it asks every 10 s who follows whom, and says what it sees every 2 s.
        periods = ("info-period", "100", "ping-period", "100", "publish-period", "100", "ask-period", "100")
        cli(server, "sentinel", "debug", *periods)
        await_text(server, "status=ok", "info", "sentinel")
        yield server
        collect_connections()
    finally:
        server.stop()


@dataclass
class Cluster:
    """The nodes of a cluster.

    Attributes:
        nodes: the nodes; those that hold slots first.
    """

    nodes: list[RedisServer]

    @property
    def url(self) -> str:
        """Its address: that of its first node."""
        return f"redis+cluster://{HOST}:{self.nodes[0].port}"

    def find_node(self, key: str) -> RedisServer:
        """Return the node that holds a key."""
        slot = int(cli(self.nodes[-1], "cluster", "keyslot", key))
        for line in cli(self.nodes[-1], "cluster", "nodes").splitlines():
            address, *ranges = (line.split()[1], *line.split()[8:])
            bounds = [[int(bound) for bound in part.split("-")] for part in ranges if "[" not in part]
            if any(bound[0] <= slot <= bound[-1] for bound in bounds):
                port = int(address.partition("@")[0].rpartition(":")[2])
                return next(node for node in self.nodes if node.port == port)
        raise LookupError(key)

    def begin_move(self, key: str, target: RedisServer) -> None:
        """Begin to move the slot of a key to another node: it goes on only with `finish_move`."""
        source, slot = self.find_node(key), cli(target, "cluster", "keyslot", key)
        cli(target, "cluster", "setslot", slot, "importing", cli(source, "cluster", "myid"))
        cli(source, "cluster", "setslot", slot, "migrating", cli(target, "cluster", "myid"))

    def finish_move(self, key: str, target: RedisServer) -> None:
        """Move the entries of the slot of a key, and the slot."""
        source, slot = self.find_node(key), cli(target, "cluster", "keyslot", key)
        while names := cli(source, "cluster", "getkeysinslot", slot, "100").split():
            cli(source, "migrate", HOST, str(target.port), "", "0", "5000", "keys", *names)
        for node in (target, source, *self.nodes):
            cli(node, "cluster", "setslot", slot, "node", cli(target, "cluster", "myid"))


@contextmanager
def cluster_redis(
    folder: Path, *options: str, num_replicas: int = 0, certificates: Certificates | None = None
) -> Iterator[Cluster]:
    """Run a cluster of three primaries, of which the first ones have a replica each."""
    if not hasattr(RedisCluster, "pubsub"):
        pytest.skip("this version of the library has no pub/sub for clusters")
    with ExitStack() as stack:
        nodes = [
            stack.enter_context(running(_build_node(folder / f"node-{number}", options, certificates)))
            for number in range(_NUM_PRIMARIES + num_replicas)
        ]
        bounds = [16_384 * number // _NUM_PRIMARIES for number in range(_NUM_PRIMARIES + 1)]
        for node, begin, end in zip(nodes, bounds, bounds[1:], strict=False):
            cli(node, "cluster", "addslotsrange", str(begin), str(end - 1))
        for number, node in enumerate(nodes):
            cli(node, "cluster", "set-config-epoch", str(number + 1))
            if number:
                cli(node, "cluster", "meet", HOST, str(nodes[0].port), str(nodes[0].bus_port))
        for node in nodes:
            await_text(node, f"cluster_known_nodes:{len(nodes)}", "cluster", "info")
            await_text(node, "cluster_state:ok", "cluster", "info")
            # A node that needs no full coverage is ok before it knows who holds which slots.
            await_text(node, "cluster_slots_ok:16384", "cluster", "info")
        for primary, replica in zip(nodes, nodes[_NUM_PRIMARIES:], strict=False):
            cli(replica, "cluster", "replicate", cli(primary, "cluster", "myid"))
            await_text(replica, "master_link_status:up", "info", "replication")
        yield Cluster(nodes)
        collect_connections()


def _build_node(folder: Path, options: Sequence[str], certificates: Certificates | None) -> RedisServer:
    folder.mkdir()
    port, bus_port = find_port(), find_port()
    words = ["--cluster-enabled", "yes", "--cluster-announce-ip", HOST, "--cluster-port", str(bus_port)]
    words += ["--cluster-node-timeout", "500", "--repl-diskless-sync-delay", "0", *options]
    if certificates is None:
        return RedisServer(port, folder, tuple(words), bus_port=bus_port)
    words += ["--tls-cluster", "yes", "--tls-replication", "yes"]
    return _with_tls(RedisServer(port, folder, tuple(words), bus_port=bus_port), certificates)


@contextmanager
def one_server(folder: Path, certificates: Certificates | None) -> Iterator[str]:
    """Run a server with a password, and yield its address."""
    server = RedisServer(find_port(), folder, ("--requirepass", PASSWORD))
    with running(server if certificates is None else _with_tls(server, certificates)):
        yield f"redis{'s' if certificates else ''}://:{PASSWORD}@{HOST}:{server.port}/0"
        collect_connections()


@contextmanager
def one_sentinel(folder: Path, certificates: Certificates | None, *, is_protected: bool = False) -> Iterator[str]:
    """Run a server and a Sentinel that names it, and yield the address."""
    server = RedisServer(find_port(), folder, ("--requirepass", PASSWORD))
    server = server if certificates is None else _with_tls(server, certificates)
    with (
        running(server),
        running_sentinel(folder / "sentinel", server, certificates=certificates, is_protected=is_protected) as watcher,
    ):
        yield f"redis{'s' if certificates else ''}+sentinel://:{PASSWORD}@{HOST}:{watcher.port}/main/0"


@contextmanager
def one_cluster(folder: Path, certificates: Certificates | None) -> Iterator[str]:
    """Run a cluster with a password, and yield its address."""
    with cluster_redis(folder, "--requirepass", PASSWORD, certificates=certificates) as cluster:
        yield f"redis{'s' if certificates else ''}+cluster://:{PASSWORD}@{HOST}:{cluster.nodes[0].port}"


STARTS = (one_server, one_sentinel, one_cluster)
