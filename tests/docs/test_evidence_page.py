"""The page on evidence has the words that answers use."""

from pathlib import Path

import pytest

from llx_mcp.answers.cells import NOT_IN_QUOTE
from llx_mcp.answers.citation_checks import LABELS, describe, describe_uncited
from llx_mcp.evidence.checks import CitationCheck, Verdict
from llx_mcp.evidence.places import Place, Places

PAGE = (Path(__file__).parents[2] / "docs" / "evidence.md").read_text(encoding="utf-8")


def stands_on(*pages: int) -> Places:
    return Places(tuple(Place(page, 0, 0) for page in pages), len(pages), len(pages))


def say(verdict: Verdict, *pages: int) -> str:
    return describe(CitationCheck(verdict, elsewhere=stands_on(*pages)), 3)


@pytest.mark.parametrize(
    "words",
    [
        *(LABELS[verdict] for verdict in ("verified", "value_not_in_quote")),
        say("not_on_page", 5),
        say("ambiguous", 5, 6, 9, 12, 13),
        say("not_on_page"),
        f"{say('ambiguous')}…",
        f"{say('unchecked')}…",
        describe_uncited(stands_on(3)),
        describe_uncited(stands_on()),
        describe_uncited(Places(lacks_pages=True)),
        describe(CitationCheck("not_on_page", elsewhere=Places(lacks_pages=True)), 3),
        f"{NOT_IN_QUOTE}…",
    ],
)
def test_words_of_answers_are_on_the_page(words: str) -> None:
    assert f"`{words}`" in PAGE
