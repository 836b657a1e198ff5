"""The answers about creating, cancelling and deleting, from what was done."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from llx_mcp.answers.budget import Answer
from llx_mcp.answers.creation_outputs import (
    CancelOutput,
    CostEstimate,
    CreateOutput,
    DeleteOutput,
    DocumentFacts,
    JobSettings,
    SuggestOutput,
)
from llx_mcp.answers.markdown import render
from llx_mcp.answers.outputs import NextStep
from llx_mcp.answers.requests import build_call
from llx_mcp.answers.schema_lines import count_fields
from llx_mcp.jobs.page_estimate import DEFAULT_TIER
from llx_mcp.result.sanitize import sanitize_line

if TYPE_CHECKING:
    from llx_mcp.answers.output_base import Output
    from llx_mcp.jobs.creation_plan import CreatedJob, CreationPlan, CreationRequest, FoundDocument
    from llx_mcp.models import Job
    from llx_mcp.scope import Scope

_NAME_CHARS = 80
_ID_CHARS = 64
_URL_CHARS = 200
_FIELD_CHARS = 40
_INSTRUCTIONS_CHARS = 120
_MAX_FIELDS = 12
_DIGEST_CHARS = 8
_NOTE = "An estimate from documented prices; the bill can differ."
_UNKNOWN_NOTE = "The number of pages is not known. An estimate from documented prices; the bill can differ."
_CAPPED_NOTE = (
    "The number of pages is not known, so the job reads no more pages than this server allows (--max-pages). If the "
    "document is longer, the rest is missing from the result."
)
_ENDED_WELL = "COMPLETED"


def build_created_answer(created: "CreatedJob") -> Answer:
    """Return the answer about a job that was created, or existed."""
    job, plan = created.job, created.plan
    head = {"job_id": sanitize_line(job.id, _ID_CHARS), "status": sanitize_line(job.status, _ID_CHARS)}
    outcome = "created" if created.is_new else "exists"
    return _build(_describe(plan, outcome, job, **head, next_steps=_list_steps(created)))


def build_declined_answer(plan: "CreationPlan") -> Answer:
    """Return the answer after the person did not agree."""
    step = NextStep(text="Ask the person what to change. Do not call again without a new request of theirs.")
    return _build(_describe(plan, "not_created", None, next_steps=[step]))


def build_cancelled_answer(job: "Job", scope: "Scope", *, had_ended: bool) -> Answer:
    """Return the answer about a job that was to be cancelled, as it is after that."""
    outcome = "had_ended" if had_ended else "cancelled" if job.status == "CANCELLED" else "cancelling"
    if had_ended and job.status != "CANCELLED":
        steps = [NextStep(text="To read it:", call=_build_job_call("get_extract_job", job.id, scope))]
    elif outcome == "cancelling":
        steps = [NextStep(text="To see it end:", call=_build_job_call("wait_for_extract_job", job.id, scope))]
    else:
        steps = []
    known: dict[str, Any] = {"next_steps": steps} if steps else {}
    return _build(CancelOutput(job_id=job.id, status=sanitize_line(job.status, _ID_CHARS), outcome=outcome, **known))


def build_deleted_answer(job: "Job") -> Answer:
    """Return the answer about a job that was deleted."""
    return _build(DeleteOutput(job_id=job.id, status=sanitize_line(job.status, _ID_CHARS), outcome="deleted"))


def describe_plan(plan: "CreationPlan", *, is_billed: bool) -> str:
    """Return what a person is asked to confirm: the same text for the same request about the same content.

    An answer of the person holds for this text, so it must differ for another content.
    """
    output = _describe(plan, "", None)
    lines = [render(output.model_copy(update={"outcome": "Create an extract job?"})).strip()]
    lines += _describe_content(plan.found)
    if plan.is_damaged:
        lines.append("Warning: this PDF cannot be opened on this machine. It seems to be damaged.")
    if plan.request.again:
        lines.append("This creates a job even if there is one of the same document and options (again=true).")
    if is_billed:
        lines.append("LlamaCloud bills credits for it.")
    return "\n".join(lines)


def describe_upload(request: "CreationRequest", found: "FoundDocument") -> str:
    """Return what a person is asked to confirm before a document is uploaded for a schema."""
    document = describe_document(request, found)
    text = render(SuggestOutput(document=document)).strip()
    lines = ["Upload a document to LlamaCloud, which suggests a schema for it? No job is created.", text]
    return "\n".join([*lines, *_describe_content(found)])


def _describe_content(found: "FoundDocument") -> list[str]:
    return [] if found.local is None else [f"Content: SHA-256 {found.local.sha256[:_DIGEST_CHARS]}…"]


def describe_document(request: "CreationRequest", found: "FoundDocument") -> DocumentFacts:
    """Return what is known of the document of a request, besides its pages."""
    known: dict[str, Any] = {}
    if found.usable_file:
        known["document_id"] = sanitize_line(found.usable_file, _ID_CHARS)
    if found.local is not None:
        known["bytes"] = found.local.num_bytes
    if request.url:
        known["url"] = sanitize_line(request.url, _URL_CHARS)
    return DocumentFacts(name=sanitize_line(found.name, _NAME_CHARS), **known)


def _describe(plan: "CreationPlan", outcome: str, job: "Job | None", **known: Any) -> CreateOutput:
    known_document: dict[str, Any] = {}
    if plan.estimate.document_pages is not None:
        known_document["pages"] = plan.estimate.document_pages
    if job is not None and job.document:
        known_document["document_id"] = sanitize_line(job.document, _ID_CHARS)
    document = DocumentFacts(**describe_document(plan.request, plan.found).structured() | known_document)
    if outcome != "exists":
        known["estimate"] = _describe_estimate(plan)
    return CreateOutput(**known, outcome=outcome, document=document, settings=_describe_settings(plan))


def _describe_settings(plan: "CreationPlan") -> JobSettings:
    options = plan.options
    known = {name: options[name] for name in ("target_pages", "max_pages") if options.get(name) is not None}
    if plan.request.configuration_id:
        known["configuration_id"] = sanitize_line(plan.request.configuration_id, _ID_CHARS)
    if words := options.get("system_prompt"):
        known["instructions"] = sanitize_line(str(words), _INSTRUCTIONS_CHARS)
    switches = {"citations": "cite_sources", "confidence": "confidence_scores"}
    if without := [words for words, name in switches.items() if not options.get(name)]:
        known["without"] = without
    schema = options.get("data_schema")
    if isinstance(schema, Mapping):
        properties = schema.get("properties")
        names = list(properties)[:_MAX_FIELDS] if isinstance(properties, Mapping) else []
        known["num_fields"] = count_fields(schema)
        known["fields"] = [sanitize_line(name, _FIELD_CHARS) for name in names]
    return JobSettings(
        tier=options.get("tier") or DEFAULT_TIER,
        target=options.get("extraction_target") or "per_doc",
        **known,
    )


def _describe_estimate(plan: "CreationPlan") -> CostEstimate:
    estimate = plan.estimate
    numbers = {"pages": estimate.pages, "credits": estimate.credits, "credits_a_page": estimate.credits_a_page}
    if estimate.pages is None:
        numbers["most_pages"] = estimate.most_pages
    known: dict[str, Any] = {name: number for name, number in numbers.items() if number is not None}
    note = _CAPPED_NOTE if plan.is_capped else _NOTE if estimate.pages is not None else _UNKNOWN_NOTE
    return CostEstimate(**known, note=note)


def _list_steps(created: "CreatedJob") -> list[NextStep]:
    job, scope = created.job, created.plan.request.scope
    if not job.is_terminal:
        call = _build_job_call("wait_for_extract_job", job.id, scope)
        return [NextStep(text="To wait for the result:", call=call)]
    steps = [NextStep(text="To read it:", call=_build_job_call("get_extract_job", job.id, scope))]
    if job.status != _ENDED_WELL:
        steps.append(NextStep(text="It stays as it is. For another try, call again with again=true."))
    return steps


def _build_job_call(tool: str, job_id: str, scope: "Scope") -> Any:
    return build_call(tool, {"job_id": job_id, **asdict(scope)})


def _build(output: "Output") -> Answer:
    return Answer(output.structured(), render(output))
