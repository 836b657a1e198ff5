"""The API key: read from the settings, sent in one header, and kept out of every text."""

from dataclasses import dataclass, field

from llx_mcp.errors import ConfigurationError
from llx_mcp.settings import Settings

# A shorter one is a placeholder before a service that asks for none; as a fragment it is in every text.
_SHORTEST_SECRET = 8


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key that can be sent. It does not show in its repr."""

    value: str = field(repr=False)

    def is_in(self, text: str) -> bool:
        """Whether a text gives the key away."""
        return len(self.value) >= _SHORTEST_SECRET and self.value in text

    def redact(self, text: str) -> str:
        """The text without the key."""
        return text.replace(self.value, "[key]") if self.is_in(text) else text


def read_key(settings: Settings) -> ApiKey:
    """The key of the settings.

    Raises:
        ConfigurationError: there is none, or one that no header can carry.
    """
    value = settings.api_key.get_secret_value().strip() if settings.api_key else ""
    if not value:
        raise ConfigurationError(
            "No LlamaCloud key is set. Set LLAMA_CLOUD_API_KEY in the environment of this server (in the client's "
            "configuration of it), or start it with --local to read the embedded API without an account."
        )
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ConfigurationError(
            "LLAMA_CLOUD_API_KEY holds characters that no key has, such as a space or a line break. Copy it again."
        )
    return ApiKey(value)
