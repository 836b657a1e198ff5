"""Groups of digits may be written in any way, and a decimal point may not be lost."""

import pytest

from llx_mcp.evidence.grouping import is_grouped_alike
from llx_mcp.evidence.streams import build_needle


@pytest.mark.parametrize(
    ("text", "other", "is_alike"),
    [
        ("Price 1,234,567", "Price 1 234 567", True),
        ("1,234.50 EUR", "1 234.50 EUR", True),
        ("1.234,50", "1234,50", True),
        ("1.234", "1234", True),
        ("DE10 9990 1700", "DE1099901700", True),
        ("31.12.2025", "31 12 2025", True),
        ("Price 12.50 EUR", "Price 1250 EUR", False),
        ("123,456.78", "12345678", False),
        ("1.250,00", "12.500,0", False),
        ("12.50", "12 50", False),
        ("version 1.5", "version 15", False),
        ("version 1.2.3", "version 123", False),
        ("0.125", "0125", False),
        ("1,234.50", "1 234 50", False),
    ],
)
def test_only_groups_may_differ(text: str, other: str, *, is_alike: bool) -> None:
    streams = build_needle(text).stream, build_needle(other).stream
    assert is_grouped_alike(*streams) == is_grouped_alike(*streams[::-1]) == is_alike
