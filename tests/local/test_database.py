"""A store that cannot be used says why, and a write blocks no read."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from llx_mcp.cli.setup import open_store
from llx_mcp.errors import ConfigurationError
from llx_mcp.local import JobStore, StoreError, create_app
from llx_mcp.local.database import MAX_MEMORY_BYTES, Database
from tests.local.clients import connect

JOB = b'{"id":"ext-1","status":"COMPLETED"}'
JOBS = "/api/v2/extract"
FILES = "/api/v1/beta/files"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JobStore]:
    """A store in a file with one job."""
    opened = JobStore(tmp_path / "jobs.db")
    opened.import_job(JOB)
    yield opened
    opened.close()


def run_on_writer(store: JobStore, sql: str) -> None:
    """Run a statement on the connection for writing, outside of a transaction."""
    store._database._writer.execute(sql)


async def test_locked_store_is_read_and_refuses_writes_for_now(store: JobStore, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "jobs.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with connect(create_app(store)) as client:
            assert (await client.get(f"{JOBS}/ext-1")).status_code == 200
            refused = await client.delete(f"{JOBS}/ext-1")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            assert refused.json() == {"detail": "The store is locked: another process is writing to it. Try again."}
            other.execute("ROLLBACK")
            assert (await client.delete(f"{JOBS}/ext-1")).status_code == 200


def test_read_does_not_wait_for_a_write_of_another_thread(store: JobStore) -> None:
    read: list[list[tuple[str, str]]] = []
    thread = threading.Thread(target=lambda: read.append(store.list_jobs()))
    with store._database.transaction() as db:
        db.execute("DELETE FROM jobs")
        thread.start()
        thread.join(timeout=60)
        # The read is complete although the write is not, and it does not see the write.
        assert read == [[("ext-1", "COMPLETED")]]
    assert store.list_jobs() == []


def test_write_does_not_wait_long_for_a_write_of_another_thread(store: JobStore) -> None:
    errors: list[StoreError] = []

    def delete() -> None:
        try:
            store.delete_job("ext-1")
        except StoreError as exc:
            errors.append(exc)

    thread = threading.Thread(target=delete)
    with store._database.transaction():
        thread.start()
        thread.join(timeout=60)
        assert ["locked" in str(exc) for exc in errors] == [True]


def test_locked_store_is_opened_at_once(store: JobStore, tmp_path: Path) -> None:
    opened: list[JobStore] = []
    thread = threading.Thread(target=lambda: opened.append(JobStore(tmp_path / "jobs.db")))
    with store._database.transaction():
        thread.start()
        # Less than the time that a migration waits for another one.
        thread.join(timeout=20)
        assert [each.list_jobs() for each in opened] == [[("ext-1", "COMPLETED")]]
    thread.join()
    opened[0].close()


async def test_full_store_refuses_writes_until_there_is_space(store: JobStore) -> None:
    run_on_writer(store, "PRAGMA max_page_count = 50")
    async with connect(create_app(store)) as client:
        for name, size, status in (("large", 400_000, 507), ("small", 1_000, 201)):
            response = await client.post(FILES, files={"file": (name, bytes(size))}, data={"purpose": "extract"})
            assert response.status_code == status
            if status == 507:
                assert response.json()["detail"].startswith("The store is full. Delete")
                assert response.headers["x-should-retry"] == "false"
        assert (await client.get(f"{JOBS}/ext-1")).status_code == 200
    assert [file.name for file in store.files.list_files()] == ["small"]


async def test_read_only_store_refuses_writes_and_says_so(store: JobStore) -> None:
    run_on_writer(store, "PRAGMA query_only = ON")
    async with connect(create_app(store)) as client:
        refused = await client.delete(f"{JOBS}/ext-1")
        assert (refused.status_code, "read-only" in refused.json()["detail"]) == (500, True)
        assert (await client.get(f"{JOBS}/ext-1")).status_code == 200


def test_command_says_what_is_wrong_with_its_store(tmp_path: Path) -> None:
    def import_into_read_only_store() -> None:
        with open_store(tmp_path / "jobs.db", creates=True) as store:
            run_on_writer(store, "PRAGMA query_only = ON")
            store.import_job(JOB)

    with pytest.raises(ConfigurationError, match="--local-db: The store is read-only"):
        import_into_read_only_store()


async def test_damaged_store_says_so(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    JobStore(path).close()
    with closing(JobStore(path)) as store:
        with path.open("r+b") as file:
            # All pages but the first, which holds the schema.
            file.seek(4096)
            file.write(b"\xff" * (path.stat().st_size - 4096))
        async with connect(create_app(store)) as client:
            response = await client.get(JOBS)
    assert (response.status_code, "is damaged" in response.json()["detail"]) == (500, True)


def test_failed_commit_leaves_no_transaction_open(store: JobStore) -> None:
    def violate_reference_until_commit() -> None:
        with store._database.transaction() as db:
            db.execute("PRAGMA defer_foreign_keys = ON")
            db.execute("INSERT INTO contents VALUES (99, x'00')")

    run_on_writer(store, "PRAGMA foreign_keys = ON")
    with pytest.raises(sqlite3.IntegrityError):
        violate_reference_until_commit()
    assert store.delete_job("ext-1") is True


def test_store_in_memory_is_bounded() -> None:
    database = Database(None)
    with database.connection() as db:
        (num_pages,) = db.execute("PRAGMA max_page_count").fetchone()
        (page_bytes,) = db.execute("PRAGMA page_size").fetchone()
    database.close()
    assert num_pages * page_bytes == MAX_MEMORY_BYTES
