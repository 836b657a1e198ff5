"""The mode `oauth`: a caller sends an access token (JWT) of the company's issuer.

The server is an OAuth resource server: it verifies tokens and gives none. Its metadata (RFC 9728) tells clients which
issuer to ask.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from pydantic import SecretStr

from llx_mcp.serving.authentication import VerifiedToken
from llx_mcp.serving.callers import hash_name
from llx_mcp.serving.jwks import KeySet
from llx_mcp.serving.refusals import Refusal, RefusedError

_log = logging.getLogger("llx_mcp.serving.oauth")


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What a token must say.

    Attributes:
        issuer: its issuer.
        audience: whom it is for: this server.
        algorithms: how it may be signed.
        clock_skew_seconds: how far the issuer's clock may be off.
        tenant_claim: the claim that names the tenant; None if all have the key of the settings.
    """

    issuer: str
    audience: str
    algorithms: tuple[str, ...]
    clock_skew_seconds: float = 60.0
    tenant_claim: str | None = None


class JwtVerifier:
    """Verifies access tokens: signature, issuer, audience, times, and the tenant.

    The log says at the level INFO which check a token failed. It shows what the server expects, and nothing of the
    token.
    """

    realm = "llx-mcp"

    def __init__(
        self, rules: TokenRules, keys: KeySet, tenant_keys: Mapping[str, SecretStr], metadata_url: str | None
    ) -> None:
        self._rules = rules
        self._keys = keys
        self._tenant_keys = tenant_keys
        self.metadata_url = metadata_url
        self.hint = f"Send an access token of {rules.issuer} in the header Authorization, as Bearer ..."

    async def verify_token(self, token: str) -> VerifiedToken | None:
        """Return what a token stands for; None if it is not valid.

        Raises:
            RefusedError: the issuer does not answer, or the tenant has no key.
        """
        try:
            claims = await self._verify(token)
        except (jwt.PyJWTError, ValueError, OverflowError, RecursionError) as exc:
            _log.info("A token is not accepted: %s.", self._explain(exc))
            return None
        subject = _read_subject(claims)
        name = hash_name("caller", f"{self._rules.issuer}\0{subject}")
        return VerifiedToken(
            token=name,
            client_id=name,
            subject=subject,
            scopes=_read_scopes(claims),
            expires_at=int(claims["exp"]),
            resource=self._rules.audience,
            claims={"iss": claims["iss"]},
            key=self._find_key(claims),
        )

    async def _verify(self, token: str) -> dict[str, Any]:
        """Return the claims of a valid token.

        Raises:
            RefusedError: the issuer does not answer.
            PyJWTError, ValueError, OverflowError, RecursionError: the token is not valid.
        """
        header = jwt.get_unverified_header(token)
        algorithm = header.get("alg")
        if algorithm not in self._rules.algorithms:
            raise jwt.InvalidAlgorithmError
        key = await self._keys.find(header.get("kid"))
        if key is None:
            raise jwt.PyJWKSetError
        if key.get("alg", algorithm) != algorithm:
            raise jwt.InvalidKeyError
        claims = self._decode(token, jwt.PyJWK(dict(key), algorithm), algorithm)
        if not _read_subject(claims):
            raise jwt.MissingRequiredClaimError("sub")
        return claims

    def _decode(self, token: str, key: jwt.PyJWK, algorithm: str) -> dict[str, Any]:
        return jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=self._rules.audience,
            issuer=self._rules.issuer,
            leeway=self._rules.clock_skew_seconds,
            options={"require": ["exp", "iss", "aud"], "enforce_minimum_key_length": True},
        )

    def _explain(self, error: Exception) -> str:
        """Return why a token is not valid. The text of an error can hold parts of the token, so it is not shown."""
        rules = self._rules
        reasons: dict[type[Exception], str] = {
            jwt.ExpiredSignatureError: f"it has expired (exp), by more than {rules.clock_skew_seconds:g} s",
            jwt.ImmatureSignatureError: f"it is not valid yet (nbf, iat), by more than {rules.clock_skew_seconds:g} s",
            jwt.InvalidAudienceError: f"its audience (aud) is not {rules.audience}",
            jwt.InvalidIssuerError: f"its issuer (iss) is not exactly {rules.issuer}",
            jwt.InvalidSignatureError: "its signature is not that of the issuer's key which it names",
            jwt.InvalidAlgorithmError: f"its algorithm (alg) is none of {', '.join(rules.algorithms)}",
            jwt.PyJWKSetError: f"the issuer has no key with its id (kid) at {self._keys.url}",
            jwt.InvalidKeyError: "the issuer's key which it names is for another algorithm, or is too short",
            jwt.PyJWKError: "the issuer's key which it names cannot be read",
        }
        if isinstance(error, jwt.MissingRequiredClaimError):
            return f"it has no {error.claim}"
        return reasons.get(type(error), "it is not a valid JWT, or a claim has a wrong form")

    def _find_key(self, claims: Mapping[str, Any]) -> SecretStr | None:
        if self._rules.tenant_claim is None:
            return None
        tenant = claims.get(self._rules.tenant_claim)
        key = self._tenant_keys.get(tenant) if isinstance(tenant, str) else None
        if key is None:
            message = "Your token is valid, but this server has no LlamaCloud key for your tenant. Ask its operator."
            raise RefusedError(Refusal(403, "unknown_tenant", message))
        return key


def _read_subject(claims: Mapping[str, Any]) -> str:
    """Return whom a token is for; empty if it does not say."""
    return str(claims.get("sub") or claims.get("client_id") or claims.get("azp") or "")


def _read_scopes(claims: Mapping[str, Any]) -> list[str]:
    """Return the scopes of a token: `scope` (RFC 9068) or `scp`, as words or as a list."""
    scopes = claims.get("scope", claims.get("scp", ""))
    words = scopes.split() if isinstance(scopes, str) else scopes
    return [word for word in words if isinstance(word, str)] if isinstance(words, list) else []
