"""Pages and credits of a job are estimated from what is known, and say what is not."""

from typing import Any

import pytest

from llx_mcp.errors import ArgumentError
from llx_mcp.jobs.page_estimate import estimate_pages, normalize_target_pages, parse_target_pages


@pytest.mark.parametrize(
    ("options", "document_pages", "pages", "most", "bill"),
    [
        ({}, 4, 4, 4, 32),
        ({"tier": "agentic"}, 4, 4, 4, 100),
        ({"tier": "agentic_plus"}, 1, 1, 1, 95),
        ({"tier": "turbo"}, 2, 2, 2, 70),
        ({"tier": "agentic", "parse_tier": "fast"}, 1, 1, 1, 16),
        ({"tier": "new"}, 4, 4, 4, None),
        ({"target_pages": "1,3-4, 4"}, 9, 3, 3, 24),
        ({"target_pages": "1,3-4"}, None, 3, 3, 24),
        ({"max_pages": 2}, 9, 2, 2, 16),
        ({"max_pages": 20}, 9, 9, 9, 72),
        ({"target_pages": "2-9", "max_pages": 3}, 9, 3, 3, 24),
        ({}, None, None, None, None),
        ({"max_pages": 2}, None, None, 2, None),
    ],
)
def test_pages_and_credits(
    options: dict[str, Any], document_pages: int | None, pages: int | None, most: int | None, bill: int | None
) -> None:
    estimate = estimate_pages(options, document_pages)
    assert (estimate.pages, estimate.most_pages, estimate.credits) == (pages, most, bill)


@pytest.mark.parametrize(
    ("text", "normal"),
    [("1-1", "1"), (" 3, 1-2", "1-3"), ("5,1,3-4,4", "1,3-5"), ("2-9,4", "2-9"), ("1,3,5-7", "1,3,5-7"), (None, None)],
)
def test_same_pages_have_the_same_text(text: str | None, normal: str | None) -> None:
    assert normalize_target_pages(text) == normal


def test_huge_ranges_are_not_counted_page_by_page() -> None:
    # Page by page, this would take minutes and gigabytes.
    text = ",".join(["1-999999"] * 100_000)
    assert parse_target_pages(text) == ((1, 999_999),)
    assert estimate_pages({"target_pages": text}, None).pages == 999_999


@pytest.mark.parametrize("text", ["", "0", "1,", "3-1", "a", "1;2", "1-", "-1", "1.5", "9999999", "²"])
def test_text_that_is_no_list_of_pages_is_refused(text: str) -> None:
    with pytest.raises(ArgumentError, match=r"^target_pages: .*Write it as 1,3,5-7"):
        parse_target_pages(text)
