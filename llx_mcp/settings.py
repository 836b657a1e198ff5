"""The settings: one frozen `Settings` object, read once from flags and environment variables."""

import ipaddress
from collections.abc import Collection
from typing import Annotated, Literal, TypeVar, get_args
from urllib.parse import SplitResult, urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from llx_mcp.errors import ConfigurationError
from llx_mcp.redaction import Redactor

Region = Literal["na", "eu"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
# What a server may do besides reading, where the operator allows it.
Permission = Literal["create", "cancel", "delete"]
LogFormat = Literal["text", "json"]
AnySettings = TypeVar("AnySettings", bound="EnvironmentSettings")

BASE_URLS: dict[Region, str] = {
    "na": "https://api.cloud.llamaindex.ai",
    "eu": "https://api.cloud.eu.llamaindex.ai",
}
# Stands for the embedded API inside this process. Nothing listens there.
EMBEDDED_URL = "http://127.0.0.1"
MAX_BODY_BYTES = 256 * 1024 * 1024
# Below the 60 s after which many MCP clients give up a call.
CALL_SECONDS = 50.0


class EnvironmentSettings(BaseSettings):
    """Settings that are given by field name, or by the environment variable that is a field's alias."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True, env_ignore_empty=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the base class fixes the parameters
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the aliases alone: variables such as API_KEY, PATH or HOST are those of other programs."""
        env_settings.config = {**env_settings.config, "populate_by_name": False}
        return init_settings, env_settings


class KeySettings(EnvironmentSettings):
    """The key alone. It can be read whatever the other settings are.

    The key is a `SecretStr`, so a repr, a log or a traceback does not show it.

    Attributes:
        api_key: API key of LlamaCloud; it belongs to one region.
    """

    api_key: SecretStr | None = Field(None, validation_alias=AliasChoices("LLAMA_CLOUD_API_KEY", "LLAMA_PARSE_API_KEY"))

    def build_redactor(self) -> Redactor:
        """Build a redactor of the key."""
        return Redactor(self.api_key.get_secret_value()) if self.api_key else Redactor()


class Settings(KeySettings):
    """Settings of the server. The environment variables have the names that the official clients use.

    Attributes:
        region: region of LlamaCloud; None means North America.
        base_url_override: address of the service, if it is not that of the region.
        project_id: project to read from, if it is not the key's default.
        organization_id: organization to read from, if it is not the key's default.
        max_body_bytes: largest response that is read, in decompressed bytes.
        requests_per_minute: rate limit of the key, if it is known.
        cache_bytes: memory for finished jobs, in compressed bytes.
        poll_max_seconds: longest interval between two polls of a job.
        call_seconds: how long one call may take; the timeout of a wait comes on top.
        allow: what the server may do besides reading; by default nothing.
        max_pages: most pages of one created job; None sets no limit.
        check_citations: whether reading, searching and reviewing check citations against the text of the document.
        log_level: level of the log on stderr.
        log_format: `text` for people, or `json` with one object a line.
    """

    region: Region | None = Field(None, validation_alias="LLAMA_CLOUD_REGION")
    base_url_override: str | None = Field(None, validation_alias="LLAMA_CLOUD_BASE_URL")
    project_id: str | None = Field(None, validation_alias="LLAMA_CLOUD_PROJECT_ID")
    organization_id: str | None = Field(None, validation_alias="LLAMA_CLOUD_ORGANIZATION_ID")
    max_body_bytes: int = Field(MAX_BODY_BYTES, ge=1024, validation_alias="LLX_MCP_MAX_BODY_BYTES")
    requests_per_minute: float | None = Field(None, ge=1, validation_alias="LLX_MCP_REQUESTS_PER_MINUTE")
    cache_bytes: int | None = Field(None, ge=0, validation_alias="LLX_MCP_CACHE_BYTES")
    poll_max_seconds: float | None = Field(None, ge=0.5, le=3_600, validation_alias="LLX_MCP_POLL_MAX_SECONDS")
    call_seconds: float = Field(CALL_SECONDS, ge=1, le=3_600, validation_alias="LLX_MCP_CALL_SECONDS")
    allow: Annotated[frozenset[Permission], NoDecode] = Field(frozenset(), validation_alias="LLX_MCP_ALLOW")
    max_pages: int | None = Field(None, ge=1, validation_alias="LLX_MCP_MAX_PAGES")
    check_citations: bool = Field(True, validation_alias="LLX_MCP_CHECK_CITATIONS")
    log_level: LogLevel = Field("WARNING", validation_alias="LLX_MCP_LOG_LEVEL")
    log_format: LogFormat = Field("text", validation_alias="LLX_MCP_LOG_FORMAT")

    @field_validator("region", "log_level", "log_format", mode="before")
    @classmethod
    def _fold_case(cls, value: object, info: object) -> object:
        if not isinstance(value, str):
            return value
        return value.upper() if getattr(info, "field_name", "") == "log_level" else value.lower()

    @field_validator("allow", mode="before")
    @classmethod
    def _parse_allow(cls, value: object) -> object:
        return parse_permissions(value) if isinstance(value, str) else value

    @field_validator("base_url_override")
    @classmethod
    def _check_base_url(cls, value: str | None) -> str | None:
        return None if value is None else check_base_url(value)

    @property
    def base_url(self) -> str:
        """Address of the service: the override, or the address of the region."""
        return self.base_url_override or BASE_URLS[self.region or "na"]

    @property
    def region_in_words(self) -> str:
        """`na` or `eu` if the host is exactly that of LlamaCloud, otherwise the host itself."""
        host = urlsplit(self.base_url).hostname
        return next((name for name, url in BASE_URLS.items() if urlsplit(url).hostname == host), host or "unknown")


def parse_permissions(text: str) -> frozenset[str]:
    """Return the permissions of a text such as `create,cancel`.

    Raises:
        ValueError: one of the words is no permission.
    """
    words = frozenset(word.strip().lower() for word in text.split(",") if word.strip())
    if not words <= set(get_args(Permission)):
        raise ValueError(f"must be a list of {', '.join(get_args(Permission))}, such as create,cancel")
    return words


def check_base_url(url: str, example: str = BASE_URLS["na"]) -> str:
    """Check that a key may be sent to a URL; return the URL without its trailing slash.

    Args:
        url: the URL.
        example: a URL of its kind, for the error.

    Raises:
        ValueError: the URL is not http(s), has no usable host or port, has user information, a query or a fragment, or
            is http to another machine.
    """
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname or not _is_printable(url) or not _has_port(parts):
        raise ValueError(f"must be an absolute URL such as {example}")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must not carry user information, a query or a fragment")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("must be https, except on this machine (127.0.0.1, localhost, [::1])")
    return url.strip().rstrip("/")


def load_redactor() -> Redactor:
    """Build a redactor of the key in the environment, whatever the other settings are."""
    return KeySettings().build_redactor()  # type: ignore[call-arg] # the environment fills it


def load_settings(**overrides: object) -> Settings:
    """Load the settings from the environment.

    Args:
        overrides: values of flags by field name, which override the environment; None does not.

    Raises:
        ConfigurationError: a setting is invalid. The message names every such setting, and shows no value.
    """
    return read_settings(Settings, **overrides)


def read_settings(kind: type[AnySettings], **overrides: object) -> AnySettings:
    """Load settings of any kind from the environment, as `load_settings` does.

    Raises:
        ConfigurationError: a setting is invalid. The message names every such setting, and shows no value.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return kind(**given)
    except ValidationError as exc:
        # One error for each setting: after a wrong word of a list, another one says that the list is too short.
        errors = {str(error["loc"][:1]): error for error in reversed(exc.errors())}
        reasons = [_describe_error(error, given) for error in reversed(errors.values())]
    raise ConfigurationError("These settings cannot be used. " + "; ".join(reasons))


def _describe_error(error: ErrorDetails, flags: Collection[str]) -> str:
    """Return what is wrong with a setting, by the name of its flag where it was given by one, else of its variable."""
    name = str(error["loc"][0]) if error["loc"] else ""
    if name in flags:
        name = f"--{name.removesuffix('_override').replace('_', '-')}"
    context = error.get("ctx", {})
    match error["type"]:
        case "literal_error":
            reason = f"must be {context['expected']}".replace("'", "")
        case "greater_than_equal":
            reason = f"must be at least {context['ge']:g}"
        case "greater_than":
            reason = f"must be more than {context['gt']:g}"
        case "too_short":
            reason = "must not be empty"
        case "bool_parsing":
            reason = "must be true or false"
        case "less_than_equal":
            reason = f"must be at most {context['le']:g}"
        case "int_parsing" | "int_from_float":
            reason = "must be a whole number"
        case "float_parsing":
            reason = "must be a number"
        case "string_pattern_mismatch":
            reason = f"must match {context['pattern']}"
        case _:
            reason = error["msg"].removeprefix("Value error, ")
    return f"{name}: {reason}" if name else reason


def _is_printable(url: str) -> bool:
    return not any(char.isspace() or not char.isprintable() for char in url.strip())


def _has_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine and no other can reach it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
