"""Results of documents that are made up: invoices, statements, payslips, balance sheets, and unrelated numbers."""

import random
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from llx_mcp.relations.check import RelationCheck, check_relations
from llx_mcp.result.deadline import Deadline
from llx_mcp.result.outline import Node, build_outline, walk_nodes

CENT = Decimal("0.01")


def check(result: Any) -> RelationCheck:
    """Check the relations of a result without a limit on time that matters."""
    return check_relations(build_outline(result), Deadline(60.0))


def findings(result: Any) -> list[tuple[str, str, str]]:
    """Return kind, path and reason of each value that is wrong."""
    return [(wrong.kind, wrong.node.path_of(wrong.position), wrong.why) for wrong in check(result).wrong]


def paths(result: Any) -> set[str]:
    """Return the paths of the values that are wrong."""
    return {path for _, path, _ in findings(result)}


def covered(result: Any) -> list[tuple[Node, int, str]]:
    """Return the values that relations cover, in document order, with `sum` or `order`."""
    root = build_outline(result)
    checked = check_relations(root, Deadline(60.0))
    found: list[tuple[Node, int, str]] = []
    for node in walk_nodes(root):
        sums, orders = checked.confirmed.get(id(node), set()), checked.ordered.get(id(node), set())
        found += [(node, at, "sum" if at in sums else "order") for at in sorted(sums | orders)]
    return found


def change_digit(value: Any, rng: random.Random) -> Any:
    """Return a number, or a text with one, in which one digit is another."""
    text = value if isinstance(value, str) else repr(value)
    body = text.removesuffix(".0") if isinstance(value, float) else text
    at = rng.choice([index for index, char in enumerate(body) if char.isdigit()])
    digit = rng.choice([char for char in "0123456789" if char != text[at]])
    changed = text[:at] + digit + text[at + 1 :]
    return changed if isinstance(value, str) else type(value)(changed)


def with_changed(result: Any, node: Node, position: int, rng: random.Random, run: Callable[[Any], Any]) -> Any:
    """Return what a function says of the result with one other digit in one value; the result is the same after it."""
    parent = node.parent
    assert parent is not None
    container = parent.values[position if node.parent_positions is None else node.parent_positions[position]]
    key = node.step if node.indices is None else node.indices[position]
    before = container[key]
    container[key] = change_digit(before, rng)
    try:
        return run(result)
    finally:
        container[key] = before


def money(rng: random.Random, low: int = 1_000, high: int = 99_999) -> Decimal:
    """Return a random amount, given in cents."""
    return Decimal(rng.randint(low, high)) / 100


def invoice(rng: random.Random) -> dict[str, Any]:
    """Return an invoice, in one of three languages, with numbers or with formatted texts."""
    names = rng.choice(
        [
            ("line_items", "quantity", "unit_price", "amount", "net", "vat", "gross", "invoice_date", "due_date"),
            ("positionen", "menge", "einzelpreis", "betrag", "zwischensumme", "mwst", "gesamtbetrag", "rechnungsdatum",
             "faelligkeit"),
            ("lignes", "quantite", "prix_unitaire", "montant", "total_ht", "tva", "total_ttc", "date_facture",
             "date_echeance"),
        ]
    )  # fmt: skip
    lines, quantity, price, amount, net, tax, gross, issued, due = names
    is_text = rng.random() < 0.5

    def write(number: Decimal) -> Any:
        return f"{number:,.2f} EUR" if is_text else float(number)

    rows, total = [], Decimal(0)
    for index in range(rng.randint(3, 30)):
        count, each = rng.randint(1, 20), money(rng)
        total += count * each
        rows.append({"pos": index + 1, quantity: count, price: write(each), amount: write(count * each)})
    taxes = (total * Decimal("0.19")).quantize(CENT)
    day = date(2025, 1, 1) + timedelta(days=rng.randint(0, 700))
    return {
        issued: day.isoformat(),
        due: (day + timedelta(days=30)).isoformat(),
        lines: rows,
        "totals": {net: write(total), tax: write(taxes), gross: write(total + taxes)},
    }


