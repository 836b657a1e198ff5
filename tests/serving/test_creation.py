"""Jobs are created and deleted over HTTP with the scope to write and the person's consent, never from local files."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llx_mcp.jobs.creation_options import CreationOptions
from llx_mcp.jobs.reader_options import ReaderOptions
from llx_mcp.local import SAMPLES, JobStore
from llx_mcp.serving.static_tokens import make_token
from llx_mcp.settings import Permission
from tests.jobs.creating import SCHEMA, copy_invoice
from tests.serving.issuer import AUDIENCE, ISSUER, open_issuer
from tests.serving.replicas import LEGACY, MODERN, Answer, KeyedService, Replica, open_replica, open_replicas

ALL: frozenset[Permission] = frozenset({"create", "cancel", "delete"})
KEYS = ("llx-key-of-one", "llx-key-of-two")
INVOICE = SAMPLES[0].job_id
# What a client that can ask the person says with each request.
CAN_ASK: dict[str, Any] = {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}}}
WRITING_CALLS: dict[str, dict[str, Any]] = {
    "create_extract_job": {"document_id": "dfl-1", "data_schema": SCHEMA},
    "suggest_extract_schema": {"document_id": "dfl-1", "wish": "the total"},
    "cancel_extract_job": {"job_id": INVOICE},
    "delete_extract_job": {"job_id": INVOICE},
}
ERAS = pytest.mark.parametrize("version", [LEGACY, MODERN])


@pytest.fixture
def service() -> Iterator[KeyedService]:
    """A service in which two keys have the samples."""
    service = KeyedService()
    for key in KEYS:
        service.add_samples(key)
    yield service
    service.close()


def allow(folder: Path, allowed: frozenset[Permission] = ALL) -> ReaderOptions:
    """Return options that allow everything, files of a folder included."""
    return ReaderOptions(creation=CreationOptions(allowed, (folder,)))


def find_document(store: JobStore) -> str:
    """Return the id of the invoice."""
    return next(file.file_id for file in store.files.list_files() if "invoice" in file.name)


def count_writes(service: KeyedService, stores: dict[str, int]) -> dict[str, int]:
    """Return how many jobs each key has more than before."""
    return {key: len(service.stores[key].list_jobs()) - number for key, number in stores.items()}


async def list_tools(replica: Replica, token: str | None, version: str = MODERN) -> dict[str, Any]:
    """Return the tools by name."""
    answer = await replica.send("tools/list", {}, token, version)
    return {tool["name"]: tool for tool in answer.message["result"]["tools"]}


@ERAS
async def test_no_file_of_the_server_is_read(service: KeyedService, tmp_path: Path, version: str) -> None:
    path = copy_invoice(tmp_path)
    async with open_replica(service, auth="pass-through", reader=allow(tmp_path)) as replica:
        tools = await list_tools(replica, KEYS[0], version)
        for name in ("create_extract_job", "suggest_extract_schema"):
            assert "file" not in tools[name]["inputSchema"]["properties"]
            arguments = {"data_schema": SCHEMA} if name == "create_extract_job" else {"wish": "all"}
            refused = await replica.call(name, KEYS[0], version, file=str(path), **arguments)
            assert refused.message["result"]["isError"]
            assert "it has no argument file" in refused.text


@ERAS
async def test_job_is_created_waited_for_and_deleted(service: KeyedService, tmp_path: Path, version: str) -> None:
    document = find_document(service.stores[KEYS[0]])
    before = {key: len(service.stores[key].list_jobs()) for key in KEYS}
    async with open_replica(service, auth="pass-through", reader=allow(tmp_path)) as replica:
        arguments = {"document_id": document, "data_schema": SCHEMA}
        created = (await replica.call("create_extract_job", KEYS[0], version, **arguments)).content
        assert created["outcome"] == "created"
        assert count_writes(service, before) == {KEYS[0]: 1, KEYS[1]: 0}
        again = (await replica.call("create_extract_job", KEYS[0], version, **arguments)).content
        assert (again["job_id"], again["outcome"]) == (created["job_id"], "exists")
        other = await replica.call("delete_extract_job", KEYS[1], version, job_id=created["job_id"])
        assert other.message["result"]["isError"]
        assert count_writes(service, before) == {KEYS[0]: 1, KEYS[1]: 0}
        await replica.call("cancel_extract_job", KEYS[0], version, job_id=created["job_id"])
        await replica.call("delete_extract_job", KEYS[0], version, job_id=created["job_id"])
        assert count_writes(service, before) == dict.fromkeys(KEYS, 0)


async def test_server_that_allows_nothing_has_no_tool_that_writes(service: KeyedService) -> None:
    async with open_replica(service, auth="pass-through") as replica:
        assert not set(await list_tools(replica, KEYS[0])) & set(WRITING_CALLS)
        assert replica.app.write_scope.writing_tools == frozenset()


@ERAS
@pytest.mark.parametrize("mode", ["oauth", "tokens"])
async def test_every_tool_that_writes_needs_the_scope(
    service: KeyedService, tmp_path: Path, version: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY_OF_ONE", KEYS[0])
    entries, tokens = [], {}
    for name, scopes in {"reader": ["extract:read"], "writer": ["extract:read", "extract:write"]}.items():
        tokens[name], entry = make_token(name)
        entries.append(json.loads(entry) | {"scopes": scopes, "key": {"env": "KEY_OF_ONE"}})
    (tmp_path / "tokens.json").write_text(json.dumps({"tokens": entries}))
    (tmp_path / "keys.json").write_text(json.dumps({"one": {"env": "KEY_OF_ONE"}}))
    settings: dict[str, Any] = {"tokens_file": tmp_path / "tokens.json"}
    async with open_issuer() as issuer:
        if mode == "oauth":
            tokens = {
                "reader": issuer.sign(tenant="one"),
                "writer": issuer.sign(tenant="one", scope="extract:read extract:write"),
            }
            settings = {
                "public_url": AUDIENCE, "oauth_issuer": ISSUER, "oauth_jwks_url": issuer.url,
                "tenant_claim": "tenant", "keys_file": tmp_path / "keys.json",
            }  # fmt: skip
        headers = {"host": "mcp.example.com"} if mode == "oauth" else {}
        async with open_replica(service, auth=mode, reader=allow(tmp_path), **settings) as replica:
            assert replica.app.write_scope.writing_tools == set(WRITING_CALLS)

            async def call(tool: str, who: str) -> Answer:
                parameters = {"name": tool, "arguments": WRITING_CALLS[tool]}
                return await replica.send("tools/call", parameters, tokens[who], version, **headers)

            before = len(service.requests)
            for tool in WRITING_CALLS:
                refused = await call(tool, "reader")
                assert (refused.status, refused.message["error"]) == (403, "insufficient_scope")
                assert 'scope="extract:read extract:write"' in refused.headers["www-authenticate"]
            assert service.requests[before:] == []
            for tool in WRITING_CALLS:
                answer = await call(tool, "writer")
                assert (answer.status, "result" in answer.message) == (200, True)
            assert len(service.requests) > before


async def ask(replica: Replica, key: str, document: str, **parameters: Any) -> dict[str, Any]:
    """Call the tool as a client that can ask the person, and return the message."""
    call = {"name": "create_extract_job", "arguments": {"document_id": document, "data_schema": SCHEMA}}
    return (await replica.send("tools/call", {**call, "_meta": CAN_ASK, **parameters}, key)).message


async def test_person_is_asked_and_another_replica_takes_the_answer(service: KeyedService, tmp_path: Path) -> None:
    document = find_document(service.stores[KEYS[0]])
    before = {key: len(service.stores[key].list_jobs()) for key in KEYS}
    async with open_replicas(service, 2, auth="pass-through", reader=allow(tmp_path)) as (one, other):
        asked = (await ask(one, KEYS[0], document))["result"]
        assert asked["resultType"] == "input_required"
        (name,) = asked["inputRequests"]
        assert "Create an extract job?" in asked["inputRequests"][name]["params"]["message"]
        assert document not in asked["requestState"]
        state = {"requestState": asked["requestState"]}
        accepted = {"inputResponses": {name: {"action": "accept", "content": {"create": True}}}, **state}
        declined = {"inputResponses": {name: {"action": "decline"}}, **state}
        # What was sealed for one key is of no use with another.
        refused = await ask(other, KEYS[1], document, **accepted)
        assert refused["error"]["code"] == -32602
        assert (await ask(other, KEYS[0], document, **declined))["result"]["structuredContent"][
            "outcome"
        ] == "not_created"
        assert count_writes(service, before) == dict.fromkeys(KEYS, 0)
        created = (await ask(other, KEYS[0], document, **accepted))["result"]["structuredContent"]
        assert created["outcome"] == "created"
        assert count_writes(service, before) == {KEYS[0]: 1, KEYS[1]: 0}
