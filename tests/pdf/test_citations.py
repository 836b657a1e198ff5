"""The boxes of words agree with the boxes of citations, in the samples and in real documents."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llx_mcp.evidence.pages import SourcePage
from llx_mcp.local.samples import SAMPLES, Sample, read_document, read_sample
from tests.conftest import CORPUS_JOBS
from tests.pdf.reading import read_pages

# Citations of the samples end with the value, words with their punctuation.
TOLERANCE_POINTS = 4.0
COMPLETED = [sample for sample in SAMPLES if json.loads(read_sample(sample))["extract_result"]]
# The characters of some words of the reports overlap, or have no visible space between them.
MIN_SHARE = 0.96


def iterate_citations(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield each citation of field metadata."""
    for child in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        if isinstance(child, dict) and "matching_text" in child:
            yield child
        else:
            yield from iterate_citations(child)


def is_found(page: SourcePage, citation: dict[str, Any], box: dict[str, float]) -> bool:
    """Return whether words of the quote fill the box, and no other words stand in it."""
    edges = (box["x"], box["y"], box["x"] + box["w"], box["y"] + box["h"])
    inside = [
        (word, (x, y, x + width, y + height))
        for word, (x, y, width, height) in zip(page.words, page.boxes, strict=True)
        if edges[0] < x + width / 2 < edges[2] and edges[1] < y + height / 2 < edges[3]
    ]
    if not inside:
        return False
    words = "".join(word for word, _ in inside)
    starts = [min(each[1][side] for each in inside) for side in (0, 1)]
    ends = [max(each[1][side] for each in inside) for side in (2, 3)]
    return words in "".join(citation["matching_text"].split()) and all(
        abs(edge - expected) < TOLERANCE_POINTS for edge, expected in zip(starts + ends, edges, strict=True)
    )


def check_citations(document: bytes, job: dict[str, Any]) -> list[bool]:
    """Return for each box of a citation whether the words of the document agree with it."""
    pages = read_pages(document, max_pages=200)
    found = []
    for citation in iterate_citations(job["extract_metadata"]["field_metadata"]):
        page = pages[citation["page"] - 1]
        assert (page.width, page.height) == pytest.approx(tuple(citation["page_dimensions"].values()), abs=1)
        found += [is_found(page, citation, box) for box in citation["bounding_boxes"]]
    return found


def find_document(job: Path) -> Path:
    """Return the path of the document of a real job. One of them is left out of the corpus."""
    return job.with_name(f"{job.name.removesuffix('.job.json').removesuffix('-rows')}.pdf")


@pytest.mark.parametrize("sample", COMPLETED, ids=lambda sample: sample.name)
def test_words_fill_every_box_of_a_sample(sample: Sample) -> None:
    found = check_citations(read_document(sample), json.loads(read_sample(sample)))
    assert len(found) > 20
    assert all(found)


@pytest.mark.parametrize("name", [path.name for path in CORPUS_JOBS if find_document(path).exists()] or ["missing"])
def test_words_fill_the_boxes_of_a_real_document(corpus: Path, name: str) -> None:
    path = corpus / name
    found = check_citations(find_document(path).read_bytes(), json.loads(path.read_bytes()))
    assert sum(found) >= MIN_SHARE * len(found) > 0
