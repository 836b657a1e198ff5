"""Settings come from the environment and flags, and secrets hide themselves."""

import pytest

from llx_mcp.backends import build_reader_options
from llx_mcp.errors import ConfigurationError
from llx_mcp.jobs.poll_schedule import PollSchedule
from llx_mcp.jobs.reader import ReaderOptions
from llx_mcp.settings import check_base_url, load_settings


def test_the_names_of_the_environment_are_those_of_the_official_clients(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_flag_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_CLOUD_REGION", "na")
    assert load_settings(region="eu").region_in_words == "eu"


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_CLOUD_BASE_URL", "")
    assert load_settings().base_url == "https://api.cloud.llamaindex.ai"


def test_the_key_does_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_a_host_is_matched_whole_and_never_by_prefix(url: str, region: str) -> None:
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
def test_an_address_that_a_key_must_not_be_sent_to_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must"):
        check_base_url(url)
    with pytest.raises(ConfigurationError, match=r"LLAMA_CLOUD_BASE_URL|base_url_override"):
        load_settings(base_url_override=url)


def test_what_cannot_be_used_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_CLOUD_REGION", "llx-pasted-in-the-wrong-place")
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert "LLAMA_CLOUD_REGION" in str(caught.value)
    assert "llx-pasted" not in str(caught.value)


def test_waiting_is_set_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "LLX_MCP_REQUESTS_PER_MINUTE": "20",
        "LLX_MCP_STORE_BYTES": "1000",
        "LLX_MCP_LOOK_FRESH_SECONDS": "1, 2,4",
        "LLX_MCP_LOOK_SHARE_OF_AGE": "0.1",
        "LLX_MCP_LOOK_SHORTEST_SECONDS": "3",
        "LLX_MCP_LOOK_LONGEST_SECONDS": "60",
        "LLX_MCP_LOOK_JITTER": "0",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    schedule = PollSchedule(
        early_poll_ages_seconds=(1.0, 2.0, 4.0),
        share_of_age=0.1,
        shortest_seconds=3.0,
        longest_seconds=60.0,
        jitter=0.0,
    )
    assert build_reader_options(load_settings()) == ReaderOptions(schedule, 20.0, 1_000)


def test_waiting_that_is_not_set_is_as_it_is_by_default() -> None:
    assert build_reader_options(load_settings()) == ReaderOptions()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LLX_MCP_REQUESTS_PER_MINUTE", "0"),
        ("LLX_MCP_STORE_BYTES", "-1"),
        ("LLX_MCP_LOOK_FRESH_SECONDS", "2,soon"),
        ("LLX_MCP_LOOK_FRESH_SECONDS", "0.1"),
        ("LLX_MCP_LOOK_SHORTEST_SECONDS", "0"),
        ("LLX_MCP_LOOK_LONGEST_SECONDS", "nan"),
        ("LLX_MCP_LOOK_JITTER", "1"),
    ],
)
def test_waiting_that_cannot_be_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=name):
        load_settings()


def test_intervals_that_contradict_each_other_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLX_MCP_LOOK_SHORTEST_SECONDS", "30")
    monkeypatch.setenv("LLX_MCP_LOOK_LONGEST_SECONDS", "10")
    with pytest.raises(ConfigurationError, match="must not be more than LLX_MCP_LOOK_LONGEST_SECONDS"):
        load_settings()
