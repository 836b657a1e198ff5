"""Builds the verifier of the chosen mode, and refuses to start a server that anyone could use."""

from urllib.parse import urlsplit

from mcp.server.auth.routes import build_resource_metadata_url, cors_middleware
from pydantic import AnyHttpUrl
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from llx_mcp.errors import ConfigurationError
from llx_mcp.jobs.clock import Clock
from llx_mcp.serving.authentication import Authenticator, Verifier
from llx_mcp.serving.callers import SCOPES
from llx_mcp.serving.key_references import read_keys_file
from llx_mcp.serving.settings import HttpSettings
from llx_mcp.settings import Settings

_WILDCARDS = ("", "0.0.0.0", "::")  # noqa: S104 # nosec B104 # compared, not bound


def check_exposure(settings: HttpSettings) -> None:
    """Refuse to listen where others can reach a server that does not ask who calls.

    Raises:
        ConfigurationError: the address needs a mode, or the names of the server.
    """
    if settings.auth is None and not settings.is_loopback:
        raise ConfigurationError(
            f"--host {settings.host}: other machines can reach this address, so a server there must know who calls. "
            "Set LLX_MCP_AUTH or --auth: pass-through (callers send their own LlamaCloud key), oauth, or tokens. "
            "Without it the server listens on 127.0.0.1 only."
        )
    if settings.host in _WILDCARDS and not settings.allowed_hosts and settings.public_url is None:
        raise ConfigurationError(
            f"--host {settings.host or '(empty)'}: it says nothing about the names by which clients reach the server. "
            "Set LLX_MCP_HTTP_ALLOWED_HOSTS or --allowed-hosts, such as mcp.example.com, or LLX_MCP_HTTP_PUBLIC_URL."
        )


def check_key(settings: HttpSettings, service: Settings) -> None:
    """Refuse to serve LlamaCloud without a mode and without a key: no call would work.

    Raises:
        ConfigurationError: there is no key.
    """
    if settings.auth is None:
        _require_key(
            service,
            "--http without --auth: all callers use the key of the server, and LLAMA_CLOUD_API_KEY is not set. Set it. "
            "With --auth pass-through callers send their own keys, and --local needs none.",
        )


def build_authenticator(settings: HttpSettings, service: Settings, clock: Clock) -> Authenticator:
    """Build what finds out who calls.

    Raises:
        ConfigurationError: a setting of the mode is missing, or a file cannot be used.
    """
    match settings.auth:
        case None:
            return Authenticator()
        case "pass-through":
            from llx_mcp.serving.pass_through import KeyVerifier

            return Authenticator(KeyVerifier(service.region_in_words, service.base_url))
        case "tokens":
            from llx_mcp.serving.static_tokens import StaticVerifier, read_tokens_file

            if settings.tokens_file is None:
                raise ConfigurationError(
                    "--auth tokens: set LLX_MCP_TOKENS_FILE. llx-mcp hash-token NAME makes a token."
                )
            tokens = read_tokens_file(settings.tokens_file)
            without_key = next((token.name for token in tokens if token.key is None), None)
            if without_key is not None:
                _require_key(
                    service,
                    f"LLX_MCP_TOKENS_FILE, {without_key}: it has no key, and LLAMA_CLOUD_API_KEY is not set. Set "
                    "LLAMA_CLOUD_API_KEY, or add a key to the entry.",
                )
            return Authenticator(StaticVerifier(tokens))
        case "oauth":
            verifier = _build_oauth(settings, clock)
            if settings.keys_file is None:
                _require_key(
                    service,
                    "--auth oauth: LLAMA_CLOUD_API_KEY is not set. Set it to the key that all callers share, or set "
                    "LLX_MCP_KEYS_FILE and LLX_MCP_OAUTH_TENANT_CLAIM to give each tenant its own key.",
                )
            return Authenticator(verifier)


def build_metadata_routes(settings: HttpSettings) -> list[Route]:
    """Build the routes of the protected-resource metadata (RFC 9728); none in the other modes."""
    if settings.auth != "oauth" or settings.public_url is None or settings.oauth_issuer is None:
        return []
    # Addresses stay as they were set: clients compare the issuer exactly, and the SDK's models would change it.
    metadata = {
        "resource": settings.public_url,
        "authorization_servers": [settings.oauth_issuer],
        "scopes_supported": list(SCOPES),
        "bearer_methods_supported": ["header"],
        "resource_name": "LlamaExtract jobs",
    }

    async def answer(_: Request) -> JSONResponse:
        return JSONResponse(metadata, headers={"cache-control": "public, max-age=3600"})

    methods = ["GET", "OPTIONS"]
    path = urlsplit(_build_metadata_url(settings.public_url)).path
    return [Route(path, cors_middleware(answer, methods), methods=methods)]


def _build_metadata_url(public_url: str) -> str:
    return str(build_resource_metadata_url(AnyHttpUrl(public_url)))


def _require_key(service: Settings, message: str) -> None:
    """Check that callers without a key of their own can use that of the settings."""
    if service.api_key is None or not service.api_key.get_secret_value().strip():
        raise ConfigurationError(message)


def _build_oauth(settings: HttpSettings, clock: Clock) -> Verifier:
    from llx_mcp.serving.jwks import KeySet
    from llx_mcp.serving.oauth import JwtVerifier, TokenRules

    names = {
        "LLX_MCP_OAUTH_ISSUER": settings.oauth_issuer,
        "LLX_MCP_OAUTH_JWKS_URL": settings.oauth_jwks_url,
        "LLX_MCP_HTTP_PUBLIC_URL": settings.public_url,
    }
    missing = [name for name, value in names.items() if not value]
    if (settings.tenant_claim is None) != (settings.keys_file is None):
        missing.append("LLX_MCP_KEYS_FILE" if settings.keys_file is None else "LLX_MCP_OAUTH_TENANT_CLAIM")
    if missing or not settings.oauth_issuer or not settings.oauth_jwks_url or not settings.public_url:
        raise ConfigurationError(f"--auth oauth: set {', '.join(missing)}.")
    rules = TokenRules(
        settings.oauth_issuer,
        settings.oauth_audience or settings.public_url,
        settings.oauth_algorithms,
        settings.oauth_clock_skew_seconds,
        settings.tenant_claim,
    )
    keys = {} if settings.keys_file is None else read_keys_file(settings.keys_file)
    metadata_url = _build_metadata_url(settings.public_url)
    return JwtVerifier(rules, KeySet(settings.oauth_jwks_url, clock), keys, metadata_url)
