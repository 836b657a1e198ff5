"""A token is accepted if the issuer signed it for this server, and for nothing less."""

import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from llx_mcp.backends import local_settings
from llx_mcp.jobs.creation_options import CreationOptions
from llx_mcp.jobs.reader_options import ReaderOptions
from tests.fake_clock import StandingClock
from tests.serving.issuer import AUDIENCE, ISSUER, Issuer, make_ec_key, make_rsa_key, open_issuer
from tests.serving.replicas import KeyedService, Replica, open_replica
from tests.waiting import until

KEY = "llx-key-of-the-company"
HOST = "mcp.example.com"


@asynccontextmanager
async def open_oauth(clock: StandingClock | None = None, **settings: Any) -> AsyncIterator[tuple[Replica, Issuer]]:
    """Run a server in the mode, over a service where the company has the job `ext-1`."""
    service = KeyedService()
    for key in (KEY, "llx-key-of-acme", "llx-key-of-globex"):
        service.add_job(key, "ext-1", {"key": key.removeprefix("llx-key-of-")})
    base = local_settings().model_copy(update={"api_key": None})
    chosen = {
        "auth": "oauth",
        "public_url": AUDIENCE,
        "oauth_issuer": ISSUER,
        "keys_file": settings.pop("keys_file", None),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLAMA_CLOUD_API_KEY", KEY)
        from llx_mcp.settings import load_settings

        base = load_settings(base_url_override="http://127.0.0.1")
    async with (
        open_issuer() as issuer,
        open_replica(
            service, base=base, clock=clock or StandingClock(), oauth_jwks_url=issuer.url, **(chosen | settings)
        ) as replica,
    ):
        yield replica, issuer
    assert {key for key, _ in service.requests} <= set(service.stores)
    service.close()


async def get(replica: Replica, token: str | None) -> Any:
    """Get the job, and return the answer."""
    parameters = {"name": "get_extract_job", "arguments": {"job_id": "ext-1"}}
    return await replica.send("tools/call", parameters, token, host=HOST)


async def test_valid_token_reads_with_the_key_of_the_settings() -> None:
    async with open_oauth() as (replica, issuer):
        answer = await get(replica, issuer.sign())
        assert (answer.status, answer.content["result"]) == (200, {"key": "the-company"})
        assert (
            await get(replica, issuer.sign(aud=["other", AUDIENCE], scope=None, scp=["extract:read"]))
        ).status == 200
        assert issuer.num_requests == 1


@pytest.mark.parametrize("algorithm", ["PS256", "ES256"])
async def test_other_algorithms_of_the_list_are_accepted(algorithm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from jwt.algorithms import ECAlgorithm

    async with open_oauth() as (replica, issuer):
        key: Any = make_ec_key() if algorithm == "ES256" else issuer.key
        if algorithm == "ES256":
            entry = json.loads(ECAlgorithm.to_jwk(key.public_key())) | {"kid": "first"}
            monkeypatch.setattr(issuer, "publish", lambda: json.dumps({"keys": [entry]}).encode())
        assert (await get(replica, issuer.sign(algorithm=algorithm, key=key))).status == 200


def forge_none(issuer: Issuer) -> str:
    """Return a valid token whose header says that it needs no signature."""
    head, body, _ = issuer.sign().split(".")
    header = json.loads(base64.urlsafe_b64decode(head + "==")) | {"alg": "none"}
    return base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode() + f".{body}."


def forge_symmetric(issuer: Issuer) -> str:
    """Return a token that is signed with the public key as if it were a shared secret."""
    import hashlib
    import hmac

    public = issuer.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    body = issuer.sign().split(".")[1]
    header = json.dumps({"alg": "HS256", "typ": "JWT", "kid": issuer.key_id}).encode()
    signed = base64.urlsafe_b64encode(header).rstrip(b"=") + b"." + body.encode()
    mac = base64.urlsafe_b64encode(hmac.digest(public, signed, hashlib.sha256)).rstrip(b"=")
    return (signed + b"." + mac).decode()


# Each with what the log says of it.
BAD_TOKENS: dict[str, tuple[Callable[[Issuer], str], str]] = {
    "expired": (lambda issuer: issuer.sign(exp=int(time.time()) - 120), "expired (exp), by more than 60 s"),
    "without expiry": (lambda issuer: issuer.sign(exp=None), "it has no exp"),
    "endless": (lambda issuer: issuer.sign(exp=1e400), "not a valid JWT"),
    "not valid yet": (lambda issuer: issuer.sign(nbf=int(time.time()) + 600), "not valid yet (nbf, iat)"),
    "of another audience": (
        lambda issuer: issuer.sign(aud="https://other.example"),
        f"its audience (aud) is not {AUDIENCE}",
    ),
    "without audience": (lambda issuer: issuer.sign(aud=None), "it has no aud"),
    "of another issuer": (
        lambda issuer: issuer.sign(iss="https://evil.example"),
        f"its issuer (iss) is not exactly {ISSUER}",
    ),
    "without issuer": (lambda issuer: issuer.sign(iss=None), "it has no iss"),
    "without subject": (lambda issuer: issuer.sign(sub=None), "it has no sub"),
    "signed with another key": (lambda issuer: issuer.sign(key=make_rsa_key("forged")), "its signature is not that of"),
    "of an unknown key": (lambda issuer: issuer.sign(key_id="unknown"), "no key with its id (kid) at http://127.0.0.1"),
    "alg none": (forge_none, "its algorithm (alg) is none of RS256, PS256, ES256, EdDSA"),
    "signed with the public key": (forge_symmetric, "its algorithm (alg)"),
    "algorithm that is not listed": (lambda issuer: issuer.sign(algorithm="RS512"), "its algorithm (alg)"),
    "changed": (lambda issuer: issuer.sign()[:-6] + "AAAAAA", "its signature"),
    "cut": (lambda issuer: issuer.sign()[:200], "not a valid JWT"),
    "no JWT": (lambda _: "llx-key-of-the-company", "not a valid JWT"),
}


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("name", BAD_TOKENS)
async def test_bad_token_gets_a_challenge_and_the_log_says_why(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "llx_mcp.serving")
    make, reason = BAD_TOKENS[name]
    async with open_oauth() as (replica, issuer):
        assert (await get(replica, issuer.sign())).status == 200
        assert caplog.messages == []
        token = make(issuer)
        answer = await get(replica, token)
        assert (answer.status, answer.message["error"]) == (401, "invalid_token")
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
        assert reason not in answer.text
    (line,) = caplog.messages
    assert reason in line
    # The log shows what is expected, and no part of what was sent.
    assert not [part for part in (*token.split("."), "other.example", "evil.example") if part and part in line]


async def test_request_without_token_learns_where_to_get_one() -> None:
    async with open_oauth() as (replica, _):
        answer = await get(replica, None)
        challenge = answer.headers["www-authenticate"]
        assert (answer.status, "error=" in challenge) == (401, False)
        assert 'scope="extract:read"' in challenge
        url = challenge.partition('resource_metadata="')[2].rstrip('"')
        assert url == "https://mcp.example.com/.well-known/oauth-protected-resource/mcp"
        metadata = (await replica.http.get(url)).json()
    assert metadata["resource"] == AUDIENCE
    assert metadata["authorization_servers"] == [ISSUER]
    assert metadata["scopes_supported"] == ["extract:read", "extract:write"]


@pytest.mark.parametrize("issuer", ["http://127.0.0.1:8700", "https://Login.example:443/", "https://a.example/realm"])
async def test_metadata_names_issuer_and_address_exactly_as_they_were_set(issuer: str) -> None:
    async with open_oauth(oauth_issuer=issuer, public_url="https://mcp.example.com") as (replica, _):
        url = "https://mcp.example.com/.well-known/oauth-protected-resource"
        answer = await replica.http.get(url, headers={"origin": "https://client.example"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cache-control"] == "public, max-age=3600"
    metadata = answer.json()
    assert (metadata["resource"], metadata["authorization_servers"]) == ("https://mcp.example.com", [issuer])
    assert metadata["bearer_methods_supported"] == ["header"]


async def test_clock_skew_is_allowed_within_the_limit() -> None:
    async with open_oauth(oauth_clock_skew_seconds=60) as (replica, issuer):
        assert (await get(replica, issuer.sign(exp=int(time.time()) - 30))).status == 200
        assert (await get(replica, issuer.sign(exp=int(time.time()) - 90))).status == 401


async def test_token_without_the_scope_is_forbidden() -> None:
    async with open_oauth() as (replica, issuer):
        answer = await get(replica, issuer.sign(scope="openid profile"))
        assert (answer.status, answer.message["error"]) == (403, "insufficient_scope")
        assert 'scope="extract:read"' in answer.headers["www-authenticate"]


async def test_call_with_the_scopes_of_the_challenge_is_accepted() -> None:
    reader = ReaderOptions(creation=CreationOptions(frozenset({"delete"}), ()))
    call = {"name": "delete_extract_job", "arguments": {"job_id": "ext-1"}}
    async with open_oauth(reader=reader) as (replica, issuer):
        # The caller who may only read knows of the tool: without a call, no client asks for more scopes.
        listed = await replica.send("tools/list", {}, issuer.sign(), host=HOST)
        assert "delete_extract_job" in [tool["name"] for tool in listed.message["result"]["tools"]]
        start = await replica.send("server/discover", {}, issuer.sign(), host=HOST)
        assert "delete_extract_job" in start.message["result"]["instructions"]
        answer = await replica.send("tools/call", call, issuer.sign(), host=HOST)
        assert (answer.status, answer.message["error"]) == (403, "insufficient_scope")
        challenge = answer.headers["www-authenticate"]
        assert 'resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp"' in challenge
        # What a client does that asks for these scopes alone.
        token = issuer.sign(scope=challenge.partition('scope="')[2].partition('"')[0])
        assert (await get(replica, token)).status == 200
        assert (await replica.send("tools/call", call, token, host=HOST)).content["outcome"] == "deleted"


async def test_rotated_key_is_fetched_once_and_the_old_one_is_refused() -> None:
    clock = StandingClock()
    async with open_oauth(clock) as (replica, issuer):
        old = issuer.sign()
        assert (await get(replica, old)).status == 200
        clock.seconds += 60
        issuer.rotate("second")
        assert (await get(replica, issuer.sign())).status == 200
        assert issuer.num_requests == 2
        assert (await get(replica, old)).status == 401


async def test_unknown_keys_cause_few_requests() -> None:
    clock = StandingClock()
    async with open_oauth(clock) as (replica, issuer):
        for number in range(20):
            assert (await get(replica, issuer.sign(key_id=f"unknown-{number}"))).status == 401
        assert issuer.num_requests == 1
        clock.seconds += 60
        assert (await get(replica, issuer.sign(key_id="unknown"))).status == 401
        assert issuer.num_requests == 2


@pytest.mark.parametrize("status", [None, 500, 404, 302])
async def test_issuer_that_is_down_is_not_an_error_of_the_token(status: int | None) -> None:
    clock = StandingClock()
    async with open_oauth(clock) as (replica, issuer):
        issuer.status = status
        answer = await get(replica, issuer.sign())
        assert (answer.status, answer.message["error"]) == (503, "issuer_down")
        assert answer.headers["retry-after"] == "10"
        issuer.status = 200
        clock.seconds += 11
        assert (await get(replica, issuer.sign())).status == 200
        issuer.status = status
        clock.seconds += 4_000
        # Known keys stay valid while the issuer is down, and nothing is known of others.
        assert (await get(replica, issuer.sign())).status == 200
        assert (await get(replica, issuer.sign(key_id="new"))).status == 503
        clock.seconds += 25 * 3_600
        assert (await get(replica, issuer.sign())).status == 503


async def test_known_key_does_not_wait_for_newer_ones_beside_another_call() -> None:
    clock = StandingClock()
    async with open_oauth(clock) as (replica, issuer), anyio.create_task_group() as group:
        token = issuer.sign()
        assert (await get(replica, token)).status == 200
        clock.seconds += 4_000
        issuer.answers.clear()
        group.start_soon(get, replica, token)
        await until(lambda: issuer.num_requests == 2)
        # The call that fetches the keys still waits.
        assert (await get(replica, token)).status == 200
        issuer.answers.set()


async def test_claim_chooses_the_key_of_the_tenant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_KEY", "llx-key-of-acme")
    (tmp_path / "globex").write_text("llx-key-of-globex\n")
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"acme": {"env": "ACME_KEY"}, "globex": {"file": str(tmp_path / "globex")}}))
    async with open_oauth(keys_file=keys, tenant_claim="org") as (replica, issuer):
        for tenant in ("acme", "globex"):
            answer = await get(replica, issuer.sign(org=tenant))
            assert answer.content["result"] == {"key": tenant}
        for claims in ({"org": "other"}, {"org": ["acme"]}, {}):
            answer = await get(replica, issuer.sign(**claims))
            assert (answer.status, answer.message["error"]) == (403, "unknown_tenant")
