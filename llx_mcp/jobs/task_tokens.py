"""Handles that hold what they stand for, sealed: any replica with the same key reads them, and nothing is stored.

A handle is a version, the credential it was given under, when it was made and when it expires, what it stands for
(JSON, compressed), and an HMAC-SHA256 over all of these, cut to 128 bits; in base64url.
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

_VERSION = 1
_HEAD = struct.Struct(">B8sQI")
_MAC_BYTES = 16
# A handle travels in a header of HTTP, too.
_MOST_CHARS = 16_384
_MOST_BYTES = 1 << 20
_LOST = "Call the tool again: waiting never changes a job, and one that has ended answers at once."


class TaskTokenError(ArgumentError):
    """A handle that was altered, has expired, or was given under another key."""


@dataclass(frozen=True, slots=True)
class TaskToken:
    """What a handle holds.

    Attributes:
        content: JSON.
        created_at: when it was sealed, to the millisecond.
        ttl: how long it can be used from then on.
    """

    content: Any
    created_at: datetime
    ttl: timedelta


class TokenSigner:
    """Seals and opens handles for one credential."""

    def __init__(self, key: bytes, identity: str) -> None:
        """Seal with a secret key.

        Args:
            key: known to all replicas, and to nobody else.
            identity: of the credential; a digest, which handles name.
        """
        self._key = key
        self._credential = hashlib.sha256(identity.encode()).digest()[:8]

    def seal(self, handle: TaskToken) -> str:
        """The handle as a text."""
        packed = zlib.compress(json.dumps(handle.content, separators=(",", ":")).encode(), 9)
        milliseconds = round(handle.created_at.timestamp() * 1_000)
        whole = _HEAD.pack(_VERSION, self._credential, milliseconds, int(handle.ttl.total_seconds())) + packed
        return base64.urlsafe_b64encode(whole + self._mac(whole)).rstrip(b"=").decode()

    def open(self, text: str, now: datetime) -> TaskToken:
        """What a text stands for.

        Raises:
            HandleError: this key did not seal it as it is, or it has expired.
        """
        whole = _decode(text)
        body, mac = whole[:-_MAC_BYTES], whole[-_MAC_BYTES:]
        if len(body) <= _HEAD.size or not hmac.compare_digest(mac, self._mac(body)):
            raise TaskTokenError(f"No such task: this server did not give this id under this key. {_LOST}")
        _, _, milliseconds, seconds = _HEAD.unpack_from(body)
        created_at = datetime.fromtimestamp(milliseconds / 1_000, UTC)
        if now >= created_at + timedelta(seconds=seconds):
            raise TaskTokenError(f"This task has expired, {seconds} s after it was made. {_LOST}")
        unpacked = zlib.decompressobj().decompress(body[_HEAD.size :], _MOST_BYTES)
        return TaskToken(json.loads(unpacked), created_at, timedelta(seconds=seconds))

    def _mac(self, body: bytes) -> bytes:
        return hmac.new(self._key, self._credential + body, hashlib.sha256).digest()[:_MAC_BYTES]


def _decode(text: str) -> bytes:
    if len(text) > _MOST_CHARS:
        return b""
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
    # Bits that base64 leaves over are no part of what is sealed; one handle has one text.
    return decoded if base64.urlsafe_b64encode(decoded).rstrip(b"=").decode() == text else b""
