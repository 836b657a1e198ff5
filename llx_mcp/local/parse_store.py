"""Parse jobs. The store has none of its own, but its jobs name them, and it holds their documents."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from llx_mcp.local.database import Database
from llx_mcp.local.file_store import FileStore, StoredFile
from llx_mcp.local.job_rows import is_storable
from llx_mcp.models import PARSE_JOB_PREFIX
from llx_mcp.raw_json import decode_member, decode_text, split_json

_FIND = (
    "SELECT project_id, file_input, document_sha256, body_id FROM jobs WHERE {column} = ? "
    "AND (? IS NULL OR project_id IS NULL OR lower(project_id) = ?) ORDER BY position DESC LIMIT 20"
)

_MAX_CREDITS = 1e12


@dataclass(frozen=True, slots=True)
class ParseJob:
    """A parse job that a job names.

    Attributes:
        file: The document that it has parsed.
        created_at: The creation time of the recorded job that names it, as that job has it; `updated_at` likewise.
        tier: The tier of parsing, if the job says so.
        credits: What parsing cost, if the job says so.
    """

    job_id: str
    project_id: str
    file: StoredFile
    created_at: str | None
    updated_at: str | None
    tier: str | None
    credits: float | None


class ParseJobStore:
    """The parse jobs whose documents the store holds."""

    def __init__(self, database: Database, files: FileStore) -> None:
        self._database = database
        self._files = files

    def find(self, job_id: str, project_id: UUID | None) -> ParseJob | None:
        """Return a parse job; None if no job names it, or if the document of none of these is stored.

        Args:
            job_id: The id of the parse job.
            project_id: The project that must hold the job that names it; None stands for every project.
        """
        if not is_storable(job_id):
            return None
        # A job is also made from a parse job, which it then names as its input.
        columns = ("parse_job_id", "file_input") if job_id.startswith(PARSE_JOB_PREFIX) else ("parse_job_id",)
        for column in columns:
            for job_project, file_input, sha256, body_id in self._find_jobs(column, job_id, project_id):
                file = self._find_file(file_input, sha256)
                if file is not None:
                    return self._build(job_id, job_project or file.project_id, file, body_id)
        return None

    def _find_jobs(self, column: str, value: str, project_id: UUID | None) -> list[tuple[Any, ...]]:
        project = None if project_id is None else str(project_id)
        with self._database.connection() as db:
            return db.execute(_FIND.format(column=column), (value, project, project)).fetchall()

    def _find_file(self, file_input: str | None, sha256: str | None) -> StoredFile | None:
        """Return the file that a job has read. A file that has been replaced since is another one."""
        file = self._files.get_file(file_input) if file_input else None
        if file is not None and sha256 in (None, file.sha256):
            return file
        return self._files.find_content(sha256) if sha256 else None

    def _build(self, job_id: str, project_id: str, file: StoredFile, body_id: int) -> ParseJob | None:
        with self._database.connection() as db:
            row = db.execute("SELECT body FROM bodies WHERE id = ?", (body_id,)).fetchone()
        if row is None:
            return None
        sections = split_json(row[0])
        tier = decode_member(sections.get("extract_metadata"), "parse_tier")
        credits_used = decode_member(sections.get("usage"), "parse_credits")
        return ParseJob(
            job_id,
            project_id,
            file,
            decode_text(sections.get("created_at")),
            decode_text(sections.get("updated_at")),
            tier if isinstance(tier, str) else None,
            credits_used if isinstance(credits_used, int | float) and abs(credits_used) < _MAX_CREDITS else None,
        )
