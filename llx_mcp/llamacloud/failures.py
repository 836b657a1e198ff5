"""Foreign failures as our errors: the one place where they are mapped, and worded."""

import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from llx_mcp.errors import (
    AuthenticationError,
    BadResponseError,
    NotFoundError,
    OutOfCreditsError,
    RateLimitedError,
    RejectedError,
    UnavailableError,
    UnreachableError,
    UpstreamError,
    excerpt,
)
from llx_mcp.llamacloud.retries import AttemptFailed, is_retried, retry_after_seconds

_MOST_FAULTS = 5
_FAULT_CHARS = 160
_ID_CHARS = 80
_MIB = 1024 * 1024
_BARE_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.IGNORECASE)
_OTHER_IDS = {"pjb-": "a parse job", "dfl-": "a file", "cfg-": "a configuration", "prj-": "a project"}


@dataclass(frozen=True, slots=True)
class Origin:
    """What a failed request was about. The key is held to keep it out of every text."""

    job_id: str | None
    region: str
    base_url: str
    key: str = field(repr=False)

    def quote(self, text: str, max_chars: int = _FAULT_CHARS) -> str:
        """A clean, bounded excerpt of a foreign text; nothing at all of one that holds the key."""
        return "" if self.key and self.key in text else excerpt(text, max_chars)


def fault_of_status(status_code: int, headers: Mapping[str, str], body: bytes, origin: Origin) -> AttemptFailed:
    """What an HTTP status other than 200 means."""
    after = retry_after_seconds(headers)
    error = _error_of_status(status_code, after, body, origin)
    return AttemptFailed(error, is_retryable=is_retried(status_code, headers), after_seconds=after)


def fault_of_exception(exc: Exception, origin: Origin) -> AttemptFailed:
    """What it means that no whole answer came. The exception's own text is not used: it may hold the request."""
    host = urlsplit(origin.base_url).netloc
    if isinstance(exc, httpx.TimeoutException | TimeoutError):
        words = f"{host} {_timeout_words(exc)}. It may be slow or away: try again later."
        return AttemptFailed(UnreachableError(words), is_retryable=True)
    if isinstance(exc, httpx.ConnectError) and _is_tls(exc):
        words = f"The TLS connection to {host} failed: its certificate is not trusted here, or a proxy stands between. "
        words += "A retry does not help. Check the base URL, the proxy, and the certificates of this machine."
        return AttemptFailed(UnreachableError(words), is_retryable=False)
    if isinstance(exc, httpx.ProxyError):
        words = f"The proxy on the way to {host} refused. A retry seldom helps: check HTTPS_PROXY and NO_PROXY."
        return AttemptFailed(UnreachableError(words), is_retryable=False)
    if isinstance(exc, httpx.DecodingError):
        words = f"The answer of {host} could not be decompressed. Try again; if it stays so, check what stands between."
        return AttemptFailed(BadResponseError(words), is_retryable=True)
    if isinstance(exc, httpx.ConnectError):
        words = f"No connection to {host}: it was refused, or the name is not known. "
        words += "Check the network and LLAMA_CLOUD_BASE_URL or LLAMA_CLOUD_REGION; then try again."
        return AttemptFailed(UnreachableError(words), is_retryable=True)
    if isinstance(exc, httpx.NetworkError | httpx.RemoteProtocolError):
        words = f"The connection to {host} broke before the answer was whole. Try again."
        return AttemptFailed(UnreachableError(words), is_retryable=True)
    # What is left is a request that could not be made: an address, a protocol, a stream used wrongly.
    words = f"The request to {host} could not be made ({type(exc).__name__}). Check LLAMA_CLOUD_BASE_URL."
    return AttemptFailed(UnreachableError(words), is_retryable=False)


def malformed(body: bytes, reason: str, origin: Origin) -> BadResponseError:
    """A 200 that is no job."""
    head = body[:2_000].decode(errors="replace").lstrip()
    if head.startswith("<"):
        words = "An HTML page came where JSON should be: the address may be that of a website or a login page. "
        words += f"Check LLAMA_CLOUD_BASE_URL ({origin.base_url}); a retry does not help. "
        return BadResponseError(words + _quoted(origin.quote(head)), status_code=200)
    words = f"The answer is no extract job: {excerpt(reason)}. If it was cut off a retry may help; if it stays so, "
    return BadResponseError(words + f"check that {origin.base_url} is LlamaCloud.", status_code=200)


def too_large(max_bytes: int, origin: Origin) -> BadResponseError:
    """An answer beyond the cap."""
    what = "The answer" if origin.job_id is None else f"Job {_show_id(origin)}"
    return BadResponseError(
        f"{what} is larger than {max_bytes / _MIB:,.0f} MiB, the most that this server reads. A retry does not help; "
        "set LLX_MCP_MAX_BODY_BYTES higher to read it.",
        status_code=200,
    )


