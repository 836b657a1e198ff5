"""Texts that differ only in spacing, punctuation and signs have the same stream; other numbers do not."""

import pytest

from llx_mcp.evidence.streams import build_needle, build_stream, split_grams


@pytest.mark.parametrize(
    "text",
    [
        "Net informa-\ntion: 1,234 for the Café “ﬁne”",
        "net information 1.234 for the cafe fine",
        "NET INFOR\u00admation; 1,234 (for) the Cafe\u0301 'fine'",
        "Net in formation １,２３４ for the\u200b Café - fine",
        "Net informa\ufffetion ١٫٢٣٤ for the Café fine",
    ],
)
def test_spacing_and_signs_make_no_difference(text: str) -> None:
    assert build_needle(text).stream == "netinformation1.234forthecafefine"


@pytest.mark.parametrize("text", ["12 5", "12.5", "125", "12.50", "12.5 %"])
def test_numbers_differ_in_separators_and_percent(text: str) -> None:
    others = {"12 5", "12.5", "125", "12.50", "12.5 %"} - {text}
    assert build_needle(text).stream not in {build_needle(other).stream for other in others}


def test_tokens_know_their_word_and_their_start() -> None:
    stream = build_stream(["Well-known", "—", "1,5", "2%"])
    assert (stream.stream, stream.tokens) == ("wellknown1.5 2%", ["well", "known", "1.5", "2", "%"])
    assert (stream.starts, stream.words) == ([0, 4, 9, 13, 14], [0, 0, 2, 3, 3])
    assert build_stream([]).tokens == []
    assert build_stream(["a\x00b", "c"]).words == [0, 0, 1]


def test_scripts_without_spaces_are_split_into_pairs() -> None:
    assert split_grams("東京都") == [(0, "東京"), (1, "京都")]
    assert split_grams("Überfall") == [(0, "Überfall")]
    assert build_needle("東京都 abc").grams == ("東京", "京都", "abc")
    # Voiced kana and syllables are one character each, however they are written.
    assert build_needle("か\u3099").stream == build_needle("が").stream
    assert len(build_needle("한국").stream) == 2
