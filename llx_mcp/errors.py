"""The errors of this package.

    LlxError                      base class; the message is meant to be read
    ├── ConfigurationError        a setting is missing or not valid: key, base URL, region
    │   └── MissingExtraError     packages of a feature are not installed
    ├── ArgumentError             an argument is not allowed
    └── UpstreamError             a request to LlamaCloud failed
        ├── AuthenticationError   401
        ├── OutOfCreditsError     402
        ├── NotFoundError         403, 404
        ├── RejectedError         422 and the other 4xx
        ├── RateLimitedError      429                              transient
        ├── UnavailableError      408, 409, 5xx                    transient
        ├── UnreachableError      no connection, TLS, a timeout    transient, unless it says otherwise
        ├── BadResponseError      not a job: HTML, too large, a redirect; transient if empty or cut off
        └── UnclearOutcomeError   whether the service acted on the request is not known

Models and people read a message as it is. It says what is wrong and what to do next. It never holds a key. Of the
service's or a document's text it quotes at most an excerpt, cleaned by `excerpt`.
"""

import copy
import re
import unicodedata
from typing import TypeVar

_EXCERPT_CHARS = 200
_TAG = re.compile(r"<[^>]*>")


class LlxError(Exception):
    """Base class of the errors whose message is meant to be read.

    Attributes:
        is_transient: whether the same call may succeed later, unchanged. A wait goes on after such an error.
    """

    is_transient = False


class ConfigurationError(LlxError):
    """A setting is missing or not valid."""


class MissingExtraError(ConfigurationError):
    """A feature needs packages that are not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        """Say what needs which extra of this package."""
        super().__init__(f"{feature} needs the extra {extra}. Install llx-mcp with it: see Extras in docs/install.md.")


class ArgumentError(LlxError):
    """An argument of a call is not allowed."""


class UpstreamError(LlxError):
    """A request to LlamaCloud failed."""

    def __init__(self, message: str, *, is_transient: bool | None = None) -> None:
        super().__init__(message)
        if is_transient is not None:
            self.is_transient = is_transient


class AuthenticationError(UpstreamError):
    """401: the service does not accept the key."""


class OutOfCreditsError(UpstreamError):
    """402: the account has no credits left."""


class NotFoundError(UpstreamError):
    """403 or 404: nothing with this id can be seen with this key.

    Attributes:
        is_forbidden: whether it is a 403: what was asked for may exist.
    """

    def __init__(self, message: str, *, is_forbidden: bool = False) -> None:
        super().__init__(message)
        self.is_forbidden = is_forbidden


class RejectedError(UpstreamError):
    """422 or another 4xx: the service rejected the request.

    Attributes:
        locations: where the service found invalid values, such as `query.expand.3`; empty if it does not say.
    """

    def __init__(self, message: str, *, locations: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.locations = locations


class RateLimitedError(UpstreamError):
    """429: too many requests.

    Attributes:
        retry_after_seconds: how long the service asked to wait, or None if it did not ask.
    """

    is_transient = True

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class UnavailableError(UpstreamError):
    """408, 409 or 5xx: the service could not handle the request now.

    Attributes:
        retry_after_seconds: how long the service asked to wait, or None if it did not ask.
    """

    is_transient = True

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class UnreachableError(UpstreamError):
    """There was no response: no connection, a TLS error, or a timeout."""

    is_transient = True


class BadResponseError(UpstreamError):
    """There was a response, but not one that the service documents."""


class UnclearOutcomeError(UpstreamError):
    """The service may have acted on the request, or not. Sending it again could do the same twice.

    Attributes:
        has_ended: whether the service has ended its work on the request. Otherwise it may still act on it.
    """

    def __init__(self, message: str, *, has_ended: bool = False) -> None:
        super().__init__(message)
        self.has_ended = has_ended


Error = TypeVar("Error", bound=LlxError)


def extend_message(error: Error, more: str) -> Error:
    """Return an error like another one, with more words at the end of its message."""
    extended = copy.copy(error)
    extended.args = (f"{error} {more}",)
    return extended


def excerpt(text: str, max_chars: int = _EXCERPT_CHARS) -> str:
    """Return the start of an untrusted text on one line, without markup and control or invisible characters.

    Args:
        text: the untrusted text.
        max_chars: the most characters to return.
    """
    plain = _TAG.sub(" ", text[: max_chars * 20])
    printable = "".join(" " if unicodedata.category(char).startswith(("C", "Z")) else char for char in plain)
    line = " ".join(printable.split())
    return line if len(line) <= max_chars else line[: max_chars - 1] + "…"
