"""Challenges are the same words in the header as in the body."""

import re

import pytest

from llx_mcp.serving.authentication import Verifier, build_challenge
from llx_mcp.serving.jwks import KeySet
from llx_mcp.serving.oauth import JwtVerifier, TokenRules
from llx_mcp.serving.pass_through import KeyVerifier
from llx_mcp.serving.static_tokens import StaticVerifier
from tests.fake_clock import StandingClock
from tests.serving.issuer import AUDIENCE, ISSUER

RULES = TokenRules(ISSUER, AUDIENCE, ("RS256",), 60, None)
VERIFIERS: list[Verifier] = [
    KeyVerifier("na", "https://api.cloud.llamaindex.ai"),
    StaticVerifier([]),
    JwtVerifier(
        RULES, KeySet("https://login.example.com/keys", StandingClock()), {}, "https://mcp.example.com/metadata"
    ),
]


@pytest.mark.parametrize("verifier", VERIFIERS, ids=lambda verifier: type(verifier).__name__)
def test_challenge_can_be_sent_in_a_header_as_it_is(verifier: Verifier) -> None:
    refusal = build_challenge(verifier, is_token_given=True)
    challenge = refusal.headers["www-authenticate"]
    # What RFC 6750 allows in a description.
    assert re.search(r'error_description="([\x20-\x21\x23-\x5b\x5d-\x7e]+)"', challenge), challenge
    assert challenge.isascii()
    assert verifier.hint in challenge
    assert verifier.hint in refusal.message
