"""What a report says of a job."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Tone = Literal["good", "warning", "bad", "plain"]


@dataclass(frozen=True, slots=True)
class Check:
    """What the check of a citation found.

    Attributes:
        label: in a few words, such as `verified`.
        tone: how it is shown.
        note: where the quote was found instead, or why it was not checked.
    """

    label: str
    tone: Tone = "plain"
    note: str = ""


@dataclass(frozen=True, slots=True)
class ReportValue:
    """One value of the result.

    Attributes:
        path: its exact path.
        value: a string, number or boolean.
        confidence: 0 to 1; None where the job has none.
        page: the page that the service cites, from 1.
        quote: what the service quotes.
        check: what the check of the citation found; None where nothing is cited.
        needs_review: whether its check failed, or its confidence is low.
    """

    path: str
    value: Any
    confidence: float | None = None
    page: int | float | None = None
    quote: str | None = None
    check: Check | None = None
    needs_review: bool = False


@dataclass(frozen=True, slots=True)
class ReportFinding:
    """A group of findings of the review.

    Attributes:
        kind: such as `quote`.
        path: the path of the values, or of the one value.
        extent: how many of how many values have it, and where.
        example: the path of the value that is shown; "" where it is `path`.
        value: the value as text; "" where the finding is not about what a value says.
        detail: its page, confidence and quote.
        reason: what is wrong.
    """

    kind: str
    path: str
    extent: str = ""
    example: str = ""
    value: str = ""
    detail: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture of a page, and the values that it shows.

    Attributes:
        title: such as `Page 3`.
        content: the encoded image.
        mime_type: its type.
        width: in pixels.
        height: in pixels.
        values: the values that it shows.
        numbers: the number of each value on the picture.
        note: how the boxes came about, or what is missing.
    """

    title: str
    content: bytes
    mime_type: str
    width: int
    height: int
    values: Sequence[ReportValue]
    numbers: Sequence[int]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A report.

    Attributes:
        job_id: id of the job.
        status: its status.
        document: the name or id of the document; "" where it is not known.
        created_at: when the report was made: ISO 8601, UTC.
        version: the version of this package.
        facts: what is known of the job, as names and values.
        counts: how many values and findings of each kind there are, as names and numbers.
        threshold: a confidence below this is low, 0 to 1.
        findings: the groups of findings, worst first.
        unchecked: what the review could not check, in words.
        figures: pictures of what deserves a look.
        values: the values, in the order of the result.
        num_values: how many values the result has, listed or not.
        num_findings: how many groups of findings there are, listed or not.
        export_command: the command that writes all values to a file.
        notes: what else a reader must know, such as why there are no pictures.
        error: why the job failed, as the service says; "" otherwise.
    """

    job_id: str
    status: str
    created_at: str
    version: str
    document: str = ""
    facts: Sequence[tuple[str, str]] = ()
    counts: Sequence[tuple[str, int]] = ()
    threshold: float = 0.8
    findings: Sequence[ReportFinding] = ()
    unchecked: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    values: Sequence[ReportValue] = ()
    num_values: int = 0
    num_findings: int = 0
    export_command: str = ""
    notes: Sequence[str] = ()
    error: str = ""
