"""Files in the store: the documents that jobs are made from."""

import hashlib
import sqlite3
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from llx_mcp.local.database import Database

FILE_PREFIX = "dfl-"

_COLUMNS = "position, id, uuid, name, external_file_id, purpose, project_id, sha256, created"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """What is known of one file, its content aside.

    Attributes:
        position: its number in the order in which files came.
        file_uuid: the id in the form of a UUID, for the addresses that take only such.
        sha256: of its content, in hex.
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
        content: bytes,
        name: str,
        now: datetime,
        *,
        project_id: str,
        purpose: str | None = None,
        external_file_id: str | None = None,
        file_id: str | None = None,
    ) -> StoredFile:
        """Keep a file, in place of one with the same id.

        Args:
            content: its bytes.
            name: with its extension.
            now: the time of day, aware.
            project_id: a UUID.
            purpose: what it is to be used for.
            external_file_id: its id in another system.
            file_id: as another service named it; None makes a new one.
        """
        file_id = file_id or f"{FILE_PREFIX}{uuid.uuid4()}"
        values = (file_id, uuid_of(file_id), name, external_file_id, purpose, project_id,
                  hashlib.sha256(content).hexdigest(), now.timestamp())  # fmt: skip
        with self._database.writing() as db:
            _delete(db, file_id)
            position = db.execute(
                "INSERT INTO files (id, uuid, name, external_file_id, purpose, project_id, sha256, created) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                values,
            ).lastrowid
            db.execute("INSERT INTO contents VALUES (?, ?)", (position, content))
            return _file(db.execute(f"SELECT {_COLUMNS} FROM files WHERE position = ?", (position,)).fetchone())  # noqa: S608 - only our own column names

    def get_file(self, file_id: str) -> StoredFile | None:
        """The file of an id, or of the UUID in it; None where there is none."""
        with self._database.reading() as db:
            row = db.execute(
                f"SELECT {_COLUMNS} FROM files WHERE id = ? OR uuid = ?",  # noqa: S608 - as above
                (file_id, file_id.removeprefix(FILE_PREFIX).lower()),
            ).fetchone()
        return None if row is None else _file(row)

    def get_content(self, file: StoredFile) -> bytes | None:
        """The bytes of a file; None where it was deleted since."""
        with self._database.reading() as db:
            row = db.execute("SELECT content FROM contents WHERE position = ?", (file.position,)).fetchone()
        return None if row is None else bytes(row[0])

    def list_files(self) -> list[StoredFile]:
        """Every file, newest first."""
        with self._database.reading() as db:
            rows = db.execute(f"SELECT {_COLUMNS} FROM files ORDER BY created DESC, position DESC").fetchall()  # noqa: S608 - as above
        return [_file(row) for row in rows]

    def delete_file(self, file: StoredFile) -> bool:
        """Delete a file; returns whether it was still there. Jobs made from it are left as they are."""
        with self._database.writing() as db:
            return _delete(db, file.file_id)


def uuid_of(file_id: str) -> str:
    """The UUID in a file's id, or one that is made from it."""
    try:
        return str(uuid.UUID(file_id.removeprefix(FILE_PREFIX)))
    except ValueError:
        return str(uuid.uuid5(uuid.NAMESPACE_OID, file_id))


def _delete(db: sqlite3.Connection, file_id: str) -> bool:
    db.execute("DELETE FROM contents WHERE position = (SELECT position FROM files WHERE id = ?)", (file_id,))
    return db.execute("DELETE FROM files WHERE id = ?", (file_id,)).rowcount > 0


def _file(row: tuple[Any, ...]) -> StoredFile:
    position, file_id, file_uuid, name, external_file_id, purpose, project_id, sha256, created = row
    moment = datetime.fromtimestamp(created, UTC)
    return StoredFile(position, file_id, file_uuid, name, external_file_id, purpose, project_id, sha256, moment)
