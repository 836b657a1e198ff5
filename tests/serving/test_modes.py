"""Without a mode the server is for this machine alone, and a mode without its settings does not start."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from llx_mcp.errors import ConfigurationError
from llx_mcp.jobs.clock import SystemClock
from llx_mcp.serving.modes import build_authenticator, check_exposure
from llx_mcp.serving.settings import HttpSettings
from llx_mcp.settings import load_settings, read_settings


def settings(**values: Any) -> HttpSettings:
    return read_settings(HttpSettings, **values)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.2"])
def test_loopback_needs_no_mode(host: str) -> None:
    check_exposure(settings(host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "mcp.example.com"])
def test_other_address_without_mode_is_refused_with_what_to_set(host: str) -> None:
    with pytest.raises(ConfigurationError, match="LLX_MCP_AUTH or --auth: pass-through"):
        check_exposure(settings(host=host, allowed_hosts="mcp.example.com"))
    check_exposure(settings(host=host, allowed_hosts="mcp.example.com", auth="pass-through"))


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_address_without_a_name_needs_one(host: str) -> None:
    with pytest.raises(ConfigurationError, match="LLX_MCP_HTTP_ALLOWED_HOSTS"):
        check_exposure(settings(host=host, auth="pass-through"))
    check_exposure(settings(host=host, auth="pass-through", public_url="https://mcp.example.com/mcp"))


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        ({"auth": "tokens"}, "LLX_MCP_TOKENS_FILE"),
        ({"auth": "oauth"}, "LLX_MCP_OAUTH_ISSUER, LLX_MCP_OAUTH_JWKS_URL, LLX_MCP_HTTP_PUBLIC_URL"),
        (
            {
                "auth": "oauth",
                "oauth_issuer": "https://a.example",
                "oauth_jwks_url": "https://a.example/keys",
                "public_url": "https://b.example/mcp",
                "tenant_claim": "org",
            },
            "LLX_MCP_KEYS_FILE",
        ),
    ],
)
def test_mode_without_its_settings_names_them(values: dict[str, Any], missing: str) -> None:
    with pytest.raises(ConfigurationError, match=missing):
        build_authenticator(settings(**values), load_settings(), SystemClock())


@pytest.mark.parametrize("key", [None, " "])
def test_issuer_without_a_key_for_its_callers_is_refused(key: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LLAMA_CLOUD_API_KEY", raising=False)
    values = {"oauth_issuer": "https://a.example", "oauth_jwks_url": "https://a.example/keys"}
    chosen = settings(auth="oauth", public_url="https://b.example/mcp", **values)
    service = load_settings()
    without = service.model_copy(update={"api_key": None if key is None else SecretStr(key)})
    ways = r"LLAMA_CLOUD_API_KEY is not set\. .* or set LLX_MCP_KEYS_FILE and LLX_MCP_OAUTH_TENANT_CLAIM to"
    with pytest.raises(ConfigurationError, match=ways):
        build_authenticator(chosen, without, SystemClock())
    build_authenticator(chosen, service.model_copy(update={"api_key": SecretStr("llx-key")}), SystemClock())


@pytest.mark.parametrize(
    "values",
    [
        {"auth": "none"},
        {"oauth_algorithms": "HS256"},
        {"oauth_algorithms": "none"},
        {"oauth_jwks_url": "http://issuer.example/keys"},
        {"public_url": "http://mcp.example.com/mcp"},
        {"trusted_proxies": "everyone"},
        {"path": "mcp"},
        {"max_calls": 0},
        {"webhook_secrets": " , "},
    ],
)
def test_unsafe_value_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="These settings cannot be used"):
        settings(**values)


def test_error_says_what_a_setting_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLX_MCP_HTTP_PUBLIC_URL", "foo")
    monkeypatch.setenv("LLX_MCP_OAUTH_ALGORITHMS", "HS256")
    monkeypatch.setenv("LLX_MCP_HTTP_TRUSTED_PROXIES", "everyone")
    with pytest.raises(ConfigurationError) as caught:
        settings(header_seconds=0)
    algorithms = "RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 or EdDSA"
    assert sorted(str(caught.value).removeprefix("These settings cannot be used. ").split("; ")) == [
        "--header-seconds: must be more than 0",
        "LLX_MCP_HTTP_PUBLIC_URL: must be an absolute URL such as https://mcp.example.com/mcp",
        "LLX_MCP_HTTP_TRUSTED_PROXIES: 'everyone' is no address or network such as 10.0.0.0/8",
        f"LLX_MCP_OAUTH_ALGORITHMS: must be {algorithms}",
    ]
    monkeypatch.setenv("LLX_MCP_OAUTH_ALGORITHMS", ",")
    with pytest.raises(ConfigurationError, match="LLX_MCP_OAUTH_ALGORITHMS: must not be empty"):
        settings()


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLX_MCP_AUTH", "Pass-Through")
    monkeypatch.setenv("LLX_MCP_HTTP_ALLOWED_HOSTS", "a.example, b.example:8443")
    monkeypatch.setenv("LLX_MCP_HTTP_TRUSTED_PROXIES", "10.0.0.0/8,192.168.1.1")
    monkeypatch.setenv("LLX_MCP_OAUTH_ALGORITHMS", "ES256")
    monkeypatch.setenv("PATH", "/bin")
    monkeypatch.setenv("HOST", "10.0.0.1")
    found = settings(port=9_000)
    assert (found.auth, found.port, found.host, found.path) == ("pass-through", 9_000, "127.0.0.1", "/mcp")
    assert found.allowed_hosts == ("a.example", "b.example:8443")
    assert found.trusted_proxies == ("10.0.0.0/8", "192.168.1.1")
    assert found.oauth_algorithms == ("ES256",)


def test_keys_file_that_refers_to_nothing_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    values = {
        "auth": "oauth",
        "oauth_issuer": "https://a.example",
        "oauth_jwks_url": "https://a.example/keys",
        "public_url": "https://b.example/mcp",
        "tenant_claim": "org",
        "keys_file": path,
    }
    for content, reason in {
        "[]": "JSON object",
        "{": "not valid JSON",
        json.dumps({"acme": "llx-key-in-the-file"}): 'acme: a key is given as {"env": NAME}',
        json.dumps({"acme": {"env": "NOT_SET"}}): "NOT_SET is empty or not set",
        json.dumps({"acme": {"file": "/does/not/exist"}}): "cannot be read",
    }.items():
        path.write_text(content)
        with pytest.raises(ConfigurationError, match=reason) as caught:
            build_authenticator(settings(**values), load_settings(), SystemClock())
        assert "llx-key-in-the-file" not in str(caught.value)