def statement(rng: random.Random) -> dict[str, Any]:
    """Return a bank statement with signed amounts, or with a column for each direction; oldest or newest first."""
    has_columns, is_newest_first = rng.random() < 0.5, rng.random() < 0.5
    opening = balance = money(rng, 100_000, 5_000_000)
    day, rows = date(2025, 1, 1), []
    paid_in = paid_out = Decimal(0)
    for _ in range(rng.randint(15, 60)):
        day += timedelta(days=rng.randint(0, 3))
        amount, is_credit = money(rng), rng.random() < 0.5
        balance += amount if is_credit else -amount
        paid_in, paid_out = paid_in + amount * is_credit, paid_out + amount * (not is_credit)
        row: dict[str, Any] = {"date": day.isoformat()}
        if has_columns:
            row |= {"credit": float(amount) if is_credit else None, "debit": None if is_credit else float(amount)}
        else:
            row["amount"] = float(amount if is_credit else -amount)
        rows.append({**row, "balance": float(balance)})
    return {
        "opening_balance": float(opening),
        "total_credits": float(paid_in),
        "total_debits": float(paid_out),
        "closing_balance": float(balance),
        "transactions": rows[::-1] if is_newest_first else rows,
    }


def payroll(rng: random.Random) -> dict[str, Any]:
    """Return payslips with deductions."""
    slips = []
    for index in range(rng.randint(6, 20)):
        gross, tax, insurance = money(rng, 200_000, 900_000), money(rng), money(rng)
        net = gross - tax - insurance
        slips.append(
            {
                "employee_no": 4711 + 13 * index,
                "gross_pay": float(gross),
                "income_tax": float(tax),
                "social_insurance": float(insurance),
                "net_pay": float(net),
            }
        )
    return {"company": "Saltmarsh", "payslips": slips}


def balance_sheet(rng: random.Random) -> dict[str, Any]:
    """Return a balance sheet with subtotals and year columns."""
    years = [f"fy{2024 - index}" for index in range(rng.randint(2, 4))]
    rows: list[dict[str, Any]] = []

    def add_block(title: str, names: list[str]) -> dict[str, int]:
        total = dict.fromkeys(years, 0)
        for name in names:
            row = {year: rng.randint(100, 99_999) for year in years}
            total = {year: total[year] + row[year] for year in years}
            rows.append({"item": name, **row})
        rows.append({"item": title, **total})
        return total

    current = add_block("Total current assets", ["Cash", "Receivables", "Inventories"])
    fixed = add_block("Total non-current assets", ["Property", "Goodwill", "Intangibles"])
    rows.append({"item": "Total assets", **{year: current[year] + fixed[year] for year in years}})
    return {"balance_sheet": rows}


def swimming(rng: random.Random) -> dict[str, Any]:
    """Return the results of a race with split times that add up."""
    swimmers = []
    for rank in range(rng.randint(6, 14)):
        splits = [Decimal(rng.randint(2_800 + rank * 30, 3_400 + rank * 30)) / 100 for _ in range(4)]
        minutes, seconds = divmod(sum(splits), 60)
        swimmers.append(
            {
                "name": f"Swimmer {rank}",
                "splits": [{"distance": 50, "time": f"{split:.2f}"} for split in splits],
                "time": f"{minutes}:{seconds:05.2f}",
            }
        )
    return {"event": "200 m freestyle", "results": swimmers}


