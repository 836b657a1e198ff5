"""Creation of a job: its scenario, and the recorded job that its result comes from."""

from datetime import datetime

import msgspec

from llx_mcp.local.job_store import JobSpec, JobStore, RecordedJob
from llx_mcp.local.request_models import Configuration, JobCreate
from llx_mcp.local.scenarios import DEFAULT_SCENARIO, Scenario, get_scenario, scenario_from_file_name
from llx_mcp.local.seeding import PROJECT_ID
from llx_mcp.local.timestamps import format_time
from llx_mcp.raw_json import decode_json

_NULL = msgspec.Raw(b"null")
_ZERO_USAGE = msgspec.Raw(b'{"credits":0.0,"extract_credits":0.0,"parse_credits":0.0}')
# Sections that a new job takes from the recorded one. All others are its own.
_RECORDED_SECTIONS = ("extract_result", "extract_metadata", "metadata", "usage")


def build_job_spec(
    store: JobStore, body: JobCreate, *, project_id: str | None, scenario_name: str | None, now: datetime
) -> JobSpec:
    """Build the job that a request creates, with its final status and result.

    Args:
        store: The documents and the recorded jobs.
        body: The body of the request.
        project_id: The project of the job; None uses the samples' project.
        scenario_name: The scenario; None takes it from the name of the file, or the default.
        now: The current time, aware.

    Raises:
        UnknownScenarioError: No scenario has this name.
    """
    file = store.files.get_file(body.file_input)
    scenario = _choose_scenario(scenario_name, file.name if file else "")
    candidates = store.find_recorded_jobs(file.sha256 if file else None, body.file_input)
    recorded = max(candidates, key=lambda each: _rank(each, body.configuration), default=None)
    final_status = scenario.final_status or (_get_status(recorded) if recorded else "FAILED")
    sections = _build_sections(body, project_id or PROJECT_ID, final_status, now, recorded)
    sections["error_message"] = _choose_error_message(scenario, recorded, body, is_stored=file is not None)
    if recorded is None or scenario.has_null_result or final_status != "COMPLETED":
        sections |= dict.fromkeys(_RECORDED_SECTIONS, _NULL) | {"usage": _ZERO_USAGE}
    return JobSpec(
        project_id=project_id or PROJECT_ID,
        file_input=body.file_input,
        configuration_id=body.configuration_id,
        timeline=scenario.timeline,
        final_status=final_status,
        sections=sections,
        recorded=recorded,
        webhooks=_encode_webhooks(body),
    )


def _choose_scenario(name: str | None, file_name: str) -> Scenario:
    if name is not None:
        return get_scenario(name)
    return scenario_from_file_name(file_name) or get_scenario(DEFAULT_SCENARIO)


def _build_sections(
    body: JobCreate, project_id: str, final_status: str, now: datetime, recorded: RecordedJob | None
) -> dict[str, msgspec.Raw]:
    configuration = _encode(body.configuration.model_dump()) if body.configuration else _NULL
    if recorded is not None and body.configuration is None:
        configuration = recorded.sections.get("configuration", _NULL)
    own = {
        "id": "", "created_at": format_time(now), "updated_at": format_time(now), "project_id": project_id,
        "status": final_status, "file_input": body.file_input, "document_input_value": body.file_input,
        "configuration_id": body.configuration_id, "error_message": None,
    }  # fmt: skip
    sections = {name: _encode(value) for name, value in own.items()} | {"configuration": configuration}
    missing = [name for name in _RECORDED_SECTIONS if recorded is None or name not in recorded.sections]
    return sections | dict.fromkeys(missing, _NULL)


def _rank(recorded: RecordedJob, requested: Configuration | None) -> tuple[bool, bool, bool, bool]:
    """Rank a recorded job: by its schema, its extraction target, having a result, and the current format."""
    configuration = decode_json(recorded.sections.get("configuration", _NULL))
    configuration = configuration if isinstance(configuration, dict) else {}
    return (
        requested is not None and configuration.get("data_schema") == requested.data_schema,
        requested is not None and configuration.get("extraction_target") == requested.extraction_target,
        bytes(recorded.sections.get("extract_result", _NULL)) != b"null",
        # The older format has no `file_input`.
        "file_input" in recorded.sections,
    )


def _choose_error_message(
    scenario: Scenario, recorded: RecordedJob | None, body: JobCreate, *, is_stored: bool
) -> msgspec.Raw:
    if scenario.final_status is not None:
        return _encode(scenario.error_message)
    if recorded is None:
        return _encode(_explain_unknown(body.file_input, is_stored=is_stored))
    return recorded.sections.get("error_message", _NULL) if _get_status(recorded) == "FAILED" else _NULL


def _encode_webhooks(body: JobCreate) -> bytes | None:
    webhooks = [webhook.model_dump(exclude_none=True) for webhook in body.webhook_configurations or ()]
    return msgspec.json.encode(webhooks) if webhooks else None


def _get_status(recorded: RecordedJob) -> str:
    status = decode_json(recorded.sections["status"])
    return status if isinstance(status, str) else "FAILED"


def _explain_unknown(file_input: str, *, is_stored: bool) -> str:
    if not is_stored and not file_input.startswith("pjb-"):
        return (
            "llx-mcp local: no file has this id. Upload the document first, or record a real job of it: "
            "llx-mcp local record JOB_ID --local-db PATH."
        )
    return (
        "llx-mcp local: this document has no recorded job, and the embedded API takes results from recorded jobs. "
        "Extract the document once with LlamaCloud, then run llx-mcp local record JOB_ID --local-db PATH."
    )


def _encode(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))
