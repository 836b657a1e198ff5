"""A loan agreement of five pages of prose: parties, terms, covenants and a repayment schedule."""

from samples.canvas import LEFT, Canvas, Field, Record

TITLE = "Term loan agreement"
_LENDERS = [
    ("Meridian Trade Bank N.V.", 18_000_000),
    ("Kestrel Savings Bank plc", 12_000_000),
    ("Aalto Pankki Oyj", 10_000_000),
]
_COVENANTS = [
    ("Leverage", "Net debt to EBITDA", "shall not exceed 3.25 to 1", 3.25),
    ("Interest cover", "EBITDA to net finance charges", "shall not be less than 4.00 to 1", 4.0),
    ("Minimum liquidity", "Cash and undrawn commitments in millions of euro", "shall not be less than 5", 5),
]
_REPAYMENTS = [("30 June 2027", "2027-06-30", 4_000_000), ("30 June 2028", "2028-06-30", 6_000_000),
               ("30 June 2029", "2029-06-30", 8_000_000), ("30 June 2030", "2030-06-30", 10_000_000),
               ("30 June 2031", "2031-06-30", 12_000_000)]  # fmt: skip
_BOILERPLATE = [
    "Each lender may assign any of its rights under this agreement to another bank or financial institution with the "
    "consent of the borrower, which shall not be unreasonably withheld or delayed.",
    "The borrower shall supply to the agent its audited financial statements within 120 days of the end of each "
    "financial year, and its unaudited financial statements within 60 days of the end of each half year.",
    "No failure to exercise, nor any delay in exercising, any right or remedy under this agreement shall operate as a "
    "waiver of it, nor shall any single or partial exercise prevent any further exercise.",
    "If any provision of this agreement is or becomes illegal, invalid or unenforceable in any respect, neither the "
    "legality nor the validity of the remaining provisions shall in any way be affected.",
    "All payments shall be made without set-off or counterclaim and free of any deduction, save as required by law, in "
    "which case the sum payable shall be increased so that the lenders receive what they would have received.",
]


def draw() -> tuple[bytes, Record]:
    """Draw the document; return the PDF, and the result with the region of each value."""
    canvas = Canvas(TITLE)
    canvas.new_page()
    tree = _draw_first_page(canvas)
    tree["terms"] = _draw_terms(canvas)
    tree["covenants"] = _draw_covenants(canvas)
    tree["repayments"] = _draw_repayments(canvas)
    tree["signatories"] = _draw_signatures(canvas)
    return canvas.output(), tree


def _draw_first_page(canvas: Canvas) -> Record:
    canvas.write(TITLE, LEFT, 90, size=20, bold=True)
    date, y = canvas.write_paragraph_with("18 May 2026", "This agreement is dated 18 May 2026.", 130)
    text = "It is made between Torvald Shipyards ASA, a company incorporated in Norway, as borrower; the lenders named "
    text += "below; and Meridian Trade Bank N.V. as agent of the lenders."
    borrower, _ = canvas.write_paragraph_with("Torvald Shipyards ASA", text, y + 10)
    lenders: list[Record] = []
    y += 70
    for name, amount in _LENDERS:
        line = f"{name} EUR {amount:,}"
        region = canvas.write(name, LEFT + 20, y, line=line)
        share = canvas.write(f"EUR {amount:,}", 330, y, line=line)
        lenders.append({"name": Field(name, (region,)), "commitment": Field(amount, (share,))})
        y += 18
    agent = canvas.write_labelled("Agent", "Meridian Trade Bank N.V.", LEFT, y + 20)
    _draw_boilerplate(canvas, y + 60)
    return {
        "agreement_date": Field("2026-05-18", (date,)),
        "borrower": {
            "name": Field("Torvald Shipyards ASA", (borrower,)),
            # Inferred from "a company incorporated in Norway".
            "country": Field("Norway"),
        },
        "lenders": lenders,
        "agent": Field("Meridian Trade Bank N.V.", (agent,)),
        "guarantor": None,
    }


