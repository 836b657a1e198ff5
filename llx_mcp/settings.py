"""One frozen `Settings`, read once from flags and environment, and passed down."""

import ipaddress
from typing import Annotated, Literal, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from llx_mcp.errors import ConfigurationError

Region = Literal["na", "eu"]
# A shorter interval between looks would be of no use to anybody.
Seconds = Annotated[float, Field(ge=0.5, le=3_600)]

BASE_URLS: dict[Region, str] = {
    "na": "https://api.cloud.llamaindex.ai",
    "eu": "https://api.cloud.eu.llamaindex.ai",
}
MAX_BODY_BYTES = 256 * 1024 * 1024


class Settings(BaseSettings):
    """What the server is told. Names of the environment follow the official clients.

    The key is a `SecretStr`: it does not show in a repr, a log or a traceback.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True, env_ignore_empty=True)

    api_key: SecretStr | None = Field(None, validation_alias=AliasChoices("LLAMA_CLOUD_API_KEY", "LLAMA_PARSE_API_KEY"))
    region: Region | None = Field(None, validation_alias="LLAMA_CLOUD_REGION")
    base_url_override: str | None = Field(None, validation_alias="LLAMA_CLOUD_BASE_URL")
    project_id: str | None = Field(None, validation_alias="LLAMA_CLOUD_PROJECT_ID")
    organization_id: str | None = Field(None, validation_alias="LLAMA_CLOUD_ORGANIZATION_ID")
    max_body_bytes: int = Field(MAX_BODY_BYTES, ge=1024, validation_alias="LLX_MCP_MAX_BODY_BYTES")
    requests_per_minute: float | None = Field(None, ge=1, validation_alias="LLX_MCP_REQUESTS_PER_MINUTE")
    cache_bytes: int | None = Field(None, ge=0, validation_alias="LLX_MCP_STORE_BYTES")
    look_fresh_seconds: Annotated[tuple[Seconds, ...] | None, NoDecode] = Field(
        None, validation_alias="LLX_MCP_LOOK_FRESH_SECONDS"
    )
    look_share_of_age: float | None = Field(None, ge=0, le=1, validation_alias="LLX_MCP_LOOK_SHARE_OF_AGE")
    look_shortest_seconds: Seconds | None = Field(None, validation_alias="LLX_MCP_LOOK_SHORTEST_SECONDS")
    look_longest_seconds: Seconds | None = Field(None, validation_alias="LLX_MCP_LOOK_LONGEST_SECONDS")
    look_jitter: float | None = Field(None, ge=0, le=0.5, validation_alias="LLX_MCP_LOOK_JITTER")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("WARNING", validation_alias="LLX_MCP_LOG_LEVEL")

    @field_validator("region", "log_level", mode="before")
    @classmethod
    def _fold_case(cls, value: object, info: object) -> object:
        if not isinstance(value, str):
            return value
        return value.lower() if getattr(info, "field_name", "") == "region" else value.upper()

    @field_validator("look_fresh_seconds", mode="before")
    @classmethod
    def _split_seconds(cls, value: object) -> object:
        return [part for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check_looks(self) -> Self:
        shortest, longest = self.look_shortest_seconds, self.look_longest_seconds
        if shortest is not None and longest is not None and shortest > longest:
            raise ValueError("LLX_MCP_LOOK_SHORTEST_SECONDS must not be more than LLX_MCP_LOOK_LONGEST_SECONDS")
        return self

    @field_validator("base_url_override")
    @classmethod
    def _check_base_url(cls, value: str | None) -> str | None:
        return None if value is None else check_base_url(value)

    @property
    def base_url(self) -> str:
        """Where requests go: the override, else the region's own address, else North America."""
        return self.base_url_override or BASE_URLS[self.region or "na"]

    @property
    def region_in_words(self) -> str:
        """`na` or `eu` where the host is exactly LlamaCloud's, else the host itself."""
        host = urlsplit(self.base_url).hostname
        return next((name for name, url in BASE_URLS.items() if urlsplit(url).hostname == host), host or "unknown")


def check_base_url(url: str) -> str:
    """The URL without its trailing slash, once it is known to be safe to send a key to.

    Raises:
        ValueError: not http(s), no usable host or port, user information, query or fragment, or http to another
            machine.
    """
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname or not _is_printable(url) or not _has_port(parts):
        raise ValueError("must be an absolute URL such as https://api.cloud.llamaindex.ai")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must not carry user information, a query or a fragment")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ValueError("must be https, except on this machine (127.0.0.1, localhost, [::1])")
    return url.strip().rstrip("/")


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment, with those given here on top; None means not given.

    Raises:
        ConfigurationError: one line for each setting that cannot be used. No value is repeated.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as exc:
        lines = [": ".join([*_place(fault["loc"]), _reason(fault["msg"])]) for fault in exc.errors()]
    raise ConfigurationError("These settings cannot be used. " + "; ".join(lines))


def _place(location: tuple[int | str, ...]) -> list[str]:
    return [".".join(str(part) for part in location)] if location else []


def _reason(message: str) -> str:
    return message.removeprefix("Value error, ")


def _is_printable(url: str) -> bool:
    return not any(char.isspace() or not char.isprintable() for char in url.strip())


def _has_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
