"""Questions in a person's words about the samples and the real jobs, each with the paths of the values that answer it.

They were written before the search was tuned, and the paths were read from the results.
"""

from dataclasses import dataclass

ADP, CSCO = "adp-10q-fy2025q2", "csco-10q-fy2025q2"
MMM, ADBE = "mmm-credit-agreement-2019-11-15", "adbe-credit-agreement-2000-08-09"
CV, CV_IT, PAPER = "resume-academic01", "resume-it", "shah24-flashattention-3"
SWIM, MEDLEY = "ma-2023-sw-m-table1", "ma-2023-sw-m-table5"


@dataclass(frozen=True)
class SearchQuestion:
    """A question about one job.

    Attributes:
        job: the name of the sample, or the file of the real job.
        words: the question.
        paths: the values of which each answers it.
    """

    job: str
    words: str
    paths: tuple[str, ...]


def _ask(job: str, words: str, *paths: str) -> SearchQuestion:
    return SearchQuestion(job, words, paths)


SAMPLE_QUESTIONS = (
    _ask("loan_agreement", "When does the loan mature?", "terms.maturity_date"),
    _ask("loan_agreement", "Who is the borrower?", "borrower.name"),
    _ask("loan_agreement", "In which country is the borrower based?", "borrower.country"),
    _ask("loan_agreement", "Which law governs the agreement?", "terms.governing_law"),
    _ask("loan_agreement", "How much did Kestrel Savings Bank commit?", "lenders[1].commitment"),
    _ask("loan_agreement", "What is the purpose of the loan?", "terms.purpose"),
    _ask("loan_agreement", "Until when is the loan available?", "terms.available_until"),
    _ask("loan_agreement", "What is the margin in percent?", "terms.margin_percent"),
    _ask("loan_agreement", "What is the minimum liquidity required?", "covenants[2].threshold"),
    _ask("loan_agreement", "How much is repaid in 2029?", "repayments[2].amount"),
    _ask("loan_agreement", "Who signed for Aalto Pankki?", "signatories[3].name"),
    _ask("loan_agreement", "Is there a guarantee?", "guarantor"),
    _ask("loan_agreement", "What is the fee for prepaying?", "terms.prepayment_fee_percent"),
    _ask("loan_agreement", "Who acts as the agent of the lenders?", "agent"),
    _ask("loan_agreement", "When was the agreement signed?", "agreement_date"),
    _ask("invoice", "When is the invoice due?", "due_date"),
    _ask("invoice", "What is the number of this invoice?", "invoice_number"),
    _ask("invoice", "Who is the buyer?", "buyer.name"),
    _ask("invoice", "Where is the seller located?", "seller.address"),
    _ask("invoice", "What does the bench model of the spectrometer cost?", "line_items[17].unit_price"),
    _ask("invoice", "How many magnetic stirrers were ordered?", "line_items[3].quantity", "line_items[21].quantity"),
    _ask("invoice", "What taxes are charged at 7 percent?", "totals.taxes[1].amount"),
    _ask("invoice", "What is the gross total of the invoice?", "totals.gross"),
    _ask("invoice", "What is the net total?", "totals.net"),
    _ask("invoice", "Which bank should the payment go to?", "payment.bank"),
    _ask("invoice", "Within how many days must the invoice be paid?", "payment.days"),
    _ask("invoice", "Are there discounts?", "payment.discount_percent"),
    _ask("invoice", "What is the price of refillable electrodes?", "line_items[10].unit_price", "line_items[28].unit_price"),
    _ask("invoice", "Which purchase order does it refer to?", "purchase_order"),
    _ask("invoice", "In which currencies is it billed?", "currency"),
    _ask("lab_report", "When was the sample collected?", "collected_at"),
    _ask("lab_report", "Who authorised the report?", "authorised_by"),
    _ask("lab_report", "When was the patient born?", "patient.date_of_birth"),
    _ask("lab_report", "What was the fasting glucose?", "results[14].value"),
    _ask("lab_report", "Is the potassium too high?", "results[10].flag"),
    _ask("lab_report", "Was the patient fasting?", "fasting"),
    _ask("lab_report", "What is the upper reference limit for ferritin?", "results[21].reference_high"),
    _ask("lab_report", "Which laboratories did the tests?", "laboratory"),
    _ask("lab_report", "Which specimen was tested?", "specimens[0]", "specimens[1]"),
    _ask("lab_report", "How many platelets does the patient have?", "results[8].value"),
    _ask("lab_report", "Are the lymphocytes normal?", "results[6].value"),
    _ask("lab_report", "What does the comment say about iron deficiency?", "comment"),
    _ask("statement", "What was the balance when the statement opened?", "opening_balance"),
    _ask("statement", "What was the closing balance?", "summary.closing_balance"),
    _ask("statement", "How much was paid out in total?", "summary.paid_out"),
    _ask("statement", "When does the period of the statement end?", "period_end"),
    _ask("statement", "Who holds the account?", "account.holder"),
    _ask("statement", "What is the sort code?", "account.sort_code"),
    _ask("statement", "What was the reference of the dairy payment on 2026-03-17?", "transactions[503].reference"),
    _ask("statement", "How much insurance was paid on 2026-05-02?", "transactions[808].amount"),
    _ask("statement", "How much was paid as terminal fee on 2 May 2026?", "transactions[804].amount"),
    _ask("table_rows", "What is the reference range of sodium?", "[9].reference_low"),
    _ask("table_rows", "Which result did they get for creatinine?", "[13].value"),
    _ask("loan_agreement", "Can you tell me which lenders committed the most and how much that was?", "lenders[0].commitment", "lenders[1].commitment", "lenders[2].commitment"),
    _ask("loan_agreement", "What does the agreement say about the leverage the borrower must not exceed?", "covenants[0].requirement"),
    _ask("loan_agreement", "By which date does the borrower have to have drawn the loan, that is, how long is it available?", "terms.available_until"),
    _ask("invoice", "Could you please look up how many quartz cuvettes are on the invoice?", "line_items[7].quantity", "line_items[25].quantity"),
    _ask("invoice", "How much do we have to pay for the calibrated weights of class F1?", "line_items[6].amount", "line_items[24].amount"),
    _ask("lab_report", "What is the value that the laboratory has measured for the vitamin D of the patient?", "results[23].value"),
    _ask("statement", "How much money was there in the account at the end, when the statement closed?", "summary.closing_balance"),
    _ask("statement", "What was the amount of the flour that was bought on 17 March 2026?", "transactions[499].amount"),
)  # fmt: skip

