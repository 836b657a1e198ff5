"""Stateless signed task ids: any replica with the same key can read them, and nothing is stored.

A token consists of a version, a digest of the credential, the time of its creation, its lifetime, its content (JSON,
compressed), and an HMAC-SHA256 over all of these, cut to 128 bits. The whole is encoded in base64url.
"""

import base64
import binascii
import hashlib
import hmac
import json
import struct
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from llx_mcp.errors import ArgumentError
from llx_mcp.jobs.fetcher import JobFetcher

_VERSION = 1
# Version, digest of the credential, creation in milliseconds of the epoch, lifetime in seconds.
_HEADER = struct.Struct(">B8sQI")
_MAC_BYTES = 16
# A task id is also sent in an HTTP header.
_MAX_CHARS = 16_384
_NEXT_STEP = "Call the tool again: waiting never changes a job, and a finished job is returned at once."


class TaskTokenError(ArgumentError):
    """The token was altered, has expired, or belongs to another key."""


@dataclass(frozen=True, slots=True)
class TaskToken:
    """The data of a token.

    Attributes:
        content: JSON value.
        created_at: time of creation, to the millisecond.
        ttl: how long the token is valid from then on.
    """

    content: Any
    created_at: datetime
    ttl: timedelta


class TokenSigner:
    """Signs and verifies tokens for one credential."""

    def __init__(self, key: bytes, identity: str) -> None:
        """Sign with a secret key.

        Args:
            key: secret that all replicas share.
            identity: public digest of the credential; a token is valid for this credential only.
        """
        self._key = key
        self._credential = hashlib.sha256(identity.encode()).digest()[:8]

    def sign(self, token: TaskToken) -> str:
        """Return the token as signed text."""
        packed = zlib.compress(json.dumps(token.content, separators=(",", ":")).encode(), 9)
        milliseconds = round(token.created_at.timestamp() * 1_000)
        body = _HEADER.pack(_VERSION, self._credential, milliseconds, int(token.ttl.total_seconds())) + packed
        return base64.urlsafe_b64encode(body + self._mac(body)).rstrip(b"=").decode()

    def verify(self, text: str, now: datetime) -> TaskToken:
        """Return the token that a signed text holds.

        Raises:
            TaskTokenError: this key did not sign this text, or the token has expired.
        """
        signed = _decode(text)
        body, mac = signed[:-_MAC_BYTES], signed[-_MAC_BYTES:]
        if len(body) <= _HEADER.size or not hmac.compare_digest(mac, self._mac(body)):
            raise TaskTokenError(f"No such task: this id was not issued under this key. {_NEXT_STEP}")
        version, _, milliseconds, ttl_seconds = _HEADER.unpack_from(body)
        if version != _VERSION:
            raise TaskTokenError(f"This task was created by another version of the server. {_NEXT_STEP}")
        created_at = datetime.fromtimestamp(milliseconds / 1_000, UTC)
        ttl = timedelta(seconds=ttl_seconds)
        if now >= created_at + ttl:
            raise TaskTokenError(f"This task has expired, {ttl_seconds} s after it was created. {_NEXT_STEP}")
        return TaskToken(json.loads(zlib.decompress(body[_HEADER.size :])), created_at, ttl)

    def _mac(self, body: bytes) -> bytes:
        return hmac.new(self._key, self._credential + body, hashlib.sha256).digest()[:_MAC_BYTES]


def _decode(text: str) -> bytes:
    """Return the bytes of base64url text; none if it is not valid."""
    if len(text) > _MAX_CHARS:
        return b""
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
    # base64 ignores the unused bits of the last character, so several texts decode to the same bytes. Only the
    # canonical one is valid.
    return decoded if base64.urlsafe_b64encode(decoded).rstrip(b"=").decode() == text else b""


async def open_token_signer(fetcher: JobFetcher) -> TokenSigner:
    """Return the signer of task tokens for the credential of a fetcher, the same in every replica that has it.

    Raises:
        ConfigurationError: there is no key.
    """
    source = await fetcher.open()
    return TokenSigner(source.derive_key("task tokens"), source.identity())
