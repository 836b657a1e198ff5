"""What is asked of the API, checked as the service checks it: `{"detail": [{"type", "loc", "msg", "input"}]}`."""

from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

import msgspec
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from starlette.exceptions import HTTPException
from starlette.requests import Request

Status = Literal["PENDING", "THROTTLED", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"]
_MAX_WEBHOOK_IDS = 4
_Model = TypeVar("_Model", bound=BaseModel)


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class Configuration(_Body):
    """Inline options; `turbo` is taken beside the tiers that the service's description lists."""

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
    spreadsheet_mode: bool = False
    sheet_names: list[str] | None = None
    parse_tier: str | None = None
    parse_config_id: str | None = None


class Webhook(_Body):
    """One endpoint that is told of the job."""

    webhook_url: str | None = None
    webhook_headers: dict[str, str] | None = None
    webhook_signing_secret: str | None = None
    webhook_events: list[str] | None = None
    webhook_output_format: str | None = None


class JobCreate(_Body):
    """The body of a create."""

    file_input: Annotated[str, Field(max_length=200)]
    configuration_id: str | None = None
    configuration: Configuration | None = None
    webhook_configuration_ids: Annotated[list[str], Field(max_length=_MAX_WEBHOOK_IDS)] | None = None
    webhook_configurations: list[Webhook] | None = None

    @model_validator(mode="after")
    def _one_configuration(self) -> "JobCreate":
        if (self.configuration is None) == (self.configuration_id is None):
            raise ValueError("Provide exactly one of configuration_id or configuration")
        return self


class SchemaValidate(_Body):
    """The body of a schema's validation."""

    data_schema: dict[str, Any]


class ScopeQuery(_Body):
    """Whose things a request is about."""

    project_id: UUID | None = None
    organization_id: UUID | None = None


class GetQuery(ScopeQuery):
    """Which sections of a job are shown."""

    expand: list[str] = []


class JobQuery(ScopeQuery):
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


class DeleteQuery(ScopeQuery):
    """How a job is deleted."""

    force: bool = False


class FileQuery(ScopeQuery):
    """The filters of a list of files."""

    page_size: Annotated[int, Field(ge=1, le=1000)] | None = None
    page_token: str | None = None
    file_ids: list[str] | None = None
    file_name: str | None = None
    external_file_id: str | None = None
    order_by: str | None = None
    expand: list[str] = []


class ContentQuery(ScopeQuery):
    """For how long a file's address holds."""

    expires_at_seconds: int | None = None


def read_query(request: Request, model: type[_Model]) -> _Model:
    """The query of a request; a repeated key is a list, and of one that is not a list the last counts.

    Raises:
        HTTPException: 422, a value is not what it should be.
    """
    query = request.query_params
    lists = {name for name, field in model.model_fields.items() if "list[" in str(field.annotation)}
    given = {
        name: query.getlist(name) if name in lists else query[name] for name in model.model_fields if name in query
    }
    return _validate(model, given, "query")


async def read_body(request: Request, model: type[_Model]) -> _Model:
    """The JSON body of a request.

    Raises:
        HTTPException: 422, it is not JSON or not what it should be.
    """
    content = await request.body()
    if not content:
        raise invalid("missing", ["body"], "Field required", None)
    try:
        # Strict: what it takes can be answered as JSON again.
        given = msgspec.json.decode(content)
    except (ValueError, RecursionError) as exc:
        reason = str(exc) if isinstance(exc, msgspec.DecodeError) else "the body cannot be read"
        raise invalid("json_invalid", ["body", 0], "JSON decode error", {}, {"error": reason}) from None
    return _validate(model, given, "body")


def invalid(
    kind: str, location: list[str | int], message: str, given: object, context: dict[str, object] | None = None
) -> HTTPException:
    """422 with one entry in its `detail`."""
    fault = {"type": kind, "loc": location, "msg": message, "input": given}
    return HTTPException(422, [fault | ({"ctx": context} if context else {})])  # type: ignore[arg-type]  # FastAPI's own bodies hold a list here


def read_uuid(text: str, location: list[str | int]) -> UUID:
    """The UUID of a path.

    Raises:
        HTTPException: 422, it is none.
    """
    try:
        return TypeAdapter(UUID).validate_python(text)
    except ValidationError as exc:
        raise HTTPException(422, _describe(exc, location)) from None  # type: ignore[arg-type]  # as above


def _validate(model: type[_Model], given: object, place: str) -> _Model:
    try:
        return model.model_validate(given)
    except ValidationError as exc:
        raise HTTPException(422, _describe(exc, [place])) from None  # type: ignore[arg-type]  # as above


def _describe(exc: ValidationError, place: list[str | int]) -> list[dict[str, Any]]:
    faults = []
    for error in exc.errors(include_url=False):
        fault: dict[str, Any] = dict(error) | {"loc": [*place, *error["loc"]]}
        if "ctx" in fault:
            fault["ctx"] = {name: str(value) for name, value in fault["ctx"].items()}
        faults.append(fault)
    return faults
