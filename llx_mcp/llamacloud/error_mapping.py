"""Maps HTTP statuses, unusable bodies and transport failures to the errors of this package, and words them."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum

from llx_mcp.errors import (
    AuthenticationError,
    BadResponseError,
    ConfigurationError,
    LlxError,
    NotFoundError,
    OutOfCreditsError,
    RateLimitedError,
    RejectedError,
    UnavailableError,
    UnreachableError,
    UpstreamError,
)
from llx_mcp.llamacloud.error_bodies import describe_error_body, find_invalid_locations, is_of_service, quote
from llx_mcp.llamacloud.request_context import MAX_ID_CHARS, RequestContext
from llx_mcp.llamacloud.retries import AttemptFailed, is_retryable_status, parse_retry_after

_MIB = 1024 * 1024
_BARE_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.IGNORECASE)
_OTHER_ID_PREFIXES = {"pjb-": "a parse job", "dfl-": "a file", "cfg-": "a configuration", "prj-": "a project"}


class TransportFailure(Enum):
    """Why no complete response arrived. The value is the text of the error."""

    NAME_NOT_RESOLVED = "The host name {host} cannot be resolved."
    CONNECTION_REFUSED = "{host}, or the proxy in front of it, refused the connection. Nothing may be listening there."
    CONNECT_ERROR = "No connection to {host} could be opened."
    TLS_ERROR = (
        "The TLS connection to {host} failed: this machine does not trust its certificate, or a proxy intercepts the "
        "connection. Retrying does not help. Check LLAMA_CLOUD_BASE_URL, the proxy, and this machine's certificates "
        "(SSL_CERT_FILE)."
    )
    PROXY_ERROR = "The proxy refused to connect to {host}. Retrying seldom helps. Check HTTPS_PROXY and NO_PROXY."
    CONNECT_TIMEOUT = "{host} did not accept the connection in time."
    READ_TIMEOUT = "{host} accepted the request but did not respond in time."
    WRITE_TIMEOUT = "{host} did not read the request in time."
    POOL_TIMEOUT = "Too many requests to {host} are running: no connection became free in time."
    ATTEMPT_TIMEOUT = "{host} sent its response too slowly, so the request was stopped."
    READ_ERROR = "The connection to {host} broke before the response was complete."
    WRITE_ERROR = "The connection to {host} broke while the request was being sent."
    PROTOCOL_ERROR = "{host} closed the connection before its response was complete, or its response is not HTTP."
    DECODING_ERROR = (
        "The response of {host} could not be decompressed. Try again. If the error stays, check any proxy between "
        "this machine and {host}."
    )
    INVALID_URL = "The address {base_url} is not valid. Set LLAMA_CLOUD_BASE_URL to a URL such as https://host:port."
    REQUEST_ERROR = (
        "The request to {host} could not be sent. Retrying does not help. Check LLAMA_CLOUD_BASE_URL ({base_url})."
    )


# With these the service itself reports that its work on a request has failed.
_ENDED = frozenset({409, 500})
_PERMANENT = frozenset({TransportFailure.TLS_ERROR, TransportFailure.PROXY_ERROR, TransportFailure.REQUEST_ERROR})
_NOT_CONNECTED = frozenset(
    {TransportFailure.NAME_NOT_RESOLVED, TransportFailure.CONNECTION_REFUSED, TransportFailure.CONNECT_ERROR}
)
# The request did not leave this machine.
_NOT_SENT = _NOT_CONNECTED | {
    TransportFailure.TLS_ERROR,
    TransportFailure.PROXY_ERROR,
    TransportFailure.CONNECT_TIMEOUT,
    TransportFailure.POOL_TIMEOUT,
    TransportFailure.INVALID_URL,
}


def map_transport_failure(failure: TransportFailure, context: RequestContext, num_tries: int) -> AttemptFailed:
    """Return the error for a request that got no complete response."""
    text = failure.value.format(host=context.host, base_url=context.base_url)
    is_refused = failure in _NOT_SENT
    if failure is TransportFailure.INVALID_URL:
        return AttemptFailed(ConfigurationError(text), is_retryable=False, is_refused=is_refused)
    if failure is TransportFailure.DECODING_ERROR:
        return AttemptFailed(BadResponseError(text, is_transient=True), is_retryable=True)
    if failure in _PERMANENT:
        return AttemptFailed(UnreachableError(text, is_transient=False), is_retryable=False, is_refused=is_refused)
    advice = "Try again later."
    if failure in _NOT_CONNECTED:
        advice = "Check the network and LLAMA_CLOUD_BASE_URL or LLAMA_CLOUD_REGION, then try again."
    error = UnreachableError(f"{text} {_describe_tries(num_tries)} {advice}")
    return AttemptFailed(error, is_retryable=True, is_refused=is_refused)


def map_status(
    status_code: int, headers: Mapping[str, str], body: bytes, context: RequestContext, num_tries: int
) -> AttemptFailed:
    """Return the error for a response whose status is not 200.

    Args:
        status_code: the HTTP status.
        headers: the response's headers, by lower-case name.
        body: the beginning of the response's body.
        context: what the request was about.
        num_tries: how many requests were sent so far.
    """
    wait_seconds = parse_retry_after(headers, datetime.now(UTC))
    error = _build_status_error(status_code, wait_seconds, body, context, num_tries)
    return AttemptFailed(
        error,
        is_retryable=is_retryable_status(status_code, headers),
        retry_after_seconds=wait_seconds,
        is_refused=400 <= status_code < 500 and status_code not in (408, 409),
        # A gateway does not know what the service behind it does, and neither does a service that has no time.
        has_ended=status_code in _ENDED and is_of_service(body),
    )


def map_bad_body(body: bytes, reason: str, context: RequestContext) -> BadResponseError:
    """Return the error for a 200 whose body cannot be used.

    Args:
        body: the response's body.
        reason: what is wrong with it; must not quote the body.
        context: what the request was about.
    """
    if not body.strip():
        text = f"{context.host} sent an empty response instead of JSON. Retrying may help."
        return BadResponseError(text, is_transient=True)
    start = body[:64_000].decode(errors="replace").lstrip("\ufeff \t\r\n")
    if start.startswith("<"):
        text = (
            f"{context.host} sent a web page instead of JSON: the address may be that of a website or a login page. "
            f"Retrying does not help. Check LLAMA_CLOUD_BASE_URL ({context.base_url}). "
            f"{quote(start, context.key)}"
        )
        return BadResponseError(text.strip())
    if "truncated" in reason:
        text = f"The JSON from {context.host} was cut off after {len(body):,} bytes. Retrying may help."
        return BadResponseError(text, is_transient=True)
    text = (
        f"The response of {context.host} cannot be used: {context.clean(reason)}. Retrying seldom helps. Check "
        "that LLAMA_CLOUD_BASE_URL is the address of LlamaCloud."
    )
    return BadResponseError(text)


def map_other_job(job_id: str, context: RequestContext) -> BadResponseError:
    """Return the error for a body that is another job than the one that was requested."""
    return BadResponseError(
        f'{context.host} sent job "{context.clean(job_id, MAX_ID_CHARS)}" instead of {context.quoted_id}, so '
        "nothing of it is shown. Retrying seldom helps. Check that no proxy or cache between this machine and "
        f"{context.host} mixes up responses."
    )


def map_large_body(max_bytes: int, context: RequestContext) -> BadResponseError:
    """Return the error for a body that is larger than the limit."""
    subject = "The response" if context.job_id is None else f"Job {context.quoted_id}"
    if context.subject is not None:
        subject = context.subject[:1].upper() + context.subject[1:]
    return BadResponseError(
        f"{subject} is larger than {max_bytes / _MIB:,.1f} MiB, the limit of this server. Retrying does not help. To "
        "read it, raise LLX_MCP_MAX_BODY_BYTES."
    )


def _build_status_error(
    status: int, wait_seconds: float | None, body: bytes, context: RequestContext, num_tries: int
) -> LlxError:
    kind, text = _describe_status(status, wait_seconds, context, num_tries)
    message = f"{text} {describe_error_body(body, context.key)}".strip()
    if kind is RateLimitedError:
        return RateLimitedError(message, retry_after_seconds=wait_seconds)
    if kind is UnavailableError:
        return UnavailableError(message, retry_after_seconds=wait_seconds)
    if kind is NotFoundError:
        return NotFoundError(message, is_forbidden=status == 403)
    if kind is RejectedError:
        return RejectedError(message, locations=find_invalid_locations(body, context.key))
    return kind(message)


def _describe_status(
    status: int, wait_seconds: float | None, context: RequestContext, num_tries: int
) -> tuple[type[UpstreamError], str]:
    seconds = math.ceil(wait_seconds) if wait_seconds else None
    if status == 401:
        return AuthenticationError, f"{context.host_and_region} does not accept the API key. {_advise_on_key(context)}"
    if status == 402:
        return OutOfCreditsError, (
            f"The {'LlamaCloud ' if context.is_llamacloud else ''}account is out of credits. "
            f"{_describe_billed(context)}check the account's billing page. Retrying does not help before that."
        )
    if status == 403 and context.action is not None:
        return NotFoundError, _describe_forbidden(context)
    if status in (403, 404):
        return NotFoundError, _describe_not_found(status, context)
    if status == 429:
        pause = f"Wait {seconds} s" if seconds else "Wait a minute"
        text = f"{context.service}'s rate limit is reached. {pause}, then try again."
        limit = " The free tier allows 20 requests a minute in total." if context.is_llamacloud else ""
        return RateLimitedError, f"{text}{limit}"
    if status in (408, 409) or status >= 500:
        pause = f"after {seconds} s" if seconds else "later"
        text = f"{context.service} could not handle the request (HTTP {status})."
        return UnavailableError, f"{text} {_describe_tries(num_tries)} Try again {pause}."
    if status < 400:
        return BadResponseError, _describe_unexpected_status(status, context)
    return RejectedError, f"{context.service} rejected the request (HTTP {status})."


def _advise_on_key(context: RequestContext) -> str:
    if context.is_callers_key:
        place = "region" if context.is_llamacloud else "service"
        return f"Check the key of this caller, or ask the operator of this server: it must be a key of this {place}."
    if not context.is_llamacloud:
        return "Check LLAMA_CLOUD_API_KEY and LLAMA_CLOUD_BASE_URL."
    return (
        "A key is valid in one region: check LLAMA_CLOUD_API_KEY, and set LLAMA_CLOUD_REGION (na or eu), or "
        "LLAMA_CLOUD_BASE_URL for a self-hosted service, to where the key was created."
    )


def _describe_billed(context: RequestContext) -> str:
    if context.action is not None:
        return f"It cannot {context.action}, so nothing was done: "
    return "Reading a job is normally free, so this may concern the plan: "


def _describe_unexpected_status(status: int, context: RequestContext) -> str:
    if status < 300:
        return f"{context.host} responded with HTTP {status} instead of 200. Check LLAMA_CLOUD_BASE_URL."
    return (
        f"{context.host} responded with a redirect (HTTP {status}), which is not followed. The address may be wrong: "
        f"check LLAMA_CLOUD_BASE_URL ({context.base_url})."
    )


def _describe_forbidden(context: RequestContext) -> str:
    text = f"This key may not {context.action} (HTTP 403). Check what the key may do, the project, the organization"
    return f"{text} and {context.place}."


def _describe_not_found(status: int, context: RequestContext) -> str:
    if context.subject is not None:
        if status == 403:
            return f"This key may not read {context.subject} (HTTP 403). Check the project and the organization."
        text = f"{context.service} does not have {context.subject} any more, or this key cannot see it (HTTP 404)."
        return f"{text} Documents expire, most of them after 48 hours." if context.is_llamacloud else text
    if context.needed is not None:
        text = f"{context.clean(context.needed)} cannot be seen with this key (HTTP {status})."
        return f"{text} Check the id, the project and {context.place}."
    if context.job_id is None and context.action is not None:
        text = f"{context.host_and_region} has no address to {context.action} (HTTP {status})."
        return f"{text} Check LLAMA_CLOUD_BASE_URL."
    if context.job_id is None:
        text = f"{context.host_and_region} does not list jobs for this key (HTTP {status})."
        region = ", the region" if context.is_llamacloud else ""
        return f"{text} Check the project{region} and LLAMA_CLOUD_BASE_URL."
    text = f"No job {context.quoted_id} can be seen with this key. Check the id, the project and {context.place}"
    kind = next((kind for prefix, kind in _OTHER_ID_PREFIXES.items() if context.job_id.startswith(prefix)), None)
    if kind is not None:
        return f"{text}: this is the id of {kind}, and the id of an extract job begins with ext-."
    if _BARE_UUID.match(context.job_id):
        return f"{text}: a bare UUID is the id of a job or run of the older API v1, and ids of v2 begin with ext-."
    return f"{text}; list_extract_jobs lists the jobs that this key can see."


def _describe_tries(num_tries: int) -> str:
    return "Tried once." if num_tries == 1 else f"Tried {num_tries} times."
