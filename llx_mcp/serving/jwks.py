"""The public keys of an issuer (JWKS): cached, and fetched again when a token names a key that is not known."""

import json
import logging
from collections.abc import Mapping
from typing import Any

import anyio

from llx_mcp.jobs.clock import Clock
from llx_mcp.serving.refusals import RefusedError, refuse_for_now

# A public key as a JSON object (RFC 7517).
Jwk = Mapping[str, Any]

# After this time the keys are fetched again, so that a withdrawn key is not accepted for long.
_FRESH_SECONDS = 3_600.0
# If the issuer does not answer, its keys stay valid for this long.
_USABLE_SECONDS = 24 * 3_600.0
# Tokens with unknown keys cause no more than one request in this time.
_MIN_INTERVAL_SECONDS = 10.0
_FETCH_SECONDS = 5.0
_MAX_BYTES = 1 << 20

_log = logging.getLogger("llx_mcp.serving.jwks")


class KeySet:
    """The keys of one issuer. Concurrent callers share a fetch.

    Attributes:
        url: where they are fetched.
    """

    def __init__(self, url: str, clock: Clock) -> None:
        self.url = url
        self._clock = clock
        self._keys: dict[str | None, Jwk] = {}
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._is_down = False
        self._fetching = anyio.Lock()

    async def find(self, key_id: str | None) -> Jwk | None:
        """Return the key with an id; None if the issuer has none such.

        Raises:
            RefusedError: the key is not known, and the issuer does not answer.
        """
        key = self._find_cached(key_id)
        if key is not None and self._fetching.locked():
            # Another caller waits for newer keys.
            return key
        if key is None or self._clock.monotonic() - self._fetched_at > _FRESH_SECONDS:
            await self._update()
            key = self._find_cached(key_id)
        if key is None and self._is_down:
            message = "The issuer of tokens does not answer, so this token cannot be verified now. Try again later."
            raise RefusedError(refuse_for_now(503, "issuer_down", message, _MIN_INTERVAL_SECONDS))
        return key

    def _find_cached(self, key_id: str | None) -> Jwk | None:
        if self._clock.monotonic() - self._fetched_at > _USABLE_SECONDS:
            return None
        if key_id is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(key_id)

    async def _update(self) -> None:
        async with self._fetching:
            # Another caller may have fetched them meanwhile.
            if self._clock.monotonic() - self._tried_at < _MIN_INTERVAL_SECONDS:
                return
            self._tried_at = self._clock.monotonic()
            keys = await _fetch_keys(self.url)
            self._is_down = keys is None
            if keys is not None:
                self._keys, self._fetched_at = keys, self._clock.monotonic()


async def _fetch_keys(url: str) -> dict[str | None, Jwk] | None:
    """Return the keys of an address by id; None if it gives none."""
    import httpx

    try:
        with anyio.fail_after(_FETCH_SECONDS):
            return _parse_keys(await _fetch(url))
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError, RecursionError) as exc:
        _log.warning("The keys of the issuer cannot be fetched from %s: %s", url, type(exc).__name__)
        return None


async def _fetch(url: str) -> bytes:
    import httpx

    async with httpx.AsyncClient(follow_redirects=False) as http, http.stream("GET", url) as response:
        response.raise_for_status()
        body = b""
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > _MAX_BYTES:
                raise ValueError("the answer is too large")
        return body


def _parse_keys(body: bytes) -> dict[str | None, Jwk]:
    """Return the public keys for signatures by id.

    Raises:
        ValueError: the body is not a key set.
    """
    entries: Any = json.loads(body)
    found = entries.get("keys") if isinstance(entries, dict) else None
    if not isinstance(found, list):
        raise ValueError("the answer has no list of keys")  # noqa: TRY004 - the value was received
    return {entry.get("kid"): entry for entry in found if isinstance(entry, dict) and _is_for_signatures(entry)}


def _is_for_signatures(entry: Jwk) -> bool:
    # A symmetric key (oct) has no place in a public set.
    is_named = isinstance(entry.get("kid"), str | None)
    return is_named and entry.get("use", "sig") == "sig" and entry.get("kty") in ("RSA", "EC", "OKP")
