"""Documents to upload: files of this machine, only regular ones inside allowed folders, and contents from the web."""

import hashlib
import os
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BufferedReader, BytesIO
from pathlib import Path

from llx_mcp.errors import ArgumentError, excerpt
from llx_mcp.jobs.document_types import HEAD_BYTES, MAX_DOCUMENT_BYTES, add_ending, check_type, get_type

_CHUNK_BYTES = 1 << 20
_MAX_NAME_CHARS = 200
_SHOWN_CHARS = 120
# Other systems follow links in the middle of a path; there the opened file is compared instead.
_CAN_OPEN_BELOW = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")
_READ = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_READ_FILE = _READ | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_OPEN_FOLDER = _READ | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_PATH", 0)


@dataclass(frozen=True, slots=True)
class LocalDocument:
    """A document that may be uploaded.

    Attributes:
        path: path of its file, as it was given; its address, if it comes from the web.
        name: its name, without control and invisible characters.
        num_bytes: its size.
        sha256: digest of its content, in hex.
        content: its bytes, if it comes from the web.
    """

    path: str
    name: str
    num_bytes: int
    sha256: str
    content: bytes | None = field(default=None, repr=False)

    @property
    def external_id(self) -> str:
        """The id under which the service finds the same content of the same type again."""
        return f"sha256-{self.sha256}.{get_type(self.name)}"


def read_document(path: str, folders: Sequence[Path]) -> LocalDocument:
    """Check a file and compute its digest. This reads the whole file: call it in a thread.

    Raises:
        ArgumentError: the file is outside the folders, is no regular file, is empty or too large, cannot be read, or
            is of a type that the service does not take.
    """
    with open_document(path, folders) as stream:
        num_bytes = os.fstat(stream.fileno()).st_size
        check_type("file", path, stream.read(HEAD_BYTES))
        stream.seek(0)
        digest = hashlib.sha256()
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
        return LocalDocument(path, _clean_name(path), num_bytes, digest.hexdigest())


def build_web_document(url: str, name: str, media_type: str, content: bytes) -> LocalDocument:
    """Check a document of the web and compute its digest. Call it in a thread.

    Args:
        url: its address.
        name: the last part of its path.
        media_type: what its host says that it is, such as `application/pdf`; may be empty.
        content: its bytes.

    Raises:
        ArgumentError: it is of a type that the service does not take, or a web page in place of the document.
    """
    name = add_ending(name, media_type)
    check_type("url", name, content[:HEAD_BYTES])
    return LocalDocument(url, _clean_name(name), len(content), hashlib.sha256(content).hexdigest(), content)


class UnchangedReader(BufferedReader):
    """Reads a document from its start to its end. What has another digest is never read to its end.

    So whoever sends what it reads sends the whole of the same content, or breaks off.
    """

    def __init__(self, stream: BufferedReader, document: LocalDocument) -> None:
        super().__init__(stream)
        self._document = document
        self._begin()

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes.

        Raises:
            ArgumentError: the content has changed since its digest was computed.
        """
        chunk = super().read(size)
        self._num_left -= len(chunk)
        self._digest.update(chunk)
        is_short = self._num_left > 0 and not chunk and size != 0
        is_other = self._num_left == 0 and self._digest.hexdigest() != self._document.sha256
        if self._num_left < 0 or is_short or is_other:
            raise _build_changed(self._document.path)
        return chunk

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Begin anew, or find the size."""
        self._begin()
        return super().seek(offset, whence)

    def _begin(self) -> None:
        self._num_left = self._document.num_bytes
        self._digest = hashlib.sha256()


@contextmanager
def open_unchanged(document: LocalDocument, folders: Sequence[Path]) -> Iterator[BufferedReader | BytesIO]:
    """Open a document again. Reading raises an `ArgumentError` before the end if its content is not the same any more.

    Raises:
        ArgumentError: it has another size, or cannot be opened any more.
    """
    if document.content is not None:
        yield BytesIO(document.content)
        return
    with open_document(document.path, folders) as stream:
        if os.fstat(stream.fileno()).st_size != document.num_bytes:
            raise _build_changed(document.path)
        yield UnchangedReader(stream, document)


