"""Which files a list holds, and in which order."""

from collections.abc import Callable, Iterable, Sequence

from llx_mcp.local.endpoints import is_in_project
from llx_mcp.local.file_store import StoredFile
from llx_mcp.local.request_models import FileFilter, validation_error
from llx_mcp.models import FILE_PREFIX

# The fields that GET sorts by, and whether the order is descending. The client documents no others.
_GET_ORDERS = {"name": False, "id": False, "created_at": True}
# The fields that the deprecated POST sorts by, each with its sort key. Times are in UTC, so their text sorts like them.
_SORT_KEYS: dict[str, Callable[[StoredFile], str]] = {
    "name": lambda file: file.name,
    "created_at": lambda file: file.created.isoformat(),
    "last_modified_at": lambda file: file.created.isoformat(),
    "id": lambda file: file.file_id,
    "purpose": lambda file: file.purpose or "",
    "external_file_id": lambda file: file.external_file_id or "",
}


def filter_files(files: Iterable[StoredFile], file_filter: FileFilter) -> list[StoredFile]:
    """Return the files that pass a filter, in the same order."""
    return [file for file in files if _matches(file, file_filter)]


def sort_files(files: Sequence[StoredFile], order_by: str | None) -> Sequence[StoredFile]:
    """Sort files as GET does: by one field, in the direction that belongs to it.

    Raises:
        HTTPException: 422, the order is not one of these.
    """
    if not order_by:
        return files
    if order_by not in _GET_ORDERS:
        message = (
            "Value error, order_by is 'name' (ascending), 'id' (ascending) or 'created_at' (descending), without a "
            "direction. Example: order_by=created_at"
        )
        raise validation_error("value_error", ["query", "order_by"], message, order_by)
    return sorted(files, key=_SORT_KEYS[order_by], reverse=_GET_ORDERS[order_by])


def sort_files_by_list(files: Sequence[StoredFile], order_by: str | None) -> Sequence[StoredFile]:
    """Sort files as the deprecated POST does: by a list such as `name, created_at desc`.

    Raises:
        HTTPException: 422, a field or a direction is unknown.
    """
    # Python sorts are stable, so sorting by the last field first orders by all fields.
    for part in reversed((order_by or "").split(",")):
        name, _, direction = part.strip().partition(" ")
        if not name:
            continue
        if name not in _SORT_KEYS or direction.strip().lower() not in ("", "asc", "desc"):
            message = (
                f"Value error, order_by is a list of {', '.join(sorted(_SORT_KEYS))}, each with ' desc' or without. "
                "Example: name, created_at desc"
            )
            raise validation_error("value_error", ["body", "order_by"], message, order_by)
        files = sorted(files, key=_SORT_KEYS[name], reverse=direction.strip().lower() == "desc")
    return files


def _matches(file: StoredFile, file_filter: FileFilter) -> bool:
    if file_filter.file_ids is not None:
        ids = {text.removeprefix(FILE_PREFIX).lower() for text in file_filter.file_ids}
        if file.file_uuid not in ids and file.file_id.removeprefix(FILE_PREFIX) not in ids:
            return False
    return (
        is_in_project(file.project_id, file_filter.project_id)
        # All files of the store were uploaded, so none has a data source.
        and file_filter.data_source_id is None
        and (file_filter.file_name is None or file.name == file_filter.file_name)
        and (file_filter.external_file_id is None or file.external_file_id == file_filter.external_file_id)
    )
