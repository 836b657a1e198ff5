"""Requests that create: files, schemas and jobs; and those that cancel and delete jobs.

Each method sends one request once. Whether to send it again is for the caller to decide, because creating bills.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from llx_mcp.errors import BadResponseError, UnclearOutcomeError
from llx_mcp.llamacloud.request_context import RequestContext
from llx_mcp.llamacloud.requester import Requester, decode_object, refuse_key
from llx_mcp.llamacloud.retries import AttemptFailed
from llx_mcp.llamacloud.transport import Payload
from llx_mcp.llamacloud.urls import (
    FILES_PATH,
    JOBS_PATH,
    build_configuration_path,
    build_file_path,
    build_job_path,
    build_url,
)
from llx_mcp.llamacloud.web_documents import WebDocument, download_document
from llx_mcp.models import CloudFile, Job
from llx_mcp.scope import DEFAULT_SCOPE, Scope

# The service keeps a file by what it was uploaded for.
_PURPOSE = "extract"
_MAX_FILES = 100


class CreationClient:
    """Sends the requests of creating. Its methods raise the errors of `LlamaCloudClient`, each after one try."""

    def __init__(self, requester: Requester) -> None:
        self._requester = requester

    async def find_files(self, external_file_id: str, scope: Scope = DEFAULT_SCOPE) -> tuple[CloudFile, ...]:
        """Send `GET /api/v1/beta/files?external_file_id=…` and return the files, as the service sorts them."""
        parameters = [("external_file_id", external_file_id), ("page_size", str(_MAX_FILES))]
        body = await self._send("GET", FILES_PATH, scope, "list files", parameters=parameters)
        items = decode_object(body).get("items")
        files = (CloudFile.parse(item) for item in (items if isinstance(items, list) else []))
        return tuple(file for file in files if file is not None)

    async def fetch_file(self, file_id: str, scope: Scope = DEFAULT_SCOPE) -> CloudFile:
        """Send `GET /api/v1/beta/files/{file_id}` and return the file."""
        path = build_file_path(file_id)
        return _parse_file(await self._send("GET", path, scope, "read files", f'document_id: file "{file_id}"'))

    async def download(self, url: str, max_bytes: int) -> WebDocument:
        """Download a document from a public https address, without the key.

        Raises:
            ArgumentError: the address is not allowed, or leads to no document.
            UnreachableError: the host does not answer.
        """
        refuse_key(self._requester.build_context().key, [url])
        return await download_document(url, max_bytes, transport=self._requester.connection.web_transport)

    async def upload(
        self, content: BinaryIO, name: str, external_file_id: str, scope: Scope = DEFAULT_SCOPE
    ) -> CloudFile:
        """Send `POST /api/v1/beta/files` with a file, read in chunks, and return it as the service describes it."""
        fields = {"purpose": _PURPOSE, "external_file_id": external_file_id}
        payload = Payload(fields=fields, file=content, file_name=name)
        return _parse_file(await self._send("POST", FILES_PATH, scope, "upload files", payload=payload))

    async def validate_schema(self, data_schema: Mapping[str, Any]) -> dict[str, Any]:
        """Send `POST /api/v2/extract/schema/validation` and return the schema, ready for use.

        Raises:
            RejectedError: the service does not accept the schema; the message says where it is wrong.
        """
        path = f"{JOBS_PATH}/schema/validation"
        body = await self._send("POST", path, None, "check schemas", payload=_encode({"data_schema": data_schema}))
        schema = decode_object(body).get("data_schema")
        if not isinstance(schema, dict):
            raise BadResponseError(
                "The service did not return the schema that it validated. Try again later.", is_transient=True
            )
        return schema

    async def generate_schema(self, prompt: str, file_id: str, scope: Scope = DEFAULT_SCOPE) -> dict[str, Any]:
        """Send `POST /api/v2/extract/schema/generate` and return the parameters of a configuration.

        Raises:
            BadResponseError: the response has no schema.
        """
        path = f"{JOBS_PATH}/schema/generate"
        payload = _encode({"prompt": prompt, "file_id": file_id})
        body = await self._send("POST", path, scope, "generate schemas", f'The document "{file_id}"', payload=payload)
        parameters = decode_object(body).get("parameters")
        if not isinstance(parameters, dict) or not isinstance(parameters.get("data_schema"), dict):
            raise BadResponseError(
                "The service generated no schema. Try again with other words, or write one yourself."
            )
        return parameters

    async def fetch_configuration(self, configuration_id: str, scope: Scope = DEFAULT_SCOPE) -> dict[str, Any]:
        """Send `GET /api/v1/beta/configurations/{configuration_id}` and return its parameters.

        Raises:
            BadResponseError: the response has no parameters.
        """
        path = build_configuration_path(configuration_id)
        body = await self._send(
            "GET", path, scope, "read configurations", f'configuration_id: configuration "{configuration_id}"'
        )
        parameters = decode_object(body).get("parameters")
        if not isinstance(parameters, dict):
            raise BadResponseError(
                "The service returned a configuration without parameters. Try again later.", is_transient=True
            )
        return parameters

    async def create(self, wanted: Mapping[str, Any], scope: Scope = DEFAULT_SCOPE) -> Job:
        """Send `POST /api/v2/extract` and return the new job.

        Args:
            wanted: the body of the request: `file_input`, and `configuration` or `configuration_id`.
            scope: project and organization.

        Raises:
            UnclearOutcomeError: there may be a new job, or not.
            UpstreamError: there certainly is no new job; the subclass says why.
        """
        needed = f'The document "{wanted.get("file_input")}", or the configuration,'
        body = await self._send(
            "POST", JOBS_PATH, scope, "create jobs", needed, payload=_encode(wanted), is_unclear=True
        )
        try:
            return Job.parse(body)
        except ValueError as exc:
            reason = str(exc)
        raise UnclearOutcomeError(f"The service accepted the request, but did not answer with a job: {reason}.")

    async def cancel(self, job_id: str, scope: Scope = DEFAULT_SCOPE) -> None:
        """Send `POST /api/v2/extract/{job_id}/cancel`."""
        await self._send("POST", f"{build_job_path(job_id)}/cancel", scope, "cancel jobs", job_id=job_id)

    async def delete(self, job_id: str, scope: Scope = DEFAULT_SCOPE) -> None:
        """Send `DELETE /api/v2/extract/{job_id}`, which deletes the result too."""
        await self._send("DELETE", build_job_path(job_id), scope, "delete jobs", job_id=job_id)

    async def _send(
        self,
        method: str,
        path: str,
        scope: Scope | None,
        action: str,
        needed: str | None = None,
        *,
        parameters: Sequence[tuple[str, str]] = (),
        payload: Payload | None = None,
        job_id: str | None = None,
        is_unclear: bool = False,
    ) -> bytes:
        requester = self._requester
        context: RequestContext = dataclasses.replace(requester.build_context(job_id), action=action, needed=needed)
        in_scope = [*parameters, *(requester.build_scope(scope) if scope is not None else ())]
        refuse_key(context.key, [job_id or "", needed or "", *(value for _, value in in_scope)])
        url = build_url(context.base_url, path, in_scope)
        try:
            return await requester.connection.send_once(method, url, context, 1, payload=payload or Payload())
        except AttemptFailed as exc:
            is_certain = exc.is_refused or not is_unclear
            error = exc.error if is_certain else UnclearOutcomeError(str(exc.error), has_ended=exc.has_ended)
            # The service can say that a request must not be sent again.
            error.is_transient = error.is_transient and exc.is_retryable
        # Raised outside of the handler, so that it has no context: httpx's exceptions hold the key.
        raise error


def _encode(value: Mapping[str, Any]) -> Payload:
    return Payload(json=json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))


def _parse_file(body: bytes) -> CloudFile:
    file = CloudFile.parse(decode_object(body))
    if file is None:
        raise BadResponseError("The service did not describe the file. Try again later.", is_transient=True)
    return file
