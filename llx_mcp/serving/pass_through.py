"""The mode `pass-through`: a caller sends its own key of LlamaCloud, and the server holds none."""

from pydantic import SecretStr

from llx_mcp.serving.authentication import VerifiedToken
from llx_mcp.serving.callers import SCOPES, hash_name

_PREFIX = "llx-"
_MAX_CHARS = 512


class KeyVerifier:
    """Checks the form of a key. Whether it is valid is for LlamaCloud to say, with the first request."""

    metadata_url: str | None = None

    def __init__(self, region: str, base_url: str) -> None:
        """Check keys of one region or address."""
        is_llamacloud = region in ("na", "eu")
        self.realm = f"LlamaCloud, region {region}" if is_llamacloud else region
        key = f"LlamaCloud key of region {region} ({base_url})" if is_llamacloud else f"key of {base_url}"
        self.hint = f"Send your {key} in the header Authorization, as Bearer llx-..."

    async def verify_token(self, token: str) -> VerifiedToken | None:
        """Return the key as a token; None if it has not the form of a key."""
        is_key = token.startswith(_PREFIX) and len(_PREFIX) < len(token) <= _MAX_CHARS
        if not is_key or not token.isascii() or not token.isprintable() or " " in token:
            return None
        name = hash_name("caller", token)
        return VerifiedToken(token=name, client_id=name, scopes=list(SCOPES), key=SecretStr(token))
