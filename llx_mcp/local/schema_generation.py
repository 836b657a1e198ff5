"""Generation of a schema without a model: the schema comes from the recorded jobs of the document."""

from typing import Any

from llx_mcp.local.job_creation import find_document
from llx_mcp.local.job_store import JobStore
from llx_mcp.local.recorded_results import RECORD_COMMAND, get_configuration
from llx_mcp.local.request_models import SchemaGeneration, ScopeQuery

NO_MODEL = (
    "llx-mcp local: the embedded API has no model, so it cannot write a schema from a prompt. Send the file_id of a "
    "document that has a recorded job, or a data_schema of your own."
)
_NO_RECORDED_SCHEMA = (
    "llx-mcp local: the embedded API has no model, and no recorded job of this document has a schema. Extract the "
    f"document once with LlamaCloud, then run {RECORD_COMMAND}."
)
# Options of the recorded job that the generated configuration keeps.
_KEPT_OPTIONS = ("tier", "extraction_target")
_DEFAULT_NAME = "generated-schema"


class NoModelError(RuntimeError):
    """The request needs a model. The message says what works without one."""


def generate_configuration(store: JobStore, body: SchemaGeneration, scope: ScopeQuery) -> dict[str, Any]:
    """Build the request body that would save a configuration for a document. Nothing is saved.

    Args:
        store: The documents and the recorded jobs.
        body: The request. Its prompt has no effect.
        scope: The project of the request.

    Raises:
        NotInStoreError: The store holds no such document.
        NoModelError: No recorded job has a schema, and the request has none.
    """
    name, parameters = _DEFAULT_NAME, None
    if body.file_id is not None:
        document = find_document(store, body.file_id, scope.project_id)
        name = document.name.rpartition(".")[0] or document.name or name
        recorded = store.find_recorded_jobs(document.sha256, document.file_input)
        configurations = [get_configuration(each) for each in recorded]
        parameters = _choose_parameters([each for each in configurations if isinstance(each.get("data_schema"), dict)])
    if parameters is None and body.data_schema is not None:
        parameters = {"data_schema": body.data_schema}
    if parameters is None:
        raise NoModelError(NO_MODEL if body.file_id is None else _NO_RECORDED_SCHEMA)
    return {"name": body.name or name, "parameters": {"product_type": "extract_v2", **parameters}}


def _choose_parameters(configurations: list[Any]) -> dict[str, Any] | None:
    """Return the parameters of the newest configuration, if possible of one for whole documents."""
    per_doc = [each for each in configurations if each.get("extraction_target", "per_doc") == "per_doc"]
    chosen = next(iter(per_doc or configurations), None)
    if chosen is None:
        return None
    return {"data_schema": chosen["data_schema"]} | {name: chosen[name] for name in _KEPT_OPTIONS if name in chosen}
