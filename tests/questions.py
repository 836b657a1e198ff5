"""Forty questions about the real jobs, in a person's words, with the calls that a model would make.

Each expected answer is computed from the job's JSON without the server's code, and never written down here.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

ADP, CSCO = "adp-10q-fy2025q2", "csco-10q-fy2025q2"
CV, CV_IT = "resume-academic01", "resume-it"
SWIM, SWIM_ROWS, MEDLEY = "ma-2023-sw-m-table1", "ma-2023-sw-m-table1-rows", "ma-2023-sw-m-table5"
PAPER, LOAN = "shah24-flashattention-3", "mmm-credit-agreement-2019-11-15"

Call = tuple[str, dict[str, Any]]
SUMMARY: Call = ("get_extract_job", {"max_chars": 2_000})


@dataclass(frozen=True)
class Question:
    """One question about a real job.

    Attributes:
        job: the file of the job.
        words: the question.
        calls: the calls that a model would make; the last returns the answer.
        got: reads the answer from the last call's structured form.
        expected: computes the answer from the result and its metadata tree.
    """

    job: str
    words: str
    calls: tuple[Call, ...]
    got: Callable[[dict[str, Any]], Any]
    expected: Callable[[Any, Any], Any]


def _sql(sql: str) -> Call:
    return ("query_extract_result", {"sql": sql})


def _read(path: str, **arguments: Any) -> Call:
    return ("read_extract_result", {"path": path} | arguments)


def _find(text: str, **arguments: Any) -> Call:
    return ("find_in_extract_result", {"text": text, "max_chars": 2_000} | arguments)


def _cell(structured: dict[str, Any]) -> Any:
    return structured["rows"]["rows"][0][0]


def _row(structured: dict[str, Any]) -> Any:
    return structured["rows"]["rows"][0]


def _column(structured: dict[str, Any]) -> Any:
    return [row[0] for row in structured["rows"]["rows"]]


def _value(structured: dict[str, Any]) -> Any:
    return structured["value"]["value"]


def _hit(structured: dict[str, Any]) -> Any:
    path, cells, *_ = structured["hits"]["rows"][0]
    return [path, cells["value"][0]]


def _page(tree: Any, *steps: str | int) -> Any:
    for step in steps:
        tree = tree[step]
    return tree["citation"][0]["page"]


def _facts(rows: list[Any], period: str) -> Any:
    return next(row["value"] for row in rows if row["data_period"] == period and row["segment_type"] == "company")


def _swimmers(result: Any) -> list[Any]:
    return [row for group in result["age_groups"] for row in group["results"]]


def _medley(result: Any) -> list[Any]:
    return [row for event in result["events"] for group in event["age_groups"] for row in group["results"]]


def _leaves(value: Any, tree: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, dict):
        return [p for n, v in value.items() for p in _leaves(v, tree.get(n) if isinstance(tree, dict) else None)]
    if isinstance(value, list):
        trees = tree if isinstance(tree, list) else []
        return [p for i, v in enumerate(value) for p in _leaves(v, trees[i] if i < len(trees) else None)]
    return [] if value is None else [(value, tree)]


def _below(result: Any, tree: Any) -> int:
    return sum(1 for _, entry in _leaves(result, tree) if entry and entry.get("confidence", 1) < 0.8)


QUESTIONS = (
    # The four largest.
    Question(ADP, "What was basic EPS in FY2025 Q2?", (SUMMARY, _sql("SELECT value FROM income_statement_basic_eps WHERE data_period = 'FY2025 Q2'")), _cell, lambda r, _: _facts(r["income_statement"]["basic_eps"], "FY2025 Q2")),
    Question(ADP, "And net income in the first half of FY2024?", (_sql("SELECT value FROM income_statement_net_income WHERE data_period = 'FY2024 H1'"),), _cell, lambda r, _: _facts(r["income_statement"]["net_income"], "FY2024 H1")),
    Question(ADP, "Which period does the report end with?", (_read("meta.report_period_end_date"),), _value, lambda r, _: r["meta"]["report_period_end_date"]),
    Question(ADP, "On which page does that date stand?", (_read("meta.report_period_end_date"),), lambda v: v["value"]["citations"][0]["page"], lambda _, m: _page(m, "meta", "report_period_end_date")),
    Question(ADP, "How many revenue figures are there?", (SUMMARY, _sql("SELECT count(*) FROM income_statement_revenue")), _cell, lambda r, _: len(r["income_statement"]["revenue"])),
    Question(ADP, "How many values are doubtful?", (("review_extract_job", {"max_chars": 1_500}),), lambda v: v["counts"]["low_confidence"], _below),
    Question(ADP, "How many figures are about FY2024 Q2?", (_sql("SELECT count(*) FROM fields WHERE name = 'data_period' AND value = 'FY2024 Q2'"),), _cell, lambda r, _: sum(value == "FY2024 Q2" for value, _ in _leaves(r, None))),
    Question(ADP, "Where does it say 963.2?", (_find("963.2"),), _hit, lambda r, _: ["income_statement.net_income[0]", r["income_statement"]["net_income"][0]["value"]]),
    Question(ADP, "What is the largest number in the balance sheet, and where?", (_sql("SELECT path, number FROM fields WHERE path LIKE 'balance_sheet.%' AND name = 'value' ORDER BY number DESC LIMIT 1"),), lambda v: _row(v)[1], lambda r, _: max(f["value"] for rows in r["balance_sheet"].values() if isinstance(rows, list) for f in rows if f["value"] is not None)),
    Question(CSCO, "What was revenue in FY2025 Q2 for the whole company?", (SUMMARY, _sql("SELECT value FROM income_statement_revenue WHERE data_period = 'FY2025 Q2' AND segment_type = 'company'")), _cell, lambda r, _: _facts(r["income_statement"]["revenue"], "FY2025 Q2")),
    Question(CSCO, "How many segments' goodwill is listed?", (_sql("SELECT count(*) FROM balance_sheet_goodwill"),), _cell, lambda r, _: len(r["balance_sheet"]["goodwill"])),
    Question(CSCO, "What does goodwill add up to, over all rows of segments in the newest period?", (_sql("SELECT round(sum(value), 6) FROM balance_sheet_goodwill WHERE data_period = (SELECT data_period FROM balance_sheet_goodwill LIMIT 1)"),), _cell, lambda r, _: round(sum(g["value"] for g in r["balance_sheet"]["goodwill"] if g["data_period"] == r["balance_sheet"]["goodwill"][0]["data_period"]), 6)),
    Question(CSCO, "By how much did net income change from FY2024 Q2 to FY2025 Q2?", (_sql("SELECT (SELECT value FROM income_statement_net_income WHERE data_period = 'FY2025 Q2') - (SELECT value FROM income_statement_net_income WHERE data_period = 'FY2024 Q2')"),), _cell, lambda r, _: _facts(r["income_statement"]["net_income"], "FY2025 Q2") - _facts(r["income_statement"]["net_income"], "FY2024 Q2")),
    Question(CSCO, "Which company is it?", (_read("meta.company"),), _value, lambda r, _: r["meta"]["company"]),
    Question(CSCO, "How many values have no citation?", (_sql("SELECT count(*) FROM fields WHERE page IS NULL AND quote IS NULL"),), _cell, lambda r, m: sum(1 for _, e in _leaves(r, m) if not (e and e.get("citation")))),
    Question(CSCO, "What is the least certain number?", (_sql("SELECT path, number, confidence FROM fields WHERE name = 'value' ORDER BY confidence, path LIMIT 1"),), lambda v: _row(v)[2], lambda r, m: round(min(e["confidence"] for rows in (m["income_statement"], m["balance_sheet"], m["cash_flow_statement"], m["other_disclosures"]) for e in _values_of(rows)), 3)),
    Question(CV, "How many publications are there?", (SUMMARY, _sql("SELECT count(*) FROM publications")), _cell, lambda r, _: len(r["publications"])),
    Question(CV, "In which year did she publish most?", (_sql("SELECT year, count(*) FROM publications GROUP BY year ORDER BY 2 DESC, 1 DESC LIMIT 1"),), lambda v: _row(v)[1], lambda r, _: max(Counter(p["year"] for p in r["publications"]).values())),
    Question(CV, "What did Yale University Press publish?", (_find("yale university press", limit=50),), lambda v: [row[0] for row in v["hits"]["rows"] if (row[1].get("publisher") or [None])[0] == "Yale University Press"], lambda r, _: [f"publications[{i}]" for i, p in enumerate(r["publications"]) if p["publisher"] == "Yale University Press"]),
    Question(CV, "Where did she study first?", (_sql("SELECT institution FROM education ORDER BY startDate LIMIT 1"),), _cell, lambda r, _: min(r["education"], key=lambda e: e["startDate"])["institution"]),
    Question(CV, "Which page names her last degree?", (_sql("SELECT page FROM fields WHERE path = 'education[0].qualificationTitle'"),), _cell, lambda _, m: _page(m, "education", 0, "qualificationTitle")),
    Question(CV, "How many awards have no date?", (_sql("SELECT count(*) FROM certificationsAndAwards WHERE date IS NULL"),), _cell, lambda r, _: sum(a.get("date") is None for a in r["certificationsAndAwards"])),
    Question(CV, "Which languages does she speak?", (_read("languages", include=[]),), lambda v: v["values"][0]["rows"][0][1], lambda r, _: r["languages"]),
    Question(CV, "Does it list skills?", (_read("skills"),), _value, lambda r, _: r["skills"]),
    Question(MEDLEY, "How many swimmers did not start?", (SUMMARY, _sql("SELECT count(*) FROM events_age_groups_results WHERE time = 'DNS'")), _cell, lambda r, _: sum(s["time"] == "DNS" for s in _medley(r))),
    Question(MEDLEY, "How many countries took part?", (_sql("SELECT count(DISTINCT athlete_details_country) FROM events_age_groups_results"),), _cell, lambda r, _: len({s["athlete_details"]["country"] for s in _medley(r)})),
    Question(MEDLEY, "Who was born first?", (_sql("SELECT athlete_details_year_birth FROM events_age_groups_results ORDER BY 1 LIMIT 1"),), _cell, lambda r, _: min(s["athlete_details"]["year_birth"] for s in _medley(r))),
    # The smaller ones.
    Question(SWIM, "Who won in the first age group?", (_read("age_groups[0].results[0].athlete_details.athlete"),), _value, lambda r, _: r["age_groups"][0]["results"][0]["athlete_details"]["athlete"]),
    Question(SWIM, "Which teams came from Japan?", (_sql("SELECT DISTINCT athlete_details_team FROM age_groups_results WHERE athlete_details_country = 'JPN' ORDER BY 1"),), _column, lambda r, _: sorted({s["athlete_details"]["team"] for s in _swimmers(r) if s["athlete_details"]["country"] == "JPN"})),
    Question(SWIM, "How many swimmers in each age group?", (_sql("SELECT g.age_group, count(*) FROM age_groups g JOIN age_groups_results r ON r._parent = g._row GROUP BY 1 ORDER BY g._row"),), lambda v: v["rows"]["rows"], lambda r, _: [[g["age_group"], len(g["results"])] for g in r["age_groups"]]),
    Question(SWIM_ROWS, "What is the mean year of birth?", (_sql("SELECT round(avg(year_birth), 6) FROM rows"),), _cell, lambda r, _: round(sum(s["year_birth"] for s in r) / len(r), 6)),
    Question(SWIM_ROWS, "Who swam 44.01?", (_find("44.01"), _sql("SELECT athlete FROM rows WHERE time = '44.01'")), _cell, lambda r, _: next(s["athlete"] for s in r if s["time"] == "44.01")),
    Question(SWIM_ROWS, "What is the median year of birth?", (_sql("SELECT median(year_birth) FROM rows"),), _cell, lambda r, _: _median([s["year_birth"] for s in r])),
    Question(PAPER, "How many works does it cite?", (_read("citations[*]", include=[], max_chars=1_000),), lambda v: v["matches"], lambda r, _: len(r["citations"])),
    Question(PAPER, "What is the first author's address?", (_read("authors[0].email"),), _value, lambda r, _: r["authors"][0]["email"]),
    Question(PAPER, "Who is not from Colfax Research?", (_sql("SELECT name FROM authors WHERE affiliation NOT LIKE '%Colfax%'"),), _column, lambda r, _: [a["name"] for a in r["authors"] if "Colfax" not in a["affiliation"]]),
    Question(LOAN, "How much can be borrowed, in which currency?", (_sql("SELECT terms_loan_commitment_amount, terms_loan_commitment_currency FROM document"),), _row, lambda r, _: list(r["terms"]["loan_commitment"].values())[:2]),
    Question(LOAN, "When does it mature, and on which page does that stand?", (_read("terms.maturity_date"),), lambda v: [v["value"]["value"], [c["page"] for c in v["value"]["citations"]]], lambda r, m: [r["terms"]["maturity_date"], [c["page"] for c in m["terms"]["maturity_date"].get("citation") or []]]),
    Question(LOAN, "Is an authorized officer defined?", (_read("terms.authorized_officer_definition"),), _value, lambda r, _: r["terms"]["authorized_officer_definition"]),
    Question(CV_IT, "Where did he work before 2021?", (_sql("SELECT employer FROM workExperience WHERE isCurrent = 0"),), _column, lambda r, _: [w["employer"] for w in r["workExperience"] if not w["isCurrent"]]),
)  # fmt: skip


def _values_of(tree: Any) -> list[Any]:
    if isinstance(tree, dict):
        own = [tree["value"]] if isinstance(tree.get("value"), dict) and "confidence" in tree["value"] else []
        return own + [e for n, child in tree.items() if n != "value" for e in _values_of(child)]
    return [e for child in tree for e in _values_of(child)] if isinstance(tree, list) else []


def _median(values: list[Any]) -> Any:
    middle = len(values) // 2
    ordered = sorted(values)
    return ordered[middle] if len(values) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
