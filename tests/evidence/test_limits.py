"""Pages, words and quotes of any size are searched within bounds; what is not searched is said."""

import random
import time
from collections.abc import Callable

import pytest

from llx_mcp.evidence.grounding import Grounder
from llx_mcp.evidence.pages import SourcePage, SourceText
from llx_mcp.result.document import Citation
from llx_mcp.result.normalize import possible_numbers
from llx_mcp.result.quote_match import quotes_contain_value

# Far above what any of these takes, which is at most some seconds on a slow machine.
HANG_SECONDS = 60
# More words than are searched. In a search that takes quadratic time, these many take hours.
NUM_WORDS = 250_000


def random_words(number: int) -> list[str]:
    return random.Random(1).choices(["alpha", "beta", "1,234", "2024", "x", "of"], k=number)


def misread_words() -> str:
    return " ".join(random_words(4_000)).replace("alpha", "alqha")


@pytest.mark.parametrize(
    ("words", "quote", "value"),
    [
        (lambda: random_words(NUM_WORDS), lambda: "not here at all 1,234 gamma", "2024-03-01"),
        (lambda: random_words(NUM_WORDS), lambda: "9,999", 9999),
        (lambda: ["a"] * NUM_WORDS, lambda: "a a a b a a a a", 5),
        (lambda: ["1"] * NUM_WORDS, lambda: "1 1 1 2 1", 11),
        (lambda: ["123"] * NUM_WORDS, lambda: "123 123 124", 123_123),
        (lambda: ["2024"] * NUM_WORDS, lambda: "2024-03-01 x", "2024-03-01"),
        (lambda: ["a" * 10_000_000], lambda: "aaaaaaaaaaaaaaab", "aab"),
        (lambda: ["a"] * 1_000, lambda: "ab " * 3_300_000, "ab" * 5_000_000),
        (lambda: ["a"] * 1_000, lambda: "[*_`$\\" * 1_500_000, "x"),
        (lambda: ["a"] * 1_000, lambda: "<a " * 3_500_000, "a"),
        (lambda: ["a"] * 1_000, lambda: "[a](" * 2_500_000, "a"),
        (lambda: ["東京" * 500] * 1_000, lambda: "東京大阪京都" * 100, "大阪"),
        (lambda: random_words(5_000), misread_words, 7),
    ],
    ids=range(13),
)
def test_no_page_or_quote_hangs(words: Callable[[], list[str]], quote: Callable[[], str], value: object) -> None:
    started = time.thread_time()
    grounder = Grounder(SourceText("document", [SourcePage(1, words()), SourcePage(2, ["alpha"])]))
    citations = [Citation(1, quote()), Citation(2, quote())]
    grounder.check(value, citations)
    grounder.find_value(value)
    grounder.search(citations[0].quote or "")
    assert time.thread_time() - started < HANG_SECONDS


def test_many_pages_are_searched() -> None:
    words = random_words(10_050)
    pages = [SourcePage(number, [*words[number : number + 50], f"unique{number}"]) for number in range(1, 10_001)]
    check = Grounder(SourceText("document", pages)).check("unique777", [Citation(5, "unique777")])
    assert (check.verdict, check.elsewhere.places[0].page) == ("not_on_page", 777)


def test_quote_beyond_the_searched_words_is_unchecked() -> None:
    page = SourcePage(1, [*["x"] * 200_000, "Total", "5"])
    check = Grounder(SourceText("document", [page])).check(5, [Citation(1, "Total 5")])
    assert (check.verdict, check.reason) == ("unchecked", "the page has too many words to search them all")


def test_value_that_stands_in_very_many_places_is_counted_up_to_a_limit() -> None:
    pages = [SourcePage(number, ["5"] * 500) for number in range(1, 41)]
    places = Grounder(SourceText("document", pages)).find_value(5)
    assert (len(places.places), places.total, places.is_cut) == (5, 1_000, True)


LONG_RUNS = [
    "a", "A", "1", " ", ".", "_", "-", "(", "東", "é", "%", "[", "<", "&", "\\", "$", "*", "|", "\n", "\u00a0", ",",
    "'", "1 ", "123 ", "1.", "1,", "-(", ". ", "a1", "東1", "<!--", "[a](b ", "<a ", "&#9", "٣",
]  # fmt: skip


@pytest.mark.parametrize("value", [5, 0.05, -5, "2026-03-01", "some text 5", "x" * 50], ids=range(6))
def test_long_runs_of_any_character_are_read_in_little_time(value: object) -> None:
    grounder = Grounder(SourceText("document", [SourcePage(1, ["alpha", "beta", "5"])]))
    started = time.thread_time()
    for run in LONG_RUNS:
        quote = f"alpha -5 % {(run * 30_000)[:30_000]}beta"
        quotes_contain_value(value, [quote])
        grounder.check(value, [Citation(1, quote)])
        possible_numbers(quote)
    # A pattern that looks at each run once takes a hundredth of this; one that looks at it again and again, more.
    assert time.thread_time() - started < 10
