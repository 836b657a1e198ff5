"""A report has words of its own for all that a review finds and counts."""

from llx_mcp.answers.outputs import COUNT_FIELDS, ReviewCounts
from llx_mcp.cli.report_kinds import COUNTS, KINDS

# These are said elsewhere, or explain another count to a model.
LEFT_OUT = {"threshold", "incomplete_objects", "also_without_citation"}


def test_every_kind_has_a_title_and_a_meaning_in_the_order_of_a_review() -> None:
    assert list(KINDS) == list(COUNT_FIELDS)
    assert all(text.title and text.meaning.endswith(".") for text in KINDS.values())
    assert len({text.title for text in KINDS.values()}) == len(KINDS)


def test_every_count_has_a_title() -> None:
    assert set(COUNTS) == set(ReviewCounts.model_fields) - LEFT_OUT
