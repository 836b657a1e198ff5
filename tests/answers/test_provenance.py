"""Values are ranked by confidence, and long quotes are cut around the value."""

import pytest

from llx_mcp.answers.budget import Cost
from llx_mcp.answers.provenance import ConfidenceRanking, add_citation_count, quote_around, round_confidence, value_row
from llx_mcp.result.document import Citation, Leaf
from tests.example_jobs import cited
from tests.result.documents import build_document, build_metadata

UNBOUNDED = Cost(1 << 62, 1 << 62)


def test_confidence_is_rounded_to_three_places() -> None:
    assert (round_confidence(0.87654), round_confidence(0.0), round_confidence(None)) == (0.877, 0.0, None)


@pytest.mark.parametrize(
    ("quote", "count", "text"),
    [
        ("q", 0, "q"),
        ("q", 1, "q"),
        ("q", 2, "q [+1 citations]"),
        (None, 3, "[+2 citations]"),
        (None, 1, None),
        ("", 1, None),
    ],
)
def test_quote_says_how_many_more_citations_there_are(quote: str | None, count: int, text: str | None) -> None:
    assert add_citation_count(quote, count) == text


def digits(count: int) -> str:
    """Return a text whose parts all differ."""
    return "".join(f"{index:04}" for index in range(count // 4 + 1))[:count]


LONG = digits(400)


@pytest.mark.parametrize(
    ("quote", "value", "shown"),
    [
        (LONG[:160], "0090", LONG[:160]),
        (LONG[:161], "x", f"{LONG[:160]}…"),
        # The value begins at character 156, and ends where the beginning of the quote does.
        (LONG, "0039", f"{LONG[:160]}…"),
        (LONG, "00390", f"…{LONG[116:276]}…"),
        (LONG, "0041", f"…{LONG[124:284]}…"),
        (LONG, "0099", f"…{LONG[356:]}"),
        (LONG, "nowhere", f"{LONG[:160]}…"),
        (LONG, LONG[200:359], f"…{LONG[199:359]}…"),
        (LONG, LONG[200:360], f"{LONG[:160]}…"),
        (f"{LONG}Needle", "nEEDLE", f"…{LONG[360:]}Needle"),
        ("a\u202eb", "x", "a\\u202eb"),
    ],
)
def test_long_quote_is_cut_around_the_value(quote: str, value: str, shown: str) -> None:
    assert quote_around(quote, value) == shown


def test_row_of_a_value_has_path_value_confidence_page_and_quote() -> None:
    citations = (Citation(3, "of 12.50"), Citation(4, "x"))
    assert value_row(Leaf("a.b", 12.5, 0.12345, citations)) == ["a.b", 12.5, 0.123, 3, "of 12.50 [+1 citations]"]
    assert value_row(Leaf("", "v" * 121, None, ())) == ["$", f"{'v' * 120}…[+1]", None, None, None]
    assert value_row(Leaf("a", "x", 0.5, (Citation(None, None),))) == ["a", "x", 0.5, None, None]


def ranking_of(confidences: list[float | None]) -> ConfidenceRanking:
    """Return the ranking of a list of texts, each different."""
    result = {"rows": [{"n": f"text {index}"} for index in range(len(confidences))]}
    tree = {"rows": [{"n": {} if c is None else cited(c, 1, f"text {i}")} for i, c in enumerate(confidences)]}
    return ConfidenceRanking(build_document(result, build_metadata(tree)))


def test_counts_say_what_is_low_and_what_is_missing() -> None:
    counts = ranking_of([0.5, 0.79, 0.8, None, 0.9]).counts.model_dump(exclude_none=True)
    assert counts == {
        "values": 5, "nulls": 0, "low_confidence": 2, "threshold": 0.8, "without_confidence": 1, "without_citation": 1
    }  # fmt: skip
    assert ranking_of([0.5, 0.9]).counts.model_dump(exclude_none=True).keys() == {
        "values", "nulls", "low_confidence", "threshold"
    }  # fmt: skip


@pytest.mark.parametrize(("most", "paths"), [(3, [1, 2, 0]), (2, [1, 2]), (9, [1, 2, 0])])
def test_table_has_the_values_with_the_lowest_confidence_first(most: int, paths: list[int]) -> None:
    ranking = ranking_of([0.9, 0.1, 0.2])
    table = ranking.build_table(most)
    cost = ranking.build_table(most).fill(UNBOUNDED)
    assert table.fill(cost) == cost
    assert [row[0] for row in table.rows] == [f"rows[{index}].n" for index in paths]


def test_table_of_values_to_doubt_has_only_those_below_the_threshold() -> None:
    ranking = ranking_of([0.9, 0.1, 0.2, 0.3, 0.85])
    for limit, num_rows in ((2, 2), (9, 3)):
        table = ranking.build_informative_table(limit)
        table.fill(UNBOUNDED)
        assert [row[0] for row in table.rows] == [f"rows[{index}].n" for index in (1, 2, 3)][:num_rows]
        assert table.columns == ["path", "value", "confidence", "page"]
        assert len(table.rows[0]) == 4


def test_nothing_is_ranked_without_metadata() -> None:
    ranking = ConfidenceRanking(build_document({"a": 1, "b": None}, None))
    assert (ranking.num_leaves, ranking.build_table(9).fill(UNBOUNDED).chars) == (0, 0)
    assert ranking.counts.model_dump(exclude_none=True) == {"values": 1, "nulls": 1}
