"""Tokens from a file: hashed at rest, each with its own key and scopes."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from llx_mcp.backends import local_settings
from llx_mcp.errors import ConfigurationError
from llx_mcp.serving.static_tokens import hash_token, make_token, read_tokens_file
from tests.conftest import ROOT
from tests.server.serving import LLX
from tests.serving.replicas import KeyedService, open_replica


def write_tokens(folder: Path, *entries: Any) -> Path:
    path = folder / "tokens.json"
    path.write_text(json.dumps({"tokens": entries}))
    return path


async def test_token_reads_with_its_own_key_and_no_other_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = KeyedService()
    entries = []
    tokens = {}
    for name in ("ci", "finance"):
        service.add_job(f"llx-key-of-{name}", "ext-1", {"name": name})
        monkeypatch.setenv(f"KEY_OF_{name.upper()}", f"llx-key-of-{name}")
        tokens[name], entry = make_token(name)
        entries.append(json.loads(entry) | {"key": {"env": f"KEY_OF_{name.upper()}"}})
    path = write_tokens(tmp_path, *entries)
    async with open_replica(service, auth="tokens", tokens_file=path) as replica:
        for name, token in tokens.items():
            answer = await replica.call("get_extract_job", token, job_id="ext-1")
            assert answer.content["result"] == {"name": name}
        for token in ("", "llxmcp_wrong", tokens["ci"][:-1], tokens["ci"] + "x", entries[0]["sha256"], "llx-key-of-ci"):
            assert (await replica.call("get_extract_job", token, job_id="ext-1")).status == 401
    # No token travelled on, and none was a key.
    assert {key for key, _ in service.requests} == set(service.stores)
    service.close()


async def test_hash_of_a_word_lets_nobody_in(tmp_path: Path) -> None:
    service = KeyedService()
    words = ("test", "llxmcp_test", "llxmcp_" + "a" * 42, "x" * 50)
    path = write_tokens(tmp_path, *({"name": word, "sha256": hash_token(word)} for word in words))
    async with open_replica(service, auth="tokens", tokens_file=path) as replica:
        for word in words:
            assert (await replica.call("list_extract_jobs", word)).status == 401
    service.close()


async def test_example_of_the_docs_starts_only_with_hashes_of_real_tokens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = (ROOT / "docs" / "serving.md").read_text().partition("### `tokens`")[2]
    (example,) = re.findall(r"```json\n(.+?)```", section.partition("\n## ")[0], re.DOTALL)
    entries = json.loads(example)["tokens"]
    monkeypatch.setenv("FINANCE_LLAMA_CLOUD_KEY", "llx-key-of-finance")
    service = KeyedService()
    for entry in entries:
        path = write_tokens(tmp_path, entry)
        with pytest.raises(ConfigurationError, match=r"not a placeholder.*hash-token NAME"):
            async with open_replica(service, auth="tokens", tokens_file=path):
                pass
        token, made = make_token(entry["name"])
        path = write_tokens(tmp_path, entry | {"sha256": json.loads(made)["sha256"]})
        async with open_replica(service, auth="tokens", tokens_file=path) as replica:
            assert (await replica.call("list_extract_jobs", token)).status == 200
    service.close()


async def test_token_without_any_key_is_refused_at_start(tmp_path: Path) -> None:
    path = write_tokens(tmp_path, json.loads(make_token("ci")[1]))
    base = local_settings().model_copy(update={"api_key": None})
    with pytest.raises(ConfigurationError, match="ci: it has no key, and LLAMA_CLOUD_API_KEY is not set"):
        async with open_replica(KeyedService(), base=base, auth="tokens", tokens_file=path):
            pass


def test_command_makes_a_token_and_its_entry(tmp_path: Path) -> None:
    run = subprocess.run([*LLX, "hash-token", "ci"], capture_output=True, text=True, check=True)
    token = run.stderr.partition("llxmcp_")[2].partition("\n")[0]
    (entry,) = read_tokens_file(write_tokens(tmp_path, json.loads(run.stdout)))
    assert (entry.name, entry.sha256, entry.scopes) == ("ci", hash_token(f"llxmcp_{token}"), ("extract:read",))
    assert len(token) >= 43
    assert token not in run.stdout


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"sha256": "0" * 64}, "token 1: it has no name"),
        ({"name": "ci"}, "ci: sha256 must be 64"),
        ({"name": "ci", "sha256": "llxmcp_the-token-itself"}, "ci: sha256 must be 64"),
        ({"name": "ci", "sha256": "0" * 64, "scopes": ["admin"]}, "ci: scopes must be"),
        ({"name": "ci", "sha256": "0" * 64, "keys": {}}, "ci: unknown entry keys"),
        ({"name": "ci", "sha256": "0" * 64, "key": "llx-a-key-in-the-file"}, "ci: a key is given as"),
        ("ci", "token 1: it has no name"),
    ],
)
def test_entry_that_is_not_valid_is_named(entry: Any, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=reason) as caught:
        read_tokens_file(write_tokens(tmp_path, entry))
    assert "llx-a-key" not in str(caught.value)
    assert "token-itself" not in str(caught.value)


def test_two_tokens_with_one_name_are_refused(tmp_path: Path) -> None:
    entry = {"name": "ci", "sha256": "0" * 64}
    with pytest.raises(ConfigurationError, match="same name"):
        read_tokens_file(write_tokens(tmp_path, entry, entry))
    with pytest.raises(ConfigurationError, match="lists no tokens"):
        read_tokens_file(write_tokens(tmp_path))