def _error_of_status(status: int, after: float | None, body: bytes, origin: Origin) -> UpstreamError:
    detail = _detail(body)
    said = _quoted(origin.quote(detail)) if isinstance(detail, str) else ""
    if status == 401:
        return AuthenticationError(
            f"LlamaCloud ({origin.region}) does not accept the key. A key belongs to one region: check "
            "LLAMA_CLOUD_API_KEY, and set LLAMA_CLOUD_REGION to na or eu, or LLAMA_CLOUD_BASE_URL for a service of "
            f"your own, to where the key was made. {said}".strip(),
            status_code=status,
        )
    if status == 402:
        words = (
            "The LlamaCloud account is out of credits. Add credits, or raise the limit, on its billing page; a retry "
        )
        return OutOfCreditsError(f"{words}does not help. {said}".strip(), status_code=status)
    if status in (403, 404):
        return NotFoundError(f"{_not_seen(origin)} {said}".strip(), status_code=status)
    if status == 429:
        pause = f"Wait {after:.0f} s" if after is not None else "Wait a minute"
        words = (
            f"LlamaCloud's rate limit is reached. {pause}, then ask again. The free tier allows 20 requests a minute "
        )
        return RateLimitedError(f"{words}in all. {said}".strip(), retry_after_seconds=after)
    if status in (408, 409) or status >= 500:
        pause = f" after {after:.0f} s" if after is not None else " later"
        words = f"LlamaCloud could not answer now (HTTP {status}), also when asked again. Try{pause}. {said}"
        return UnavailableError(words.strip(), status_code=status)
    if 300 <= status < 400:
        words = f"LlamaCloud's address answered with a redirect (HTTP {status}), which is not followed. Check "
        return BadResponseError(f"{words}LLAMA_CLOUD_BASE_URL ({origin.base_url}).", status_code=status)
    if status < 300:
        words = f"The service answered HTTP {status} where 200 is documented. Check LLAMA_CLOUD_BASE_URL."
        return BadResponseError(words, status_code=status)
    faults = _faults(detail, origin) or said
    return RejectedError(f"LlamaCloud did not accept the request (HTTP {status}). {faults}".strip(), status_code=status)


def _not_seen(origin: Origin) -> str:
    if origin.job_id is None:
        return "The key may not list jobs here. Check the project and the region."
    words = f"No job {_show_id(origin)} can be seen with this key. Check the id, the project and the region"
    kind = next((kind for prefix, kind in _OTHER_IDS.items() if origin.job_id.startswith(prefix)), None)
    if kind is not None:
        return f"{words}: this is the id of {kind}, and that of an extract job begins with ext-."
    if _BARE_UUID.match(origin.job_id):
        return f"{words}: a bare UUID is the id of a job or run of the older API v1, and one of v2 begins with ext-."
    return f"{words} (now {origin.region})."


def _show_id(origin: Origin) -> str:
    return f'"{origin.quote(origin.job_id or "", _ID_CHARS)}"'


def _detail(body: bytes) -> Any:
    """`detail` of an error body, or what stands there instead as text."""
    try:
        decoded = json.loads(body)
    except (ValueError, RecursionError):
        return body.decode(errors="replace")
    return decoded.get("detail") if isinstance(decoded, dict) else None


def _faults(detail: Any, origin: Origin) -> str:
    """FastAPI's list of faults, one readable line each; never the input that it repeats."""
    if not isinstance(detail, list):
        return ""
    lines = [_fault(item, origin) for item in detail[:_MOST_FAULTS] if isinstance(item, dict)]
    if len(detail) > _MOST_FAULTS:
        lines.append(f"and {len(detail) - _MOST_FAULTS} more")
    return "; ".join(line for line in lines if line) + "."


def _fault(item: dict[str, Any], origin: Origin) -> str:
    loc = item.get("loc")
    place, *names = [str(part) for part in loc] if isinstance(loc, list) and loc else ["request"]
    where = f"{'.'.join(names)} ({place})" if names else place
    return f"{origin.quote(where, 80)}: {origin.quote(str(item.get('msg', 'not accepted')))}"


def _quoted(text: str) -> str:
    return f'It says: "{text}"' if text else ""


def _timeout_words(exc: Exception) -> str:
    match exc:
        case httpx.ConnectTimeout():
            return "did not take the connection in time"
        case httpx.WriteTimeout():
            return "did not take the request in time"
        case httpx.PoolTimeout():
            return "was asked too much at once; no connection came free in time"
        case _:
            return "did not answer in time"


def _is_tls(exc: BaseException) -> bool:
    """Whether a TLS failure lies beneath."""
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
