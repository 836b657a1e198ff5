"""Groups of digits are one number or several, each with its own words."""

from llx_mcp.evidence.numbers import index_numbers
from llx_mcp.evidence.places import Span


def test_each_number_has_its_own_words() -> None:
    words = ["Haemoglobin", "128", "135", "(1", "234,50)", "12.5%"]
    found = index_numbers(words, Span(0, len(words) - 1))
    assert found == {
        128: [Span(1, 1)],
        135: [Span(2, 2)],
        128_135: [Span(1, 2)],
        1: [Span(3, 3)],
        234.5: [Span(4, 4)],
        1234.5: [Span(3, 4)],
        12.5: [Span(5, 5)],
    }
