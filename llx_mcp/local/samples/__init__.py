"""The sample jobs of the package, and the documents that they read.

The `samples` folder of the repository generates the documents and the jobs.
"""

import gzip
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample job.

    Attributes:
        name: The name of its file, `NAME.job.json.gz`.
        document: The name of its document, `DOCUMENT.pdf`.
        title: What it is, in a few words.
        description: What it contains, in one or two sentences.
        timeline: Seconds pending, throttled and running, counted from the first request for the job.
    """

    job_id: str
    name: str
    document: str
    title: str
    description: str
    timeline: tuple[float, float, float] = (0.0, 0.0, 0.0)


SAMPLE_RUNNING_ID = "ext-sample0running0invoice000000"
SAMPLES = (
    Sample(
        "ext-sample0invoice00000000000000", "invoice", "invoice", "an invoice of two pages",
        "34 items in EUR at three rates of VAT, totals and terms of payment; an order number is hard to read.",
    ),
    Sample(
        "ext-sample0statement000000000000", "statement", "statement", "a bank statement: 40 pages, 1,200 transactions",
        "Half a year of a bakery's account in GBP, with running balances: sums, extremes, spans of dates.",
    ),
    Sample(
        "ext-sample0lab0report00000000000", "lab_report", "lab_report", "a lab report",
        "24 analytes with reference ranges; some are out of range, and two results are smudged.",
    ),
    Sample(
        "ext-sample0loan0agreement0000000", "loan_agreement", "loan_agreement", "a loan agreement",
        "Lenders, terms, covenants and repayments out of five pages of prose; some values were inferred.",
    ),
    Sample(
        SAMPLE_RUNNING_ID, "running", "invoice", "the invoice again: runs for 4 s, then completes",
        "Starts at the first request for it: pending, throttled, running, completed.",
        (1.0, 1.0, 2.5),
    ),
    Sample(
        "ext-sample0failed0reason00000000", "failed_reason", "invoice", "failed, with a reason",
        "A job that could not read its document, and says why.",
    ),
    Sample(
        "ext-sample0failed0silent00000000", "failed_silent", "invoice", "failed, without a reason",
        "A failed job whose error_message is null.",
    ),
    Sample(
        "ext-sample0cancelled000000000000", "cancelled", "statement", "cancelled",
        "A job that was cancelled before it had a result.",
    ),
    Sample(
        "ext-sample0null0result0000000000", "null_result", "lab_report", "completed, with a null result",
        "A job that completed and found nothing.",
    ),
    Sample(
        "ext-sample0table0rows00000000000", "table_rows", "lab_report", "a list result, one object per table row",
        "The lab report's analytes as per_table_row gives them, with row_metadata.",
    ),
    Sample(
        "ext-sample0older0format000000000", "older_format", "loan_agreement", "the loan agreement in the older format",
        "The keys of the service's older generation: document_input_value, extract_version, lang.",
    ),
)  # fmt: skip


def read_sample(sample: Sample) -> bytes:
    """Return the JSON of the ended job."""
    return gzip.decompress((files(__name__) / f"{sample.name}.job.json.gz").read_bytes())


def read_document(sample: Sample) -> bytes:
    """Return the PDF that a sample reads."""
    return (files(__name__) / f"{sample.document}.pdf").read_bytes()
