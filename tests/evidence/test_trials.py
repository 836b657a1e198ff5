"""Citations that are known to be right are verified, also where a parser wrote them; those moved or exchanged are not.

The samples cite with exact boxes. The citations of the corpus were located in the text layers of its documents. The
documents that are made for these tests have other layouts, and some of their quotes leave out a cell of a row.
"""

import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from llx_mcp.evidence.checks import CitationCheck
from llx_mcp.evidence.places import share_covered
from llx_mcp.result.document import Citation
from tests.conftest import CORPUS, need_shared
from tests.evidence.cited_jobs import CitedJob, CitedValue, corpus_jobs, sample_jobs, seems_to_contain
from tests.evidence.distortions import DISTORTIONS, distort_together
from tests.evidence.made_jobs import made_jobs

SEEDS = (1, 2)
_AMOUNT = re.compile(r"(?<![-\w.,(])[0-9]{1,3}(?:,?[0-9]{3})*\.[0-9]+(?![\w.,]*[0-9])")
Moved = list[tuple[CitedJob, CitedValue, Citation, CitationCheck]]


@pytest.fixture(params=["corpus", "made"])
def jobs(request: pytest.FixtureRequest) -> list[CitedJob]:
    if request.param == "made":
        return made_jobs()
    need_shared(CORPUS)
    return corpus_jobs()


def values_of_samples() -> list[tuple[CitedJob, CitedValue]]:
    return [(job, value) for job in sample_jobs() for value in job.values]


def test_every_citation_of_the_samples_is_verified_at_its_box() -> None:
    for job, value in values_of_samples():
        check = job.grounder.check(value.value, [value.citation])
        assert check.verdict == "verified", (job.name, value)
        value_place = check.citations[0].value_place
        assert value_place is not None, (job.name, value)
        assert value_place.page == value.citation.page
        # The glyphs of a word are lower than its line, and a word may end in a comma that the box leaves out.
        assert share_covered(value_place.boxes, value.citation.boxes) > 0.7, (job.name, value)


def test_every_citation_of_the_samples_is_verified_without_its_box() -> None:
    for job, value in values_of_samples():
        check = job.grounder.check(value.value, [replace(value.citation, boxes=())])
        assert check.verdict == "verified", (job.name, value)


def test_citations_stand_on_their_pages(jobs: list[CitedJob]) -> None:
    verdicts: Counter[str] = Counter()
    for job in jobs:
        for value in job.values:
            check = job.grounder.check(value.value, [value.citation])
            assert check.citations[0].verdict == "verified", value
            # Some of the citations name a passage that is only rounded alike: 65.1 and "$0.1 billion".
            verdicts[check.verdict if value.contains_value else "value is elsewhere"] += 1
    assert verdicts.keys() <= {"verified", "value is elsewhere"}
    # Others name a number whose digits alone are alike: 0.61 and "61".
    assert verdicts["value is elsewhere"] < 0.06 * verdicts.total()


@pytest.mark.parametrize("name", [*DISTORTIONS, "together"])
def test_distorted_quotes_are_verified(name: str, jobs: list[CitedJob]) -> None:
    distort = DISTORTIONS.get(name, distort_together)
    rng = random.Random(5)
    failed: list[tuple[CitedValue, str]] = []
    num_values = 0
    # Each distortion is tried on some 700 values of a set, and not on the same as the next one.
    first = [*DISTORTIONS, "together"].index(name) % 3
    for job in jobs:
        for value in job.values[first::3]:
            quote = distort(value.citation.quote or "", rng)
            check = job.grounder.check(value.value, [replace(value.citation, quote=quote)])
            num_values += 1
            expected = "verified" if value.contains_value else check.verdict
            if (check.citations[0].verdict, check.verdict) != ("verified", expected):
                failed.append((value, quote))
    # A misread character in a number of two or three digits leaves nothing to recognise it by.
    assert len(failed) <= (0.01 if name in {"misread", "together"} else 0.001) * num_values, failed


