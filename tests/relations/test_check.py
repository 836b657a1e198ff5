"""Relations between values are found where the values show them, and what breaks one is named with the numbers."""

import copy
import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llx_mcp.relations.check import check_relations
from llx_mcp.result.deadline import Deadline
from llx_mcp.result.jsonpath import find_locations, parse_path
from llx_mcp.result.outline import build_outline
from tests.relations.documents import check, findings, paths

ITEMS = [(2, 12.5, 25.0), (3, 99.99, 299.97), (1, 14.0, 14.0), (7, 4.05, 28.35), (12, 8.5, 102.0), (5, 61.2, 306.0)]
LINES = [{"quantity": count, "unit_price": price, "amount": amount} for count, price, amount in ITEMS]
NET = 775.32


def invoice(**totals: float) -> dict[str, Any]:
    """Return an invoice with these totals."""
    return {"line_items": copy.deepcopy(LINES), **totals}


def test_total_that_is_not_the_sum_of_its_list_is_wrong() -> None:
    assert findings(invoice(total=NET)) == []
    assert findings(invoice(total=785.32)) == [
        ("sum", "total", "sum of line_items[*].amount 775.32, but total 785.32: difference 10.00")
    ]


def test_item_that_breaks_a_product_and_a_total_is_the_wrong_one() -> None:
    result = invoice(net=NET)
    result["line_items"][3]["amount"] = 88.35
    ((kind, path, why),) = findings(result)
    assert (kind, path) == ("sum", "line_items[3].amount")
    assert why.endswith("difference 60.00; 2 relations fail here")


def test_list_that_lacks_a_row_is_said_of_its_total() -> None:
    result = invoice(total=NET)
    del result["line_items"][1]
    assert findings(result) == [
        ("sum", "total", "sum of line_items[*].amount 475.35, but total 775.32: difference 299.97")
    ]


@pytest.mark.parametrize("extra", [{"shipping": 9.9}, {"freight": 12.0, "rebate": 2.1}])
def test_difference_that_other_amounts_explain_is_no_fault(extra: dict[str, float]) -> None:
    assert findings(invoice(total=NET + 9.9, **extra)) == []


@pytest.mark.parametrize("name", ["total_revenue", "credit_limit", "total_pages"])
def test_total_of_something_else_is_not_compared(name: str) -> None:
    assert findings(invoice(**{name: 1_911.4})) == []


def test_net_and_tax_are_gross_whatever_their_language() -> None:
    for net, tax, gross in (("net", "vat", "gross"), ("netto", "mwst", "brutto"), ("total_ht", "tva", "total_ttc")):
        assert findings({net: 43_417.65, tax: 8_069.83, gross: 51_487.48}) == []
        assert paths({net: 43_417.65, tax: 8_069.83, gross: 51_457.48}) == {gross}


def test_taxes_may_be_a_list_and_rounded() -> None:
    taxes = [{"rate": 19, "amount": 8_054.89}, {"rate": 7, "amount": 14.94}]
    assert findings({"net": 43_417.65, "taxes": taxes, "gross": 51_487.49}) == []
    assert paths({"net": 43_417.65, "taxes": taxes, "gross": 51_487.98}) == {"gross"}


def test_taxes_by_rate_are_those_of_the_items_with_this_rate() -> None:
    lines = [(19, 1_200.0), (7, 320.5), (19, 88.8), (0, 450.0), (7, 61.25)]
    taxes = [{"rate": 19, "amount": 244.87}, {"rate": 7, "amount": 26.72}]
    result: dict[str, Any] = {
        "lines": [{"vat_percent": rate, "amount": amount} for rate, amount in lines],
        "taxes": taxes,
    }
    assert findings(result) == []
    taxes[1]["amount"] = 28.72
    why = "7 % of 381.75 (the items with this rate) = 26.72, but taxes[1].amount 28.72: difference 2.00"
    assert findings(result) == [("sum", "taxes[1].amount", why)]
    taxes[1]["amount"] = 26.72
    result["lines"][2]["vat_percent"] = 15
    why = "the taxes by rate are right only if vat_percent here is 19 instead of 15"
    assert findings(result) == [("sum", "lines[2].vat_percent", why)]
    result["lines"][2]["vat_percent"] = 19
    taxes[0]["rate"] = 13
    assert paths(result) == {"taxes[0].rate"}


