"""A bank statement of 40 pages: 1,200 transactions with running balances."""

import random
from datetime import date, timedelta
from decimal import Decimal

from samples.canvas import LEFT, WIDTH, Canvas, Field, Record

TITLE = "Statement of account, January to June 2026"
NUM_TRANSACTIONS = 1_200
PER_PAGE = 30

_RIGHT = WIDTH - LEFT
_OPENING = Decimal("18250.40")
_FIRST_DAY = date(2026, 1, 1)
_INCOMING = [
    "Card takings",
    "Invoice paid, Marlow Cafe",
    "Invoice paid, The Gilded Fern",
    "Online orders",
    "VAT refund",
]
_OUTGOING = [
    "Flour and grain, Penhallow Mill", "Wages", "Rent, Quay Street", "Electricity, Tidewater Energy",
    "Dairy, Lower Farm", "Packaging, Boxwright", "Van fuel", "Insurance, Harbourside Mutual", "Oven service",
    "Card terminal fee", "Business rates", "Software subscription",
]  # fmt: skip


def draw() -> tuple[bytes, Record]:
    """Draw the document; return the PDF, and the result with the region of each value."""
    canvas = Canvas(TITLE)
    canvas.new_page()
    tree = _draw_header(canvas)
    rows: list[Record] = []
    balance = _OPENING
    paid_in = paid_out = Decimal(0)
    y = 250.0
    for index, (day, text, amount) in enumerate(_build_transactions()):
        if index and index % PER_PAGE == 0:
            canvas.new_page()
            canvas.write(f"Page {index // PER_PAGE + 1} of {NUM_TRANSACTIONS // PER_PAGE}", LEFT, 40, size=8)
            y = 80.0
        balance += amount
        paid_in += max(amount, Decimal(0))
        paid_out -= min(amount, Decimal(0))
        rows.append(_draw_row(canvas, y, index, day, text, amount, balance))
        y += 18 if index < PER_PAGE else 23
    tree["summary"] = _draw_summary(canvas, paid_in, paid_out, balance)
    tree["transactions"] = rows
    return canvas.output(), tree


def _build_transactions() -> list[tuple[date, str, Decimal]]:
    rng = random.Random(1200)
    transactions = []
    for index in range(NUM_TRANSACTIONS):
        day = _FIRST_DAY + timedelta(days=index * 181 // NUM_TRANSACTIONS)
        if rng.random() < 0.45:
            transactions.append((day, rng.choice(_INCOMING), Decimal(rng.randint(4_000, 92_000)) / 100))
        else:
            transactions.append((day, rng.choice(_OUTGOING), -Decimal(rng.randint(1_500, 71_000)) / 100))
    return transactions


def _draw_header(canvas: Canvas) -> Record:
    bank = canvas.write("Harbour & Vale Bank", LEFT, 66, size=18, bold=True)
    canvas.write(TITLE, LEFT, 86, size=11)
    holder = canvas.write_labelled("Account holder", "Saltmarsh Bakery Ltd", LEFT, 116)
    number = canvas.write_labelled("Account number", "40718823", LEFT, 132)
    sort_code = canvas.write_labelled("Sort code", "00-77-41", LEFT, 148)
    period = canvas.write_labelled("Period", "1 January 2026 to 30 June 2026", LEFT, 164)
    opening = canvas.write_labelled("Opening balance", f"GBP {_OPENING:,.2f}", LEFT, 180)
    for label, x in (("Date", LEFT), ("Description", 120), ("Reference", 310)):
        canvas.write(label, x, 226, size=9, bold=True)
    for label, right in (("Amount", 460), ("Balance", _RIGHT)):
        canvas.write_right(label, right, 226, size=9, bold=True)
    canvas.draw_rule(231)
    return {
        "bank": Field("Harbour & Vale Bank", (bank,)),
        "account": {
            "holder": Field("Saltmarsh Bakery Ltd", (holder,)),
            "number": Field("40718823", (number,)),
            "sort_code": Field("00-77-41", (sort_code,)),
            "iban": None,
        },
        "currency": Field("GBP", (opening,)),
        "period_start": Field("2026-01-01", (period,)),
        "period_end": Field("2026-06-30", (period,)),
        "opening_balance": Field(float(_OPENING), (opening,)),
    }


def _draw_row(canvas: Canvas, y: float, index: int, day: date, text: str, amount: Decimal, balance: Decimal) -> Record:
    reference = f"HV{index * 7919 % 1_000_003:06d}" if index % 5 else None
    shown = f"{day.day} {day:%b %Y}"
    line = " ".join(part for part in (shown, text, reference, f"{amount:,.2f}", f"{balance:,.2f}") if part)
    is_faint = index % 97 == 41
    row: Record = {
        "date": Field(day.isoformat(), (canvas.write(shown, LEFT, y, size=9, line=line),)),
        "description": Field(text, (canvas.write(text, 120, y, size=9, line=line),)),
        "reference": None,
    }
    if reference:
        row["reference"] = Field(reference, (canvas.write(reference, 310, y, size=9, line=line),))
    region = canvas.write_right(f"{amount:,.2f}", 460, y, size=9, line=line, faint=is_faint)
    row["amount"] = Field(float(amount), (region,))
    row["balance"] = Field(float(balance), (canvas.write_right(f"{balance:,.2f}", _RIGHT, y, size=9, line=line),))
    return row


def _draw_summary(canvas: Canvas, paid_in: Decimal, paid_out: Decimal, balance: Decimal) -> Record:
    tree: Record = {}
    rows = [("paid_in", "Paid in", paid_in), ("paid_out", "Paid out", paid_out)]
    rows.append(("closing_balance", "Closing balance", balance))
    for index, (name, label, value) in enumerate(rows):
        region = canvas.write_labelled(label, f"{value:,.2f}", 330, 776 + 14 * index, size=9)
        tree[name] = Field(float(value), (region,))
    return tree
