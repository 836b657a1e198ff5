"""Tokens of the pages of lists."""

import base64
from collections.abc import Sequence
from typing import TypeVar

from starlette.exceptions import HTTPException

from llx_mcp.local.request_models import Location, validation_error

_MAX_DIGITS = 9
_Item = TypeVar("_Item")


def slice_page(
    items: Sequence[_Item], token: str | None, size: int, location: Location
) -> tuple[Sequence[_Item], str | None]:
    """Return one page of a list, and the token of the next page; None on the last page.

    Args:
        items: The whole list.
        token: The token that the client sent; None or "" is the first page.
        size: The maximum number of items on a page.
        location: Where the token stands in the request.

    Raises:
        HTTPException: 422, the token is not one of this list.
    """
    start = _decode_offset(token, location)
    end = start + size
    return items[start:end], encode_token(str(end)) if end < len(items) else None


def encode_token(text: str) -> str:
    """Return a token that holds a text."""
    return base64.urlsafe_b64encode(text.encode()).decode()


def decode_token(token: str) -> str:
    """Return the text that a token holds.

    Raises:
        ValueError: The token is not one of `encode_token`.
    """
    return base64.urlsafe_b64decode(token.encode()).decode()


def build_token_error(token: str, location: Location) -> HTTPException:
    """Build the 422 answer to a token that is not one of the list."""
    return validation_error("value_error", location, "Value error, not a token of this list", token)


def _decode_offset(token: str | None, location: Location) -> int:
    if not token:
        return 0
    try:
        offset = int(decode_token(token)[:_MAX_DIGITS])
    except ValueError:
        offset = -1
    if offset < 0:
        raise build_token_error(token, location)
    return offset
