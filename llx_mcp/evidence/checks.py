"""What a check of a value's citations found."""

from dataclasses import dataclass
from typing import Literal

from llx_mcp.evidence.places import Place, Places

Verdict = Literal["verified", "not_on_page", "value_not_in_quote", "ambiguous", "unchecked"]
# Of several citations, the one with the worst verdict decides; the first is the worst.
SEVERITY: tuple[Verdict, ...] = ("not_on_page", "ambiguous", "value_not_in_quote", "unchecked", "verified")
_NOWHERE = Places()


@dataclass(frozen=True, slots=True)
class CitationCheck:
    """One citation, compared with its page. Whether the quote contains the value is not part of it.

    Attributes:
        verdict: `verified` where the quote stands on the page, or `not_on_page`, `ambiguous` or `unchecked`.
        reason: why it was not checked or is ambiguous, in words; else "".
        places: where the quote stands; two places where it goes on on the next page.
        value_place: the words of the value within the quote; None where they are not found.
        elsewhere: where the quote stands on other pages instead. One place alone is the right one.
    """

    verdict: Verdict
    reason: str = ""
    places: tuple[Place, ...] = ()
    value_place: Place | None = None
    elsewhere: Places = _NOWHERE


@dataclass(frozen=True, slots=True)
class Check:
    """The citations of one value, compared with the document.

    Attributes:
        verdict: the verdict.
        reason: why it was not checked or is ambiguous, in words; else "".
        contains_value: whether the quotes contain the value; None where no quote could be compared with its page, or
            they have it in a scale that the page does not name.
        decisive: the citation that decided the verdict; None where there is none.
        citations: each citation on its own, in the order given.
    """

    verdict: Verdict
    reason: str = ""
    contains_value: bool | None = None
    decisive: CitationCheck | None = None
    citations: tuple[CitationCheck, ...] = ()

    @property
    def elsewhere(self) -> Places:
        """Where the quote stands instead."""
        return self.decisive.elsewhere if self.decisive is not None else _NOWHERE
