"""Addresses that hold for a time, and only as they were given."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlencode


def sign(secret: bytes, path: str, expires: datetime) -> str:
    """The query under which a path may be read until a time."""
    seconds = f"{expires.timestamp():.0f}"
    return urlencode({"expires": seconds, "signature": _signature(secret, path, seconds)})


def is_signed(secret: bytes, path: str, query: Mapping[str, str], now: datetime) -> bool:
    """Whether a query is one that was given for the path, and still holds."""
    seconds, signature = query.get("expires", ""), query.get("signature", "")
    expected = _signature(secret, path, seconds)
    # What was signed here is a number; the rest is not looked at.
    return hmac.compare_digest(expected.encode(), signature.encode()) and now.timestamp() < float(seconds)


def _signature(secret: bytes, path: str, seconds: str) -> str:
    return hmac.new(secret, f"{path} {seconds}".encode(), hashlib.sha256).hexdigest()
