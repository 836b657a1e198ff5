"""An invoice of two pages: 34 items, three VAT rates, and an order number that is printed faintly."""

import random
from decimal import Decimal

from samples.canvas import LEFT, WIDTH, Canvas, Field, Record

TITLE = "Invoice NL-2026-0417"
_RIGHT = WIDTH - LEFT
_PRODUCTS = [
    ("SP-110", "Spectrometer, bench model", "2480.00"), ("SP-112", "Spectrometer lamp", "96.50"),
    ("CV-020", "Cuvette, quartz, 10 mm", "58.00"), ("CV-021", "Cuvette, glass, 10 mm", "12.40"),
    ("PH-300", "pH meter, handheld", "214.90"), ("PH-301", "pH electrode, refillable", "87.25"),
    ("BF-004", "Buffer solution pH 4.01, 500 ml", "11.80"), ("BF-007", "Buffer solution pH 7.00, 500 ml", "11.80"),
    ("CE-150", "Centrifuge, 12 x 15 ml", "1320.00"), ("CE-151", "Centrifuge rotor", "405.00"),
    ("ST-200", "Magnetic stirrer with heating", "268.00"), ("ST-201", "Stirring bar, set of 10", "19.90"),
    ("BA-050", "Balance, 0.1 mg", "1890.00"), ("BA-051", "Calibration weight, class F1", "74.00"),
    ("BK-001", "Handbook of trace analysis", "64.00"), ("BK-002", "Tables for the laboratory", "28.50"),
    ("SV-900", "Installation and briefing, per hour", "95.00"), ("SV-901", "Calibration certificate", "120.00"),
]  # fmt: skip


def draw() -> tuple[bytes, Record]:
    """Draw the document; return the PDF, and the result with the region of each value."""
    canvas = Canvas(TITLE)
    tree = _draw_header(canvas)
    items, net, vat = _draw_items(canvas)
    tree["line_items"] = items
    tree["totals"] = _draw_totals(canvas, net, vat)
    tree["payment"] = _draw_payment(canvas)
    return canvas.output(), tree


def _draw_header(canvas: Canvas) -> Record:
    canvas.new_page()
    seller = canvas.write("Nordlicht Instruments GmbH", LEFT, 70, size=18, bold=True)
    address = canvas.write("Kaistrasse 14, 24103 Kiel, Germany", LEFT, 90)
    vat_id = canvas.write_labelled("VAT no.", "DE811907354", LEFT, 106, gap=46)
    buyer = canvas.write("Lillehav Seawater Laboratory", LEFT, 150, size=12, bold=True)
    buyer_address = canvas.write("Havnegade 9, 5000 Odense, Denmark", LEFT, 166)
    number = canvas.write_labelled("Invoice no.", "NL-2026-0417", 340, 150)
    date = canvas.write_labelled("Date", "14 April 2026", 340, 166)
    due = canvas.write_labelled("Due", "14 May 2026", 340, 182)
    order = canvas.write_labelled("Your order", "PO-88O3-17", 340, 198, faint=True)
    currency = canvas.write("All amounts in EUR", LEFT, 218)
    return {
        "invoice_number": Field("NL-2026-0417", (number,)),
        "invoice_date": Field("2026-04-14", (date,)),
        "due_date": Field("2026-05-14", (due,)),
        "purchase_order": Field("PO-88O3-17", (order,)),
        "currency": Field("EUR", (currency,)),
        "seller": {
            "name": Field("Nordlicht Instruments GmbH", (seller,)),
            "address": Field("Kaistrasse 14, 24103 Kiel, Germany", (address,)),
            "vat_id": Field("DE811907354", (vat_id,)),
        },
        "buyer": {
            "name": Field("Lillehav Seawater Laboratory", (buyer,)),
            "address": Field("Havnegade 9, 5000 Odense, Denmark", (buyer_address,)),
            "vat_id": None,
        },
    }