def test_sums_by_row_are_found_without_names() -> None:
    rows = [{"a": 17 * at + 3, "b": 29 * at % 101 + 40, "c": 46 * at, "d": at} for at in range(1, 12)]
    for row in rows:
        row["c"] = row["a"] + row["b"]
    assert findings({"rows": rows}) == []
    rows[4]["c"] += 500
    assert findings({"rows": rows}) == [
        ("sum", "rows[4].c", "a 88 + b 84 = 172, but c 672: difference 500"),
    ]


def test_long_sums_and_names_are_shown_in_part() -> None:
    rows: list[dict[str, int]] = []
    for at in range(12):
        parts = {f"part {index} {'x' * 500}": 1_000 + (at * 389 + index * 577) % 911 for index in range(12)}
        rows.append({**parts, "all": sum(parts.values())})
    assert findings({"rows": rows}) == []
    rows[3]["all"] += 2_000
    ((_, path, why),) = findings({"rows": rows})
    assert path == "rows[3].all"
    assert " + 6 more = " in why
    assert len(why) <= 800


def test_discount_in_one_row_is_no_fault() -> None:
    rows: list[dict[str, Any]] = [{**line, "discount": None} for line in copy.deepcopy(LINES)]
    rows[2] |= {"amount": 12.0, "discount": 2.0}
    assert findings({"lines": rows}) == []


def test_rounded_unit_prices_are_no_fault() -> None:
    rows = [{"quantity": at + 2, "unit_price": round(100 / (at + 2), 2), "amount": 100.0 + at} for at in range(9)]
    for at, row in enumerate(rows):
        row["unit_price"] = round((100 + at) / (at + 2), 2)
    assert findings({"lines": rows}) == []


def test_rate_of_a_base_is_the_tax() -> None:
    rows = [{"base": 1_037.5 * at, "rate": 7 if at % 3 else 19, "tax": 0.0} for at in range(1, 10)]
    for row in rows:
        row["tax"] = round(row["base"] * row["rate"] / 100 + 1e-9, 2)
    assert findings({"taxes": rows}) == []
    rows[3]["tax"] += 30
    assert paths({"taxes": rows}) == {"taxes[3].tax"}


def test_parts_of_one_total_by_row() -> None:
    parts = [(10.5 + at * 37 % 31, 40.25 - at * 17 % 29) for at in range(12)]
    rows = [{"yes": yes, "no": no, "none": 100 - yes - no, "all": 100.0} for yes, no in parts]
    assert findings({"polls": rows}) == []
    rows[6]["no"] += 20
    assert len(paths({"polls": rows})) == 1


def test_running_balance_breaks_where_a_balance_or_an_amount_is_wrong() -> None:
    amounts = [120.5, -40.25, 310.0, -99.99, 5.01, -77.7, 250.0, -13.37]
    balances = list(itertools.accumulate(amounts, initial=1_000.0))[1:]
    rows = [{"amount": a, "balance": round(b, 2)} for a, b in zip(amounts, balances, strict=True)]
    result = {"opening_balance": 1_000.0, "closing_balance": rows[-1]["balance"], "rows": rows}
    assert findings(result) == []
    right = rows[3]["balance"]
    rows[3]["balance"] = right + 600
    ((_, path, why),) = findings(result)
    assert path == "rows[3].balance"
    assert "balance before it 1,390.25 - amount 99.99 = 1,290.26, but balance 1,890.26: difference 600.00" in why
    rows[3]["balance"] = right
    rows[5]["amount"] = -79.7
    assert paths(result) == {"rows[5].amount"}
    rows[5]["amount"] = -77.7
    result["opening_balance"] = 1_200.0
    assert paths(result) == {"opening_balance"}


def test_rows_labelled_as_totals_are_the_sums_of_the_rows_above() -> None:
    rows = [
        {"item": "Cash", "2024": 12_300, "2023": 11_050},
        {"item": "Receivables", "2024": 8_410, "2023": 9_001},
        {"item": "Total current assets", "2024": 20_710, "2023": 20_051},
        {"item": "Goodwill", "2024": 44_000, "2023": 44_000},
        {"item": "Property", "2024": 9_915, "2023": 10_020},
        {"item": "Total non-current assets", "2024": 53_915, "2023": 54_020},
        {"item": "Total assets", "2024": 74_625, "2023": 74_071},
    ]
    assert findings({"sheet": rows}) == []
    rows[5]["2023"] = 59_020
    assert paths({"sheet": rows}) == {"sheet[5]['2023']"}


