"""Where results of created jobs come from: an engine takes a document and a configuration."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from llx_mcp.local.job_store import RecordedJob


@dataclass(frozen=True, slots=True)
class Document:
    """The document of a job.

    Attributes:
        file_input: The id of its file or parse job, as the request names it.
        name: The name of the file; empty if it is not stored.
        sha256: The SHA-256 of the content, in hex; None if it is not stored.
        read_content: Returns the content; None if it is not stored.
    """

    file_input: str
    name: str
    sha256: str | None
    read_content: Callable[[], bytes | None] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Extraction:
    """What an engine made of a document.

    Attributes:
        status: The status at the end: COMPLETED, FAILED or CANCELLED.
        error_message: Why it failed, if it says so.
        version: The extract version that made the result; None if it is not known.
        sections: `extract_result`, `extract_metadata`, `metadata` and `usage`, not decoded. One that is left out comes
            from `recorded`; without that it is null.
        recorded: A recorded job that holds the sections which are left out, so that the store keeps them once.
    """

    status: str
    error_message: str | None = None
    version: str | None = None
    sections: Mapping[str, msgspec.Raw] = field(default_factory=dict, repr=False)
    recorded: RecordedJob | None = field(default=None, repr=False)


class ExtractionEngine(Protocol):
    """Makes the results of created jobs. It is called in a worker thread, by several requests at once."""

    def extract(self, document: Document, configuration: Mapping[str, Any]) -> Extraction:
        """Extract from a document.

        Args:
            document: The document.
            configuration: The options of the job, as in `configuration` of a job; `data_schema` is checked.
        """
        ...
