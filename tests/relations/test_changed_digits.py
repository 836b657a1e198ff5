"""A wrong digit in a value that a relation covers is found, and values that people validated give no finding."""

import json
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from llx_mcp.local.samples import SAMPLES, read_sample
from tests.conftest import CORPUS_JOBS
from tests.relations.documents import (
    DOCUMENTS,
    change_digit,
    covered,
    findings,
    unrelated,
    with_changed,
)

# Each with another document.
_SAMPLES = [sample for sample in SAMPLES if sample.name in {"invoice", "statement", "lab_report", "loan_agreement"}]
# Of a result with more values, so many are tried.
_MAX_TRIED = 60
_SEED = 2_026
# The results of each kind of document, and of unrelated numbers.
_NUM_MADE_UP = 8
_NUM_UNRELATED = 150


def try_digits(result: Any, max_tried: int = _MAX_TRIED) -> tuple[Counter[str], Counter[str]]:
    """Return how many values with one other digit were tried and found, by kind of relation."""
    rng = random.Random(_SEED)
    values = [item for item in covered(result) if any(char.isdigit() for char in str(item[0].values[item[1]]))]
    tried: Counter[str] = Counter()
    found: Counter[str] = Counter()
    for node, position, kind in values if len(values) <= max_tried else rng.sample(values, max_tried):
        tried[kind] += 1
        found[kind] += bool(with_changed(result, node, position, rng, findings))
    return tried, found


def test_values_of_samples_give_no_finding() -> None:
    for sample in _SAMPLES:
        assert findings(json.loads(read_sample(sample))["extract_result"]) == [], sample.name


def test_nine_of_ten_wrong_digits_in_samples_are_found() -> None:
    num_tried = num_found = 0
    for sample in _SAMPLES:
        tried, found = try_digits(json.loads(read_sample(sample))["extract_result"])
        assert found["sum"] >= 0.9 * tried["sum"], sample.name
        num_tried, num_found = num_tried + tried.total(), num_found + found.total()
    assert num_tried > 120
    assert num_found >= 0.9 * num_tried


def test_values_that_people_validated_give_no_finding(corpus_job: bytes) -> None:
    assert findings(json.loads(corpus_job)["extract_result"]) == []


def test_nine_of_ten_wrong_digits_in_the_sums_of_real_jobs_are_found(corpus: Any) -> None:
    tried: Counter[str] = Counter()
    found: Counter[str] = Counter()
    for path in CORPUS_JOBS:
        more_tried, more_found = try_digits(json.loads(path.read_bytes())["extract_result"])
        tried, found = tried + more_tried, found + more_found
    assert tried["sum"] >= 50
    assert found["sum"] >= 0.9 * tried["sum"]
    # Another date or position can be in order, too, so that its order shows nothing.
    assert found["order"] >= 0.6 * tried["order"]


@pytest.mark.parametrize("build", DOCUMENTS, ids=lambda build: str(build.__name__))
def test_made_up_documents_show_their_wrong_digits_and_nothing_else(
    build: Callable[[random.Random], dict[str, Any]],
) -> None:
    tried: Counter[str] = Counter()
    found: Counter[str] = Counter()
    for seed in range(_NUM_MADE_UP):
        result = build(random.Random(seed))
        assert findings(result) == [], seed
        more_tried, more_found = try_digits(result, 10)
        tried, found = tried + more_tried, found + more_found
    assert tried["sum"] >= 50
    assert found["sum"] >= 0.9 * tried["sum"]


def test_unrelated_numbers_give_no_finding() -> None:
    assert [seed for seed in range(_NUM_UNRELATED) if findings(unrelated(random.Random(seed)))] == []


@pytest.mark.parametrize("value", [12, 0.5, 1_200.0, "1,234.50 EUR", "2026-01-31"])
def test_changed_digit_is_one_other_digit(value: Any) -> None:
    for seed in range(50):
        changed = change_digit(value, random.Random(seed))
        assert type(changed) is type(value)
        assert changed != value
