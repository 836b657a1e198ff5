"""Foreign failures as our errors: the one place where they are mapped, and worded."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from urllib.parse import urlsplit

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
from llx_mcp.llamacloud.api_key import ApiKey
from llx_mcp.llamacloud.error_details import clean, describe_body, quote_text
from llx_mcp.llamacloud.retries import AttemptFailed, is_retried, retry_after_seconds

_ID_CHARS = 80
_MIB = 1024 * 1024
_BARE_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.IGNORECASE)
_OTHER_IDS = {"pjb-": "a parse job", "dfl-": "a file", "cfg-": "a configuration", "prj-": "a project"}
_ADDRESS_SETTINGS = "LLAMA_CLOUD_BASE_URL or LLAMA_CLOUD_REGION"


@dataclass(frozen=True, slots=True)
class Origin:
    """What a request was about. The key is held to be sent, and to keep it out of every text.

    Attributes:
        job_id: as it was given; None where no single job was asked for.
        region: `na`, `eu`, or the host of a service of one's own.
        base_url: where the request went.
    """

    job_id: str | None
    region: str
    base_url: str
    key: ApiKey

    @property
    def host(self) -> str:
        """Host and port."""
        return urlsplit(self.base_url).netloc

    @property
    def place(self) -> str:
        """The host with its region, where it has one."""
        return f"{self.host} ({self.region})" if self.region in ("na", "eu") else self.host

    @property
    def shown_id(self) -> str:
        """The id, clean and bounded, in quotes."""
        return f'"{clean(self.job_id or "", self.key, _ID_CHARS)}"'


class TransportFailure(Enum):
    """Why no whole answer came, where there is no status to tell."""

    NAME_UNKNOWN = "The name {host} cannot be resolved."
    REFUSED = "{host}, or the proxy before it, refuses connections: nothing may be listening there."
    NO_CONNECTION = "No connection to {host} came about."
    TLS = (
        "The TLS connection to {host} failed: its certificate is not trusted here, or a proxy stands between. A retry "
        "does not help. Check LLAMA_CLOUD_BASE_URL, the proxy, and the certificates of this machine (SSL_CERT_FILE)."
    )
    PROXY = "The proxy on the way to {host} refused. A retry seldom helps: check HTTPS_PROXY and NO_PROXY."
    CONNECT_TIMEOUT = "{host} did not take the connection in time."
    READ_TIMEOUT = "{host} took the request and did not answer in time."
    WRITE_TIMEOUT = "{host} did not take the request in time."
    POOL_TIMEOUT = "{host} was asked too much at once: no connection came free in time."
    TOO_SLOW = "{host} sent its answer too slowly, and it was given up."
    BROKE_READING = "The connection to {host} broke before the answer was whole."
    BROKE_WRITING = "The connection to {host} broke while the request was sent."
    NOT_HTTP = "{host} closed the connection before its answer was whole, or what it sent is not HTTP."
    NOT_DECODED = (
        "The answer of {host} could not be decompressed. Try again; if it stays so, check the proxy or whatever "
        "stands between."
    )
    ADDRESS = "The address {base_url} cannot be used. Set LLAMA_CLOUD_BASE_URL to one such as https://host:port."
    NOT_MADE = "The request to {host} could not be made. A retry does not help; check LLAMA_CLOUD_BASE_URL."


_LASTING = frozenset({TransportFailure.TLS, TransportFailure.PROXY, TransportFailure.NOT_MADE})
_UNCONNECTED = frozenset({TransportFailure.NAME_UNKNOWN, TransportFailure.REFUSED, TransportFailure.NO_CONNECTION})


def failure_of_transport(loss: TransportFailure, origin: Origin, tries: int) -> AttemptFailed:
    """What it means that no whole answer came."""
    words = loss.value.format(host=origin.host, base_url=origin.base_url)
    if loss is TransportFailure.ADDRESS:
        return AttemptFailed(ConfigurationError(words), is_retryable=False)
    if loss is TransportFailure.NOT_DECODED:
        return AttemptFailed(BadResponseError(words), is_retryable=True)
    if loss in _LASTING:
        error = UnreachableError(words)
        error.is_transient = False
        return AttemptFailed(error, is_retryable=False)
    advice = (
        f"Check the network and {_ADDRESS_SETTINGS}; then try again." if loss in _UNCONNECTED else "Try again later."
    )
    return AttemptFailed(UnreachableError(f"{words} {_asked(tries)} {advice}"), is_retryable=True)


def failure_of_status(
    status_code: int, headers: Mapping[str, str], body: bytes, origin: Origin, tries: int
) -> AttemptFailed:
    """What an HTTP status other than 200 means."""
    after = retry_after_seconds(headers, datetime.now(UTC))
    said = describe_body(body, origin.key)
    error = _error_of_status(status_code, after, said, origin, tries)
    return AttemptFailed(error, is_retryable=is_retried(status_code, headers), after_seconds=after)


def not_a_job(body: bytes, reason: str, origin: Origin) -> BadResponseError:
    """A 200 whose body is something else.

    Args:
        body: as it came.
        reason: what is wrong with it, without a word of it.
    """
    if not body.strip():
        words = f"{origin.host} answered with nothing where JSON should be. A retry may help."
        return _passing(BadResponseError(words, status_code=200))
    head = body[:64_000].decode(errors="replace").lstrip("\ufeff \t\r\n")
    if head.startswith("<"):
        words = "A web page came where JSON should be: the address may be that of a website or of a login page. A "
        words += f"retry does not help; check LLAMA_CLOUD_BASE_URL ({origin.base_url}). {quote_text(head, origin.key)}"
        return BadResponseError(words.strip(), status_code=200)
    if "truncated" in reason:
        words = f"The JSON of {origin.host} was cut off after {len(body):,} bytes. A retry may help."
        return _passing(BadResponseError(words, status_code=200))
    words = f"What {origin.host} answered cannot be used: {clean(reason, origin.key)}. A retry seldom helps; "
    return BadResponseError(f"{words}check that LLAMA_CLOUD_BASE_URL is LlamaCloud's.", status_code=200)


def too_large(max_bytes: int, origin: Origin) -> BadResponseError:
    """An answer beyond the cap."""
    what = "The answer" if origin.job_id is None else f"Job {origin.shown_id}"
    return BadResponseError(
        f"{what} is larger than {max_bytes / _MIB:,.1f} MiB, the most that this server reads. A retry does not help; "
        "set LLX_MCP_MAX_BODY_BYTES higher to read it.",
        status_code=200,
    )


def _error_of_status(status: int, after: float | None, said: str, origin: Origin, tries: int) -> LlxError:
    kind, words = _describe_status(status, after, origin, tries)
    message = f"{words} {said}".strip()
    if kind is RateLimitedError:
        return RateLimitedError(message, retry_after_seconds=after)
    if kind is UnavailableError:
        return UnavailableError(message, status_code=status, retry_after_seconds=after)
    return kind(message, status_code=status)


def _describe_status(status: int, after: float | None, origin: Origin, tries: int) -> tuple[type[UpstreamError], str]:
    if status == 401:
        return AuthenticationError, (
            f"The key is not accepted by {origin.place}. A key belongs to one region: check LLAMA_CLOUD_API_KEY, and "
            "set LLAMA_CLOUD_REGION to na or eu, or LLAMA_CLOUD_BASE_URL for a service of your own, to where the key "
            "was made."
        )
    if status == 402:
        return OutOfCreditsError, (
            "The LlamaCloud account is out of credits. Reading a job is normally free, so this may concern the plan: "
            "look at the account's billing page. A retry does not help before that."
        )
    if status in (403, 404):
        return NotFoundError, _not_seen(status, origin)
    if status == 429:
        pause = f"Wait {math.ceil(after)} s" if after else "Wait a minute"
        return RateLimitedError, (
            f"LlamaCloud's rate limit is reached. {pause}, then ask again. The free tier allows 20 requests a minute "
            "in all."
        )
    if status in (408, 409) or status >= 500:
        pause = f"after {math.ceil(after)} s" if after else "later"
        words = f"LlamaCloud could not answer (HTTP {status}). {_asked(tries)} Try again {pause}."
        return UnavailableError, words
    if 300 <= status < 400:
        words = f"{origin.host} answered with a redirect (HTTP {status}), which is not followed. The address may be "
        return BadResponseError, f"{words}wrong: check LLAMA_CLOUD_BASE_URL ({origin.base_url})."
    if status < 300:
        words = f"{origin.host} answered HTTP {status} where 200 is documented. Check LLAMA_CLOUD_BASE_URL."
        return BadResponseError, words
    return RejectedError, f"LlamaCloud did not accept the request (HTTP {status})."


def _not_seen(status: int, origin: Origin) -> str:
    if origin.job_id is None:
        words = f"{origin.place} does not list jobs for this key (HTTP {status}). Check the project, the region and "
        return f"{words}LLAMA_CLOUD_BASE_URL."
    words = f"No job {origin.shown_id} can be seen with this key. Check the id, the project and the region"
    kind = next((kind for prefix, kind in _OTHER_IDS.items() if origin.job_id.startswith(prefix)), None)
    if kind is not None:
        return f"{words}: this is the id of {kind}, and that of an extract job begins with ext-."
    if _BARE_UUID.match(origin.job_id):
        return f"{words}: a bare UUID is the id of a job or run of the older API v1, and one of v2 begins with ext-."
    return f"{words} (now {origin.region}); list_extract_jobs shows what this key sees."


def _asked(tries: int) -> str:
    return "It was asked once." if tries == 1 else f"It was asked {tries} times."


def _passing(error: BadResponseError) -> BadResponseError:
    error.is_transient = True
    return error
