"""What a client keeps while the person answers a question, such as whether to create a job.

The state goes to the client and comes back with the answer, perhaps to another replica. So it is sealed with a secret
that every replica derives from the key of the caller. The SDK binds it to the call and to the caller, and lets it
expire.
"""

from mcp.server.request_state import AESGCMRequestStateCodec, InvalidRequestState, RequestStateSecurity

from llx_mcp.serving.tenants import get_current_tenant


class TenantStateCodec:
    """Seals the state of a call for the tenant of the current request."""

    def seal(self, payload: bytes) -> str:
        """Return a text that only the same key can open."""
        return _build_codec().seal(payload)

    def unseal(self, token: str) -> bytes:
        """Return what a sealed text holds.

        Raises:
            InvalidRequestState: it was not sealed for this key.
        """
        return _build_codec().unseal(token)


def build_state_security() -> RequestStateSecurity:
    """Build the protection of states for the SDK."""
    return RequestStateSecurity(codec=TenantStateCodec())


def _build_codec() -> AESGCMRequestStateCodec:
    tenant = get_current_tenant()
    if tenant is None:
        raise InvalidRequestState("no tenant")
    return AESGCMRequestStateCodec([tenant.source.derive_key("request state")])
