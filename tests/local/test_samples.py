"""The samples are what the repository draws, and every citation is where it says."""

import gzip
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import pypdfium2
import pytest

from llx_mcp.local import SAMPLES, Sample
from llx_mcp.local.samples import read_document, read_sample
from samples.__main__ import PACKAGED, write_samples

# Where the words that are marked say more than the value, or another value too.
SURROUNDED = (
    "EUR {}", "GBP {}", "All amounts in {}", "{} 18,250.40", "{} 40,000,000", "within {} days", "{} per cent.",
    "1 January 2026 to {}", "{} to 30 June 2026", "Serum and {}", "{} and EDTA blood", "{}, clinical chemistry",
    "shall not exceed {} to 1", "shall not be less than {} to 1", "shall not be less than {}",
)  # fmt: skip
COMPLETED = [sample for sample in SAMPLES if json.loads(read_sample(sample))["extract_result"]]


def cited(result: Any, tree: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Each value of a result with its entry."""
    if isinstance(result, dict):
        for name, child in result.items():
            yield from cited(child, tree.get(name))
    elif isinstance(result, list):
        for child, entry in zip(result, tree, strict=True):
            yield from cited(child, entry)
    elif result is None:
        assert tree is None
    else:
        yield result, tree


def entries_of(sample: Sample) -> list[tuple[Any, dict[str, Any]]]:
    """Each value of a sample with its entry."""
    job = json.loads(read_sample(sample))
    fields = job["extract_metadata"]["field_metadata"]
    return list(cited(job["extract_result"], fields["document_metadata"] or fields["row_metadata"]))


def test_drawing_the_samples_again_gives_the_same_bytes(tmp_path: Path) -> None:
    write_samples(tmp_path)
    drawn = {path.name: path for path in tmp_path.iterdir()}
    packaged = {path.name: path for path in PACKAGED.iterdir() if path.suffix in (".pdf", ".gz")}
    assert drawn.keys() == packaged.keys()
    for name, path in drawn.items():
        if name.endswith(".gz"):
            # The compression may differ between versions of zlib; what is compressed may not.
            assert gzip.decompress(path.read_bytes()) == gzip.decompress(packaged[name].read_bytes()), name
        else:
            assert path.read_bytes() == packaged[name].read_bytes(), name


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_job_has_the_id_and_the_number_of_pages_that_it_says(sample: Sample) -> None:
    job = json.loads(read_sample(sample))
    document = pypdfium2.PdfDocument(read_document(sample))
    assert job["id"] == sample.job_id
    if job["metadata"]:
        assert job["metadata"]["usage"]["num_pages_extracted"] == len(document)
    document.close()


def test_the_samples_are_small() -> None:
    assert sum(path.stat().st_size for path in PACKAGED.iterdir() if path.is_file()) < 2_000_000


@pytest.mark.parametrize("sample", COMPLETED, ids=lambda sample: sample.name)
def test_the_box_of_a_citation_holds_the_words_of_its_value_and_no_others(sample: Sample) -> None:
    document = pypdfium2.PdfDocument(read_document(sample))
    pages: dict[int, Any] = {}
    entries = entries_of(sample)
    for value, entry in entries:
        for citation in entry.get("citation", []):
            number = citation["page"]
            if number not in pages:
                pages[number] = document[number - 1].get_textpage()
            words = " ".join(
                pages[number].get_text_bounded(*_bounds(box, citation["page_dimensions"]["height"])).strip()
                for box in citation["bounding_boxes"]
            )
            assert _joined(words) in _joined(citation["matching_text"]), (value, words, citation)
            assert _joined(words) in _written(value), (value, words)
    for page in pages.values():
        page.close()
    document.close()
    assert sum(bool(entry.get("citation")) for _, entry in entries) > 0.85 * len(entries)


@pytest.mark.parametrize("sample", COMPLETED, ids=lambda sample: sample.name)
def test_a_result_satisfies_the_schema_of_its_own_job(sample: Sample) -> None:
    job = json.loads(read_sample(sample))
    schema = job["configuration"]["data_schema"]
    for item in job["extract_result"] if isinstance(job["extract_result"], list) else [job["extract_result"]]:
        jsonschema.validate(item, schema)


@pytest.mark.parametrize("sample", COMPLETED, ids=lambda sample: sample.name)
def test_confidence_is_a_number_that_separates_a_few_values_from_the_rest(sample: Sample) -> None:
    ratings = [entry["confidence"] for _, entry in entries_of(sample)]
    assert all(0 < rating < 1 for rating in ratings)
    assert 0 < sum(rating < 0.8 for rating in ratings) < 0.2 * len(ratings)


def test_every_kind_of_ending_is_there() -> None:
    jobs = [json.loads(read_sample(sample)) for sample in SAMPLES]
    endings = {(job["status"], bool(job["error_message"]), type(job["extract_result"]).__name__) for job in jobs}
    assert endings == {
        ("COMPLETED", False, "dict"),
        ("COMPLETED", False, "list"),
        ("COMPLETED", False, "NoneType"),
        ("FAILED", True, "NoneType"),
        ("FAILED", False, "NoneType"),
        ("CANCELLED", False, "NoneType"),
    }
    assert {len(sample.job_id) for sample in SAMPLES} == {32}
    assert any(sum(sample.timeline) for sample in SAMPLES)
    assert any("document_input_value" in job for job in jobs)


def test_the_statement_adds_up() -> None:
    statement = json.loads(read_sample(SAMPLES[1]))["extract_result"]
    cents = [round(row["amount"] * 100) for row in statement["transactions"]]
    assert len(cents) == 1_200
    assert round(statement["opening_balance"] * 100) + sum(cents) == round(
        statement["summary"]["closing_balance"] * 100
    )
    assert statement["transactions"][-1]["balance"] == statement["summary"]["closing_balance"]


def _bounds(box: dict[str, float], height: float) -> tuple[float, float, float, float]:
    """A box from the top left as pdfium takes it: left, bottom, right, top."""
    return box["x"] - 0.5, height - box["y"] - box["h"], box["x"] + box["w"] + 0.5, height - box["y"]


def _joined(words: str) -> str:
    return "".join(words.split())


def _written(value: Any) -> set[str]:
    """Every way in which the documents write a value, without spaces."""
    is_number = isinstance(value, int | float)
    forms = {f"{value:,}", f"{value:,.2f}", f"{value:g}"} if is_number else {value, *_dates(value)}
    forms |= {around.format(form) for form in forms for around in SURROUNDED}
    return {_joined(form) for form in forms}


def _dates(value: str) -> set[str]:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return set()
    day = f"{moment.day} {moment:%B %Y}"
    return {day, f"{moment.day} {moment:%b %Y}", f"{day} {moment:%H:%M}"}
