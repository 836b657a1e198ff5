"""Request models. Errors have the service's format: `{"detail": [{"type", "loc", "msg", "input"}]}`."""

from datetime import datetime
from typing import Annotated, Any, Literal, NotRequired, TypedDict, TypeVar
from uuid import UUID

import msgspec
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from starlette.exceptions import HTTPException
from starlette.requests import Request

Status = Literal["PENDING", "THROTTLED", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"]
ParseTier = Literal["fast", "cost_effective", "agentic", "agentic_plus"]
ProductType = Literal["classify_v2", "extract_v2", "parse_v2", "split_v1", "spreadsheet_v1", "unknown"]
# Every event that the official client can subscribe to. Jobs of this API send those that begin with `extract.`.
WebhookEvent = Literal[
    "batch.cancelled", "batch.error", "batch.pending", "batch.running", "batch.success",
    "classify.cancelled", "classify.error", "classify.partial_success", "classify.pending", "classify.running",
    "classify.success",
    "extract.cancelled", "extract.error", "extract.partial_success", "extract.pending", "extract.success",
    "parse.cancelled", "parse.error", "parse.partial_success", "parse.pending", "parse.running", "parse.success",
    "sheets.cancelled", "sheets.error", "sheets.partial_success", "sheets.pending", "sheets.success",
    "split.cancelled", "split.error", "split.pending", "split.processing", "split.success",
    "unmapped_event",
    "verify.cancelled", "verify.error", "verify.pending", "verify.running", "verify.success",
]  # fmt: skip
_MAX_WEBHOOK_IDS = 4
_Model = TypeVar("_Model", bound=BaseModel)
Location = list[str | int]


class ErrorEntry(TypedDict):
    """One entry in the `detail` of a 422 answer."""

    type: str
    loc: Location
    msg: str
    input: object
    ctx: NotRequired[dict[str, str]]


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class Configuration(_Request):
    """Inline options. `turbo` is accepted although the service's OpenAPI file does not list it."""

    data_schema: dict[str, Any]
    target_pages: str | None = None
    max_pages: Annotated[int, Field(ge=1)] | None = None
    tier: Literal["cost_effective", "agentic", "agentic_plus", "turbo"] = "cost_effective"
    version: str = "latest"
    disable_cache: bool = False
    extraction_target: Literal["per_doc", "per_page", "per_table_row"] = "per_doc"
    system_prompt: str | None = None
    cite_sources: bool = False
    confidence_scores: bool = False
    advanced_citations: bool | None = None
    spreadsheet_mode: bool = False
    sheet_names: list[str] | None = None
    parse_tier: ParseTier | None = None
    parse_config_id: str | None = None


class WebhookOptions(_Request):
    """One webhook of a job."""

    webhook_url: str | None = None
    webhook_headers: dict[str, str] | None = None
    webhook_signing_secret: str | None = None
    webhook_events: list[WebhookEvent] | None = None
    webhook_output_format: str | None = None


class JobCreate(_Request):
    """The body of a request that creates a job."""

    file_input: Annotated[str, Field(max_length=200)]
    configuration_id: str | None = None
    configuration: Configuration | None = None
    webhook_configuration_ids: Annotated[list[str], Field(max_length=_MAX_WEBHOOK_IDS)] | None = None
    webhook_configurations: list[WebhookOptions] | None = None

    @model_validator(mode="after")
    def _require_one_configuration(self) -> "JobCreate":
        if (self.configuration is None) == (self.configuration_id is None):
            raise ValueError("Provide exactly one of configuration_id or configuration")
        return self


class SchemaValidation(_Request):
    """The body of a request that validates a schema."""

    data_schema: dict[str, Any]


class SchemaGeneration(_Request):
    """The body of a request that generates a schema."""

    prompt: str | None = None
    file_id: str | None = None
    data_schema: dict[str, Any] | None = None
    name: Annotated[str, Field(max_length=255)] | None = None

    @model_validator(mode="after")
    def _require_a_source(self) -> "SchemaGeneration":
        if self.prompt is None and self.file_id is None and self.data_schema is None:
            raise ValueError("Provide at least one of file_id, data_schema or prompt")
        return self


class ExtractParameters(Configuration):
    """The parameters of a saved configuration."""

    product_type: Literal["extract_v2"]


class ConfigurationCreate(_Request):
    """The body of a request that saves a configuration."""

    name: Annotated[str, Field(min_length=1, max_length=255)]
    parameters: ExtractParameters


class ConfigurationUpdate(_Request):
    """The body of a request that changes a saved configuration. None leaves a value as it is."""

    name: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    parameters: ExtractParameters | None = None


class ScopeQuery(_Request):
    """The project and the organization of a request."""

    project_id: UUID | None = None
    organization_id: UUID | None = None


class JobQuery(ScopeQuery):
    """The query of a request for one job."""

    expand: list[str] = []


class JobListQuery(ScopeQuery):
    """The filters of a list of jobs."""

    document_input_type: str | None = None
    file_input: str | None = None
    document_input_value: str | None = None
    status: list[Status] = []
    page_size: int | None = None
    page_token: str | None = None
    job_ids: list[str] | None = None
    expand: list[str] = []
    configuration_id: str | None = None
    created_at_on_or_after: datetime | None = None
    created_at_on_or_before: datetime | None = None


class DeleteJobQuery(ScopeQuery):
    """The query of a request that deletes a job."""

    force: bool = False


class FileQuery(ScopeQuery):
    """The query of a request for files. A request for one file uses `expand` alone."""

    page_size: Annotated[int, Field(ge=1, le=1000)] | None = None
    page_token: str | None = None
    file_ids: list[str] | None = None
    file_name: str | None = None
    external_file_id: str | None = None
    order_by: str | None = None
    expand: list[str] = []


class FileFilter(_Request):
    """The files that a list may hold. A filter of None lets every file pass."""

    file_name: str | None = None
    file_ids: list[str] | None = None
    external_file_id: str | None = None
    data_source_id: str | None = None
    project_id: UUID | None = None


class FileQueryBody(_Request):
    """The body of the deprecated request for files."""

    filter: FileFilter | None = None
    order_by: str | None = None
    page_size: Annotated[int, Field(ge=1)] | None = None
    page_token: str | None = None


class ConfigurationListQuery(ScopeQuery):
    """The filters of a list of saved configurations."""

    product_type: list[ProductType] | None = None
    name: str | None = None
    latest_only: bool = False
    page_size: Annotated[int, Field(ge=1)] | None = None
    page_token: str | None = None


class FileContentQuery(ScopeQuery):
    """The lifetime of the URL of a file's content."""

    expires_at_seconds: int | None = None


def parse_query(request: Request, model: type[_Model]) -> _Model:
    """Parse the query of a request. A repeated key makes a list; where no list is expected, the last value counts.

    Raises:
        HTTPException: 422, a value is invalid.
    """
    query = request.query_params
    lists = {name for name, field in model.model_fields.items() if "list[" in str(field.annotation)}
    values = {
        name: query.getlist(name) if name in lists else query[name] for name in model.model_fields if name in query
    }
    return _validate(model, values, "query")


async def parse_body(request: Request, model: type[_Model]) -> _Model:
    """Parse the JSON body of a request.

    Raises:
        HTTPException: 422, the body is not JSON, or a value is invalid.
    """
    content = await request.body()
    if not content:
        raise validation_error("missing", ["body"], "Field required", None)
    try:
        # msgspec refuses NaN and lone surrogates, so every accepted value can be encoded in an answer.
        value = msgspec.json.decode(content)
    except (ValueError, RecursionError) as exc:
        reason = str(exc) if isinstance(exc, msgspec.DecodeError) else "the body cannot be read"
        raise validation_error("json_invalid", ["body", 0], "JSON decode error", {}, reason=reason) from None
    return _validate(model, value, "body")


def parse_uuid(text: str, location: Location) -> UUID:
    """Parse a UUID that is part of the path.

    Raises:
        HTTPException: 422, the text is not a UUID.
    """
    try:
        return TypeAdapter(UUID).validate_python(text)
    except ValidationError as exc:
        raise _unprocessable(_list_errors(exc, location)) from None


def validation_error(
    error_type: str, location: Location, message: str, value: object, *, reason: str | None = None
) -> HTTPException:
    """Build a 422 answer with one entry in its `detail`.

    Args:
        error_type: Pydantic's name for the kind of error, such as `missing`.
        location: The part of the request and the path within it.
        message: One line.
        value: The invalid value.
        reason: The parser's own message, if there is one.
    """
    entry: ErrorEntry = {"type": error_type, "loc": location, "msg": message, "input": value}
    if reason is not None:
        entry["ctx"] = {"error": reason}
    return _unprocessable([entry])


def _unprocessable(entries: list[ErrorEntry]) -> HTTPException:
    return HTTPException(422, entries)  # type: ignore[arg-type]  # Starlette types `detail` as text; FastAPI sends a list


def _validate(model: type[_Model], value: object, part: str) -> _Model:
    try:
        return model.model_validate(value)
    except ValidationError as exc:
        raise _unprocessable(_list_errors(exc, [part])) from None


def _list_errors(exc: ValidationError, location: Location) -> list[ErrorEntry]:
    entries: list[ErrorEntry] = []
    for error in exc.errors(include_url=False):
        entry: ErrorEntry = {
            "type": error["type"],
            "loc": [*location, *error["loc"]],
            "msg": error["msg"],
            "input": error["input"],
        }
        if "ctx" in error:
            entry["ctx"] = {name: str(value) for name, value in error["ctx"].items()}
        entries.append(entry)
    return entries
