"""All values of a result with their provenance and checks, for a report that a person reads."""

import re
from itertools import islice
from typing import Any

import msgspec

from llx_mcp.answers.budget import Answer
from llx_mcp.answers.citation_checks import LABELS
from llx_mcp.answers.cited_values import describe_value
from llx_mcp.answers.provenance import quote_around, round_confidence
from llx_mcp.evidence.checks import Check, Verdict
from llx_mcp.evidence.grounding import Grounder
from llx_mcp.evidence.places import Places
from llx_mcp.result.deadline import Deadline
from llx_mcp.result.document import Leaf
from llx_mcp.result.paths import show_path
from llx_mcp.result.sanitize import truncate
from llx_mcp.result.sections import JobSections

# Processor time for the checks. What it does not reach is said not to be checked.
CHECK_SECONDS = 5.0
_VALUE_CHARS = 1_000
_QUOTE_CHARS = 400
_MAX_FOUND = 3
_FAILED: frozenset[Verdict] = frozenset({"not_on_page", "value_not_in_quote", "ambiguous"})


class ReportRow(msgspec.Struct, frozen=True):
    """A value with its provenance.

    Attributes:
        path: its path, as it is shown.
        value: a string, number or boolean; a long text is cut.
        confidence: 0 to 1; None where the job has none.
        page: the page that the service cites, from 1.
        quote: what the service quotes; a long text is cut.
        verdict: of the check of its citations; None where there are none, or no text to check them against.
        check: the verdict, in short.
        note: where the words stand, or why they were not checked; "" where there is nothing to add.
        shown_page: the page on which it is to be shown, from 1: the cited one, or the one where its words were found;
            None where no page is known.
        needs_review: whether the check failed, or the confidence is low.
    """

    path: str
    value: Any
    confidence: float | None
    page: int | float | None
    quote: str | None
    verdict: Verdict | None
    check: str
    note: str
    shown_page: int | None
    needs_review: bool


class ReportRows(msgspec.Struct, frozen=True):
    """The values of a result, in document order.

    Attributes:
        rows: the first values.
        total: how many there are in all.
    """

    rows: list[ReportRow] = []
    total: int = 0

    def as_answer(self) -> Answer:
        """Return the values in the form in which a worker sends what it has found."""
        return Answer(msgspec.to_builtins(self), "")

    @classmethod
    def of_answer(cls, answer: Answer) -> "ReportRows":
        """Return what `as_answer` returned in another process."""
        return msgspec.convert(answer.structured, cls)


def list_report_values(
    sections: JobSections, evidence: Grounder | None, threshold: float, max_values: int
) -> ReportRows:
    """Return the values of a result, each checked against the text of the document where it is at hand.

    Args:
        sections: the sections of the job, which has a result.
        evidence: checks citations.
        threshold: a confidence below this is low, 0 to 1.
        max_values: the most values to list.

    Raises:
        ValueError: the result or the metadata is not JSON that can be read.
    """
    document = sections.document
    deadline = Deadline(CHECK_SECONDS)
    leaves = islice(document.leaves, max_values)
    rows = [_describe(leaf, evidence, threshold, deadline) for leaf in leaves]
    return ReportRows(rows, document.num_values)


def _describe(leaf: Leaf, evidence: Grounder | None, threshold: float, deadline: Deadline) -> ReportRow:
    check = evidence.check(leaf.value, leaf.citations, deadline=deadline) if evidence and leaf.citations else None
    places = _find_uncited(leaf, evidence, deadline)
    words = describe_value(leaf, check, places)
    label = re.split("[:,]", words)[0] if check is None else LABELS[check.verdict]
    first = leaf.citations[0] if leaf.citations else None
    is_low = leaf.confidence is not None and leaf.confidence < threshold
    return ReportRow(
        show_path(leaf.path),
        truncate(leaf.value, _VALUE_CHARS),
        round_confidence(leaf.confidence),
        None if first is None else first.page,
        None if first is None or first.quote is None else quote_around(first.quote, str(leaf.value), _QUOTE_CHARS),
        None if check is None else check.verdict,
        label,
        words.removeprefix(label).lstrip(":, ") if words != label else "",
        _choose_page(leaf, check, places),
        is_low or (check is not None and check.verdict in _FAILED),
    )


def _find_uncited(leaf: Leaf, evidence: Grounder | None, deadline: Deadline) -> Places | None:
    """Return where a value without a citation stands; None where it has one, or there is no text to look in."""
    if evidence is None or leaf.citations or not evidence.source.pages:
        return None
    return evidence.find_value(leaf.value, limit=_MAX_FOUND, deadline=deadline)


def _choose_page(leaf: Leaf, check: Check | None, places: Places | None) -> int | None:
    if places is not None:
        # What stands on many pages may have come from any of them.
        return places.places[0].page if 0 < places.num_pages <= _MAX_FOUND else None
    if check is not None and check.verdict == "not_on_page" and check.decisive is not None:
        elsewhere = check.decisive.elsewhere.places
        if elsewhere:
            return elsewhere[0].page
    return next((citation.page for citation in leaf.citations if isinstance(citation.page, int)), None)
