"""The endpoints of saved configurations. Only those of LlamaExtract can be saved."""

import sqlite3
from collections.abc import Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from llx_mcp.local.configuration_store import SavedConfiguration
from llx_mcp.local.endpoints import DO_NOT_RETRY, ApiContext, build_route, is_in_project
from llx_mcp.local.page_tokens import slice_page
from llx_mcp.local.request_models import (
    ConfigurationCreate,
    ConfigurationListQuery,
    ConfigurationUpdate,
    ExtractParameters,
    ScopeQuery,
    parse_body,
    parse_query,
)
from llx_mcp.local.schemas import check_schema
from llx_mcp.local.seeding import PROJECT_ID
from llx_mcp.local.timestamps import format_time

CONFIGURATIONS_PATH = "/api/v1/beta/configurations"
DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1_000


def build_configuration_routes(context: ApiContext) -> list[Route]:
    """Build the routes of saved configurations."""
    api = _ConfigurationsApi(context)
    path = f"{CONFIGURATIONS_PATH}/{{config_id}}"
    return [
        build_route("POST", CONFIGURATIONS_PATH, api.create),
        build_route("GET", CONFIGURATIONS_PATH, api.list),
        build_route("GET", path, api.get),
        build_route("PUT", path, api.update),
        build_route("DELETE", path, api.delete),
    ]


class _ConfigurationsApi:
    def __init__(self, context: ApiContext) -> None:
        self._configurations = context.store.configurations
        self._clock = context.clock

    async def create(self, request: Request) -> Response:
        scope = parse_query(request, ScopeQuery)
        body = await parse_body(request, ConfigurationCreate)
        parameters = await run_in_threadpool(_dump_parameters, body.parameters)
        saved = await run_in_threadpool(
            self._configurations.put,
            body.name,
            body.parameters.product_type,
            parameters,
            self._clock(),
            project_id=str(scope.project_id or PROJECT_ID),
        )
        return JSONResponse(_describe(saved), 201)

    async def get(self, request: Request) -> Response:
        return JSONResponse(_describe(await self._find(request)))

    async def list(self, request: Request) -> Response:
        query = parse_query(request, ConfigurationListQuery)
        stored = await run_in_threadpool(self._configurations.list)
        size = min(query.page_size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
        matching = [each for each in stored if _matches(each, query)]
        page, token = slice_page(matching, query.page_token, size, ["query", "page_token"])
        return JSONResponse({"items": [_describe(each) for each in page], "next_page_token": token, "total_size": None})

    async def update(self, request: Request) -> Response:
        found = await self._find(request)
        body = await parse_body(request, ConfigurationUpdate)
        parameters = await run_in_threadpool(_dump_parameters, body.parameters) if body.parameters else None
        try:
            saved = await run_in_threadpool(
                self._configurations.update,
                found.configuration_id,
                self._clock(),
                name=body.name,
                parameters=parameters,
            )
        except sqlite3.IntegrityError:
            detail = f"Another configuration of this project has the name {body.name!r}"
            raise HTTPException(409, detail, DO_NOT_RETRY) from None
        # None if it was deleted since it was found.
        return JSONResponse(_describe(saved or found))

    async def delete(self, request: Request) -> Response:
        found = await self._find(request)
        await run_in_threadpool(self._configurations.delete, found.configuration_id)
        return Response(status_code=204)

    async def _find(self, request: Request) -> SavedConfiguration:
        scope = parse_query(request, ScopeQuery)
        configuration_id: str = request.path_params["config_id"]
        found = await run_in_threadpool(self._configurations.get, configuration_id)
        if found is None or not is_in_project(found.project_id, scope.project_id):
            raise HTTPException(404, f"Configuration {configuration_id!r} not found")
        return found


def _dump_parameters(parameters: ExtractParameters) -> dict[str, Any]:
    check_schema(parameters.data_schema, ["body", "parameters", "data_schema"])
    return parameters.model_dump(exclude={"product_type"})


def _matches(saved: SavedConfiguration, query: ConfigurationListQuery) -> bool:
    return (
        is_in_project(saved.project_id, query.project_id)
        and (not query.name or saved.name == query.name)
        and (not query.product_type or saved.product_type in query.product_type)
    )


def _describe(saved: SavedConfiguration) -> Mapping[str, Any]:
    """Return a configuration as the service describes it."""
    return {
        "id": saved.configuration_id,
        "name": saved.name,
        "product_type": saved.product_type,
        "version": format_time(saved.updated),
        "parameters": {"product_type": saved.product_type, **saved.parameters},
        "created_at": format_time(saved.created),
        "updated_at": format_time(saved.updated),
    }
