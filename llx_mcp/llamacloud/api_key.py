"""The API key: read from the settings, sent in one header, and removed from the texts of errors."""

from dataclasses import dataclass, field

from llx_mcp.errors import ConfigurationError
from llx_mcp.redaction import Redactor
from llx_mcp.settings import Settings


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key that can be sent in a header. Its repr hides the value.

    Attributes:
        value: the key.
        redactor: removes the key from texts.
    """

    value: str = field(repr=False)
    redactor: Redactor = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "redactor", Redactor(self.value))


def read_key(settings: Settings) -> ApiKey:
    """Return the key of the settings.

    Raises:
        ConfigurationError: there is no key, or it holds characters that a header cannot hold.
    """
    value = settings.api_key.get_secret_value().strip() if settings.api_key else ""
    if not value:
        raise ConfigurationError(
            "No LlamaCloud key is set. Set LLAMA_CLOUD_API_KEY in the environment (for an MCP server: in the "
            "client's configuration of the server), or use --local to read the embedded API without an account."
        )
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ConfigurationError(
            "LLAMA_CLOUD_API_KEY holds characters that are not part of a key, such as a space or a line break. Copy it "
            "again."
        )
    return ApiKey(value)
