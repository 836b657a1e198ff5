"""Settings come from the environment and from flags, and never show a secret."""

import pytest

from llx_mcp.backends import build_reader_options
from llx_mcp.errors import ConfigurationError
from llx_mcp.jobs.poll_schedule import PollSchedule
from llx_mcp.jobs.reader_options import ReaderOptions
from llx_mcp.settings import check_base_url, load_settings


def test_variables_have_the_names_of_the_official_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_PARSE_API_KEY", "llx-second")
    assert load_settings().api_key is not None
    monkeypatch.setenv("LLAMA_CLOUD_API_KEY", "llx-first")
    monkeypatch.setenv("LLAMA_CLOUD_REGION", "EU")
    monkeypatch.setenv("LLAMA_CLOUD_PROJECT_ID", "p")
    monkeypatch.setenv("LLAMA_CLOUD_ORGANIZATION_ID", "o")
    settings = load_settings()
    assert settings.api_key is not None
    assert settings.api_key.get_secret_value() == "llx-first"
    assert (settings.base_url, settings.project_id, settings.organization_id) == (
        "https://api.cloud.eu.llamaindex.ai",
        "p",
        "o",
    )


def test_flag_overrides_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_CLOUD_REGION", "na")
    assert load_settings(region="eu").region_in_words == "eu"


def test_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_CLOUD_BASE_URL", "")
    assert load_settings().base_url == "https://api.cloud.llamaindex.ai"


def test_key_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_CLOUD_API_KEY", "llx-secret")
    settings = load_settings()
    assert "llx-secret" not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://api.cloud.llamaindex.ai/", "na"),
        ("https://api.cloud.eu.llamaindex.ai", "eu"),
        ("https://api.cloud.llamaindex.ai.evil.example", "api.cloud.llamaindex.ai.evil.example"),
        ("https://api.cloud.llamaindex.aix", "api.cloud.llamaindex.aix"),
        ("https://llama.example.com:8443/base/", "llama.example.com"),
        ("http://127.0.0.1:8080", "127.0.0.1"),
        ("http://localhost:8080", "localhost"),
        ("http://[::1]:8080", "::1"),
    ],
)
def test_region_needs_the_whole_host_to_match(url: str, region: str) -> None:
    settings = load_settings(base_url_override=url)
    assert (settings.base_url, settings.region_in_words) == (url.rstrip("/"), region)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.cloud.llamaindex.ai",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://10.0.0.1",
        "ftp://host",
        "host",
        "https://",
        "https://user:pass@host",
        "https://host/?a=b",
        "https://host/#x",
        "https://a b.example",
        "https://host:99999",
        "https://host:0",
        "https://host:port",
    ],
)
def test_unsafe_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must"):
        check_base_url(url)
    with pytest.raises(ConfigurationError, match="--base-url: must"):
        load_settings(base_url_override=url)


def test_invalid_setting_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_CLOUD_REGION", "llx-pasted-in-the-wrong-place")
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert "LLAMA_CLOUD_REGION" in str(caught.value)
    assert "llx-pasted" not in str(caught.value)


def test_polling_cache_and_time_of_a_call_are_set_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLX_MCP_REQUESTS_PER_MINUTE", "20")
    monkeypatch.setenv("LLX_MCP_CACHE_BYTES", "1000")
    monkeypatch.setenv("LLX_MCP_POLL_MAX_SECONDS", "60")
    monkeypatch.setenv("LLX_MCP_CALL_SECONDS", "20")
    schedule = PollSchedule(longest_seconds=60.0)
    assert build_reader_options(load_settings()) == ReaderOptions(schedule, 20.0, 1_000, 20.0)


def test_short_longest_poll_interval_shortens_every_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLX_MCP_POLL_MAX_SECONDS", "3")
    schedule = build_reader_options(load_settings()).schedule
    assert schedule == PollSchedule(shortest_seconds=3.0, longest_seconds=3.0)
    assert max(schedule.mean_interval_seconds(age) for age in range(1_000)) == 3.0


def test_unset_variables_give_the_default_options() -> None:
    assert build_reader_options(load_settings()) == ReaderOptions()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LLX_MCP_REQUESTS_PER_MINUTE", "0"),
        ("LLX_MCP_CACHE_BYTES", "-1"),
        ("LLX_MCP_POLL_MAX_SECONDS", "0.4"),
        ("LLX_MCP_POLL_MAX_SECONDS", "3601"),
        ("LLX_MCP_POLL_MAX_SECONDS", "nan"),
        ("LLX_MCP_POLL_MAX_SECONDS", "soon"),
        ("LLX_MCP_CALL_SECONDS", "0.9"),
        ("LLX_MCP_CALL_SECONDS", "3601"),
        ("LLX_MCP_CALL_SECONDS", "inf"),
    ],
)
def test_impossible_value_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=name):
        load_settings()


@pytest.mark.parametrize(
    ("text", "allowed"),
    [("", set()), ("create", {"create"}), (" Create, cancel,,DELETE ", {"create", "cancel", "delete"})],
)
def test_permissions_are_a_list_of_words(monkeypatch: pytest.MonkeyPatch, text: str, allowed: set[str]) -> None:
    monkeypatch.setenv("LLX_MCP_ALLOW", text)
    assert load_settings().allow == allowed
    assert load_settings(allow=frozenset({"cancel"})).allow == {"cancel"}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [("LLX_MCP_ALLOW", "create,all", "must be a list of create, cancel, delete"),
     ("LLX_MCP_ALLOW", "true", "must be a list of create"),
     ("LLX_MCP_MAX_PAGES", "0", "must be at least 1"),
     ("LLX_MCP_MAX_PAGES", "many", "must be a whole number")],
)  # fmt: skip
def test_permission_or_limit_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=f"{name}: {words}"):
        load_settings()


def test_nothing_is_allowed_by_default() -> None:
    assert load_settings().allow == frozenset()


@pytest.mark.parametrize("name", ["API_KEY", "api_key", "REGION", "BASE_URL_OVERRIDE", "PROJECT_ID", "LOG_LEVEL"])
def test_variable_of_another_program_is_not_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = load_settings()
    monkeypatch.setenv(name, "llx-of-another-program")
    assert load_settings() == expected
