"""The metadata of a sample follows the rules in the docstring of the generator."""

from samples.canvas import Field, Region, Tree
from samples.jobs import build_metadata, build_result

CLEAR = Region(1, "Due 14 May 2026", ((56.0, 92.0, 50.0, 10.2),))
FAINT = Region(2, "Order PO-88", ((56.0, 92.0, 50.0, 10.2),), is_faint=True)
PROSE = Region(3, "A facility of EUR 40,000,000 is made available. " * 3, ((56.0, 92.0, 50.0, 10.2),))
TREE: Tree = {
    "due": Field("2026-05-14", (CLEAR,)),
    "order": Field("PO-88", (FAINT,)),
    "country": Field("Norway"),
    "loan": {"amount": Field(40_000_000, (PROSE,)), "currency": Field("EUR", (PROSE,))},
    "nothing": None,
    "list": [Field("a", (CLEAR,)), None],
}


def test_metadata_follows_result_and_omits_nulls() -> None:
    assert build_result(TREE) == {
        "due": "2026-05-14",
        "order": "PO-88",
        "country": "Norway",
        "loan": {"amount": 40_000_000, "currency": "EUR"},
        "nothing": None,
        "list": ["a", None],
    }
    metadata = build_metadata(TREE)
    assert metadata.keys() == build_result(TREE).keys() - {"nothing"}
    assert metadata["list"][1] is None


def test_entry_has_citation_and_confidence() -> None:
    # The hash of ".due" begins with 109 and 169: 0.9 + 0.099 * 109 / 255, 0.95 + 0.049 * 169 / 255, their product.
    assert build_metadata(TREE)["due"] == {
        "citation": [
            {
                "page": 1,
                "matching_text": "Due 14 May 2026",
                "bounding_boxes": [{"x": 56.0, "y": 92.0, "w": 50.0, "h": 10.2}],
                "page_dimensions": {"width": 595.0, "height": 842.0},
            }
        ],
        "confidence": 0.925803,
        "extraction_confidence": 0.942318,
        "parsing_confidence": 0.982475,
    }


def test_low_confidence_follows_the_rules() -> None:
    metadata = build_metadata(TREE)
    assert metadata["due"]["confidence"] > 0.8
    assert metadata["order"]["parsing_confidence"] < 0.6
    assert metadata["order"]["extraction_confidence"] > 0.9
    assert metadata["country"]["extraction_confidence"] < 0.5
    assert "citation" not in metadata["country"]
    for name in ("amount", "currency"):
        assert 0.81 <= metadata["loan"][name]["extraction_confidence"] < 0.9
