"""Signed URLs, which need no API key and expire."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlencode


def sign_path(secret: bytes, path: str, expires: datetime) -> str:
    """Return the query that gives access to a path until a time."""
    seconds = f"{expires.timestamp():.0f}"
    return urlencode({"expires": seconds, "signature": _sign(secret, path, seconds)})


def is_signature_valid(secret: bytes, path: str, query: Mapping[str, str], now: datetime) -> bool:
    """Return whether a query was signed for a path and has not expired."""
    seconds, signature = query.get("expires", ""), query.get("signature", "")
    expected = _sign(secret, path, seconds)
    # `float` cannot fail: it runs only after the signature proved that this server wrote the number.
    return hmac.compare_digest(expected.encode(), signature.encode()) and now.timestamp() < float(seconds)


def _sign(secret: bytes, path: str, seconds: str) -> str:
    return hmac.new(secret, f"{path} {seconds}".encode(), hashlib.sha256).hexdigest()
