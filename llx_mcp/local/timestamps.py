"""Times as the database stores them and as the API writes them."""

from datetime import UTC, datetime


def to_unix_seconds(moment: datetime | None) -> float:
    """Return a time in seconds since 1970, or 0 for None and for times that cannot be converted back."""
    if moment is None:
        return 0.0
    try:
        datetime.fromtimestamp(moment.timestamp(), UTC)
    except (ValueError, OverflowError, OSError):
        return 0.0
    return moment.timestamp()


def from_unix_seconds(seconds: float) -> datetime:
    """Return the time of a number of seconds since 1970, in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def format_time(moment: datetime) -> str:
    """Return a time in ISO 8601, with `Z` for UTC."""
    return moment.isoformat().replace("+00:00", "Z")
