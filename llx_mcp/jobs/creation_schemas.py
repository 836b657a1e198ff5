"""Checks and generates the schemas of new jobs, by the service."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from llx_mcp.errors import ArgumentError, BadResponseError, RejectedError
from llx_mcp.jobs.configurations import build_fingerprint
from llx_mcp.result.schema_limits import check_limits

if TYPE_CHECKING:
    from llx_mcp.jobs.paced_requests import PacedRequests
    from llx_mcp.scope import Scope

_MAX_VALIDATED = 64
# It is not known what a generation costs, so it is not repeated often.
_MAX_GENERATIONS = 2


class SchemaSource:
    """Checks and generates schemas. Documents of one folder share a schema, so checking it once is enough."""

    def __init__(self) -> None:
        # By fingerprint.
        self._validated: dict[str, dict[str, Any]] = {}

    async def validate(self, data_schema: Mapping[str, Any], requests: "PacedRequests") -> dict[str, Any]:
        """Return a schema as the service will use it.

        Raises:
            ArgumentError: it is not accepted; the message says where it is wrong.
        """
        check_limits(data_schema)
        try:
            return await self._validate(data_schema, requests)
        except RejectedError as exc:
            raise ArgumentError(f"data_schema is not accepted, so nothing was created. {exc}") from None

    async def generate(self, document_id: str, prompt: str, scope: "Scope", requests: "PacedRequests") -> Any:
        """Return a schema for a document, ready for use.

        Raises:
            LlxError: the service gives no schema, or none that it accepts itself.
        """
        generated = await requests.send(
            lambda creation: creation.generate_schema(prompt, document_id, scope), max_tries=_MAX_GENERATIONS
        )
        data_schema = generated["data_schema"]
        try:
            check_limits(data_schema)
            return await self._validate(data_schema, requests)
        except (ArgumentError, RejectedError) as exc:
            reason = str(exc)
        raise BadResponseError(
            "LlamaExtract generated a schema that it does not accept itself. Try again with another prompt, or write "
            f"one yourself. {reason}"
        )

    async def _validate(self, data_schema: Mapping[str, Any], requests: "PacedRequests") -> dict[str, Any]:
        fingerprint = build_fingerprint(data_schema)
        if fingerprint not in self._validated:
            validated = await requests.send(lambda creation: creation.validate_schema(data_schema))
            if len(self._validated) >= _MAX_VALIDATED:
                self._validated.clear()
            self._validated[fingerprint] = validated
        return self._validated[fingerprint]
