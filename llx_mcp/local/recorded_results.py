"""The engine of the embedded API: it takes the result of a recorded job of the same document."""

from collections.abc import Mapping
from typing import Any

import msgspec

from llx_mcp.local.extraction import Document, Extraction
from llx_mcp.local.job_store import JobStore, RecordedJob
from llx_mcp.local.result_pruning import prune_result
from llx_mcp.local.schema_fields import JsonSchema, count_shared_fields, list_fields
from llx_mcp.local.section_values import NULL, decode_object, encode_value
from llx_mcp.raw_json import decode_json, decode_text, is_null

RECORD_COMMAND = "llx-mcp local record JOB_ID --local-db PATH"

_NOT_RECORDED = (
    "llx-mcp local: this document has no recorded job, and the embedded API takes results from recorded jobs. "
    f"Extract the document once with LlamaCloud, then run {RECORD_COMMAND}."
)
_DEFAULT_TARGET = "per_doc"
_LATEST = "latest"
_MAX_NAMES = 20
_MAX_NAME_CHARS = 60


class RecordedResults:
    """Takes results from recorded jobs of the same content; it prefers the one with the most similar schema."""

    def __init__(self, store: JobStore) -> None:
        self._store = store

    def extract(self, document: Document, configuration: Mapping[str, Any]) -> Extraction:
        """Return the result of the recorded job whose schema is most similar, reduced to the fields asked for.

        A job of the same schema gives its result as it is, and so does one without a schema. The extraction fails if
        there is no recorded job, or if none has the extraction target and a field of the schema.
        """
        recorded = self._store.find_recorded_jobs(document.sha256, document.file_input)
        if not recorded:
            return Extraction("FAILED", _NOT_RECORDED)
        schema = configuration.get("data_schema")
        requested = _Request(schema if isinstance(schema, dict) else None, _get_target(configuration))
        candidates = [_Candidate(job, requested) for job in recorded]
        usable = [each for each in candidates if each.is_usable]
        if not usable:
            return Extraction("FAILED", _explain(candidates, requested))
        return max(usable, key=_Candidate.rank).build_extraction()


def get_configuration(recorded: RecordedJob) -> Mapping[str, Any]:
    """Return the configuration of a recorded job; empty if it has none."""
    return decode_object(recorded.sections.get("configuration"))


class _Request:
    """What a job asks for.

    Attributes:
        schema: Its `data_schema`; None if its configuration has none.
        target: Its extraction target.
        fields: The fields of the schema.
    """

    def __init__(self, schema: JsonSchema | None, target: str) -> None:
        self.schema = schema
        self.target = target
        self.fields = list_fields(schema or {})


class _Candidate:
    """A recorded job of the document, compared with what is asked for.

    Attributes:
        target: Its extraction target; None if it has no configuration that names one.
        fields: The fields of its schema.
    """

    def __init__(self, recorded: RecordedJob, requested: _Request) -> None:
        self._recorded = recorded
        self._requested = requested
        self._configuration = get_configuration(recorded)
        schema = self._configuration.get("data_schema")
        self._schema: JsonSchema | None = schema if isinstance(schema, dict) else None
        self.target = _get_target(self._configuration) if self._configuration else None
        self.fields = list_fields(self._schema or {})
        self._num_shared = count_shared_fields(requested.fields, self.fields)

    @property
    def is_usable(self) -> bool:
        """Whether its result has the right shape, and something that is asked for."""
        has_fields = self._num_shared > 0 or self._is_whole or not self._requested.fields
        return has_fields and self.target in (None, self._requested.target)

    @property
    def _is_whole(self) -> bool:
        """Whether its result is taken as it is."""
        return not self.fields or self._requested.schema in (None, self._schema)

    @property
    def _has_result(self) -> bool:
        return not is_null(self._recorded.sections.get("extract_result", NULL))

    def rank(self) -> tuple[bool, bool, int, int, bool]:
        """Rank by the same schema, then a result, the fields in common, few others, and the current format."""
        return (
            bool(self.fields) and self._schema == self._requested.schema,
            self._has_result,
            self._num_shared,
            -len(self.fields),
            # The older format has no `file_input`.
            "file_input" in self._recorded.sections,
        )

    def build_extraction(self) -> Extraction:
        """Return what the recorded job says, reduced to what is asked for."""
        status = decode_text(self._recorded.sections.get("status")) or "FAILED"
        message = decode_text(self._recorded.sections.get("error_message")) if status == "FAILED" else None
        version = self._configuration.get("version")
        made_by = version if isinstance(version, str) and version != _LATEST else None
        return Extraction(status, message, made_by, self._prune_sections(), self._recorded)

    def _prune_sections(self) -> dict[str, msgspec.Raw]:
        if self._is_whole or self._requested.schema is None or not self._has_result:
            return {}
        names = ("extract_result", "extract_metadata")
        result, metadata = (decode_json(self._recorded.sections.get(name, NULL)) for name in names)
        pruned = prune_result(result, metadata, self._requested.schema)
        return {name: encode_value(value) for name, value in zip(names, pruned, strict=True)}


def _get_target(configuration: Mapping[str, Any]) -> str:
    return str(configuration.get("extraction_target") or _DEFAULT_TARGET)


def _explain(candidates: list[_Candidate], requested: _Request) -> str:
    """Say why no recorded job of the document can be used, and what to do."""
    same_target = [each for each in candidates if each.target in (None, requested.target)]
    if same_target:
        reason = f"a field of this data_schema. The recorded fields are {_list_names(same_target)}"
    else:
        targets = " and ".join(sorted({str(each.target) for each in candidates}))
        reason = f"the extraction_target {requested.target}. The recorded jobs have {targets}"
    return (
        f"llx-mcp local: no recorded job of this document has {reason}. Ask for those, or extract the document once "
        f"with LlamaCloud as you ask here, then run {RECORD_COMMAND}."
    )


def _list_names(candidates: list[_Candidate]) -> str:
    names = list(dict.fromkeys(str(path[0])[:_MAX_NAME_CHARS] for each in candidates for path in each.fields))
    more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return f"{', '.join(names[:_MAX_NAMES])}{more}"
