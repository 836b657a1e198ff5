"""Tokens of lists whose pages are counted by position."""

import base64
from collections.abc import Sequence
from typing import TypeVar

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
    next_token = base64.urlsafe_b64encode(str(end).encode()).decode() if end < len(items) else None
    return items[start:end], next_token


def _decode_offset(token: str | None, location: Location) -> int:
    if not token:
        return 0
    try:
        offset = int(base64.urlsafe_b64decode(token.encode()).decode("ascii")[:_MAX_DIGITS])
    except ValueError:
        offset = -1
    if offset < 0:
        raise validation_error("value_error", location, "Value error, not a token of this list", token)
    return offset
