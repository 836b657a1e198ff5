"""Times are stored in seconds and written in ISO 8601."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from llx_mcp.local.timestamps import format_time, from_unix_seconds, to_unix_seconds

MOMENT = datetime(2026, 7, 6, 9, 0, 0, 250_000, tzinfo=UTC)


def test_time_in_any_zone_is_stored_as_the_same_seconds() -> None:
    east = MOMENT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert to_unix_seconds(east) == to_unix_seconds(MOMENT) == 1_783_328_400.25
    assert from_unix_seconds(to_unix_seconds(east)) == MOMENT


@pytest.mark.parametrize("moment", [None, datetime.min.replace(tzinfo=timezone(timedelta(hours=5)))])
def test_time_that_cannot_be_stored_is_0(moment: datetime | None) -> None:
    assert to_unix_seconds(moment) == 0.0


def test_time_is_written_with_z_for_utc_only() -> None:
    assert format_time(MOMENT) == "2026-07-06T09:00:00.250000Z"
    assert format_time(MOMENT.astimezone(timezone(timedelta(hours=-3)))) == "2026-07-06T06:00:00.250000-03:00"
