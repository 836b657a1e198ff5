"""Creation of a job: its configuration, its scenario, and the recorded job that its result comes from."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from llx_mcp.local.endpoints import is_in_project
from llx_mcp.local.file_store import StoredFile
from llx_mcp.local.job_store import JobSpec, JobStore, RecordedJob
from llx_mcp.local.parse_jobs import PARSE_JOB_PREFIX
from llx_mcp.local.request_models import JobCreate
from llx_mcp.local.scenarios import DEFAULT_SCENARIO, Scenario, get_scenario, scenario_from_file_name
from llx_mcp.local.seeding import PROJECT_ID
from llx_mcp.local.timestamps import format_time
from llx_mcp.raw_json import decode_json

# What `latest` resolves to, unless the recorded job says which version made its result.
LATEST_VERSION = "2.5"

_NULL = msgspec.Raw(b"null")
_LATEST = "latest"
_ZERO_USAGE = msgspec.Raw(b'{"credits":0.0,"extract_credits":0.0,"parse_credits":0.0}')
# Sections that a new job takes from the recorded one. All others are its own.
_RECORDED_SECTIONS = ("extract_result", "extract_metadata", "metadata", "usage")
_NOT_RECORDED = (
    "llx-mcp local: this document has no recorded job, and the embedded API takes results from recorded jobs. "
    "Extract the document once with LlamaCloud, then run llx-mcp local record JOB_ID --local-db PATH."
)


class NotInStoreError(LookupError):
    """A request names a document or a configuration that the store does not hold. The message says what to do."""


def build_job_spec(
    store: JobStore, body: JobCreate, *, project_id: UUID | None, scenario_name: str | None, now: datetime
) -> JobSpec:
    """Build the job that a request creates, with its final status and result.

    Args:
        store: The documents, the recorded jobs and the saved configurations.
        body: The body of the request.
        project_id: The project of the job; None uses the samples' project.
        scenario_name: The scenario; None takes it from the name of the file, or the default.
        now: The current time, aware.

    Raises:
        NotInStoreError: The store holds no such document or no such configuration.
        UnknownScenarioError: No scenario has this name.
    """
    file, candidates = find_document(store, body.file_input, project_id)
    configuration = _find_configuration(store, body, project_id)
    scenario = _choose_scenario(scenario_name, file.name if file else "")
    recorded = max(candidates, key=lambda each: _rank(each, configuration), default=None)
    final_status = scenario.final_status or (_get_status(recorded) if recorded else "FAILED")
    job_project = str(project_id or PROJECT_ID)
    sections = _build_sections(body, job_project, final_status, now, recorded)
    sections["configuration"] = _encode(_resolve_version(configuration, recorded))
    sections["error_message"] = _choose_error_message(scenario, recorded)
    if recorded is None or scenario.has_null_result or final_status != "COMPLETED":
        sections |= dict.fromkeys(_RECORDED_SECTIONS, _NULL) | {"usage": _ZERO_USAGE}
    return JobSpec(
        project_id=job_project,
        file_input=body.file_input,
        configuration_id=body.configuration_id,
        timeline=scenario.timeline,
        final_status=final_status,
        sections=sections,
        recorded=recorded,
        webhooks=_encode_webhooks(body),
    )


def find_document(
    store: JobStore, file_input: str, project_id: UUID | None
) -> tuple[StoredFile | None, list[RecordedJob]]:
    """Return the file with an id, if it is stored, and the recorded jobs of the document, newest first.

    Args:
        store: The documents and the recorded jobs.
        file_input: The id of a file or a parse job.
        project_id: The project of the request; None searches all.

    Raises:
        NotInStoreError: There is neither a file nor a recorded job.
    """
    file = store.files.get_file(file_input)
    if file is not None and not is_in_project(file.project_id, project_id):
        raise NotInStoreError(f"File {file_input!r} not found in project {project_id}.")
    recorded = store.find_recorded_jobs(file.sha256 if file else None, file_input)
    if file is None and not recorded:
        what = "Parse job" if file_input.startswith(PARSE_JOB_PREFIX) else "File"
        raise NotInStoreError(
            f"{what} {file_input!r} not found. Upload the document with POST /api/v1/beta/files, or record a real job "
            "of it: llx-mcp local record JOB_ID --local-db PATH."
        )
    return file, recorded


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
            "real job that used it: llx-mcp local record JOB_ID --local-db PATH."
        )
    return _decode_object(recorded)


def _resolve_version(configuration: Mapping[str, Any], recorded: RecordedJob | None) -> Mapping[str, Any]:
    """Return the configuration with the version that the job runs, as the service reports it."""
    if configuration.get("version") != _LATEST:
        return configuration
    made_by = get_configuration(recorded).get("version") if recorded else None
    version = made_by if isinstance(made_by, str) and made_by != _LATEST else LATEST_VERSION
    return {**configuration, "version": version}


def _choose_scenario(name: str | None, file_name: str) -> Scenario:
    if name is not None:
        return get_scenario(name)
    return scenario_from_file_name(file_name) or get_scenario(DEFAULT_SCENARIO)


def _build_sections(
    body: JobCreate, project_id: str, final_status: str, now: datetime, recorded: RecordedJob | None
) -> dict[str, msgspec.Raw]:
    own = {
        "id": "", "created_at": format_time(now), "updated_at": format_time(now), "project_id": project_id,
        "status": final_status, "file_input": body.file_input, "document_input_value": body.file_input,
        "configuration_id": body.configuration_id, "error_message": None,
    }  # fmt: skip
    sections = {name: _encode(value) for name, value in own.items()}
    missing = [name for name in _RECORDED_SECTIONS if recorded is None or name not in recorded.sections]
    return sections | dict.fromkeys(missing, _NULL)


def _rank(recorded: RecordedJob, requested: Mapping[str, Any]) -> tuple[bool, bool, bool, bool]:
    """Rank a recorded job: by its schema, its extraction target, having a result, and the current format."""
    configuration = get_configuration(recorded)
    return (
        configuration.get("data_schema") == requested.get("data_schema"),
        configuration.get("extraction_target") == requested.get("extraction_target"),
        bytes(recorded.sections.get("extract_result", _NULL)) != b"null",
        # The older format has no `file_input`.
        "file_input" in recorded.sections,
    )


def get_configuration(recorded: RecordedJob) -> Mapping[str, Any]:
    """Return the configuration of a recorded job; empty if it has none."""
    return _decode_object(recorded.sections.get("configuration", _NULL))


def _decode_object(raw: msgspec.Raw) -> Mapping[str, Any]:
    value = decode_json(raw)
    return value if isinstance(value, dict) else {}


def _choose_error_message(scenario: Scenario, recorded: RecordedJob | None) -> msgspec.Raw:
    if scenario.final_status is not None:
        return _encode(scenario.error_message)
    if recorded is None:
        return _encode(_NOT_RECORDED)
    return recorded.sections.get("error_message", _NULL) if _get_status(recorded) == "FAILED" else _NULL


def _encode_webhooks(body: JobCreate) -> bytes | None:
    webhooks = [webhook.model_dump(exclude_none=True) for webhook in body.webhook_configurations or ()]
    return msgspec.json.encode(webhooks) if webhooks else None


def _get_status(recorded: RecordedJob) -> str:
    status = decode_json(recorded.sections["status"])
    return status if isinstance(status, str) else "FAILED"


def _encode(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))
