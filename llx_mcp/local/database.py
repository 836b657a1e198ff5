"""The file under a store: opened, checked, brought up to date, and shared by threads and processes."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llx_mcp.local.migrations import MIGRATIONS

SCHEMA_VERSION = len(MIGRATIONS)

_BUSY_SECONDS = 30


class StoreError(Exception):
    """The file is no store, or one of a newer version."""


class Database:
    """One SQLite file in WAL mode, or memory; usable from any thread.

    A transaction that has been committed outlives the process, killed at whatever moment.
    """

    def __init__(self, path: Path | None) -> None:
        """Open the file, made if it is not there; None keeps all in memory.

        Raises:
            StoreError: the file cannot be opened as a store.
        """
        self._lock = threading.RLock()
        try:
            self._db = sqlite3.connect(
                path or ":memory:", check_same_thread=False, isolation_level=None, timeout=_BUSY_SECONDS
            )
        except sqlite3.Error as exc:
            raise StoreError(f"{path} cannot be opened as a store of jobs: {exc}") from None
        try:
            self._prepare()
        except (sqlite3.Error, StoreError, ValueError) as exc:
            self._db.close()
            raise StoreError(f"{path} cannot be opened as a store of jobs: {exc}") from None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, to this thread alone."""
        with self._lock:
            yield self._db

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """The connection in a transaction: all of it is kept at the end, or none."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def close(self) -> None:
        """Close the file once no thread uses it."""
        with self._lock:
            self._db.close()

    def _prepare(self) -> None:
        # One process migrates, however many open the file at once; the others wait and find it done.
        with self.writing() as db:
            version = self._checked_version()
            if version < SCHEMA_VERSION:
                db.execute("CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, applied_at TEXT)")
            for number, migrate in enumerate(MIGRATIONS[version:], start=version + 1):
                migrate(db)
                db.execute("INSERT INTO migrations VALUES (?, datetime('now'))", (number,))
                db.execute(f"PRAGMA user_version = {number}")
        # Only now: the mode is written into the file, and a file that is refused is left as it is.
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")

    def _checked_version(self) -> int:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        tables = {name for (name,) in self._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if (tables and version == 0) or (version and "jobs" not in tables):
            raise StoreError("it is the database of another program")
        if version > SCHEMA_VERSION:
            raise StoreError("this store was made by a newer llx-mcp; update llx-mcp to open it")
        return int(version)
