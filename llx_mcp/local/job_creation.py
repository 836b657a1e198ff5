"""Creation of a job: its document, its configuration, its scenario, and what the engine makes of them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from llx_mcp.local.endpoints import is_in_project
from llx_mcp.local.extraction import Document, Extraction, ExtractionEngine
from llx_mcp.local.job_store import JobSpec, JobStore
from llx_mcp.local.recorded_results import RECORD_COMMAND
from llx_mcp.local.request_models import JobCreate
from llx_mcp.local.scenarios import DEFAULT_SCENARIO, Scenario, get_scenario, scenario_from_file_name
from llx_mcp.local.section_values import NULL, decode_object, encode_value
from llx_mcp.local.seeding import PROJECT_ID
from llx_mcp.local.timestamps import format_time
from llx_mcp.models import PARSE_JOB_PREFIX

# What `latest` resolves to, unless the engine says which version made the result.
LATEST_VERSION = "2.5"

_LATEST = "latest"
_ZERO_USAGE = msgspec.Raw(b'{"credits":0.0,"extract_credits":0.0,"parse_credits":0.0}')
# Sections that the engine fills. All others are the job's own.
_EXTRACTED_SECTIONS = ("extract_result", "extract_metadata", "metadata", "usage")


class NotInStoreError(LookupError):
    """A request names a document or a configuration that the store does not hold. The message says what to do."""


def build_job_spec(
    store: JobStore,
    engine: ExtractionEngine,
    body: JobCreate,
    *,
    project_id: UUID | None,
    scenario_name: str | None,
    now: datetime,
) -> JobSpec:
    """Build the job that a request creates, with its final status and result.

    Args:
        store: The documents and the saved configurations.
        engine: Makes the result.
        body: The body of the request.
        project_id: The project of the job; None uses the samples' project.
        scenario_name: The scenario; None takes it from the name of the file, or the default.
        now: The current time, aware.

    Raises:
        NotInStoreError: The store holds no such document or no such configuration.
        UnknownScenarioError: No scenario has this name.
    """
    document = find_document(store, body.file_input, project_id)
    configuration = _find_configuration(store, body, project_id)
    scenario = _choose_scenario(scenario_name, document.name)
    extraction = engine.extract(document, configuration)
    final_status = scenario.final_status or extraction.status
    job_project = str(project_id or PROJECT_ID)
    sections = _build_sections(body, job_project, final_status, now, extraction)
    sections["configuration"] = encode_value(_resolve_version(configuration, extraction.version))
    sections["error_message"] = encode_value(
        extraction.error_message if scenario.final_status is None else scenario.error_message
    )
    if scenario.has_null_result or final_status != "COMPLETED":
        sections |= dict.fromkeys(_EXTRACTED_SECTIONS, NULL) | {"usage": _ZERO_USAGE}
    return JobSpec(
        project_id=job_project,
        file_input=body.file_input,
        configuration_id=body.configuration_id,
        timeline=scenario.timeline,
        final_status=final_status,
        sections=sections,
        recorded=extraction.recorded,
        webhooks=_encode_webhooks(body),
    )


def find_document(store: JobStore, file_input: str, project_id: UUID | None) -> Document:
    """Return the document that an id names: a stored file, or one that a recorded job has read.

    Args:
        store: The documents and the recorded jobs.
        file_input: The id of a file or a parse job.
        project_id: The project of the request; None searches all.

    Raises:
        NotInStoreError: There is neither a file nor a recorded job.
    """
    file = store.files.get_file(file_input)
    if file is not None:
        if not is_in_project(file.project_id, project_id):
            raise NotInStoreError(f"File {file_input!r} not found in project {project_id}.")
        return Document(file_input, file.name, file.sha256, lambda: store.files.get_content(file))
    if not store.has_recorded_job(file_input):
        what = "Parse job" if file_input.startswith(PARSE_JOB_PREFIX) else "File"
        raise NotInStoreError(
            f"{what} {file_input!r} not found. Upload the document with POST /api/v1/beta/files, or record a real job "
            f"of it: {RECORD_COMMAND}."
        )
    return Document(file_input, "", None, lambda: None)


def _find_configuration(store: JobStore, body: JobCreate, project_id: UUID | None) -> Mapping[str, Any]:
    """Return the inline configuration, the saved one, or the one of a recorded job that names the saved one."""
    if body.configuration is not None:
        return body.configuration.model_dump()
    configuration_id = body.configuration_id or ""
    saved = store.configurations.get(configuration_id)
    if saved is not None and is_in_project(saved.project_id, project_id):
        return saved.parameters
    recorded = store.find_recorded_configuration(configuration_id)
    if recorded is None:
        raise NotInStoreError(
            f"Configuration {configuration_id!r} not found. Save it with POST /api/v1/beta/configurations, or record a "
            f"real job that used it: {RECORD_COMMAND}."
        )
    return decode_object(recorded)


def _resolve_version(configuration: Mapping[str, Any], made_by: str | None) -> Mapping[str, Any]:
    """Return the configuration with the version that the job runs, as the service reports it."""
    if configuration.get("version") != _LATEST:
        return configuration
    return {**configuration, "version": made_by or LATEST_VERSION}


def _choose_scenario(name: str | None, file_name: str) -> Scenario:
    if name is not None:
        return get_scenario(name)
    return scenario_from_file_name(file_name) or get_scenario(DEFAULT_SCENARIO)


def _build_sections(
    body: JobCreate, project_id: str, final_status: str, now: datetime, extraction: Extraction
) -> dict[str, msgspec.Raw]:
    own = {
        "id": "", "created_at": format_time(now), "updated_at": format_time(now), "project_id": project_id,
        "status": final_status, "file_input": body.file_input, "document_input_value": body.file_input,
        "configuration_id": body.configuration_id, "error_message": None,
    }  # fmt: skip
    sections = {name: encode_value(value) for name, value in own.items()}
    recorded = extraction.recorded.sections if extraction.recorded else {}
    missing = [name for name in _EXTRACTED_SECTIONS if name not in recorded]
    return sections | dict.fromkeys(missing, NULL) | dict(extraction.sections)


def _encode_webhooks(body: JobCreate) -> bytes | None:
    webhooks = [webhook.model_dump(exclude_none=True) for webhook in body.webhook_configurations or ()]
    return msgspec.json.encode(webhooks) if webhooks else None
