"""Everything that can go wrong, as one tree. Each message names the next move.

    LlxError
    ├── ConfigurationError        no key, a base URL or region that cannot be used
    ├── ArgumentError             an argument outside what is allowed
    └── UpstreamError             LlamaCloud was asked, and this came of it
        ├── AuthenticationError   401
        ├── OutOfCreditsError     402
        ├── NotFoundError         403, 404
        ├── RejectedError         422 and the other 4xx
        ├── RateLimitedError      429
        ├── UnavailableError      408, 409, 5xx
        ├── UnreachableError      no connection, TLS, a timeout
        └── BadResponseError      not a job: HTML, cut off, too large, a redirect

A message is shown to a model and to people as it is. It never holds a key, and of a foreign text at
most an excerpt that `excerpt` has cleaned.
"""

import re
import unicodedata

_EXCERPT_CHARS = 200
_TAG = re.compile(r"<[^>]*>")


class LlxError(Exception):
    """Base of all errors that are meant to be read.

    Attributes:
        passing: whether the same call may well succeed later, unchanged.
    """

    is_transient = False


class ConfigurationError(LlxError):
    """The server was not told enough, or was told something that it cannot use."""


class ArgumentError(LlxError):
    """An argument of a call is outside what is allowed."""


class UpstreamError(LlxError):
    """A request to LlamaCloud did not give a job.

    Attributes:
        status_code: the HTTP status, or None where there was none.
    """

    def __init__(self, message: str, *, status_code: int | None = None) -> None:
        super().__init__(message)
        self.status_code = status_code


class AuthenticationError(UpstreamError):
    """401: the key is not valid here."""


class OutOfCreditsError(UpstreamError):
    """402: the account has no credits left."""


class NotFoundError(UpstreamError):
    """403 or 404: this key sees no such thing."""


class RejectedError(UpstreamError):
    """422 or another 4xx: the service did not accept the request as it was."""


class RateLimitedError(UpstreamError):
    """429: too many requests.

    Attributes:
        retry_after_seconds: how long the service asked to wait, where it said so.
    """

    is_transient = True

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message, status_code=429)
        self.retry_after_seconds = retry_after_seconds


class UnavailableError(UpstreamError):
    """408, 409 or 5xx: the service could not answer now.

    Attributes:
        retry_after_seconds: how long the service asked to wait, where it said so.
    """

    is_transient = True

    def __init__(
        self, message: str, *, status_code: int | None = None, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(message, status_code=status_code)
        self.retry_after_seconds = retry_after_seconds


class UnreachableError(UpstreamError):
    """No answer came: connection, TLS, or a timeout."""

    is_transient = True


class BadResponseError(UpstreamError):
    """An answer came, and it is not what the service documents."""


def excerpt(text: str, max_chars: int = _EXCERPT_CHARS) -> str:
    """A foreign text in one clean, bounded line: no markup, no control or invisible characters.

    Args:
        text: whatever was received.
        max_chars: the most characters to return.
    """
    plain = _TAG.sub(" ", text[: max_chars * 20])
    printable = "".join(" " if unicodedata.category(char).startswith(("C", "Z")) else char for char in plain)
    line = " ".join(printable.split())
    return line if len(line) <= max_chars else line[: max_chars - 1] + "…"
