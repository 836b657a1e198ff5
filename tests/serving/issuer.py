"""An issuer of tokens: keys that rotate, and an address for its public keys that can be down."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

ISSUER = "https://issuer.example"
AUDIENCE = "https://mcp.example.com/mcp"


@cache
def make_rsa_key(name: str) -> rsa.RSAPrivateKey:
    """Return a key; the same for the same name, because making one takes long."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


class Issuer:
    """Signs tokens and publishes its keys.

    Attributes:
        url: address of its keys.
        num_requests: how often they were fetched.
        status: status of its answers; None closes the connection without one.
        answers: cleared, it answers only once this is set again.
    """

    def __init__(self) -> None:
        self.url = ""
        self.num_requests = 0
        self.status: int | None = 200
        self.answers = asyncio.Event()
        self.answers.set()
        self.rotate("first")

    def rotate(self, name: str) -> None:
        """Replace the key by another."""
        self.key_id, self.key = name, make_rsa_key(name)

    def sign(self, *, algorithm: str = "RS256", key: Any = None, key_id: str | None = None, **claims: Any) -> str:
        """Return a token. A claim that is None is left out."""
        now = int(time.time())
        known = {"iss": ISSUER, "aud": AUDIENCE, "sub": "user-1", "exp": now + 300, "iat": now, "scope": "extract:read"}
        content = {name: value for name, value in (known | claims).items() if value is not None}
        header = {"kid": key_id or self.key_id}
        return jwt.encode(content, self.key if key is None else key, algorithm=algorithm, headers=header)

    def publish(self) -> bytes:
        """Return the public keys as JSON."""
        entry = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return json.dumps({"keys": [entry | {"kid": self.key_id, "use": "sig"}]}).encode()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        await reader.readuntil(b"\r\n\r\n")
        self.num_requests += 1
        await self.answers.wait()
        if self.status is not None:
            body = self.publish() if self.status == 200 else b""
            head = f"HTTP/1.1 {self.status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + body)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def open_issuer() -> AsyncIterator[Issuer]:
    """Run an issuer on this machine."""
    issuer = Issuer()
    server = await asyncio.start_server(issuer.serve, "127.0.0.1", 0)
    issuer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys"
    async with server:
        yield issuer


def make_ec_key() -> ec.EllipticCurvePrivateKey:
    """Return a key on P-256."""
    return ec.generate_private_key(ec.SECP256R1())
