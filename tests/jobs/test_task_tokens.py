"""A server accepts only tokens that it has signed, for the same credential and until they expire."""

import base64
import bisect
import random
from datetime import UTC, datetime, timedelta

import pytest

from llx_mcp.jobs.task_tokens import _HEADER, TaskToken, TaskTokenError, TokenSigner

SIGNER = TokenSigner(b"key", "identity")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TOKEN = TaskToken(["tool", ["ext-1"]], NOW, timedelta(hours=1))


def test_signed_token_verifies_to_the_same_token() -> None:
    text = SIGNER.sign(TOKEN)
    assert TokenSigner(b"key", "identity").verify(text, NOW + timedelta(minutes=59)) == TOKEN
    many = TaskToken(["tool", [f"ext-{number:028}" for number in range(100)]], NOW, timedelta(hours=1))
    assert SIGNER.verify(SIGNER.sign(many), NOW) == many
    assert len(SIGNER.sign(many)) < 8_000


@pytest.mark.parametrize("other", [TokenSigner(b"other", "identity"), TokenSigner(b"key", "another")])
def test_token_of_another_key_or_credential_is_refused(other: TokenSigner) -> None:
    with pytest.raises(TaskTokenError, match="under this key"):
        other.verify(SIGNER.sign(TOKEN), NOW)


def test_expired_token_is_refused() -> None:
    with pytest.raises(TaskTokenError, match="has expired, 3600 s after"):
        SIGNER.verify(SIGNER.sign(TOKEN), NOW + timedelta(hours=1))


def test_altered_token_is_refused() -> None:
    text = SIGNER.sign(TOKEN)
    signed = base64.urlsafe_b64decode(text + "==")
    for index in range(len(signed)):
        for bit in range(8):
            forged = bytearray(signed)
            forged[index] ^= 1 << bit
            with pytest.raises(TaskTokenError):
                SIGNER.verify(base64.urlsafe_b64encode(bytes(forged)).rstrip(b"=").decode(), NOW)
    for odd in ("", "x", "é", text[:-1], f"{text}=", f" {text}", text * 400, "A" * 60, "\x00", "../../etc"):
        with pytest.raises(TaskTokenError):
            SIGNER.verify(odd, NOW)


def test_last_character_of_a_token_has_one_valid_form() -> None:
    text = SIGNER.sign(TOKEN)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    accepted = []
    for last in alphabet:
        try:
            SIGNER.verify(text[:-1] + last, NOW)
        except TaskTokenError:
            continue
        accepted.append(last)
    assert accepted == [text[-1]]


@pytest.mark.parametrize("num_chars", range(8))
def test_token_of_any_length_verifies(num_chars: int) -> None:
    token = TaskToken("abcdefgh"[:num_chars], NOW, timedelta(hours=1))
    assert SIGNER.verify(SIGNER.sign(token), NOW) == token


def test_token_of_an_earlier_release_is_still_valid() -> None:
    assert (
        SIGNER.verify("AWifamJzhMfcAAABm3baqAAAAA4QeNqLVirJz89R0olWSq0o0TVUio0FADaPBZLUSXQ1GzOCuXqNobkcH9YZ", NOW)
        == TOKEN
    )


def test_time_of_creation_is_kept_to_the_millisecond_and_the_lifetime_to_the_second() -> None:
    created_at = NOW + timedelta(microseconds=123_600)
    found = SIGNER.verify(SIGNER.sign(TaskToken(None, created_at, timedelta(seconds=9.9))), NOW)
    assert found == TaskToken(None, NOW + timedelta(milliseconds=124), timedelta(seconds=9))
    assert SIGNER.verify(SIGNER.sign(found), NOW + timedelta(seconds=9.123)) == found
    with pytest.raises(TaskTokenError, match="has expired, 9 s after"):
        SIGNER.verify(SIGNER.sign(found), NOW + timedelta(seconds=9.124))


def sign_raw(body: bytes) -> str:
    """Return a signed text with any body."""
    return base64.urlsafe_b64encode(body + SIGNER._mac(body)).rstrip(b"=").decode()


def test_token_of_another_version_is_refused() -> None:
    signed = base64.urlsafe_b64decode(SIGNER.sign(TOKEN) + "==")[:-16]
    assert SIGNER.verify(sign_raw(signed), NOW) == TOKEN
    for version in (0, 2):
        with pytest.raises(TaskTokenError, match="by another version of the server"):
            SIGNER.verify(sign_raw(bytes([version]) + signed[1:]), NOW)


def test_token_without_content_is_refused() -> None:
    for body in (b"", _HEADER.pack(1, b"", 0, 1)):
        with pytest.raises(TaskTokenError, match="No such task"):
            SIGNER.verify(sign_raw(body), NOW)


def test_token_of_sixteen_kibibytes_is_accepted_and_a_longer_one_is_not() -> None:
    noise = random.Random(0).randbytes(20_000).hex()

    def sign(num_chars: int) -> str:
        return SIGNER.sign(TaskToken(noise[:num_chars], NOW, timedelta(hours=1)))

    too_many = bisect.bisect_right(range(30_000), 16 * 1_024, key=lambda num_chars: len(sign(num_chars)))
    assert SIGNER.verify(sign(too_many - 1), NOW).content == noise[: too_many - 1]
    with pytest.raises(TaskTokenError, match="No such task"):
        SIGNER.verify(sign(too_many), NOW)