def test_assets_are_liabilities_and_equity() -> None:
    rows = [
        {"total_assets": 121_375, "total_liabilities": 75_845, "total_equity": 45_530},
        {"total_assets": 124_413, "total_liabilities": 78_956, "total_equity": 45_457},
    ]
    assert findings({"years": rows}) == []
    rows[1]["total_assets"] = 124_913
    assert paths({"years": rows}) == {"years[1].total_assets"}


def test_segments_add_up_to_the_company_in_a_list_of_numbers_with_labels() -> None:
    rows: list[dict[str, Any]] = [
        {"period": f"Q{quarter}", "segment": segment, "value": value}
        for quarter, values in enumerate([(3_757, 10_234), (3_559, 9_232), (7_484, 20_348), (7_088, 20_371)])
        for segment, value in (("services", values[0]), ("products", values[1]), ("company", sum(values)))
    ]
    assert findings({"revenue": rows}) == []
    rows[5]["value"] += 300
    ((_, path, why),) = findings({"revenue": rows})
    assert path.startswith("revenue[")
    assert (
        why == "revenue[3].value 3,559 + revenue[4].value 9,232 = 12,791, but revenue[5].value 13,091: difference 300"
    )


def test_count_is_the_length_of_the_list_that_it_names() -> None:
    rows = [{"text": str(at)} for at in range(7)]
    assert findings({"num_items": 7, "line_items": rows}) == []
    assert findings({"num_items": 8, "line_items": rows}) == [
        ("sum", "num_items", "num_items 8, but line_items has 7 elements")
    ]
    assert findings({"number_of_employees": 500, "employees": rows}) == []
    pieces = [{"quantity": 1}] * 6 + [{"quantity": 2}]
    assert findings({"num_items": 8, "items": pieces}) == []


def test_numbers_in_texts_are_compared_exactly() -> None:
    texts = ["0.10 EUR", "0.20 EUR", "1,299.70 EUR", "-12.00 EUR"]
    items = [{"amount": text} for text in texts]
    assert findings({"items": items, "total": "1,288.00 EUR"}) == []
    assert paths({"items": items, "total": "1,388.00 EUR"}) == {"total"}


@pytest.mark.parametrize(
    ("start", "end"), [("start_date", "end_date"), ("period_from", "period_to"), ("beginn", "ende"), ("from", "to")]
)
def test_period_that_ends_before_it_starts_is_wrong(start: str, end: str) -> None:
    assert findings({start: "2024-03-01", end: "2024-03-01"}) == []
    assert findings({start: "2024", end: "March 2024"}) == []
    assert findings({start: "2024-03-01", end: "2023-03-01"}) == [
        ("order", end, f"{end} 2023-03-01 is before {start} 2024-03-01")
    ]


def test_due_date_is_the_stated_days_after_the_invoice() -> None:
    terms = {"invoice_date": "2026-04-14", "payment": {"days": 30}}
    assert findings({**terms, "due_date": "2026-05-14"}) == []
    assert findings({**terms, "due_date": "2026-05-24"}) == [
        (
            "order",
            "due_date",
            "invoice_date 2026-04-14 + 30 days (payment.days) = 2026-05-14, but due_date is 2026-05-24",
        )
    ]
    # Those of a discount.
    assert findings({**terms, "due_date": "2026-06-02"}) == []


def test_birth_is_before_what_a_document_records() -> None:
    assert findings({"patient": {"date_of_birth": "1971-09-03"}, "collected_at": "2026-03-12T08:15"}) == []
    assert paths({"patient": {"date_of_birth": "2071-09-03"}, "collected_at": "2026-03-12T08:15"}) == {"collected_at"}
    # A contract can be older than a person that it insures.
    assert findings({"child": {"date_of_birth": "2021-09-03"}, "agreement_date": "2016-03-12"}) == []


def test_periods_that_nearly_all_run_backwards_are_no_faults() -> None:
    assert findings({"r": [{"start": f"20{at}-01-01", "end": f"19{at}-01-01"} for at in range(10, 30)]}) == []


def test_date_out_of_order_in_a_sorted_list_is_wrong() -> None:
    days = [f"2026-{at // 28 + 1:02}-{at % 28 + 1:02}" for at in range(0, 200, 5)]
    rows = [{"date": day} for day in days]
    assert findings({"rows": rows}) == []
    assert findings({"rows": rows[::-1]}) == []
    rows[7]["date"] = "2026-12-08"
    ((kind, path, why),) = findings({"rows": rows})
    assert (kind, path) == ("order", "rows[7].date")
    assert why == "the list is sorted by date, but 2026-12-08 stands between 2026-02-03 and 2026-02-13"