def loan(rng: random.Random) -> dict[str, Any]:
    """Return a credit agreement with a repayment schedule."""
    year, month = rng.randint(2020, 2030), rng.choice([1, 4, 7, 10])
    step = rng.choice([3, 6, 12])
    days = []
    for index in range(rng.randint(6, 20)):
        month_index = year * 12 + month - 1 + index * step
        days.append(date(month_index // 12, month_index % 12 + 1, 15).isoformat())
    return {
        "agreement_date": date(year - 1, 5, 18).isoformat(),
        "maturity_date": days[-1],
        "repayments": [{"date": day, "amount": 250_000} for day in days],
    }


def budget(rng: random.Random) -> dict[str, Any]:
    """Return rows whose parts add up to 100 % and to a total."""
    rows = []
    for index in range(rng.randint(8, 25)):
        first, second = sorted(rng.sample(range(1, 1_000), 2))
        counts = [rng.randint(50, 9_000) for _ in range(3)]
        rows.append(
            {
                "region": f"Region {index}",
                "share_a": first / 10,
                "share_b": (second - first) / 10,
                "share_c": (1_000 - second) / 10,
                "men": counts[0],
                "women": counts[1],
                "children": counts[2],
                "all": sum(counts),
            }
        )
    return {"regions": rows}


DOCUMENTS = (invoice, statement, payroll, balance_sheet, swimming, loan, budget)
_NAMES = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "value",
    "score",
    "count",
    "total",
    "amount",
    "quantity",
    "price",
    "net",
    "tax",
    "gross",
    "balance",
    "rank",
    "age",
    "height",
    "weight",
    "year",
    "rate",
    "share",
    "debit",
    "credit",
    "length",
    "width",
    "points",
    "wins",
    "losses",
    "games",
    "temperature",
    "low",
    "high",
    "population",
    "area",
]


def unrelated(rng: random.Random) -> dict[str, Any]:
    """Return lists and objects of numbers and dates that have nothing to do with one another."""
    result: dict[str, Any] = {"records": _unrelated_rows(rng)}
    for name in rng.sample(_NAMES, rng.randint(0, 6)):
        result[name] = _unrelated_column(rng, 1)[0]
    if rng.random() < 0.4:
        result["others"] = _unrelated_rows(rng)
    if rng.random() < 0.3:
        singles = ("total", "count", "score")
        result["groups"] = [
            {**{name: _unrelated_column(rng, 1)[0] for name in singles}, "records": _unrelated_rows(rng)}
            for _ in range(rng.randint(2, 8))
        ]
    return result


def _unrelated_rows(rng: random.Random) -> list[dict[str, Any]]:
    num_rows = rng.choice([1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 60])
    columns = {name: _unrelated_column(rng, num_rows) for name in rng.sample(_NAMES, rng.randint(1, 9))}
    for name in list(columns):
        if rng.random() < 0.15:
            # The same numbers once more, some of them a little larger.
            columns[f"{name}_again"] = [
                value + rng.choice([0, 0, 0, 1]) if isinstance(value, int) else value for value in columns[name]
            ]
    rows = [{name: values[row] for name, values in columns.items()} for row in range(num_rows)]
    if rng.random() < 0.5:
        for row in rows:
            row["label"] = rng.choice(["North", "South", "Q1", "Q2", "Total", "Revenue", "Net income"])
            row["kind"] = rng.choice("ABC")
    return rows


def _unrelated_column(rng: random.Random, num_rows: int) -> list[Any]:
    kinds: list[Callable[[], Any]] = [
        lambda: rng.randint(0, 5),
        lambda: rng.randint(0, 10),
        lambda: rng.randint(1, 100),
        lambda: rng.randint(1, 10_000) / 100,
        lambda: rng.randint(1_900, 2_030),
        lambda: rng.choice([0, 0, 0, 1, 2, 5]),
        lambda: rng.randint(-500, 500),
        lambda: round(rng.gauss(50, 5), 1),
        lambda: rng.randint(1, 20) * 1_000,
        lambda: f"{rng.randint(1, 9_999):,}.{rng.randint(0, 99):02d} EUR",
        lambda: rng.choice([None, rng.randint(1, 50)]),
        (date(2020, 1, 1) + timedelta(days=rng.randint(0, 2_000))).isoformat,
    ]
    kind = rng.randrange(len(kinds) + 2)
    if kind < len(kinds):
        return [kinds[kind]() for _ in range(num_rows)]
    steps = [rng.randint(0, 3) if kind == len(kinds) else rng.randint(-2, 12) for _ in range(num_rows)]
    sums = [sum(steps[: index + 1]) for index in range(num_rows)]
    if kind == len(kinds):
        return list(sums)
    return [(date(2020, 1, 1) + timedelta(days=days)).isoformat() for days in sums]