def _draw_terms(canvas: Canvas) -> Record:
    canvas.new_page()
    y = _draw_heading(canvas, "1. The facility", 70)
    text = "The lenders make available to the borrower a term loan facility in an amount of EUR 40,000,000."
    amount, y = canvas.write_paragraph_with("EUR 40,000,000", text, y)
    text = "The borrower shall apply all amounts borrowed towards the construction of a covered building dock at its "
    text += "yard in Haugesund and towards no other purpose."
    purpose, y = canvas.write_paragraph_with("the construction of a covered building dock", text, y + 8)
    text = "The facility shall be available from the date of this agreement until 31 December 2026."
    until, y = canvas.write_paragraph_with("31 December 2026", text, y + 8)
    y = _draw_heading(canvas, "2. Interest", y + 24)
    text = "The rate of interest is the aggregate of EURIBOR for the period and a margin of 2.35 per cent. per annum."
    margin, y = canvas.write_paragraph_with("2.35 per cent.", text, y)
    text = "If EURIBOR is less than zero it shall be deemed to be zero. Default interest accrues at 1.00 per cent. "
    text += "above that rate."
    default, y = canvas.write_paragraph_with("1.00 per cent.", text, y + 8)
    y = _draw_heading(canvas, "3. Maturity and law", y + 24)
    maturity, y = canvas.write_paragraph_with("30 June 2031", "The final maturity date is 30 June 2031.", y)
    law, y = canvas.write_paragraph_with("English law", "This agreement is governed by English law.", y + 8)
    _draw_boilerplate(canvas, y + 30)
    return {
        "amount": Field(40_000_000, (amount,)),
        "currency": Field("EUR", (amount,)),
        "purpose": Field("the construction of a covered building dock", (purpose,)),
        "available_until": Field("2026-12-31", (until,)),
        "base_rate": Field("EURIBOR"),
        "margin_percent": Field(2.35, (margin,)),
        "default_interest_percent": Field(1.0, (default,)),
        "maturity_date": Field("2031-06-30", (maturity,)),
        "governing_law": Field("English law", (law,)),
        "prepayment_fee_percent": None,
    }


def _draw_covenants(canvas: Canvas) -> list[Record]:
    canvas.new_page()
    y = _draw_heading(canvas, "4. Financial covenants", 70)
    rows: list[Record] = []
    for name, measure, words, threshold in _COVENANTS:
        text = f"{name}: {measure} {words}, tested on the last day of each financial half year."
        region, y = canvas.write_paragraph_with(words, text, y)
        rows.append(
            {"name": Field(name), "requirement": Field(words, (region,)), "threshold": Field(threshold, (region,))}
        )
        y += 10
    _draw_boilerplate(canvas, y + 20)
    return rows


def _draw_repayments(canvas: Canvas) -> list[Record]:
    canvas.new_page()
    y = _draw_heading(canvas, "Schedule 1. Repayments", 70)
    rows: list[Record] = []
    for index, (words, day, amount) in enumerate(_REPAYMENTS):
        line = f"{words} EUR {amount:,}"
        date = canvas.write(words, LEFT, y, line=line)
        share = canvas.write(f"EUR {amount:,}", 250, y, line=line, faint=index == 3)
        rows.append({"date": Field(day, (date,)), "amount": Field(amount, (share,))})
        y += 18
    _draw_boilerplate(canvas, y + 30)
    return rows


def _draw_signatures(canvas: Canvas) -> list[Record]:
    canvas.new_page()
    y = _draw_heading(canvas, "Signatures", 70)
    rows: list[Record] = []
    for index, (name, party) in enumerate(
        [("Ingrid Solheim", "Torvald Shipyards ASA"), ("Pieter van Aken", "Meridian Trade Bank N.V."),
         ("Oonagh Byrne", "Kestrel Savings Bank plc"), ("Eero Laine", "Aalto Pankki Oyj")]
    ):  # fmt: skip
        line = f"{name} for {party}"
        name_region = canvas.write(name, LEFT, y, line=line, faint=index == 2)
        party_region = canvas.write(party, 250, y, line=line)
        rows.append({"name": Field(name, (name_region,)), "party": Field(party, (party_region,)), "title": None})
        y += 40
    return rows


def _draw_heading(canvas: Canvas, words: str, y: float) -> float:
    canvas.write(words, LEFT, y, size=12, bold=True)
    return y + 22


def _draw_boilerplate(canvas: Canvas, y: float) -> None:
    for paragraph in _BOILERPLATE:
        y = canvas.write_paragraph(paragraph, y) + 8
