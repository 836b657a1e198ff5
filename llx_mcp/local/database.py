"""The SQLite database of a store: opening, checking, migrating, and sharing it between threads and processes."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llx_mcp.local.migrations import MIGRATIONS

SCHEMA_VERSION = len(MIGRATIONS)

_BUSY_TIMEOUT_SECONDS = 30


class StoreError(Exception):
    """The file is not a store, or was made by a newer version."""


class Database:
    """A SQLite database in a file (WAL mode) or in memory. It is safe to use from any thread.

    A committed transaction survives if the process is killed.
    """

    def __init__(self, path: Path | None) -> None:
        """Open the database.

        Args:
            path: The file, created if it does not exist; None uses memory.

        Raises:
            StoreError: The file cannot be opened as a store.
        """
        self._lock = threading.RLock()
        try:
            self._db = sqlite3.connect(
                path or ":memory:", check_same_thread=False, isolation_level=None, timeout=_BUSY_TIMEOUT_SECONDS
            )
        except sqlite3.Error as exc:
            raise StoreError(f"{path} cannot be opened as a store of jobs: {exc}") from None
        try:
            self._prepare()
        except (sqlite3.Error, StoreError, ValueError) as exc:
            self._db.close()
            raise StoreError(f"{path} cannot be opened as a store of jobs: {exc}") from None

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """Lock the connection for the current thread."""
        with self._lock:
            yield self._db

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Lock the connection and run a transaction: commit at the end, roll back on any exception."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def close(self) -> None:
        """Close the database after any thread that is using it."""
        with self._lock:
            self._db.close()

    def _prepare(self) -> None:
        # One process migrates. Others that open the file at the same time wait, and find the work done.
        with self.transaction() as db:
            version = self._check_version()
            if version < SCHEMA_VERSION:
                db.execute("CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, applied_at TEXT)")
            for number, migrate in enumerate(MIGRATIONS[version:], start=version + 1):
                migrate(db)
                db.execute("INSERT INTO migrations VALUES (?, datetime('now'))", (number,))
                db.execute(f"PRAGMA user_version = {number}")
        # After the check, because the journal mode is written to the file and a refused file must not change.
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")

    def _check_version(self) -> int:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        tables = {name for (name,) in self._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if (tables and version == 0) or (version and "jobs" not in tables):
            raise StoreError("it is the database of another program")
        if version > SCHEMA_VERSION:
            raise StoreError("it was made by a newer llx-mcp; update llx-mcp to open it")
        return int(version)
