"""Sends requests to the service with retries, within the project and the organization of the settings."""

import json
from collections.abc import Sequence

from llx_mcp.errors import ArgumentError, BadResponseError
from llx_mcp.llamacloud.api_key import ApiKey, read_key
from llx_mcp.llamacloud.request_context import RequestContext
from llx_mcp.llamacloud.retries import MAX_RETRY_SECONDS, call_with_retries
from llx_mcp.llamacloud.transport import Connection
from llx_mcp.llamacloud.urls import build_url
from llx_mcp.scope import Scope
from llx_mcp.settings import Settings

# A retry begins within this share of the time for one call. The rest is left for its answer.
_RETRY_SHARE = 0.8


class Requester:
    """Sends requests. Like the official clients, it retries 408, 409, 429, 5xx and lost connections.

    Attributes:
        connection: the connections.
        settings: the key, the address and the project.
        retry_seconds: how long after the first try a retry may begin.
    """

    def __init__(self, connection: Connection, settings: Settings, *, is_callers_key: bool = False) -> None:
        self.connection = connection
        self._is_callers_key = is_callers_key
        self.settings = settings
        self.retry_seconds = min(settings.call_seconds * _RETRY_SHARE, MAX_RETRY_SECONDS)

    async def fetch_body(
        self,
        path: str,
        parameters: Sequence[tuple[str, str]],
        context: RequestContext,
        max_tries: int | None = None,
        max_bytes: int | None = None,
    ) -> bytes:
        """Send a GET and return the body of the response.

        Args:
            path: the encoded path.
            parameters: names and values of the query; a name may be repeated.
            context: what the request is about.
            max_tries: the most requests to send; None stands for the default of the retry rules.
            max_bytes: the size limit of the response, where it is below that of the settings.

        Raises:
            ArgumentError: an argument cannot be sent, or holds the key.
            UpstreamError: there is no such body; the subclass says why.
        """
        refuse_key(context.key, [context.job_id or "", *(value for _, value in parameters)])
        url = build_url(context.base_url, path, parameters)

        async def attempt(number: int) -> bytes:
            return await self.connection.fetch_once(url, context, number, max_bytes=max_bytes)

        return await call_with_retries(attempt, max_tries, self.retry_seconds)

    async def download(
        self, url: str, context: RequestContext, max_tries: int | None = None, max_bytes: int | None = None
    ) -> bytes:
        """Send a GET to a signed URL, without the key, and return the body of the response.

        Args:
            url: the address.
            context: what the request is about.
            max_tries: as for `fetch_body`.
            max_bytes: as for `fetch_body`.

        Raises:
            UpstreamError: there is no such body; the subclass says why.
        """

        async def attempt(number: int) -> bytes:
            return await self.connection.fetch_once(url, context, number, with_key=False, max_bytes=max_bytes)

        return await call_with_retries(attempt, max_tries, self.retry_seconds)

    def build_scope(self, scope: Scope) -> list[tuple[str, str]]:
        """Return the parameters of a scope; where it is empty, those of the settings."""
        parameters = {
            "project_id": scope.project_id or self.settings.project_id,
            "organization_id": scope.organization_id or self.settings.organization_id,
        }
        return [(name, value) for name, value in parameters.items() if value]

    def build_context(self, job_id: str | None = None, subject: str | None = None) -> RequestContext:
        """Return the context of a request about a job, or about something else.

        Raises:
            ConfigurationError: there is no usable key.
        """
        settings = self.settings
        return RequestContext(
            job_id,
            settings.region_in_words,
            settings.base_url,
            read_key(settings),
            subject,
            is_callers_key=self._is_callers_key,
        )


def decode_object(body: bytes) -> dict[str, object]:
    """Decode the JSON object of a response.

    Raises:
        BadResponseError: it is something else.
    """
    try:
        decoded = json.loads(body)
    except (ValueError, RecursionError):
        decoded = None
    if not isinstance(decoded, dict):
        raise BadResponseError("The response of the service is not a JSON object. Retrying seldom helps.")
    return decoded


def refuse_key(key: ApiKey, values: Sequence[str]) -> None:
    """Refuse arguments that hold the key, since proxies and servers log URLs.

    Raises:
        ArgumentError: one does.
    """
    if any(key.redactor.is_in(value) for value in values):
        raise ArgumentError("An argument holds the API key, which must not be part of a URL. Give the id alone.")
