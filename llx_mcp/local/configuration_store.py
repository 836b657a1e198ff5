"""Saved configurations in the store."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from llx_mcp.local.database import Database
from llx_mcp.local.timestamps import from_unix_seconds

CONFIGURATION_PREFIX = "cfg-"

_COLUMNS = "id, project_id, name, product_type, parameters, created, updated"


@dataclass(frozen=True, slots=True)
class SavedConfiguration:
    """One saved configuration.

    Attributes:
        parameters: The options as they were saved, without `product_type`.
        updated: When it was saved last; the service calls this its version.
    """

    configuration_id: str
    project_id: str
    name: str
    product_type: str
    parameters: dict[str, Any]
    created: datetime
    updated: datetime


class ConfigurationStore:
    """The saved configurations of a store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(
        self, name: str, product_type: str, parameters: dict[str, Any], now: datetime, *, project_id: str
    ) -> SavedConfiguration:
        """Save a configuration. One of the same name, product type and project is overwritten and keeps its id.

        Args:
            name: The name that the client chose.
            product_type: The product, such as `extract_v2`.
            parameters: The options, without `product_type`.
            now: The current time, aware.
            project_id: The UUID of the project.
        """
        seconds = now.timestamp()
        values = (f"{CONFIGURATION_PREFIX}{uuid.uuid4()}", project_id, name, product_type,
                  msgspec.json.encode(parameters), seconds, seconds)  # fmt: skip
        with self._database.transaction() as db:
            row = db.execute(
                f"INSERT INTO configurations ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?) "  # noqa: S608  # nosec B608 # constant column names
                "ON CONFLICT (project_id, product_type, name) DO UPDATE SET "
                f"parameters = excluded.parameters, updated = excluded.updated RETURNING {_COLUMNS}",
                values,
            ).fetchone()
        return _build_configuration(*row)

    def update(
        self, configuration_id: str, now: datetime, *, name: str | None, parameters: dict[str, Any] | None
    ) -> SavedConfiguration | None:
        """Change a configuration and return it; None if it does not exist. None leaves a value as it is.

        Raises:
            sqlite3.IntegrityError: Another configuration of the project has the name.
        """
        encoded = None if parameters is None else msgspec.json.encode(parameters)
        with self._database.transaction() as db:
            row = db.execute(
                "UPDATE configurations SET name = coalesce(?, name), parameters = coalesce(?, parameters), "  # noqa: S608  # nosec B608 # constant column names
                f"updated = ? WHERE id = ? RETURNING {_COLUMNS}",
                (name, encoded, now.timestamp(), configuration_id),
            ).fetchone()
        return None if row is None else _build_configuration(*row)

    def get(self, configuration_id: str) -> SavedConfiguration | None:
        """Return the configuration with an id, or None if it does not exist."""
        with self._database.connection() as db:
            row = db.execute(
                f"SELECT {_COLUMNS} FROM configurations WHERE id = ?",  # noqa: S608  # nosec B608 # constant column names
                (configuration_id,),
            ).fetchone()
        return None if row is None else _build_configuration(*row)

    def list(self) -> list[SavedConfiguration]:
        """Return every configuration, newest first."""
        with self._database.connection() as db:
            rows = db.execute(f"SELECT {_COLUMNS} FROM configurations ORDER BY position DESC").fetchall()  # noqa: S608  # nosec B608 # constant column names
        return [_build_configuration(*row) for row in rows]

    def delete(self, configuration_id: str) -> None:
        """Delete a configuration, if it exists. Jobs that were created with it stay as they are."""
        with self._database.transaction() as db:
            db.execute("DELETE FROM configurations WHERE id = ?", (configuration_id,))


def _build_configuration(
    configuration_id: str,
    project_id: str,
    name: str,
    product_type: str,
    parameters: bytes,
    created: float,
    updated: float,
) -> SavedConfiguration:
    """Build a configuration from the values of `_COLUMNS`, in their order."""
    return SavedConfiguration(
        configuration_id,
        project_id,
        name,
        product_type,
        msgspec.json.decode(parameters),
        from_unix_seconds(created),
        from_unix_seconds(updated),
    )