@contextmanager
def open_document(path: str, folders: Sequence[Path]) -> Iterator[BufferedReader]:
    """Open a regular file inside one of the folders. A relative path begins in the first folder.

    Links are resolved first. The file is then opened from its folder down, and no further link is followed: a link that
    is put into its place meanwhile is refused.

    Raises:
        ArgumentError: there is no such file, or it may not be read.
    """
    folder, parts = _locate(path, folders)
    try:
        descriptor = _open_below(folder, parts) if _CAN_OPEN_BELOW else _open_and_compare(folder, parts)
        stream = _wrap(path, descriptor)
    except FileNotFoundError:
        raise _refuse(path, "does not exist. Check the path") from None
    except IsADirectoryError:
        raise _refuse(path, "is a directory. Give one file") from None
    except PermissionError:
        raise _refuse(path, "may not be read by this server. Check its permissions") from None
    except OSError as exc:
        raise _refuse(path, f"cannot be opened ({exc.strerror}). Check the path") from None
    with stream:
        yield stream


def _wrap(path: str, descriptor: int) -> BufferedReader:
    """Return a descriptor as a stream, once it was checked. It is closed if it cannot be used."""
    try:
        _check(path, os.fstat(descriptor))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        with suppress(OSError):
            os.close(descriptor)
        raise


def _locate(path: str, folders: Sequence[Path]) -> tuple[str, tuple[str, ...]]:
    """Return the folder that a path leads into, and the parts of the path below it."""
    if not folders:
        raise ArgumentError("file: this server reads no files of this machine. Give url or document_id.")
    if not path.strip() or "\0" in path:
        raise ArgumentError("file: this is not a path. Give the path of one file.")
    try:
        resolved = os.path.realpath(folders[0] / path)
        for folder in map(os.path.realpath, folders):
            if os.path.commonpath([folder, resolved]) == folder:
                return folder, Path(os.path.relpath(resolved, folder)).parts
    except (OSError, ValueError):
        # On Windows, two drives have no common path.
        pass
    allowed = ", ".join(map(str, folders))
    raise _refuse(path, f"is outside the folders that this server may read ({allowed}). Give a file inside them")


def _open_below(folder: str, parts: Sequence[str]) -> int:
    if not parts:
        raise IsADirectoryError
    current = os.open(folder, _OPEN_FOLDER & ~getattr(os, "O_NOFOLLOW", 0))
    try:
        for part in parts[:-1]:
            below = os.open(part, _OPEN_FOLDER, dir_fd=current)
            os.close(current)
            current = below
        # Opening a device can have effects, and opening a pipe can block.
        _check(parts[-1], os.stat(parts[-1], dir_fd=current, follow_symlinks=False))
        return os.open(parts[-1], _READ_FILE, dir_fd=current)
    finally:
        os.close(current)


def _open_and_compare(folder: str, parts: Sequence[str]) -> int:
    path = str(Path(folder, *parts))
    _check(path, os.lstat(path))
    descriptor = os.open(path, _READ_FILE)
    if os.path.realpath(path) != path or not os.path.samestat(os.fstat(descriptor), os.lstat(path)):
        os.close(descriptor)
        raise PermissionError
    return descriptor


def _check(path: str, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError
    if not stat.S_ISREG(status.st_mode):
        raise _refuse(path, "is not a regular file. Give a document")
    if status.st_size == 0:
        raise _refuse(path, "is empty. Give a document with content")
    if status.st_size > MAX_DOCUMENT_BYTES:
        size = f"{status.st_size / 1e6:,.0f} MB"
        limit = f"{MAX_DOCUMENT_BYTES // 1_000_000} MB"
        raise _refuse(path, f"has {size}; LlamaExtract takes files of at most {limit}. Split it")


def _refuse(path: str, reason: str) -> ArgumentError:
    return ArgumentError(f'file: "{excerpt(path, _SHOWN_CHARS)}" {reason}.')


def _build_changed(path: str) -> ArgumentError:
    return _refuse(path, "has changed since it was read, so no job was created. Call again with the finished file")


def _clean_name(path: str) -> str:
    """Return the file's name as the service gets it: a line break could end a header, others could mislead a reader."""
    name = Path(path).name or "document"
    clean = "".join("_" if unicodedata.category(char).startswith("C") else char for char in name)
    return clean[-_MAX_NAME_CHARS:]
