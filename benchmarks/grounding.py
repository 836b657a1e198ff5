"""The citations of a quarterly report of 79 pages, checked; the values without a citation, found in it.

The report is `csco-10q-fy2025q2` of the corpus, or a made one of the same size where the corpus is missing. Times are
processor time, and shares of what pdfium takes to read the text of the report in the same run.
"""

import random
import time
from collections.abc import Callable
from itertools import islice

from llx_mcp.evidence.grounding import Grounder
from llx_mcp.evidence.pages import SourcePage, SourceText
from llx_mcp.models import Job
from llx_mcp.result.document import Citation, Leaf
from llx_mcp.result.sections import JobSections
from tests.conftest import CORPUS
from tests.evidence.distortions import distort_together

_NAME = "csco-10q-fy2025q2"
_ROUNDS = 3
_BAR_SECONDS = 1.0
_LONG_PAGE_WORDS = 1_000_000


def run() -> None:
    """Print the table of the report, then what a page without end takes."""
    source, leaves, read_seconds = _load() if (CORPUS / f"{_NAME}.pdf").exists() else _make()
    num_words = sum(len(page.words) for page in source.pages)
    cited = [leaf for leaf in leaves if leaf.citations]
    others = [leaf for leaf in leaves if not leaf.citations]
    print(f"{len(source.pages)} pages, {num_words:,} words; {len(leaves)} values, {len(cited)} of them cited.")
    if read_seconds:
        print(f"pdfium reads the text in {read_seconds:.2f} s (best of {_ROUNDS}).")
    print("\n| work | seconds | share of the reading | bar |\n|---|---|---|---|")
    rows: list[tuple[str, float, Callable[[], object]]] = [
        ("plain scan for each quote", 0, lambda: _scan(source, cited)),
        ("check the cited values", _BAR_SECONDS, lambda: _check(source, cited)),
        ("find the others", _BAR_SECONDS, lambda: _find(source, others)),
        ("check them on a wrong page", 2 * _BAR_SECONDS, lambda: _check(source, _move(source, cited))),
        ("check distorted quotes", 5 * _BAR_SECONDS, lambda: _check(source, _distort(cited))),
    ]
    for words, bar, work in rows:
        seconds = min(_timed(work) for _ in range(_ROUNDS))
        share = f"{seconds / read_seconds:.2f}" if read_seconds else "–"
        print(f"| {words} | {seconds:.3f} | {share} | {bar or ''} |")
    _measure_long_page()


def _load() -> tuple[SourceText, list[Leaf], float]:
    import pypdfium2

    from tests.evidence.documents import read_source

    pdf = (CORPUS / f"{_NAME}.pdf").read_bytes()
    job = Job.parse((CORPUS / f"{_NAME}.job.json").read_bytes())

    def read() -> None:
        with pypdfium2.PdfDocument(pdf) as document:
            for page in document:
                page.get_textpage().get_text_range()

    seconds = min(_timed(read) for _ in range(_ROUNDS))
    return read_source(pdf), list(JobSections(job.sections).document.leaves), seconds


def _make() -> tuple[SourceText, list[Leaf], float]:
    rng = random.Random(7)
    pages: list[SourcePage] = []
    leaves: list[Leaf] = []
    for number in range(1, 81):
        words = [
            f"{rng.choice('bcdfgkmn')}{rng.choice('aeiou')}{rng.choice('lmnrst')}{index % 97}" for index in range(600)
        ]
        for index in range(18):
            value = round(rng.uniform(1, 50_000), 1)
            words[index * 30 + 5] = f"{value:,}"
            quote = " ".join(words[index * 30 : index * 30 + 8])
            leaves.append(Leaf(f"rows[{len(leaves)}]", value, None, (Citation(number, quote),) if index % 2 else ()))
        pages.append(SourcePage(number, words, list(range(0, 600, 12))))
    return SourceText("document", pages), leaves, 0.0


def _scan(source: SourceText, leaves: list[Leaf]) -> int:
    texts = {page.number: " ".join(page.words) for page in source.pages}
    return sum((leaf.citations[0].quote or "") in texts.get(int(leaf.citations[0].page or 0), "") for leaf in leaves)


def _check(source: SourceText, leaves: list[Leaf]) -> None:
    """Index the pages, and check the citations."""
    grounder = Grounder(source)
    for leaf in leaves:
        grounder.check(leaf.value, leaf.citations)


def _find(source: SourceText, leaves: list[Leaf]) -> None:
    """Index the pages, and find the values."""
    grounder = Grounder(source)
    for leaf in leaves:
        grounder.find_value(leaf.value)


def _move(source: SourceText, leaves: list[Leaf]) -> list[Leaf]:
    num_pages = len(source.pages)
    return [
        Leaf(leaf.path, leaf.value, None, (Citation(int(cited.page or 0) % num_pages + 1, cited.quote),))
        for leaf in leaves
        for cited in islice(leaf.citations, 1)
    ]


def _distort(leaves: list[Leaf]) -> list[Leaf]:
    rng = random.Random(7)
    return [
        Leaf(leaf.path, leaf.value, None, (Citation(cited.page, distort_together(cited.quote or "", rng)),))
        for leaf in leaves
        for cited in islice(leaf.citations, 1)
    ]


def _measure_long_page() -> None:
    words = [f"word{index % 5_000}" for index in range(_LONG_PAGE_WORDS)]
    grounder = Grounder(SourceText("document", [SourcePage(1, words)]))
    quote = " ".join(words[5_000:5_040]).replace("word5", "w0rd5")
    seconds = _timed(lambda: grounder.check("word5", [Citation(1, quote)]))
    print(f"\nA misread quote on a page of {_LONG_PAGE_WORDS:,} words: {seconds:.2f} s (bar 2).")


def _timed(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started
