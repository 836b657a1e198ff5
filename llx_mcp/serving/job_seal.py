"""Encrypts which job is meant, so that only replicas with the same key of LlamaCloud can read it."""

import base64
import json
import os
from contextlib import suppress
from functools import cached_property
from hashlib import sha256
from hmac import digest
from typing import TYPE_CHECKING

from llx_mcp.jobs.cache import JobKey
from llx_mcp.scope import Scope

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12


class JobSeal:
    """Encrypts and decrypts the keys of jobs (AES-256-GCM)."""

    def __init__(self, secret: bytes) -> None:
        """Use a secret that all replicas derive from the key."""
        self._secret = secret

    @cached_property
    def _cipher(self) -> "AESGCM":
        # Imported late: a replica that works alone needs none.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(digest(self._secret, b"jobs", sha256))

    def close(self, key: JobKey) -> str:
        """Return the encrypted id and scope of a job."""
        nonce = os.urandom(_NONCE_BYTES)
        text = json.dumps([key.job_id, key.scope.project_id, key.scope.organization_id])
        return base64.b64encode(nonce + self._cipher.encrypt(nonce, text.encode(), None)).decode()

    def open(self, sealed: object, identity: str) -> JobKey | None:
        """Return the job of an encrypted text; None if this secret did not encrypt it.

        Args:
            sealed: the text.
            identity: digest of the key, which becomes part of the result.
        """
        from cryptography.exceptions import InvalidTag

        if not isinstance(sealed, str):
            return None
        with suppress(ValueError, InvalidTag):
            data = base64.b64decode(sealed)
            text = self._cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], None)
            job_id, project_id, organization_id = json.loads(text)
            return JobKey(identity, Scope(project_id, organization_id), job_id)
        return None
