"""URLs of the service's endpoints. An argument stays within its own segment of the path."""

from collections.abc import Sequence
from urllib.parse import quote, urlencode, urlsplit

from llx_mcp.errors import ArgumentError, ConfigurationError, excerpt

JOBS_PATH = "/api/v2/extract"
FILES_PATH = "/api/v1/beta/files"
CONFIGURATIONS_PATH = "/api/v1/beta/configurations"
PARSE_PATH = "/api/v2/parse"
_SCREENSHOTS_PATH = "/api/v1/files/{}/page_screenshots"

# Far longer than any real id. Percent-encoded it still fits into a URL of 64 KiB.
_MAX_CHARS = 2_000


def build_job_path(job_id: str) -> str:
    """Return the path of one job, with the id percent-encoded as its last segment.

    Raises:
        ArgumentError: the id is blank, too long, or cannot be encoded.
    """
    return _build_path(JOBS_PATH, "job_id", job_id, "an extract job; it begins with ext-")


def build_file_path(file_id: str) -> str:
    """Return the path of one file, with the id percent-encoded as its last segment.

    Raises:
        ArgumentError: the id is blank, too long, or cannot be encoded.
    """
    return _build_path(FILES_PATH, "file_id", file_id, "a file; it begins with dfl-")


def build_configuration_path(configuration_id: str) -> str:
    """Return the path of one saved configuration, with the id percent-encoded as its last segment.

    Raises:
        ArgumentError: the id is blank, too long, or cannot be encoded.
    """
    return _build_path(
        CONFIGURATIONS_PATH, "configuration_id", configuration_id, "a saved configuration; it begins with cfg-"
    )


def build_parse_path(parse_job_id: str) -> str:
    """Return the path of one parse job, with the id percent-encoded as its last segment.

    Raises:
        ArgumentError: the id is too long, or cannot be encoded.
    """
    _check_length_and_encoding("parse_job_id", parse_job_id)
    return f"{PARSE_PATH}/{_encode_segment(parse_job_id)}"


def build_screenshot_path(file_id: str, page_index: int) -> str:
    """Return the path of the picture of one page of a file; pages count from 0.

    Raises:
        ArgumentError: the id is too long, or cannot be encoded.
    """
    _check_length_and_encoding("file_id", file_id)
    return f"{_SCREENSHOTS_PATH.format(_encode_segment(file_id))}/{page_index}"


def is_allowed_download_url(url: str, base_url: str) -> bool:
    """Return whether a document may be fetched from a URL: https, or http on the host of the service itself."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (
            parts.scheme == "https" or (parts.scheme == "http" and parts.netloc == urlsplit(base_url).netloc)
        )
    except ValueError:
        return False


def build_url(base_url: str, path: str, parameters: Sequence[tuple[str, str]]) -> str:
    """Return the whole URL.

    Args:
        base_url: the address of the service, without a trailing slash.
        path: the encoded path, with a leading slash.
        parameters: names and values; a name may be repeated.

    Raises:
        ArgumentError: a parameter is too long or cannot be encoded.
        ConfigurationError: the base URL has an invalid port.
    """
    try:
        _ = urlsplit(base_url).port
    except ValueError:
        text = f"The port of {base_url} is not a number from 1 to 65535. Correct LLAMA_CLOUD_BASE_URL."
        raise ConfigurationError(text) from None
    for name, value in parameters:
        _check_length_and_encoding(name, value)
    return f"{base_url}{path}?{urlencode(parameters)}" if parameters else f"{base_url}{path}"


def _build_path(path: str, name: str, value: str, kind: str) -> str:
    if not value.strip():
        raise ArgumentError(f"{name} is empty. Give the id of {kind}.")
    _check_length_and_encoding(name, value)
    return f"{path}/{_encode_segment(value)}"


def _encode_segment(text: str) -> str:
    segment = quote(text, safe="")
    # HTTP clients resolve the segments `.` and `..` before they send a request.
    return segment.replace(".", "%2E") if not segment.strip(".") else segment


def _check_length_and_encoding(name: str, value: str) -> None:
    if len(value) > _MAX_CHARS:
        raise ArgumentError(f"{name} has {len(value):,} characters; the limit is {_MAX_CHARS:,}.")
    try:
        value.encode()
    except UnicodeEncodeError:
        text = f'{name} "{excerpt(value, 80)}" holds half a character (a lone surrogate) and cannot be sent.'
        raise ArgumentError(f"{text} Copy it again.") from None