def move(jobs: list[CitedJob], seed: int, *, is_distorted: bool = False) -> Moved:
    """Check citations that cite a random other page, on which their quote does not stand.

    A distorted quote takes long to find, so only every second one is moved.
    """
    rng = random.Random(seed)
    found: Moved = []
    for job in jobs:
        numbers = [page.number for page in job.source.pages]
        for value in job.values[:: 2 if is_distorted else 1]:
            others = [number for number in numbers if number != value.citation.page]
            page = rng.choice(others)
            if page in job.pages_with(value.citation.quote or ""):
                continue
            quote = distort_together(value.citation.quote or "", rng) if is_distorted else value.citation.quote
            citation = Citation(page, quote)
            found.append((job, value, citation, job.grounder.check(value.value, [citation]).citations[0]))
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_citations_moved_to_another_page_are_noticed(seed: int, jobs: list[CitedJob]) -> None:
    moved = move(jobs, seed)
    missed = [(value, citation) for _, value, citation, check in moved if check.verdict == "verified"]
    assert len(missed) <= 0.01 * len(moved), missed
    counts: Counter[tuple[str, bool]] = Counter()
    wrong = []
    for job, value, citation, check in moved:
        pages = job.pages_with(value.citation.quote or "")
        if len(pages) == 1:
            named = [place.page for place in check.elsewhere.places]
            is_right = check.verdict == "not_on_page" and named[:1] == pages and check.elsewhere.num_pages == 1
            counts["alone", is_right] += 1
            wrong += [] if is_right else [(value, citation, check)]
        elif pages:
            counts["several", check.verdict == "ambiguous"] += 1
            wrong += [] if check.verdict == "ambiguous" else [(value, citation, check)]
    assert counts["alone", True] >= 0.98 * (counts["alone", True] + counts["alone", False]), wrong
    assert counts["several", True] >= 0.98 * (counts["several", True] + counts["several", False]), wrong


def test_distorted_citations_moved_to_another_page_are_noticed(jobs: list[CitedJob]) -> None:
    moved = move(jobs, 4, is_distorted=True)
    missed = [(value, citation) for _, value, citation, check in moved if check.verdict == "verified"]
    assert len(missed) <= 0.01 * len(moved), missed
    alone = [(value, check) for job, value, _, check in moved if len(job.pages_with(value.citation.quote or "")) == 1]
    right = [1 for value, check in alone if {place.page for place in check.elsewhere.places} == {value.citation.page}]
    assert len(right) >= 0.98 * len(alone)


@pytest.mark.parametrize("seed", SEEDS)
def test_quotes_exchanged_between_values_do_not_contain_them(seed: int, jobs: list[CitedJob]) -> None:
    rng = random.Random(seed)
    num_exchanged = 0
    missed: list[tuple[object, str | None]] = []
    for job in jobs:
        for value in job.values:
            other = rng.choice(job.values).citation
            if seems_to_contain(other.quote or "", value.value):
                continue
            num_exchanged += 1
            check = job.grounder.check(value.value, [other])
            if check.verdict != "value_not_in_quote":
                missed.append((value.value, other.quote))
    assert len(missed) <= 0.05 * num_exchanged, missed


def change_amounts(jobs: list[CitedJob], change: Callable[[str], str]) -> tuple[list[tuple[object, str]], int]:
    """Check quotes whose decimal number was changed in value and quote alike; return those verified, and how many."""
    missed: list[tuple[object, str]] = []
    num_changed = 0
    for job in jobs:
        for value in job.values:
            quote = value.citation.quote or ""
            amounts = _AMOUNT.findall(quote)
            if not isinstance(value.value, float) or len(amounts) != 1:
                continue
            amount = amounts[0].replace(",", "")
            if float(amount) != abs(value.value):
                continue
            changed = quote.replace(amounts[0], change(amounts[0]))
            if value.citation.page in job.pages_with(changed) and "-" not in changed:
                continue
            num_changed += 1
            check = job.grounder.check(float(change(amount)), [Citation(value.citation.page, changed)])
            if check.verdict == "verified":
                missed.append((value.value, changed))
    return missed, num_changed


@pytest.mark.parametrize(
    "change",
    [
        lambda amount: amount.replace(".", ""),
        lambda amount: f"{amount[: amount.index('.') - 1]}.{amount[amount.index('.') - 1]}{amount.partition('.')[2]}",
        lambda amount: f"-{amount}",
    ],
    ids=["lost point", "shifted point", "minus"],
)
def test_numbers_with_another_point_or_sign_are_noticed(change: Callable[[str], str], jobs: list[CitedJob]) -> None:
    missed, num_changed = change_amounts(jobs, change)
    assert num_changed >= 50
    assert len(missed) <= 0.01 * num_changed, missed
