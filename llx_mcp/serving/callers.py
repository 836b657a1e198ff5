"""Who calls: the caller of the current request, and the removal of its secrets from texts."""

import hashlib
import hmac
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field

from pydantic import SecretStr

from llx_mcp.redaction import Redactor

READ_SCOPE = "extract:read"
WRITE_SCOPE = "extract:write"
SCOPES = (READ_SCOPE, WRITE_SCOPE)

# The secrets of the current request: its token, and once the token is accepted, the key of LlamaCloud.
_secrets: ContextVar[Redactor | None] = ContextVar("llx_mcp_secrets", default=None)


@dataclass(frozen=True, slots=True)
class Caller:
    """One who may call.

    Attributes:
        name: hash of who it is; it may be logged, and calls are counted by it.
        key: key of LlamaCloud that its requests use; None stands for the key of the settings.
        scopes: what it may do.
        can_ask_for_scopes: whether it can get a token with more scopes when a call is refused.
    """

    name: str
    key: SecretStr | None = field(default=None, repr=False)
    scopes: frozenset[str] = frozenset(SCOPES)
    can_ask_for_scopes: bool = False

    @property
    def tenant_name(self) -> str:
        """Hash of the key, keyed by the key itself, so it is the same in every replica and reveals nothing."""
        return hash_name("tenant", self.key.get_secret_value() if self.key else "")


ANONYMOUS = Caller("anonymous")


# Until a request is authenticated, its caller may do nothing.
_UNKNOWN = Caller("unknown", scopes=frozenset())
_caller: ContextVar[Caller] = ContextVar("llx_mcp_caller", default=_UNKNOWN)


def set_caller(caller: Caller) -> None:
    """Set the caller of the current request. Tasks that it starts inherit it."""
    _caller.set(caller)


def get_caller() -> Caller:
    """Return the caller of the current request, or of the request that started the current task."""
    return _caller.get()


def hash_name(purpose: str, secret: str) -> str:
    """Return a keyed hash of a secret, for one purpose, that can be logged."""
    return hmac.digest(secret.encode(), f"llx-mcp {purpose}".encode(), hashlib.sha256).hex()[:16]


def set_secrets(*secrets: str) -> None:
    """Set the secrets of the current request. Tasks that it starts inherit them."""
    _secrets.set(Redactor(*secrets))


class CallerRedactor(Redactor):
    """Removes the secrets of the current caller, and those that all callers share.

    Texts that belong to no request, such as some records of a log, may hold the key of any tenant.
    """

    def __init__(self, shared: Redactor, others: Callable[[], Iterable[Redactor]] = tuple) -> None:
        """Redact.

        Args:
            shared: removes the secrets of the server.
            others: returns the redactors for texts that belong to no request.
        """
        super().__init__()
        self._shared = shared
        self._others = others

    def may_hold(self, text: str | bytes) -> bool:
        """Return False for a text that certainly holds no secret."""
        return any(redactor.may_hold(text) for redactor in self._list())

    def redact(self, text: str) -> str:
        """Return the text with every secret replaced by `[key]`."""
        for redactor in self._list():
            text = redactor.redact(text)
        return text

    def _list(self) -> list[Redactor]:
        own = _secrets.get()
        # There can be many others, so a text of a request does without them: it has no access to their keys.
        return [self._shared, *(self._others() if own is None else [own])]
