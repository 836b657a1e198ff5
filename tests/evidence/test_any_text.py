"""Whatever the pages, quotes and values are: what is cut from a page is found there, and nothing raises or hangs."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from llx_mcp.evidence.grounding import Grounder
from llx_mcp.evidence.markup import strip_markup
from llx_mcp.evidence.pages import SourcePage, SourceText
from llx_mcp.evidence.places import Place, Places
from llx_mcp.result.document import Citation

ALPHABET = st.one_of(
    st.sampled_from("abcABC0123456789.,-|*_$%\\{}<>&#()€…—“”'"),
    st.sampled_from("éüßﬁ京都契約กข한\u00ad\u0301\u200b\x00\x01²½"),
    st.characters(exclude_categories=["Cs"]),
)
WORDS = st.lists(
    st.text(ALPHABET, min_size=1, max_size=12).filter(lambda word: word.split() == [word]), min_size=1, max_size=40
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(ALPHABET, max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
PAGE_NUMBERS = st.none() | st.integers(-1, 4) | st.floats()


def build(pages: list[list[str]]) -> SourceText:
    boxes = [[(10.0 * index, 20.0, 9.0, 8.0) for index in range(len(words))] for words in pages]
    numbered = enumerate(zip(pages, boxes, strict=True), 1)
    return SourceText("document", [SourcePage(number, words, [0], boxes) for number, (words, boxes) in numbered])


@settings(max_examples=300, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=3), st.data())
def test_quote_cut_from_a_page_is_found_there(pages: list[list[str]], data: st.DataObject) -> None:
    number = data.draw(st.integers(1, len(pages)))
    words = pages[number - 1]
    first = data.draw(st.integers(0, len(words) - 1))
    last = data.draw(st.integers(first, len(words) - 1))
    quote = " ".join(words[first : last + 1])
    check = Grounder(build(pages)).check(True, [Citation(number, quote)])
    assert check.verdict == "verified"
    assert check.citations[0].places[0].page == number


@settings(max_examples=300, deadline=None)
@given(
    st.lists(WORDS, max_size=3),
    JSON,
    st.lists(st.tuples(PAGE_NUMBERS, st.none() | st.text(ALPHABET, max_size=60)), max_size=3),
    st.integers(1, 5),
)
def test_nothing_raises_and_every_place_is_on_its_page(
    pages: list[list[str]], value: Any, citations: list[tuple[float | None, str | None]], limit: int
) -> None:
    grounder = Grounder(build(pages))
    check = grounder.check(value, [Citation(page, quote) for page, quote in citations])
    found = [grounder.find_value(value, limit=limit), grounder.search(json.dumps(value), limit)]
    assert all(len(places.places) <= limit for places in found)
    found += [each.elsewhere for each in check.citations]
    placed = [place for each in check.citations for place in (*each.places, each.value_place) if place is not None]
    for place in [*placed, *(place for places in found for place in places.places)]:
        assert_on_page(place, pages)
    for places in found:
        assert_counted(places)


def assert_on_page(place: Place, pages: list[list[str]]) -> None:
    words = pages[place.page - 1]
    assert 0 <= place.first <= place.last < len(words)
    assert 0 <= place.score <= 1
    assert place.boxes == ((10.0 * place.first, 20.0, 10.0 * (place.last - place.first) + 9.0, 8.0),)


def assert_counted(places: Places) -> None:
    assert len(places.places) <= places.total
    assert len({place.page for place in places.places}) <= places.num_pages <= places.total


@given(st.text(ALPHABET, max_size=200))
def test_markup_is_taken_out_of_any_text(text: str) -> None:
    plain = strip_markup(text)
    assert "|" not in plain or plain == text
