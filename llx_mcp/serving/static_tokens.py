"""The mode `tokens`: a file lists the tokens that are accepted, each by its SHA-256.

A token is made by `llx-mcp hash-token` from 256 random bits. A hash that is slow on purpose, such as scrypt, would
protect passwords that people choose; here it would only let a caller with wrong tokens use up the processor.
"""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from llx_mcp.errors import ConfigurationError
from llx_mcp.serving.authentication import VerifiedToken
from llx_mcp.serving.callers import READ_SCOPE, SCOPES, hash_name
from llx_mcp.serving.key_references import read_json_file, read_key_reference

_SETTING = "LLX_MCP_TOKENS_FILE"
_PREFIX = "llxmcp_"
_TOKEN_BYTES = 32
# What `make_token` makes: the prefix and 256 bits as base64url, without padding.
_TOKEN = re.compile(rf"{_PREFIX}[A-Za-z0-9_-]{{43}}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class StaticToken:
    """A token that is accepted.

    Attributes:
        name: who has it.
        sha256: its SHA-256, in hexadecimal.
        key: key of LlamaCloud for its requests; None stands for the key of the settings.
        scopes: what it allows.
    """

    name: str
    sha256: str
    key: SecretStr | None = field(default=None, repr=False)
    scopes: tuple[str, ...] = (READ_SCOPE,)


class StaticVerifier:
    """Compares a token with all that are accepted, in a time that tells nothing about them."""

    realm = "llx-mcp"
    hint = "Send a token of this server in the header Authorization, as Bearer llxmcp_...; ask its operator for one."
    metadata_url: str | None = None

    def __init__(self, tokens: Sequence[StaticToken]) -> None:
        self._tokens = tokens

    async def verify_token(self, token: str) -> VerifiedToken | None:
        """Return what a token stands for; None if it is not listed, or was not made by `make_token`.

        So a hash of a word that somebody can guess, such as one from a tutorial, lets nobody in.
        """
        if not _TOKEN.fullmatch(token):
            return None
        digest = hash_token(token)
        # All are compared, so the time does not depend on which one matches.
        matches = [known for known in self._tokens if hmac.compare_digest(known.sha256, digest)]
        if not matches:
            return None
        found = matches[0]
        name = hash_name("caller", found.sha256)
        return VerifiedToken(token=name, client_id=name, subject=found.name, scopes=list(found.scopes), key=found.key)


def hash_token(token: str) -> str:
    """Return the SHA-256 of a token, in hexadecimal."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def make_token(name: str) -> tuple[str, str]:
    """Make a token; returns it and its entry for the file, as JSON."""
    token = _PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)
    return token, json.dumps({"name": name, "sha256": hash_token(token), "scopes": [READ_SCOPE]})


def read_tokens_file(path: Path) -> list[StaticToken]:
    """Read the tokens that are accepted: `{"tokens": [{"name": …, "sha256": …, "key": …, "scopes": …}, …]}`.

    Raises:
        ConfigurationError: the file cannot be read, or an entry is not valid.
    """
    entries = read_json_file(path, _SETTING).get("tokens")
    if not isinstance(entries, list) or not entries:
        raise ConfigurationError(
            f"{_SETTING}: {path} lists no tokens. Put the entries that llx-mcp hash-token NAME "
            "prints into its list tokens."
        )
    tokens = [_read_entry(entry, index) for index, entry in enumerate(entries)]
    if len({token.name for token in tokens}) < len(tokens):
        raise ConfigurationError(f"{_SETTING}: two tokens have the same name.")
    return tokens


def _read_entry(entry: Any, index: int) -> StaticToken:
    where = f"{_SETTING}, token {index + 1}"
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str) or not entry["name"]:
        raise ConfigurationError(f"{where}: it has no name.")
    where = f"{_SETTING}, {entry['name']}"
    if unknown := sorted(set(entry) - {"name", "sha256", "key", "scopes"}):
        raise ConfigurationError(f"{where}: unknown entry {unknown[0]}. There are name, sha256, key and scopes.")
    digest = str(entry.get("sha256", "")).lower()
    if not _SHA256.fullmatch(digest):
        raise ConfigurationError(
            f"{where}: sha256 must be 64 hexadecimal digits, and not a placeholder or the token itself. Run llx-mcp "
            "hash-token NAME, and put the entry that it prints into the list tokens of the file."
        )
    scopes = entry.get("scopes", [READ_SCOPE])
    if not isinstance(scopes, list) or not set(scopes) <= set(SCOPES):
        raise ConfigurationError(f"{where}: scopes must be a list of {' and '.join(SCOPES)}.")
    key = read_key_reference(entry["key"], where) if "key" in entry else None
    return StaticToken(entry["name"], digest, key, tuple(scopes))
