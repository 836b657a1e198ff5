"""Files in the store: the documents that jobs read."""

import hashlib
import io
import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from llx_mcp.local.database import Database
from llx_mcp.local.timestamps import from_unix_seconds
from llx_mcp.models import FILE_PREFIX

_CHUNK_BYTES = 1 << 20
_COLUMNS = "position, id, uuid, name, external_file_id, purpose, project_id, sha256, created"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file without its content.

    Attributes:
        position: The row number, in the order of upload.
        file_uuid: The id as a UUID, for endpoints that take only UUIDs.
        sha256: The SHA-256 of the content, in hex.
    """

    position: int
    file_id: str
    file_uuid: str
    name: str
    external_file_id: str | None
    purpose: str | None
    project_id: str
    sha256: str
    created: datetime


class FileStore:
    """The files of a store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put_file(
        self,
        content: bytes | BinaryIO,
        name: str,
        now: datetime,
        *,
        project_id: str,
        purpose: str | None = None,
        external_file_id: str | None = None,
        file_id: str | None = None,
    ) -> StoredFile:
        """Store a file, replacing one with the same id.

        Args:
            content: The bytes of the file, or a file that is open for reading and is copied in chunks.
            name: The name, with its extension.
            now: The current time, aware.
            project_id: The UUID of the project.
            purpose: The purpose that the client named, such as `extract`.
            external_file_id: The id of the file in the client's own system.
            file_id: The id of the file in LlamaCloud; None makes a new id.
        """
        file_id = file_id or f"{FILE_PREFIX}{uuid.uuid4()}"
        source = io.BytesIO(content) if isinstance(content, bytes) else content
        size, sha256 = _measure(source)
        values = (file_id, _derive_uuid(file_id), name, external_file_id, purpose, project_id, sha256, now.timestamp())
        with self._database.transaction() as db:
            _delete(db, file_id)
            position = db.execute(
                "INSERT INTO files (id, uuid, name, external_file_id, purpose, project_id, sha256, created) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                values,
            ).lastrowid
            assert position is not None  # noqa: S101 - SQLite sets it on every insert
            db.execute("INSERT INTO contents VALUES (?, zeroblob(?))", (position, size))
            with db.blobopen("contents", "content", position) as blob:
                for chunk in _read_chunks(source):
                    blob.write(chunk)
            row = db.execute(f"SELECT {_COLUMNS} FROM files WHERE position = ?", (position,)).fetchone()  # noqa: S608  # nosec B608 # constant column names
        return _build_file(*row)

    def get_file(self, file_id: str) -> StoredFile | None:
        """Return the file with an id, or with the UUID form of its id; None if it does not exist."""
        with self._database.connection() as db:
            row = db.execute(
                f"SELECT {_COLUMNS} FROM files WHERE id = ? OR uuid = ?",  # noqa: S608  # nosec B608 # constant column names
                (file_id, file_id.removeprefix(FILE_PREFIX).lower()),
            ).fetchone()
        return None if row is None else _build_file(*row)

    def find_content(self, sha256: str) -> StoredFile | None:
        """Return the newest file with a content; None if there is none."""
        query = f"SELECT {_COLUMNS} FROM files WHERE sha256 = ? ORDER BY position DESC LIMIT 1"  # noqa: S608  # nosec B608 # constant column names
        with self._database.connection() as db:
            row = db.execute(query, (sha256,)).fetchone()
        return None if row is None else _build_file(*row)

    def get_content(self, file: StoredFile) -> bytes | None:
        """Return the bytes of a file; None if it was deleted since."""
        with self._database.connection() as db:
            row = db.execute("SELECT content FROM contents WHERE position = ?", (file.position,)).fetchone()
        return None if row is None else bytes(row[0])

    def list_files(self) -> list[StoredFile]:
        """Return every file, newest first."""
        with self._database.connection() as db:
            rows = db.execute(f"SELECT {_COLUMNS} FROM files ORDER BY created DESC, position DESC").fetchall()  # noqa: S608  # nosec B608 # constant column names
        return [_build_file(*row) for row in rows]

    def delete_file(self, file: StoredFile) -> bool:
        """Delete a file and return whether it still existed. Jobs that read it stay as they are."""
        with self._database.transaction() as db:
            return _delete(db, file.file_id)


def _measure(source: BinaryIO) -> tuple[int, str]:
    """Return the size of a file in bytes, and the SHA-256 of its content, in hex."""
    digest = hashlib.sha256()
    size = 0
    for chunk in _read_chunks(source):
        digest.update(chunk)
        size += len(chunk)
    return size, digest.hexdigest()


def _read_chunks(source: BinaryIO) -> Iterator[bytes]:
    source.seek(0)
    while chunk := source.read(_CHUNK_BYTES):
        yield chunk


def _derive_uuid(file_id: str) -> str:
    """Return the UUID in a file id, or one derived from it."""
    try:
        return str(uuid.UUID(file_id.removeprefix(FILE_PREFIX)))
    except ValueError:
        return str(uuid.uuid5(uuid.NAMESPACE_OID, file_id))


def _delete(db: sqlite3.Connection, file_id: str) -> bool:
    db.execute("DELETE FROM contents WHERE position = (SELECT position FROM files WHERE id = ?)", (file_id,))
    return db.execute("DELETE FROM files WHERE id = ?", (file_id,)).rowcount > 0


def _build_file(
    position: int,
    file_id: str,
    file_uuid: str,
    name: str,
    external_file_id: str | None,
    purpose: str | None,
    project_id: str,
    sha256: str,
    created: float,
) -> StoredFile:
    """Build a file from the values of `_COLUMNS`, in their order."""
    moment = from_unix_seconds(created)
    return StoredFile(position, file_id, file_uuid, name, external_file_id, purpose, project_id, sha256, moment)
