"""Webhook deliveries in the store: which jobs have webhooks, and which events have been delivered."""

from dataclasses import dataclass
from datetime import datetime

from llx_mcp.local.database import Database
from llx_mcp.local.job_rows import LIFECYCLE_COLUMNS, build_lifecycle
from llx_mcp.local.lifecycle import JobLifecycle
from llx_mcp.local.webhooks import WebhookConfiguration
from llx_mcp.raw_json import decode_json

_END_EVENTS = {"COMPLETED": "extract.success", "FAILED": "extract.error", "CANCELLED": "extract.cancelled"}


@dataclass(frozen=True, slots=True)
class WebhookJob:
    """A job that was created with webhooks.

    Attributes:
        configurations: The `webhook_configurations` of the request that created the job, in order.
    """

    job_id: str
    configurations: list[WebhookConfiguration]
    lifecycle: JobLifecycle

    def events_until(self, now: datetime) -> list[tuple[str, datetime]]:
        """Return the type and the time of each event so far, in order."""
        if self.lifecycle.started_at is None:
            return []
        events = [("extract.pending", self.lifecycle.started_at)]
        ended_at = self.lifecycle.ended_at()
        if ended_at is not None and ended_at <= now:
            events.append((_END_EVENTS.get(self.lifecycle.status_at(now), "extract.error"), ended_at))
        return events


class DeliveryStore:
    """The webhook deliveries of a store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list_webhook_jobs(self) -> list[WebhookJob]:
        """Return the jobs that were created with webhooks, oldest first."""
        with self._database.connection() as db:
            rows = db.execute(
                f"SELECT id, webhooks, {LIFECYCLE_COLUMNS} FROM jobs WHERE webhooks IS NOT NULL ORDER BY position"  # noqa: S608  # nosec B608 # constant column names
            ).fetchall()
        return [
            WebhookJob(job_id, decode_json(configurations), build_lifecycle(*columns))
            for job_id, configurations, *columns in rows
        ]

    def is_done(self, job_id: str, endpoint_index: int, event_type: str) -> bool:
        """Return whether an event was delivered to an endpoint of a job, or given up."""
        with self._database.connection() as db:
            row = db.execute(
                "SELECT 1 FROM deliveries WHERE job_id = ? AND endpoint = ? AND event_type = ?",
                (job_id, endpoint_index, event_type),
            ).fetchone()
        return row is not None

    def mark_done(self, job_id: str, endpoint_index: int, event_type: str, now: datetime) -> None:
        """Record that an event was delivered to an endpoint of a job, or given up."""
        with self._database.transaction() as db:
            db.execute(
                "INSERT OR IGNORE INTO deliveries VALUES (?, ?, ?, ?)",
                (job_id, endpoint_index, event_type, now.timestamp()),
            )
