"""A job that is created: how it will go, and what is known of its document."""

from datetime import datetime
from typing import Any

import msgspec

from llx_mcp.local.job_store import JobStore, NewJob, Recorded
from llx_mcp.local.request_models import Configuration, JobCreate
from llx_mcp.local.scenarios import DEFAULT_SCENARIO, Scenario, get_scenario, scenario_of_file
from llx_mcp.local.seeding import PROJECT_ID
from llx_mcp.raw_json import decode_json

_NULL = msgspec.Raw(b"null")
_USAGE_OF_NOTHING = msgspec.Raw(b'{"credits":0.0,"extract_credits":0.0,"parse_credits":0.0}')
# What a job takes from the recorded one; all else is its own.
_RECORDED = ("extract_result", "extract_metadata", "metadata", "usage")


def build_job(
    store: JobStore, asked: JobCreate, *, project_id: str | None, scenario_name: str | None, now: datetime
) -> NewJob:
    """The job that a request makes, its end already settled.

    Args:
        store: where documents and recorded jobs are.
        asked: the request.
        project_id: whose it is; None is the samples' project.
        scenario_name: how it goes; None leaves it to the name of the file.
        now: the time of day, aware.

    Raises:
        UnknownScenarioError: there is no such scenario.
    """
    file = store.files.get_file(asked.file_input)
    scenario = _scenario(scenario_name, file.name if file else "")
    found = store.find_recorded(file.sha256 if file else None, asked.file_input)
    recorded = max(found, key=lambda each: _likeness(each, asked.configuration), default=None)
    ending = scenario.ending or (_status(recorded) if recorded else "FAILED")
    sections = _own_sections(asked, project_id or PROJECT_ID, ending, now, recorded)
    if scenario.ending is not None:
        sections["error_message"] = _raw(scenario.error_message)
    elif recorded is None:
        sections["error_message"] = _raw(_explain_unknown(asked.file_input, is_held=file is not None))
    elif ending == "FAILED":
        sections["error_message"] = recorded.sections.get("error_message", _NULL)
    if recorded is None or scenario.empty or ending != "COMPLETED":
        sections |= dict.fromkeys(_RECORDED, _NULL) | {"usage": _USAGE_OF_NOTHING}
    webhooks = [hook.model_dump(exclude_none=True) for hook in asked.webhook_configurations or ()]
    return NewJob(
        project_id=project_id or PROJECT_ID,
        file_input=asked.file_input,
        configuration_id=asked.configuration_id,
        timeline=scenario.timeline,
        ending=ending,
        sections=sections,
        recorded=recorded,
        webhooks=msgspec.json.encode(webhooks) if webhooks else None,
    )


def _scenario(name: str | None, file_name: str) -> Scenario:
    if name is not None:
        return get_scenario(name)
    return scenario_of_file(file_name) or get_scenario(DEFAULT_SCENARIO)


def _own_sections(
    asked: JobCreate, project_id: str, ending: str, now: datetime, recorded: Recorded | None
) -> dict[str, msgspec.Raw]:
    made = now.isoformat().replace("+00:00", "Z")
    configuration = _raw(asked.configuration.model_dump()) if asked.configuration else _NULL
    if recorded is not None and asked.configuration is None:
        configuration = recorded.sections.get("configuration", _NULL)
    own: dict[str, Any] = {
        "id": "", "created_at": made, "updated_at": made, "project_id": project_id, "status": ending,
        "file_input": asked.file_input, "document_input_value": asked.file_input,
        "configuration_id": asked.configuration_id, "error_message": None,
    }  # fmt: skip
    sections = {name: _raw(value) for name, value in own.items()} | {"configuration": configuration}
    missing = [name for name in _RECORDED if recorded is None or name not in recorded.sections]
    return sections | dict.fromkeys(missing, _NULL)


def _likeness(recorded: Recorded, asked: Configuration | None) -> tuple[bool, bool, bool, bool]:
    configuration = decode_json(recorded.sections.get("configuration", _NULL))
    configuration = configuration if isinstance(configuration, dict) else {}
    return (
        asked is not None and configuration.get("data_schema") == asked.data_schema,
        asked is not None and configuration.get("extraction_target") == asked.extraction_target,
        bytes(recorded.sections.get("extract_result", _NULL)) != b"null",
        # Today's format rather than the older one.
        "file_input" in recorded.sections,
    )


def _status(recorded: Recorded) -> str:
    status = decode_json(recorded.sections["status"])
    return status if isinstance(status, str) else "FAILED"


def _explain_unknown(file_input: str, *, is_held: bool) -> str:
    if not is_held and not file_input.startswith("pjb-"):
        return (
            "llx-mcp local: no file of this id is here. Upload the document first, or record a real job of it: "
            "llx-mcp local record JOB_ID --local-db PATH."
        )
    return (
        "llx-mcp local: no recorded job is known for this document. The embedded API answers from recorded jobs: "
        "extract it once with LlamaCloud, then llx-mcp local record JOB_ID --local-db PATH."
    )


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))
