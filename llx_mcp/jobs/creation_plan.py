"""What creating a job needs to know, what it will do, and what came of it."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llx_mcp.errors import ArgumentError, excerpt
from llx_mcp.jobs.configurations import build_fingerprint, has_options
from llx_mcp.jobs.local_documents import LocalDocument
from llx_mcp.jobs.page_estimate import PageEstimate
from llx_mcp.scope import DEFAULT_SCOPE, Scope

if TYPE_CHECKING:
    from llx_mcp.models import Job

_DOCUMENT_PREFIXES = ("dfl-", "pjb-")
# Slower uploads are stopped.
_UPLOAD_BYTES_A_SECOND = 250_000


@dataclass(frozen=True, slots=True)
class CreationRequest:
    """A request to create a job. What is None was not given.

    Attributes:
        file: path of a file of this machine.
        url: https address of a document of the web.
        document_id: id of a file or a parse job of the service.
        data_schema: what to extract.
        configuration_id: the saved configuration that says what to extract.
        like_job: id of the job whose configuration says what to extract.
        options: further options by the names of the service, such as `tier`; they override a configuration.
        again: create a job even if there is one of the same.
        scope: project and organization.
    """

    file: str | None = None
    url: str | None = None
    document_id: str | None = None
    data_schema: Mapping[str, Any] | None = None
    configuration_id: str | None = None
    like_job: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    again: bool = False
    scope: Scope = DEFAULT_SCOPE


@dataclass(frozen=True, slots=True)
class FoundDocument:
    """A document, and what the service has of it.

    Attributes:
        local: the document to upload; None for one of the service.
        name: its name, or its id.
        content_id: the same for the same content, as far as that is known.
        files: its ids at the service, those for new jobs first; empty before the upload.
        usable_file: the id to create with; None before the upload.
    """

    local: LocalDocument | None
    name: str
    content_id: str
    files: tuple[str, ...]
    usable_file: str | None

    @property
    def upload_seconds(self) -> float:
        """How long an upload may take."""
        return 0.0 if self.local is None or self.usable_file else self.local.num_bytes / _UPLOAD_BYTES_A_SECOND


@dataclass(frozen=True, slots=True)
class CreationPlan:
    """What creating a job will do. Nothing was uploaded or created for it.

    Attributes:
        request: the request.
        found: the document.
        options: all options of the job, as they are sent.
        estimate: pages and credits.
        is_capped: whether `max_pages` is the operator's limit, because the number of pages is not known.
        existing: the latest job of the same document and options; None if there is none, or another one is wanted.
        planned_at: when jobs were looked for, by the monotonic clock; a job that was created later is not known.
        is_damaged: whether the document is a PDF that cannot be opened on this machine. The service may still read it.
    """

    request: CreationRequest
    found: FoundDocument
    options: Mapping[str, Any]
    estimate: PageEstimate
    is_capped: bool
    existing: "Job | None"
    planned_at: float
    is_damaged: bool = False

    @property
    def key(self) -> Hashable:
        """The same for all plans of the same document and options."""
        return self.found.content_id, build_fingerprint(self._wanted), self.request.scope

    @property
    def body(self) -> dict[str, Any]:
        """The body of the request, without its `file_input`."""
        request = self.request
        is_changed = self.is_capped or any(value is not None for value in request.options.values())
        if request.configuration_id and not is_changed:
            return {"configuration_id": request.configuration_id}
        # The service takes one of both: a configuration that was changed is sent in full.
        return {"configuration": dict(self.options)}

    def is_done_by(self, configuration: Mapping[str, Any]) -> bool:
        """Return whether a job of the same document with this configuration does what is planned."""
        enough_pages = self.options["max_pages"] if self.is_capped else self.estimate.document_pages
        return has_options(configuration, self._wanted, enough_pages)

    def refuse_damaged(self) -> None:
        """Refuse to create a job for a damaged document, for callers that ask nobody.

        Raises:
            ArgumentError: the document is damaged, and there is no job of it yet.
        """
        if not self.is_damaged or self.existing is not None:
            return
        argument = "file" if self.request.file else "url"
        raise ArgumentError(
            f'{argument}: "{excerpt(self.found.name, 80)}" is a damaged PDF: it cannot be opened on this machine. '
            "Nothing was uploaded, because a failed job may cost credits too. Check the document. To send it "
            "all the same, add --allow-damaged to llx-mcp extract."
        )

    @property
    def _wanted(self) -> Mapping[str, Any]:
        """The options without the operator's limit."""
        return {name: value for name, value in self.options.items() if name != "max_pages" or not self.is_capped}


@dataclass(frozen=True, slots=True)
class CreatedJob:
    """The job of a plan.

    Attributes:
        job: the job as the service answered.
        plan: what was planned.
        is_new: whether it was created now; otherwise it existed.
    """

    job: "Job"
    plan: CreationPlan
    is_new: bool


@dataclass(frozen=True, slots=True)
class SuggestionPlan:
    """What suggesting a schema will do. Nothing was uploaded for it.

    Attributes:
        request: the document.
        prompt: what to extract, in words.
        found: the document, and what the service has of it.
    """

    request: CreationRequest
    prompt: str
    found: FoundDocument

    @property
    def uploads(self) -> bool:
        """Whether the document is uploaded for it."""
        return self.found.usable_file is None


def check_choices(request: CreationRequest, *, has_files: bool) -> None:
    """Check that one argument names the document, and one says what to extract.

    Args:
        request: the request.
        has_files: whether files of this machine may be read.

    Raises:
        ArgumentError: none does, or more than one.
    """
    check_document(request, has_files=has_files)
    ways = [request.data_schema is not None, bool(request.configuration_id), bool(request.like_job)]
    if sum(ways) != 1:
        fault = "Nothing says" if not any(ways) else "More than one argument says"
        raise ArgumentError(
            f"{fault} what to extract. Give exactly one of data_schema, configuration_id (cfg-…) and like_job (ext-…)."
        )


def check_document(request: CreationRequest, *, has_files: bool) -> None:
    """Check that one argument names the document.

    Args:
        request: the request.
        has_files: whether files of this machine may be read.

    Raises:
        ArgumentError: none does, or more than one.
    """
    given = [bool(request.file), bool(request.url), bool(request.document_id)]
    if sum(given) != 1:
        fault = "More than one document is" if any(given) else "No document is"
        ways = f"{'file, ' if has_files else ''}url (https://…) and document_id (dfl-…, pjb-…)"
        raise ArgumentError(f"{fault} given. Give exactly one of {ways}.")
    document_id = request.document_id
    if document_id and document_id.startswith(("ext-", "cfg-", "prj-")):
        raise ArgumentError(
            f'document_id: "{excerpt(document_id, 40)}" is not the id of a document, which begins with '
            f"{' or '.join(_DOCUMENT_PREFIXES)}."
        )
