"""The settings of the server over HTTP, from flags and environment variables."""

import ipaddress
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from llx_mcp.errors import excerpt
from llx_mcp.settings import EnvironmentSettings, check_base_url, is_loopback

AuthMode = Literal["pass-through", "oauth", "tokens"]
# A key that is shared with the issuer is not accepted, and "none" is no signature.
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


def _split(value: object) -> object:
    return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value


def _split_secrets(value: object) -> object:
    words = _split(value)
    if not words and isinstance(value, str):
        raise ValueError("it holds no secret")
    return words


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class HttpSettings(EnvironmentSettings):
    """Settings of `llx-mcp serve --http`. Lists are separated by commas.

    Attributes:
        auth: who may call; None means every program on this machine.
        host: address to listen on.
        port: port to listen on; 0 picks a free one.
        path: path of the MCP endpoint.
        public_url: address of the MCP endpoint as clients see it.
        allowed_hosts: values of `Host` that are accepted, each with or without a port.
        trusted_proxies: addresses and networks whose `X-Forwarded-*` headers are believed.
        max_body_bytes: largest body of a request.
        max_header_bytes: largest header section of a request.
        max_connections: most connections at once.
        max_calls: most requests of one caller at once.
        max_tenants: most LlamaCloud keys in use at once.
        tenant_idle_seconds: after this time without a request, what is held for a key is dropped.
        header_seconds: time for the headers of a request to arrive.
        body_seconds: time for the body of a request to arrive.
        write_seconds: how long a client may stop reading an answer.
        keep_alive_seconds: how long a connection without a request stays open.
        grace_seconds: time for open calls after a signal to stop.
        metrics_host: address to serve metrics on.
        metrics_port: port to serve metrics on; None serves none, 0 picks a free one.
        tokens_file: JSON file with the hashes of the tokens, for `tokens`.
        keys_file: JSON file with the LlamaCloud key of each tenant, for `oauth`.
        tenant_claim: claim of a token that names the tenant, for `oauth`.
        oauth_issuer: issuer of the tokens.
        oauth_jwks_url: address of the issuer's keys.
        oauth_audience: audience of the tokens; by default, the public address.
        oauth_algorithms: algorithms of signatures that are accepted.
        oauth_clock_skew_seconds: how far the issuer's clock may be off.
        redis_url: address of the Redis through which replicas work as one; it may hold a password.
        redis_lease_seconds: after this time without a sign of the replica that polls a job, another one does.
        webhook_secrets: secrets with which LlamaCloud signs the webhooks that it sends to this server.
    """

    auth: AuthMode | None = Field(None, validation_alias="LLX_MCP_AUTH")
    host: str = Field("127.0.0.1", validation_alias="LLX_MCP_HTTP_HOST")
    port: int = Field(8000, ge=0, le=65_535, validation_alias="LLX_MCP_HTTP_PORT")
    path: str = Field("/mcp", pattern=r"^/[A-Za-z0-9/._~-]*$", validation_alias="LLX_MCP_HTTP_PATH")
    public_url: str | None = Field(None, validation_alias="LLX_MCP_HTTP_PUBLIC_URL")
    allowed_hosts: Words = Field((), validation_alias="LLX_MCP_HTTP_ALLOWED_HOSTS")
    trusted_proxies: Words = Field((), validation_alias="LLX_MCP_HTTP_TRUSTED_PROXIES")
    max_body_bytes: int = Field(4 << 20, ge=1_024, validation_alias="LLX_MCP_HTTP_MAX_BODY_BYTES")
    max_header_bytes: int = Field(32 << 10, ge=1_024, validation_alias="LLX_MCP_HTTP_MAX_HEADER_BYTES")
    max_connections: int = Field(2_000, ge=1, validation_alias="LLX_MCP_HTTP_MAX_CONNECTIONS")
    max_calls: int = Field(100, ge=1, validation_alias="LLX_MCP_HTTP_MAX_CALLS")
    max_tenants: int = Field(1_000, ge=1, validation_alias="LLX_MCP_HTTP_MAX_TENANTS")
    tenant_idle_seconds: float = Field(900.0, ge=1, validation_alias="LLX_MCP_HTTP_TENANT_IDLE_SECONDS")
    header_seconds: float = Field(10.0, gt=0, validation_alias="LLX_MCP_HTTP_HEADER_SECONDS")
    body_seconds: float = Field(30.0, gt=0, validation_alias="LLX_MCP_HTTP_BODY_SECONDS")
    write_seconds: float = Field(30.0, gt=0, validation_alias="LLX_MCP_HTTP_WRITE_SECONDS")
    keep_alive_seconds: int = Field(75, ge=1, validation_alias="LLX_MCP_HTTP_KEEP_ALIVE_SECONDS")
    grace_seconds: float = Field(10.0, ge=0, validation_alias="LLX_MCP_HTTP_GRACE_SECONDS")
    metrics_host: str = Field("127.0.0.1", validation_alias="LLX_MCP_METRICS_HOST")
    metrics_port: int | None = Field(None, ge=0, le=65_535, validation_alias="LLX_MCP_METRICS_PORT")
    tokens_file: Path | None = Field(None, validation_alias="LLX_MCP_TOKENS_FILE")
    keys_file: Path | None = Field(None, validation_alias="LLX_MCP_KEYS_FILE")
    tenant_claim: str | None = Field(None, validation_alias="LLX_MCP_OAUTH_TENANT_CLAIM")
    oauth_issuer: str | None = Field(None, validation_alias="LLX_MCP_OAUTH_ISSUER")
    oauth_jwks_url: str | None = Field(None, validation_alias="LLX_MCP_OAUTH_JWKS_URL")
    oauth_audience: str | None = Field(None, validation_alias="LLX_MCP_OAUTH_AUDIENCE")
    oauth_algorithms: Annotated[tuple[Algorithm, ...], NoDecode, BeforeValidator(_split)] = Field(
        ("RS256", "PS256", "ES256", "EdDSA"), min_length=1, validation_alias="LLX_MCP_OAUTH_ALGORITHMS"
    )
    oauth_clock_skew_seconds: float = Field(60.0, ge=0, le=600, validation_alias="LLX_MCP_OAUTH_CLOCK_SKEW_SECONDS")

    redis_url: SecretStr | None = Field(None, validation_alias="LLX_MCP_REDIS_URL")
    redis_lease_seconds: float = Field(10.0, ge=1, le=300, validation_alias="LLX_MCP_REDIS_LEASE_SECONDS")
    webhook_secrets: Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split_secrets)] = Field(
        (), validation_alias="LLX_MCP_WEBHOOK_SECRETS"
    )

    @field_validator("auth", mode="before")
    @classmethod
    def _fold_case(cls, value: object) -> object:
        return value.strip().lower() if isinstance(value, str) else value

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, value: str | None) -> str | None:
        return None if value is None else check_base_url(value, "https://mcp.example.com/mcp")

    @field_validator("oauth_jwks_url")
    @classmethod
    def _check_jwks_url(cls, value: str | None) -> str | None:
        return None if value is None else check_base_url(value, "https://issuer.example.com/.well-known/jwks.json")

    @field_validator("trusted_proxies")
    @classmethod
    def _check_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            try:
                ipaddress.ip_network(network, strict=False)
            except ValueError:
                raise ValueError(f"{excerpt(network, 40)!r} is no address or network such as 10.0.0.0/8") from None
        return value

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)

    def list_hosts(self, port: int) -> tuple[str, ...]:
        """Return the accepted values of `Host`, given the port that is listened on."""
        if self.allowed_hosts:
            return self.allowed_hosts
        names = ("127.0.0.1", "localhost", "[::1]") if self.is_loopback else (bracket_host(self.host),)
        public = (urlsplit(self.public_url).netloc,) if self.public_url else ()
        return (*(f"{name}:{port}" for name in names), *public)


def bracket_host(host: str) -> str:
    """Return a host as it stands in a URL: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host
