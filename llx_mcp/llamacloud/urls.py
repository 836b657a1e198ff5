"""Addresses of the service's endpoints, from which no argument can lead out."""

from collections.abc import Sequence
from urllib.parse import quote, urlencode, urlsplit

from llx_mcp.errors import ArgumentError, ConfigurationError, excerpt

JOBS_PATH = "/api/v2/extract"
FILES_PATH = "/api/v1/beta/files"

# Many times any real id; percent-encoded it still fits the 64 KiB that an address may have.
_MOST_CHARS = 2_000


def build_job_path(job_id: str) -> str:
    """The path of one job: whatever the id holds stays within the last segment.

    Raises:
        ArgumentError: the id is blank, or no text that can be sent.
    """
    if not job_id.strip():
        raise ArgumentError("job_id is empty. Give the id of an extract job; it begins with ext-.")
    _check("job_id", job_id)
    return f"{JOBS_PATH}/{_segment(job_id)}"


def build_file_path(file_id: str) -> str:
    """The path of one file: whatever the id holds stays within the last segment.

    Raises:
        ArgumentError: the id is blank, or no text that can be sent.
    """
    if not file_id.strip():
        raise ArgumentError("The id of the file is empty.")
    _check("file_id", file_id)
    return f"{FILES_PATH}/{_segment(file_id)}"


def is_signed_address(url: str, base_url: str) -> bool:
    """Whether a document may be fetched from there: over https, or over http from the host that was asked for it."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (
            parts.scheme == "https" or (parts.scheme == "http" and parts.netloc == urlsplit(base_url).netloc)
        )
    except ValueError:
        return False


def build_url(base_url: str, path: str, parameters: Sequence[tuple[str, str]]) -> str:
    """The whole address, a repeated parameter as a repeated key.

    Raises:
        ArgumentError: a parameter is no text that can be sent.
        ConfigurationError: the base URL names a port that there is not.
    """
    try:
        _ = urlsplit(base_url).port
    except ValueError:
        words = f"The port of {base_url} cannot be used; it is a number from 1 to 65535. Set LLAMA_CLOUD_BASE_URL."
        raise ConfigurationError(words) from None
    for name, value in parameters:
        _check(name, value)
    return f"{base_url}{path}?{urlencode(parameters)}" if parameters else f"{base_url}{path}"


def _segment(text: str) -> str:
    segment = quote(text, safe="")
    # Segments of dots alone mean this folder and the one above, and are resolved before they are sent.
    return segment.replace(".", "%2E") if not segment.strip(".") else segment


def _check(name: str, value: str) -> None:
    if len(value) > _MOST_CHARS:
        raise ArgumentError(f"{name} has {len(value):,} characters, and none has more than {_MOST_CHARS:,}.")
    try:
        value.encode()
    except UnicodeEncodeError:
        words = f'{name} "{excerpt(value, 80)}" holds half a character (a lone surrogate) and cannot be sent.'
        raise ArgumentError(f"{words} Copy it again.") from None