def _draw_items(canvas: Canvas) -> tuple[list[Record], Decimal, dict[Decimal, Decimal]]:
    rng = random.Random(417)
    rows: list[Record] = []
    net = Decimal(0)
    vat: dict[Decimal, Decimal] = {}
    y = _draw_item_header(canvas, 246)
    for position in range(1, 35):
        if position == 25:
            canvas.new_page()
            y = _draw_item_header(canvas, 70)
        sku, description, price = _PRODUCTS[(position * 7) % len(_PRODUCTS)]
        quantity = rng.choice([1, 1, 2, 2, 3, 4, 5, 10, 12])
        rate = Decimal(7) if sku.startswith("BK") else Decimal(0) if sku.startswith("SV") else Decimal(19)
        amount = quantity * Decimal(price)
        net += amount
        vat[rate] = vat.get(rate, Decimal(0)) + amount * rate / 100
        rows.append(_draw_item(canvas, y, position, sku, description, quantity, Decimal(price), rate, amount))
        y += 22
    return rows, net, vat


def _draw_item_header(canvas: Canvas, y: float) -> float:
    for label, x in (("Pos", LEFT), ("Article", 86), ("Description", 146)):
        canvas.write(label, x, y, size=9, bold=True)
    for label, right in (("Quantity", 376), ("Price", 430), ("VAT %", 474), ("Amount", _RIGHT)):
        canvas.write_right(label, right, y, size=9, bold=True)
    canvas.draw_rule(y + 5)
    return y + 22


def _draw_item(
    canvas: Canvas, y: float, position: int, sku: str, description: str, quantity: int, price: Decimal, rate: Decimal,
    amount: Decimal,
) -> Record:  # fmt: skip
    line = f"{position} {sku} {description} {quantity} {price:,.2f} {rate} {amount:,.2f}"
    is_faint = position in (12, 29)
    return {
        "position": Field(position, (canvas.write(str(position), LEFT, y, size=9, line=line),)),
        "article": Field(sku, (canvas.write(sku, 86, y, size=9, line=line),)),
        "description": Field(description, (canvas.write(description, 146, y, size=9, line=line),)),
        "quantity": Field(quantity, (canvas.write_right(str(quantity), 376, y, size=9, line=line),)),
        "unit_price": Field(float(price), (canvas.write_right(f"{price:,.2f}", 430, y, size=9, line=line),)),
        "vat_percent": Field(int(rate), (canvas.write_right(str(rate), 474, y, size=9, line=line),)),
        "amount": Field(
            float(amount), (canvas.write_right(f"{amount:,.2f}", _RIGHT, y, size=9, line=line, faint=is_faint),)
        ),
    }


def _draw_totals(canvas: Canvas, net: Decimal, vat: dict[Decimal, Decimal]) -> Record:
    y = 330.0
    canvas.draw_rule(y - 16)
    net_region = canvas.write_right(f"{net:,.2f}", _RIGHT, y, line=f"Net total {net:,.2f}")
    canvas.write("Net total", 340, y)
    taxes: list[Record] = []
    total = net
    for rate in sorted(vat, reverse=True):
        y += 18
        tax = vat[rate].quantize(Decimal("0.01"))
        total += tax
        line = f"VAT {rate} % {tax:,.2f}"
        canvas.write("VAT", 340, y)
        rate_region = canvas.write(str(rate), 366, y, line=line)
        canvas.write("%", 384, y)
        taxes.append({
            "rate": Field(int(rate), (rate_region,)),
            "amount": Field(float(tax), (canvas.write_right(f"{tax:,.2f}", _RIGHT, y, line=line),)),
        })  # fmt: skip
    y += 22
    canvas.write("Total due", 340, y, bold=True)
    total_region = canvas.write_right(f"{total:,.2f}", _RIGHT, y, bold=True, line=f"Total due {total:,.2f}")
    return {"net": Field(float(net), (net_region,)), "taxes": taxes, "gross": Field(float(total), (total_region,))}


def _draw_payment(canvas: Canvas) -> Record:
    iban = canvas.write_labelled("IBAN", "DE10 9990 1700 1002 4417 09", LEFT, 450)
    bank = canvas.write_labelled("Bank", "Tideway Handelsbank", LEFT, 466)
    text = "Payable within 30 days without deduction. Goods remain our property until they are paid in full."
    terms, _ = canvas.write_paragraph_with("within 30 days", text, 500)
    return {
        "iban": Field("DE10999017001002441709", (iban,)),
        "bank": Field("Tideway Handelsbank", (bank,)),
        "days": Field(30, (terms,)),
        "discount_percent": None,
        "is_reverse_charge": Field(value=False),
    }
