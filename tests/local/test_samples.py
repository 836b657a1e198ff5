"""The packaged samples match their generator, and every citation matches its document."""

import gzip
import json
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import pypdfium2
import pytest

from llx_mcp.local import SAMPLES, Sample, open_store
from llx_mcp.local.samples import read_document, read_sample
from samples.__main__ import PACKAGED, write_samples

# Cited text that contains more than the value.
VALUE_CONTEXTS = (
    "EUR {}", "GBP {}", "All amounts in {}", "{} 18,250.40", "{} 40,000,000", "within {} days", "{} per cent.",
    "1 January 2026 to {}", "{} to 30 June 2026", "Serum and {}", "{} and EDTA blood", "{}, clinical chemistry",
    "shall not exceed {} to 1", "shall not be less than {} to 1", "shall not be less than {}",
)  # fmt: skip
COMPLETED = [sample for sample in SAMPLES if json.loads(read_sample(sample))["extract_result"]]


def pair_with_metadata(result: Any, tree: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yield each value of a result with its metadata."""
    if isinstance(result, dict):
        for name, child in result.items():
            yield from pair_with_metadata(child, tree.get(name))
    elif isinstance(result, list):
        for child, entry in zip(result, tree, strict=True):
            yield from pair_with_metadata(child, entry)
    elif result is None:
        assert tree is None
    else:
        yield result, tree


def read_entries(sample: Sample) -> list[tuple[Any, dict[str, Any]]]:
    """Return each value of a sample with its metadata."""
    job = json.loads(read_sample(sample))
    fields = job["extract_metadata"]["field_metadata"]
    return list(pair_with_metadata(job["extract_result"], fields["document_metadata"] or fields["row_metadata"]))


def test_generating_samples_reproduces_packaged_bytes(tmp_path: Path) -> None:
    write_samples(tmp_path)
    generated = {path.name: path for path in tmp_path.iterdir()}
    packaged = {path.name: path for path in PACKAGED.iterdir() if path.suffix in (".pdf", ".gz")}
    assert generated.keys() == packaged.keys()
    for name, path in generated.items():
        if name.endswith(".gz"):
            # Versions of zlib may compress differently, so the content is compared.
            assert gzip.decompress(path.read_bytes()) == gzip.decompress(packaged[name].read_bytes()), name
        else:
            assert path.read_bytes() == packaged[name].read_bytes(), name


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_sample_has_its_id_and_number_of_pages(sample: Sample) -> None:
    job = json.loads(read_sample(sample))
    document = pypdfium2.PdfDocument(read_document(sample))
    assert job["id"] == sample.job_id
    if job["metadata"]:
        assert job["metadata"]["usage"]["num_pages_extracted"] == len(document)
    document.close()


def test_samples_are_smaller_than_2_mb() -> None:
    assert sum(path.stat().st_size for path in PACKAGED.iterdir() if path.is_file()) < 2_000_000


@pytest.mark.parametrize("sample", COMPLETED, ids=lambda sample: sample.name)
def test_citation_box_contains_exactly_its_value(sample: Sample) -> None:
    document = pypdfium2.PdfDocument(read_document(sample))
    pages: dict[int, Any] = {}
    entries = read_entries(sample)
    for value, entry in entries:
        for citation in entry.get("citation", []):
            number = citation["page"]
            if number not in pages:
                pages[number] = document[number - 1].get_textpage()
            words = " ".join(
                pages[number].get_text_bounded(*_bounds(box, citation["page_dimensions"]["height"])).strip()
                for box in citation["bounding_boxes"]
            )
            assert _remove_spaces(words) in _remove_spaces(citation["matching_text"]), (value, words, citation)
            assert _remove_spaces(words) in _printed_forms(value), (value, words)
    for page in pages.values():
        page.close()
    document.close()
    assert sum(bool(entry.get("citation")) for _, entry in entries) > 0.85 * len(entries)


@pytest.mark.parametrize("sample", COMPLETED, ids=lambda sample: sample.name)
def test_result_satisfies_data_schema(sample: Sample) -> None:
    job = json.loads(read_sample(sample))
    schema = job["configuration"]["data_schema"]
    for item in job["extract_result"] if isinstance(job["extract_result"], list) else [job["extract_result"]]:
        jsonschema.validate(item, schema)


@pytest.mark.parametrize("sample", COMPLETED, ids=lambda sample: sample.name)
def test_few_values_have_low_confidence(sample: Sample) -> None:
    confidences = [entry["confidence"] for _, entry in read_entries(sample)]
    assert all(0 < confidence < 1 for confidence in confidences)
    assert 0 < sum(confidence < 0.8 for confidence in confidences) < 0.2 * len(confidences)


def test_samples_cover_every_outcome() -> None:
    jobs = [json.loads(read_sample(sample)) for sample in SAMPLES]
    outcomes = {(job["status"], bool(job["error_message"]), type(job["extract_result"]).__name__) for job in jobs}
    assert outcomes == {
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


@pytest.mark.parametrize(
    ("name", "last_day"),
    [("invoice", "2026-04-14"), ("statement", "2026-06-30"), ("lab_report", "2026-03-12"),
     ("loan_agreement", "2026-05-18")],
)  # fmt: skip
def test_document_is_uploaded_and_extracted_after_its_last_day(name: str, last_day: str) -> None:
    # Without days to come: when payments are due, and the terms of the loan.
    samples = [sample for sample in SAMPLES if sample.document == name]
    dates = re.findall(r"20\d\d-\d\d-\d\d", json.dumps(json.loads(read_sample(samples[0]))["extract_result"]))
    assert last_day in dates
    document = pypdfium2.PdfDocument(read_document(samples[0]))
    drawn = document.get_metadata_value("CreationDate")
    document.close()
    with closing(open_store()) as store:
        file = store.files.get_file(json.loads(read_sample(samples[0]))["file_input"])
        assert file is not None
    for sample in samples:
        created, updated = (json.loads(read_sample(sample))[key] for key in ("created_at", "updated_at"))
        assert last_day < f"{drawn[2:6]}-{drawn[6:8]}-{drawn[8:10]}" < file.created.isoformat() < created < updated


def test_each_document_has_its_own_parse_job() -> None:
    jobs = [json.loads(read_sample(sample)) for sample in COMPLETED]
    pairs = {
        (sample.document, job["extract_metadata"]["parse_job_id"]) for sample, job in zip(COMPLETED, jobs, strict=True)
    }
    assert len(pairs) == len({document for document, _ in pairs}) == len({parse_job for _, parse_job in pairs}) == 4


def test_statement_adds_up() -> None:
    statement = json.loads(read_sample(SAMPLES[1]))["extract_result"]
    cents = [round(row["amount"] * 100) for row in statement["transactions"]]
    assert len(cents) == 1_200
    assert round(statement["opening_balance"] * 100) + sum(cents) == round(
        statement["summary"]["closing_balance"] * 100
    )
    assert statement["transactions"][-1]["balance"] == statement["summary"]["closing_balance"]


def _bounds(box: dict[str, float], height: float) -> tuple[float, float, float, float]:
    """Convert a box to the coordinates of pdfium: left, bottom, right, top."""
    return box["x"] - 0.5, height - box["y"] - box["h"], box["x"] + box["w"] + 0.5, height - box["y"]


def _remove_spaces(words: str) -> str:
    return "".join(words.split())


def _printed_forms(value: Any) -> set[str]:
    """Return every form in which the documents print a value, without spaces."""
    is_number = isinstance(value, int | float)
    forms = {f"{value:,}", f"{value:,.2f}", f"{value:g}"} if is_number else {value, *_date_forms(value)}
    forms |= {context.format(form) for form in forms for context in VALUE_CONTEXTS}
    return {_remove_spaces(form) for form in forms}


def _date_forms(value: str) -> set[str]:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return set()
    day = f"{moment.day} {moment:%B %Y}"
    return {day, f"{moment.day} {moment:%b %Y}", f"{day} {moment:%H:%M}"}
