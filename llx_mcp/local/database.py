"""The SQLite database of a store: opening, checking, migrating, and sharing it between threads and processes."""

import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

from llx_mcp.local.migrations import MIGRATIONS

SCHEMA_VERSION = len(MIGRATIONS)
# The time that a write waits for other writes, those of this process and those of others.
BUSY_TIMEOUT_SECONDS = 2.0
MAX_MEMORY_BYTES = 2 << 30

# Migrations of a large store by another process take a while.
_OPEN_TIMEOUT_SECONDS = 30.0


class StoreError(Exception):
    """The file is not a store, or was made by a newer version, or cannot be used now."""


class StoreProblem(Enum):
    """Why a store cannot be used, and what a person can do."""

    LOCKED = "The store is locked: another process is writing to it. Try again."
    FULL = "The store is full. Delete jobs or files, or free space on its disk."
    READ_ONLY = "The store is read-only. Allow the server to write to the file and to its folder, and start it again."
    DAMAGED = "The store is damaged. Replace the file by a copy, or start the server with another --local-db."
    UNREACHABLE = "The store cannot be read or written. Check its disk, and that the file still exists."


class StoreProblemError(StoreError):
    """A store that is open cannot be used, perhaps only for now. The message says what a person can do.

    Attributes:
        problem: Why it cannot be used.
    """

    def __init__(self, problem: StoreProblem) -> None:
        super().__init__(problem.value)
        self.problem = problem


_PROBLEMS = {
    sqlite3.SQLITE_BUSY: StoreProblem.LOCKED,
    sqlite3.SQLITE_LOCKED: StoreProblem.LOCKED,
    sqlite3.SQLITE_FULL: StoreProblem.FULL,
    sqlite3.SQLITE_READONLY: StoreProblem.READ_ONLY,
    sqlite3.SQLITE_PERM: StoreProblem.READ_ONLY,
    sqlite3.SQLITE_CORRUPT: StoreProblem.DAMAGED,
    sqlite3.SQLITE_NOTADB: StoreProblem.DAMAGED,
    sqlite3.SQLITE_IOERR: StoreProblem.UNREACHABLE,
    sqlite3.SQLITE_CANTOPEN: StoreProblem.UNREACHABLE,
}


class Database:
    """A SQLite database in a file (WAL mode) or in memory. It is safe to use from any thread.

    A committed transaction survives if the process is killed. A file has a connection of its own for reading, so that
    no read waits for a write.
    """

    def __init__(self, path: Path | None) -> None:
        """Open the database.

        Args:
            path: The file, created if it does not exist; None uses memory, at most 2 GB of it.

        Raises:
            StoreError: The file cannot be opened as a store.
        """
        self._write_lock = threading.RLock()
        try:
            self._writer = self._connect(path)
        except sqlite3.Error as exc:
            raise StoreError(f"{path} cannot be opened as a store of jobs: {exc}") from None
        try:
            self._prepare()
            self._reader, self._read_lock = self._writer, self._write_lock
            if path is not None:
                self._reader, self._read_lock = self._connect(path), threading.RLock()
                self._reader.execute("PRAGMA query_only = ON")
        except (sqlite3.Error, StoreError, ValueError) as exc:
            self._writer.close()
            raise StoreError(f"{path} cannot be opened as a store of jobs: {exc}") from None

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """Lock the connection for reading for the current thread.

        Raises:
            StoreProblemError: The store cannot be used now.
        """
        with _lock(self._read_lock), _translate_errors():
            yield self._reader

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Lock the connection for writing and run a transaction: commit at the end, roll back on any exception.

        Raises:
            StoreProblemError: The store cannot be used now.
        """
        with _lock(self._write_lock), _translate_errors(), self._begin():
            yield self._writer

    def close(self) -> None:
        """Close the database after any thread that is using it."""
        with self._read_lock, self._write_lock:
            self._reader.close()
            self._writer.close()

    @contextmanager
    def _begin(self) -> Iterator[None]:
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._writer.execute("COMMIT")
        except BaseException:
            # After some errors, such as a full disk, SQLite has rolled back already.
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise

    def _connect(self, path: Path | None) -> sqlite3.Connection:
        """Return a new connection, which is closed with this object at the latest."""
        connection = sqlite3.connect(
            path or ":memory:", check_same_thread=False, isolation_level=None, timeout=BUSY_TIMEOUT_SECONDS
        )
        weakref.finalize(self, connection.close)
        return connection

    def _prepare(self) -> None:
        self._writer.execute(f"PRAGMA busy_timeout = {_OPEN_TIMEOUT_SECONDS * 1000:.0f}")
        (version,) = self._writer.execute("PRAGMA user_version").fetchone()
        if version == SCHEMA_VERSION:
            # Without a transaction, which would wait for a write of another process.
            self._check_version()
        else:
            self._migrate()
        # After the check, because the journal mode is written to the file and a refused file must not change.
        (mode,) = self._writer.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode == "memory":
            (page_bytes,) = self._writer.execute("PRAGMA page_size").fetchone()
            self._writer.execute(f"PRAGMA max_page_count = {MAX_MEMORY_BYTES // page_bytes}")
        self._writer.execute("PRAGMA synchronous = FULL")
        self._writer.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000:.0f}")

    def _migrate(self) -> None:
        # One process migrates. Others that open the file at the same time wait, and find the work done.
        with self._begin():
            version = self._check_version()
            if version < SCHEMA_VERSION:
                self._writer.execute(
                    "CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, applied_at TEXT)"
                )
            for number, migrate in enumerate(MIGRATIONS[version:], start=version + 1):
                migrate(self._writer)
                self._writer.execute("INSERT INTO migrations VALUES (?, datetime('now'))", (number,))
                self._writer.execute(f"PRAGMA user_version = {number}")

    def _check_version(self) -> int:
        (version,) = self._writer.execute("PRAGMA user_version").fetchone()
        tables = {name for (name,) in self._writer.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if (tables and version == 0) or (version and "jobs" not in tables):
            raise StoreError("it is the database of another program")
        if version > SCHEMA_VERSION:
            raise StoreError("it was made by a newer llx-mcp; update llx-mcp to open it")
        return int(version)


@contextmanager
def _lock(lock: "threading.RLock") -> Iterator[None]:
    """Hold a lock that other threads hold for a short time only."""
    if not lock.acquire(timeout=BUSY_TIMEOUT_SECONDS):
        raise StoreProblemError(StoreProblem.LOCKED)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Replace SQLite's errors about the state of the file. The lower byte of its codes names the kind of error."""
    try:
        yield
    except sqlite3.Error as exc:
        problem = _PROBLEMS.get(getattr(exc, "sqlite_errorcode", 0) & 0xFF)
        if problem is None:
            raise
        raise StoreProblemError(problem) from exc