def test_few_entries_out_of_order_in_a_resume_are_no_fault() -> None:
    years = [2020, 1998, 1991, 1986, 1982, 2015, 2010, 2004, 1999, 1995]
    assert findings({"jobs": [{"startDate": str(year), "endDate": str(year + 1)} for year in years]}) == []


def test_date_that_breaks_even_distances_is_wrong() -> None:
    days = ["2027-06-30", "2028-06-30", "2029-06-30", "2030-06-30", "2031-06-30", "2032-06-30"]
    assert findings({"repayments": [{"date": day} for day in days]}) == []
    days[2] = "2029-08-30"
    ((_, path, why),) = findings({"repayments": [{"date": day} for day in days]})
    assert path == "repayments[2].date"
    assert why.endswith("2029-06-30 would fit")


def test_payment_moved_off_a_weekend_is_no_fault() -> None:
    days = ["2026-01-15", "2026-04-15", "2026-07-15", "2026-10-15", "2027-01-15", "2027-04-15"]
    moved = ["2026-01-30", "2026-04-30", "2026-07-30", "2026-10-30", "2027-02-01", "2027-04-30"]
    assert findings({"p": [{"date": day} for day in days]}) == []
    assert findings({"p": [{"date": day} for day in moved]}) == []


def test_day_that_no_calendar_has_is_wrong() -> None:
    assert findings({"due_date": "2026-02-30"}) == [("order", "due_date", "2026-02-30 is no day of the calendar")]
    assert findings({"account": "1940-77-41"}) == []


def test_number_that_breaks_a_count_is_wrong_but_equal_ranks_are_not() -> None:
    rows = [{"line_no": at + 1} for at in range(9)]
    rows[4]["line_no"] = 8
    assert findings({"rows": rows}) == [
        ("order", "rows[4].line_no", "line_no counts up by 1, but 8 stands between 4 and 6")
    ]
    ranks = [1, 2, 3, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]
    assert findings({"rows": [{"rank": rank} for rank in ranks]}) == []


def test_ranges_are_no_relation() -> None:
    rows = [{"value": 3 * at, "low": 10, "high": 40} for at in range(20)]
    assert findings({"results": rows}) == []


@pytest.mark.parametrize("result", [None, 1, "x", [], {}, [[]], [{}], [[1, 2], [3]], {"a": [None, {"b": []}]}])
def test_results_without_numbers_have_no_relations(result: Any) -> None:
    assert findings(result) == []


def test_what_the_time_does_not_allow_is_counted() -> None:
    rows = [{"a": at, "b": 2 * at, "c": 3 * at} for at in range(100)]
    clock = itertools.count()
    checked = check_relations(build_outline({"rows": rows}), Deadline(0.5, lambda: float(next(clock))))
    assert checked.wrong == []
    assert checked.unchecked == {"values were not compared with one another: the time for the review was up": 300}


_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=6),
    st.integers(0, 12), st.integers(10**300, 10**301),
    st.sampled_from(["0001-01-01", "9999-12-31", "9999-12", "2026-02-30", "-", "(3)", "1,2", "٣", "12 %", "1:02.5"]),
)  # fmt: skip
_NAMES = st.sampled_from(
    ["net", "tax", "gross", "total", "amount", "balance", "start_date", "end_date", "due_date", "invoice_date", "days"]
)
_ROWS = st.lists(st.dictionaries(_NAMES, _SCALARS, max_size=6), max_size=14)


@given(st.dictionaries(st.one_of(_NAMES, st.just("items")), st.one_of(_SCALARS, _ROWS), max_size=8) | _ROWS)
@settings(max_examples=150, deadline=None)
def test_any_result_is_checked(result: Any) -> None:
    for kind, path, why in findings(result):
        assert kind in {"sum", "order"}
        assert why
        assert len(list(find_locations(parse_path(path), build_outline(result)))) == 1


def test_objects_with_very_many_fields_are_compared_in_part() -> None:
    checked = check({f"field_{at}": at % 997 for at in range(5_000)})
    assert checked.wrong == []
    assert sum(checked.unchecked.values()) >= 4_000
