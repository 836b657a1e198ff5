"""Files keep their content, and are found by either form of their id."""

import hashlib
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from llx_mcp.local import JobStore

NOW = datetime(2026, 7, 6, 9, tzinfo=UTC)
PROJECT = "5a3d1f0e-6c1b-4e0a-9f57-2b6d8c4e1a90"
UUID = "0a1b2c3d-0000-4000-8000-000000000001"


@pytest.fixture
def store() -> Iterator[JobStore]:
    with closing(JobStore()) as opened:
        yield opened


def test_file_is_read_as_it_was_stored(tmp_path: Path) -> None:
    with closing(JobStore(tmp_path / "jobs.db")) as store:
        file = store.files.put_file(
            b"\x00\xff", "a.pdf", NOW, project_id=PROJECT, purpose="parse", external_file_id="mine"
        )
    with closing(JobStore(tmp_path / "jobs.db")) as store:
        assert store.files.get_file(file.file_id) == file
        assert store.files.get_content(file) == b"\x00\xff"
    assert (file.name, file.purpose, file.external_file_id) == ("a.pdf", "parse", "mine")
    assert (file.project_id, file.created) == (PROJECT, NOW)
    assert file.sha256 == hashlib.sha256(b"\x00\xff").hexdigest()
    assert file.file_id == f"dfl-{file.file_uuid}"


@pytest.mark.parametrize("file_id", [f"dfl-{UUID}", UUID, f"dfl-{UUID.upper()}", "dfl-short", "whc-1"])
def test_file_is_found_by_id_and_by_uuid(store: JobStore, file_id: str) -> None:
    file = store.files.put_file(b"a", "a.pdf", NOW, project_id=PROJECT, file_id=file_id)
    other = store.files.put_file(b"b", "b.pdf", NOW, project_id=PROJECT)
    for each in (file_id, file.file_uuid, f"dfl-{file.file_uuid}", file.file_uuid.upper()):
        assert store.files.get_file(each) == file
    assert (file.file_uuid == UUID) == (UUID in file_id.lower())
    assert other.file_uuid != file.file_uuid
    assert store.files.get_file("dfl-other") is None


def test_file_with_the_same_id_is_replaced_and_others_stay(store: JobStore) -> None:
    other = store.files.put_file(b"b", "b.pdf", NOW, project_id=PROJECT, file_id="dfl-2")
    old = store.files.put_file(b"a", "a.pdf", NOW, project_id=PROJECT, file_id="dfl-1")
    new = store.files.put_file(b"c", "c.pdf", NOW, project_id=PROJECT, file_id="dfl-1")
    assert store.files.get_file("dfl-1") == new
    assert [store.files.get_content(file) for file in (old, new, other)] == [None, b"c", b"b"]
    assert store.files.list_files() == [new, other]


def test_files_are_listed_newest_first(store: JobStore) -> None:
    ids = [
        store.files.put_file(b"", "a", NOW - timedelta(seconds=seconds), project_id=PROJECT).file_id
        for seconds in (5, 0, 9, 0)
    ]
    assert [file.file_id for file in store.files.list_files()] == [ids[3], ids[1], ids[0], ids[2]]


def test_deleted_file_is_gone_with_its_content(store: JobStore) -> None:
    file, other = (store.files.put_file(name.encode(), name, NOW, project_id=PROJECT) for name in "ab")
    assert store.files.delete_file(file) is True
    assert store.files.delete_file(file) is False
    assert (store.files.get_file(file.file_id), store.files.get_content(file)) == (None, None)
    assert store.files.get_content(other) == b"b"
