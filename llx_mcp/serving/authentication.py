"""Who may call: the token of a request is verified, and a request without a valid one gets a challenge."""

from dataclasses import dataclass, field, replace
from typing import Protocol

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken, TokenVerifier
from pydantic import Field, SecretStr
from starlette.datastructures import Headers
from starlette.types import Scope

from llx_mcp.serving.callers import ANONYMOUS, READ_SCOPE, Caller, set_secrets
from llx_mcp.serving.refusals import Refusal, RefusedError

_SCHEME = "bearer"


class VerifiedToken(AccessToken):
    """An accepted token. Like the SDK's class, but without the token itself: `token` is the caller's name.

    Attributes:
        key: key of LlamaCloud for its requests; None stands for the key of the settings.
    """

    key: SecretStr | None = Field(None, exclude=True)

    @property
    def caller(self) -> Caller:
        """The caller that the token stands for."""
        return Caller(self.client_id, self.key, frozenset(self.scopes))


class Verifier(TokenVerifier, Protocol):
    """Verifies the tokens of one mode.

    Attributes:
        realm: what the token is for, in the challenge.
        hint: what to send, as a sentence.
        metadata_url: where clients learn which issuer to ask; None without one.
    """

    realm: str
    hint: str
    metadata_url: str | None

    async def verify_token(self, token: str) -> VerifiedToken | None:
        """Return what a token stands for; None if it is not valid.

        Raises:
            RefusedError: the request is refused for another reason than its token.
        """
        ...


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Finds out who sends a request.

    Attributes:
        verifier: verifies tokens; None accepts every request, as from one caller.
    """

    verifier: Verifier | None = field(default=None)

    async def authenticate(self, scope: Scope) -> Caller:
        """Return the caller of a request, and note it in the scope where the SDK looks for it.

        Raises:
            RefusedError: there is no token, or it is not accepted.
        """
        if self.verifier is None:
            set_secrets()
            return ANONYMOUS
        token = _read_token(Headers(scope=scope))
        set_secrets(token or "")
        verified = await self.verifier.verify_token(token) if token else None
        if verified is None:
            raise RefusedError(build_challenge(self.verifier, is_token_given=token is not None))
        if verified.key is not None and verified.key.get_secret_value() != token:
            set_secrets(token or "", verified.key.get_secret_value())
        # Only where the server names an issuer.
        caller = replace(verified.caller, can_ask_for_scopes=self.verifier.metadata_url is not None)
        scope["user"] = AuthenticatedUser(verified)
        if READ_SCOPE not in caller.scopes:
            raise RefusedError(build_scope_challenge(self.verifier, READ_SCOPE))
        return caller

    def require_scope(self, caller: Caller, scope: str) -> None:
        """Check that a caller has a scope.

        Raises:
            RefusedError: it has not.
        """
        if self.verifier is not None and scope not in caller.scopes:
            raise RefusedError(build_scope_challenge(self.verifier, scope))


def build_challenge(verifier: Verifier, *, is_token_given: bool) -> Refusal:
    """Return a 401 that says what to send. A request without a token gets no error code (RFC 6750)."""
    parts = {"realm": verifier.realm}
    if is_token_given:
        parts |= {"error": "invalid_token", "error_description": verifier.hint}
    parts["scope"] = READ_SCOPE
    message = verifier.hint if not is_token_given else f"The token is not accepted. {verifier.hint}"
    return _build_refusal(verifier, 401, "invalid_token" if is_token_given else "no_token", message, parts)


def build_scope_challenge(verifier: Verifier, scope: str) -> Refusal:
    """Return a 403 that says which scope is missing.

    It names all scopes that the call needs, because some clients then ask for these alone.
    """
    scopes = " ".join(dict.fromkeys((READ_SCOPE, scope)))
    parts = {"realm": verifier.realm, "error": "insufficient_scope", "scope": scopes}
    message = f"This call needs a token with the scope {scope}."
    return _build_refusal(verifier, 403, "insufficient_scope", message, parts)


def _build_refusal(verifier: Verifier, status: int, reason: str, message: str, parts: dict[str, str]) -> Refusal:
    if verifier.metadata_url:
        parts["resource_metadata"] = verifier.metadata_url
    challenge = ", ".join(f'{name}="{value}"' for name, value in parts.items())
    return Refusal(status, reason, message, {"www-authenticate": f"Bearer {challenge}"})


def _read_token(headers: Headers) -> str | None:
    """Return the bearer token; None if there is none. Several headers are none: a proxy may have read another."""
    given = headers.getlist("authorization")
    scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    return token.strip() or None if scheme.lower() == _SCHEME else None
