"""Thousands, millions and percentages are recognised by their names, and not within other words."""

import pytest

from llx_mcp.result.scales import find_named_scales, find_percentages


@pytest.mark.parametrize(
    ("text", "scales"),
    [
        ("(in thousands, except per share data)", {1e3}),
        ("$000", {1e3}),
        ("$ '000", {1e3}),
        ("£’000", {1e3}),
        ("TEUR", {1e3}),
        ("1,250,000", set()),
        ("5000", set()),
        ("in Mio. EUR", {1e6}),
        ("€m", {1e6}),
        ("7.1M and 51k", {1e6, 1e3}),
        ("単位：百万円", {1e6}),
        ("Mrd. €, billions", {1e9}),
        ("5 miles", set()),
        ("thousandth", set()),
        ("Miocene", set()),
        ("12 items", set()),
        ("", set()),
    ],
)
def test_scales_are_named(text: str, scales: set[float]) -> None:
    assert find_named_scales(text) == scales


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("12 items of 40 %", {40}),
        ("4.5–5.5%", {4.5, 5.5}),
        ("12.5 per cent of 80", {12.5}),
        ("Growth (%) 12.5 in 2024", {12.5, 2024}),
        ("12 items", set()),
    ],
)
def test_percentages_are_beside_a_sign(text: str, numbers: set[float]) -> None:
    assert {abs(number) for number in find_percentages(text)} == numbers
