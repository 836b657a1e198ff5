"""What a report calls the kinds of findings of a review, and what they mean."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KindText:
    """What a kind of finding is called.

    Attributes:
        title: in a few words.
        meaning: what is wrong with the values, in a sentence.
    """

    title: str
    meaning: str


# Worst first, as a review lists them.
KINDS: Mapping[str, KindText] = {
    "schema": KindText("Breaks the schema", "The value is not what the schema of the job asks for."),
    "required": KindText("Missing field", "The schema requires a field that is absent or null."),
    "quote": KindText(
        "Quote without the value", "The quoted words stand on the page, but the value is not among them."
    ),
    "page": KindText("Not on the page", "The quoted words do not stand on the cited page."),
    "ambiguous": KindText(
        "Ambiguous citation",
        "The quoted words do not stand on the cited page, but on several others, or they are too few to tell.",
    ),
    "sum": KindText("Broken sum", "A total, a product or a balance differs from what the other values give."),
    "order": KindText("Broken order", "A date, a number or a period is out of the order that the other values show."),
    "confidence": KindText("Low confidence", "The service gives the value a confidence below the threshold."),
    "duplicate": KindText("Repeated row", "The row is the same as an earlier one of its list."),
    "metadata": KindText("Incomplete metadata", "Not every element of the list has confidence and citations."),
    "citation": KindText("No citation", "The service cites nothing for the value, but does so for others."),
}

# What the counts of a review are called. A count that is not here is a detail of another.
COUNTS: Mapping[str, str] = {
    "values": "Values",
    "verified": "Verified citations",
    "unchecked_citations": "Citations not checked",
    "schema_violations": "Break the schema",
    "missing_required": "Missing fields",
    "quote_mismatches": "Quotes without the value",
    "not_on_page": "Not on the page",
    "ambiguous_citations": "Ambiguous citations",
    "broken_sums": "Broken sums",
    "broken_orders": "Broken orders",
    "low_confidence": "Low confidence",
    "duplicates": "Repeated rows",
    "short_metadata": "Incomplete metadata",
    "without_citation": "No citation",
}