CORPUS_QUESTIONS = (
    _ask(ADP, "What was the diluted EPS in the second quarter of fiscal 2025?", "income_statement.diluted_eps[0].value"),
    _ask(ADP, "How much revenue did Employer Services make in the first half of 2025?", "income_statement.revenue[4].value"),
    _ask(ADP, "What is the operating margin of PEO Services in Q2 of FY2024?", "income_statement.operating_margin[7].value"),
    _ask(ADP, "How much did the company pay in dividends in the first half of fiscal 2025?", "cash_flow_statement.dividends_paid[0].value"),
    _ask(ADP, "What are the total liabilities?", "balance_sheet.total_liabilities[0].value", "balance_sheet.total_liabilities[1].value"),
    _ask(ADP, "How much goodwill was there at the end of fiscal 2024?", "balance_sheet.goodwill[1].value"),
    _ask(ADP, "How many shares were repurchased in FY2025 Q2?", "cash_flow_statement.shares_repurchased[0].value"),
    _ask(ADP, "What was the effective tax rate for the first half of FY2024?", "income_statement.effective_tax_rate[3].value"),
    _ask(ADP, "Which company filed this report?", "meta.company"),
    _ask(ADP, "When does the reporting period end?", "meta.report_period_end_date"),
    _ask(ADP, "How fast did net income grow in the second quarter of 2025?", "income_statement.net_income_growth[0].value"),
    _ask(ADP, "What is the long-term debt?", "balance_sheet.long_term_debt[0].value", "balance_sheet.long_term_debt[1].value"),
    _ask(ADP, "What is the notional value of forwards?", "other_disclosures.notional_forwards_value[0].value"),
    _ask(ADP, "How many employees are there?", "other_disclosures.employees[0].value"),
    _ask(ADP, "How much was invested in capital expenditures?", "cash_flow_statement.capex[0].value", "cash_flow_statement.capex[1].value"),
    _ask(ADP, "What were the restructuring charges in FY2024 Q2?", "income_statement.restructuring_charge[1].value"),
    _ask(CSCO, "How much revenue came from EMEA in Q2 of fiscal 2025?", "income_statement.revenue[16].value"),
    _ask(CSCO, "What was the gross margin in the Americas in the second quarter of 2024?", "income_statement.gross_margin[5].value"),
    _ask(CSCO, "How quickly did the security segment grow in the first half of FY2025?", "income_statement.revenue_growth[9].value"),
    _ask(CSCO, "What is the goodwill of APJC at the end of FY2024?", "balance_sheet.goodwill[6].value"),
    _ask(CSCO, "How much cash did operations generate in the first half of 2025?", "cash_flow_statement.operating_cash_flow[0].value"),
    _ask(CSCO, "How many shares were issued in FY2024 H1?", "cash_flow_statement.shares_issued[3].value"),
    _ask(CSCO, "What does Cisco owe in total debt for Q2 2025?", "balance_sheet.total_debt[0].value"),
    _ask(CSCO, "What were inventories in FY2024?", "balance_sheet.inventories[1].value"),
    _ask(CSCO, "How much commercial paper is outstanding?", "balance_sheet.commercial_paper_outstanding[0].value", "balance_sheet.commercial_paper_outstanding[1].value"),
    _ask(CSCO, "How much did Cisco spend on share repurchases in H1 2024?", "cash_flow_statement.share_repurchases[1].value"),
    _ask(CSCO, "What is the income tax expense in FY2025 Q2?", "income_statement.income_tax_expense[0].value"),
    _ask(CSCO, "How much stock-based compensation was there in the first half of 2025?", "income_statement.stock_based_compensation[2].value"),
    _ask(MMM, "When does the credit agreement mature?", "terms.maturity_date"),
    _ask(MMM, "Which state's law governs the agreement?", "terms.governing_law"),
    _ask(MMM, "Who administers the facilities?", "parties.administrative_agent"),
    _ask(MMM, "Who arranged the loan?", *(f"parties.lead_arranger[{index}]" for index in range(3))),
    _ask(MMM, "What may the proceeds be used for?", "terms.use_of_proceeds"),
    _ask(MMM, "What is the total commitment?", "terms.loan_commitment.amount"),
    _ask(MMM, "Does the agreement require certification of beneficial owners?", "terms.beneficial_ownership_certification_required"),
    _ask(ADBE, "Who is borrowing the money?", "parties.borrower"),
    _ask(ADBE, "When was the agreement dated?", "terms.agreement_date"),
    _ask(ADBE, "Is Bank of Montreal a lender?", "parties.lenders[1]"),
    _ask(ADBE, "Which officers are authorized?", "terms.authorized_officer_definition"),
    _ask(CV, "Which awards did she receive in 2021?", "certificationsAndAwards[12].description"),
    _ask(CV, "What did she publish with Brill?", "publications[2].title"),
    _ask(CV, "Where did she work as a lecturer?", "workExperience[4].employer"),
    _ask(CV, "Which languages does she speak?", *(f"languages[{index}]" for index in range(5))),
    _ask(CV, "When did she get her diploma?", "education[2].endDate"),
    _ask(CV, "Which fellowships did Harvard award?", "certificationsAndAwards[5].description"),
    _ask(CV, "Which university gave her an honorary doctorate?", "certificationsAndAwards[18].organization"),
    _ask(CV_IT, "When did he start at CloudFlow?", "workExperience[1].startDate"),
    _ask(CV_IT, "What is his current job?", "workExperience[0].jobTitle"),
    _ask(CV_IT, "What is the candidate's email address?", "personalInfo.emails"),
    _ask(CV_IT, "Which programming languages does he know?", *(f'skills["Programming Languages"][{index}]' for index in range(7))),
    _ask(CV_IT, "Where did he study computer science?", "education[0].institution"),
    _ask(PAPER, "Who is affiliated with Princeton?", "authors[5].name"),
    _ask(PAPER, "When was the paper published?", "publication_date"),
    _ask(PAPER, "How many pages does the paper have?", "number_of_pages"),
    _ask(PAPER, "Where can I reach Ying Zhang?", "authors[2].email"),
    _ask(PAPER, "Which citation is about Longformer?", "citations[5]"),
    _ask(SWIM, "How fast did Mitsunobu Yoshizawa swim?", "age_groups[0].results[1].time"),
    _ask(SWIM, "Which team does Tohru Furukawa swim for?", "age_groups[1].results[0].athlete_details.team"),
    _ask(MEDLEY, "When was Gershon Shefa born?", "events[0].age_groups[2].results[0].athlete_details.year_birth"),
    _ask(MEDLEY, "Which swimmers from Peru took part?", "events[0].age_groups[3].results[3].athlete_details.athlete"),
    _ask(MEDLEY, "Which championships were these?", "championship"),
    _ask(ADP, "What was the company's total revenue for the three months of the second quarter of fiscal year 2025?", "income_statement.revenue[0].value"),
    _ask(ADP, "How much did the company report as net income for the first half of the fiscal year 2024?", "income_statement.net_income[3].value"),
    _ask(ADP, "What is the value of the company's total current assets as of the end of fiscal 2024?", "balance_sheet.current_assets[1].value"),
    _ask(ADP, "By how many percent did the revenue of Employer Services grow in the second quarter of fiscal 2025?", "income_statement.revenue_growth[4].value"),
    _ask(ADP, "What does the report say about the notional value of the swaps?", "other_disclosures.notional_swaps_value[0].value"),
    _ask(ADP, "How much of the short-term debt was there in the first half of FY2025?", "balance_sheet.short_term_debt[0].value"),
    _ask(ADP, "How much did they spend to repurchase shares in the first half of fiscal 2025?", "cash_flow_statement.share_repurchases[0].value"),
    _ask(ADP, "What is the name of the company in this report?", "meta.company"),
    _ask(CSCO, "How much money did the company make in product revenue during the first half of fiscal 2024?", "income_statement.revenue[7].value"),
    _ask(CSCO, "What was the year-over-year growth of the collaboration business in the second quarter of fiscal 2025?", "income_statement.revenue_growth[10].value"),
    _ask(CSCO, "What gross profit did the company report for the Americas segment in the first half of fiscal year 2025?", "income_statement.gross_profit[6].value"),
    _ask(CSCO, "How much did the company spend on dividends in the first half of fiscal 2024?", "cash_flow_statement.dividends_paid[1].value"),
    _ask(CSCO, "What was the basic earnings per share figure that Cisco reported for Q2 of 2024?", "income_statement.basic_eps[1].value"),
    _ask(CSCO, "Does the report say how many employees the company has?", "other_disclosures.employees[0].value"),
    _ask(CSCO, "What is the date on which the reported period ended?", "meta.report_period_end_date"),
    _ask(MMM, "Could you tell me when the facility matures, so by when everything has to be repaid?", "terms.maturity_date"),
    _ask(MMM, "How much money can the borrower borrow under the agreement, and in what currency?", "terms.loan_commitment.amount"),
    _ask(ADBE, "What is the date by which all of the loans have to be repaid?", "terms.maturity_date"),
    _ask(CV, "In which year did she publish the complete works of Caravaggio, and who was the publisher?", "publications[3].year"),
    _ask(CV, "What was her position at Princeton University in 2010?", "workExperience[6].jobTitle"),
    _ask(CV_IT, "What did he do at VentureSpace before he became a software developer?", "workExperience[2].jobTitle"),
    _ask(PAPER, "What do the authors say about the speedup that the method achieves on H100 GPUs?", "abstract"),
    _ask(PAPER, "Which of the cited works introduced the transformer, that is, says that attention is all you need?", "citations[58]"),
    _ask(SWIM, "In which time did the swimmer Kazuyuki Fukuda finish the race?", "age_groups[0].results[2].time"),
)  # fmt: skip
