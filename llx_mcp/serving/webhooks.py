"""Webhooks of LlamaCloud: a signed event makes the waits for its job poll soon. What it says is not believed.

An unknown job gets the same answer as a known one, and so does an event that comes twice.
"""

import hmac
import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from llx_mcp.jobs.clock import Clock
from llx_mcp.serving.limits import check_body, read_body
from llx_mcp.serving.refusals import Refusal, RefusedError
from llx_mcp.serving.replicas import HasteningCoordination
from llx_mcp.serving.settings import HttpSettings

PATH = "/webhooks/llamaextract"
MAX_BODY_BYTES = 64 * 1024
# The service sends an event up to three times, some seconds apart.
MAX_AGE_SECONDS = 600.0
_MAX_AHEAD_SECONDS = 300.0
_MAX_EVENTS = 10_000
_MAX_ID_CHARS = 200
_PREFIX = "sha256="


@dataclass(frozen=True, slots=True)
class JobEvent:
    """An event of a job.

    Attributes:
        event_id: the same when the event is sent again.
        job_id: the job.
        sent_at: when the service made it; with a time zone.
    """

    event_id: str
    job_id: str
    sent_at: datetime


class Webhooks:
    """Receives events.

    Attributes:
        num_accepted: how many events were new and made a job be polled soon, if it is waited for.
        num_repeated: how many had come before.
    """

    def __init__(
        self, secrets: Sequence[str], coordination: HasteningCoordination, clock: Clock, body_seconds: float
    ) -> None:
        """Receive.

        Args:
            secrets: the secrets of the signatures, several while they are changed.
            coordination: passes the hints on.
            clock: tells the age of events.
            body_seconds: time for the body to arrive.
        """
        self.num_accepted = 0
        self.num_repeated = 0
        self._secrets = tuple(secrets)
        self._coordination = coordination
        self._clock = clock
        self._body_seconds = body_seconds
        self._seen: OrderedDict[str, datetime] = OrderedDict()

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one webhook.

        Raises:
            RefusedError: it is too large, late, not signed, or no event.
        """
        if scope["method"] != "POST":
            raise RefusedError(Refusal(405, "method_not_allowed", "Send events with POST.", {"allow": "POST"}))
        headers = Headers(scope=scope)
        check_body(headers, MAX_BODY_BYTES)
        body = await read_body(receive, MAX_BODY_BYTES, self._body_seconds)
        await self._receive(body, headers.get("lc-signature", ""))
        await Response(status_code=204)(scope, receive, send)

    async def _receive(self, body: bytes, signature: str) -> None:
        secret = find_secret(self._secrets, body, signature)
        if secret is None:
            message = "LC-Signature is not that of this body. Sign with the secret of LLX_MCP_WEBHOOK_SECRETS."
            raise RefusedError(Refusal(401, "invalid_signature", message))
        event = parse_event(body)
        self._check_age(event)
        if self._note(event):
            self.num_accepted += 1
            await self._coordination.hasten_job(secret, event.event_id, event.job_id, MAX_AGE_SECONDS)
        else:
            self.num_repeated += 1

    def _check_age(self, event: JobEvent) -> None:
        age = (self._clock.now() - event.sent_at).total_seconds()
        if not -_MAX_AHEAD_SECONDS <= age <= MAX_AGE_SECONDS:
            message = f"The event is not of the last {MAX_AGE_SECONDS:.0f} s. Check the clock of this machine."
            raise RefusedError(Refusal(400, "stale_event", message))

    def _note(self, event: JobEvent) -> bool:
        """Note an event; return whether it is new. One that is too old to be accepted again is forgotten."""
        if event.event_id in self._seen:
            return False
        self._seen[event.event_id] = self._clock.now()
        while self._seen:
            oldest = next(iter(self._seen.values()))
            age = (self._clock.now() - oldest).total_seconds()
            if len(self._seen) <= _MAX_EVENTS and age <= MAX_AGE_SECONDS + _MAX_AHEAD_SECONDS:
                break
            self._seen.popitem(last=False)
        return True


def find_secret(secrets: Sequence[str], body: bytes, signature: str) -> str | None:
    """Return the secret that a body was signed with; None if it is none of them. Each is tried, in constant time."""
    found = None
    given = signature.removeprefix(_PREFIX).encode("utf-8", "replace")
    for secret in secrets:
        expected = hmac.digest(secret.encode(), body, sha256).hex().encode()
        if hmac.compare_digest(expected, given) and signature.startswith(_PREFIX):
            found = secret
    return found


def parse_event(body: bytes) -> JobEvent:
    """Return the event of a body.

    Raises:
        RefusedError: it is none; the message names the first field that is missing or has a wrong form.
    """
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        raise _refuse_event("it is not valid JSON") from None
    fields: Any = event if isinstance(event, dict) else {}
    data: Any = fields.get("data") if isinstance(fields.get("data"), dict) else {}
    event_id = _read_id(fields.get("event_id"), "event_id")
    job_id = _read_id(data.get("job_id") or data.get("id"), "data.job_id, or else data.id,")
    try:
        sent_at = datetime.fromisoformat(fields.get("timestamp"))
    except (ValueError, TypeError, OverflowError):
        raise _refuse_event("timestamp must be a time in ISO 8601") from None
    return JobEvent(event_id, job_id, sent_at if sent_at.tzinfo else sent_at.replace(tzinfo=UTC))


def _read_id(value: object, field: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_ID_CHARS:
        raise _refuse_event(f"{field} must be a string of 1 to {_MAX_ID_CHARS} characters")
    return value


def _refuse_event(reason: str) -> RefusedError:
    return RefusedError(Refusal(400, "invalid_event", f"The body is no event of a job: {reason}."))


def build_webhooks(settings: HttpSettings, coordination: HasteningCoordination, clock: Clock) -> Webhooks | None:
    """Return what receives webhooks; None without a secret."""
    if not settings.webhook_secrets:
        return None
    secrets = [secret.get_secret_value() for secret in settings.webhook_secrets]
    return Webhooks(secrets, coordination, clock, settings.body_seconds)
