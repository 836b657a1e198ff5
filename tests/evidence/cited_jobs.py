"""Jobs whose citations are known to be right, and the documents that they cite: the samples and the corpus."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from llx_mcp.evidence.grounding import Grounder
from llx_mcp.evidence.pages import SourceText
from llx_mcp.local import SAMPLES
from llx_mcp.local.samples import read_document, read_sample
from llx_mcp.models import Job
from llx_mcp.result.document import Citation
from llx_mcp.result.quote_match import quotes_contain_value
from llx_mcp.result.sections import JobSections
from tests.conftest import CORPUS_JOBS
from tests.evidence.documents import read_source

_GROUP = re.compile(r"(?<=\d)\s(?=\d{3}(?!\d))")
_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+|%")


@dataclass(frozen=True)
class CitedValue:
    """A value with one citation.

    Attributes:
        contains_value: whether the quote contains the value by its words alone.
    """

    path: str
    value: Any
    citation: Citation

    @cached_property
    def contains_value(self) -> bool:
        return quotes_contain_value(self.value, [self.citation.quote or ""])


@dataclass(frozen=True)
class CitedJob:
    name: str
    source: SourceText
    values: list[CitedValue]

    @cached_property
    def grounder(self) -> Grounder:
        return Grounder(self.source)

    @cached_property
    def _texts(self) -> dict[int, str]:
        return {page.number: _join(" ".join(page.words)) for page in self.source.pages}

    def pages_with(self, quote: str) -> list[int]:
        """Return the pages on which the words of a quote stand one after another, by a plain comparison."""
        words = _join(quote)
        return [number for number, text in self._texts.items() if words in text]


def seems_to_contain(quote: str, value: Any) -> bool:
    """Whether a quote has the words of a value, or the digits of a number without zeros at the ends."""
    if isinstance(value, bool):
        return True
    if isinstance(value, int | float):
        quote = _GROUP.sub("", quote)
        digits = {_significant(number) for number in _WORD.findall(quote)}
        return _significant(f"{value:f}") in digits
    return _join(value) in _join(quote)


def _significant(number: str) -> str:
    return re.sub(r"\D", "", number).strip("0")


def _join(text: str) -> str:
    return f" {' '.join(_WORD.findall(unicodedata.normalize('NFKC', text).casefold()))} "


@lru_cache(maxsize=1)
def sample_jobs() -> list[CitedJob]:
    """Return the samples that have a result."""
    jobs = [(sample, Job.parse(read_sample(sample))) for sample in SAMPLES]
    return [
        CitedJob(sample.name, read_source(read_document(sample)), list(_cited_values(job)))
        for sample, job in jobs
        if job.has_result
    ]


@lru_cache(maxsize=1)
def corpus_jobs() -> list[CitedJob]:
    """Return the jobs of the corpus whose document is there; none where the corpus is missing."""
    found = []
    for path in CORPUS_JOBS:
        pdf = path.with_name(path.name.replace("-rows", "").replace(".job.json", ".pdf"))
        if pdf.exists():
            job = Job.parse(path.read_bytes())
            found.append(CitedJob(path.name, read_source(pdf.read_bytes()), list(_cited_values(job))))
    return found


def _cited_values(job: Job) -> Iterator[CitedValue]:
    for leaf in JobSections(job.sections).document.leaves:
        if leaf.citations:
            yield CitedValue(leaf.path, leaf.value, leaf.citations[0])
