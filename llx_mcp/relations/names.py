"""Words in names of fields that hint at what a number or date is, in several languages."""

import re

_WORDS: dict[str, str] = {
    "total": "total totals sum gesamt gesamtsumme gesamtbetrag summe somme totale totaux suma importe montant "
    "totaal totalt summa razem celkem osszesen итого всего 合計 合计 总计 總計 총계 합계 subtotal zwischensumme "
    "subtotale sous 小計",
    "net": "net netto netbetrag nettobetrag subtotal zwischensumme subtotale imponibile base taxable ht "
    "untaxed neto liquido 小計 税抜",
    "tax": "tax taxes vat mwst ust umsatzsteuer mehrwertsteuer steuer steuern tva iva gst hst pst btw moms "
    "mva dph 税 消費税",
    "gross": "gross brutto bruttobetrag gesamtbetrag rechnungsbetrag endbetrag endsumme grand payable ttc "
    "bruto 税込",
    "amount": "amount amounts total totals betrag summe montant importe importo bedrag belopp kwota price value "
    "wert balance due payable valor total 金額",
    "charge": "shipping freight delivery handling postage fee fees tip service surcharge versand versandkosten "
    "fracht porto gebuhr livraison frais spedizione envio verzendkosten",
    "discount": "discount discounts rebate rabatt skonto nachlass remise sconto descuento korting prepaid deposit "
    "anzahlung acompte paid",
    "opening": "opening previous initial beginning start brought forward anfangssaldo anfangsbestand vorheriger "
    "alter initiaux ouverture precedente iniziale apertura inicial anterior begin 前期",
    "closing": "closing final ending end new carried endsaldo schlusssaldo schlussbestand neuer cloture nouveau "
    "finale chiusura cierre eind 期末",
    "balance": "balance saldo solde stand kontostand bestand endsaldo anfangssaldo schlusssaldo 残高",
    "in": "in credits credit deposits received inflow inflows receipts eingange gutschriften haben "
    "einzahlungen zugange accrediti abonos entrees",
    "out": "out debits debit withdrawals payments outflow outflows ausgange lastschriften soll auszahlungen "
    "abgange addebiti cargos sorties spent",
    "assets": "assets aktiva vermogen actif actifs attivo activo activos activa 資産 资产",
    "liabilities": "liabilities verbindlichkeiten schulden fremdkapital passifs passivita pasivo pasivos 負債 负债",
    "equity": "equity eigenkapital capitaux patrimonio patrimonium 純資産 权益",
    "revenue": "revenue revenues sales turnover umsatz umsatzerlose ricavi ingresos omzet 売上",
    "cost": "cost costs cogs umsatzkosten herstellungskosten couts costi costes kosten",
    "profit": "profit margin rohertrag bruttoergebnis benefice utile beneficio",
    "deductions": "deductions deduction withholdings abzuge retenues trattenute deducciones inhoudingen",
    "pay": "pay salary wages earnings gehalt lohn verdienst salaire stipendio salario loon",
    "rate": "rate percent percentage pct satz prozent quote taux aliquota tipo tasa share ratio margin yield "
    "interest growth zins",
    "price": "price unit einzelpreis preis stuckpreis prix unitaire prezzo precio prijs cost rate each per",
    "quantity": "quantity qty menge anzahl stuck stk units hours stunden quantite quantita cantidad aantal count "
    "pieces pcs",
    "count": "num number count anzahl nombre numero cantidad aantal n total",
    "identifier": "id no nr number position pos index line year month day days code account reference ref page "
    "phone zip row item rank",
    "index": "index line row item no nr number pos id",
    "period": "current prior previous actual budget forecast plan year ytd vorjahr geschaftsjahr jahr annee "
    "exercice anno ejercicio this last",
    "start": "start begin beginning from since von ab beginn anfang debut inizio dal inicio desde van "
    "admission commencement opened checkin departure",
    "end": "end ending finish to until till through bis ende fin fine al hasta tot discharge closed checkout "
    "arrival",
    "early": "invoice issue issued agreement contract effective signing signed billing rechnungsdatum "
    "ausstellungsdatum rechnung vertragsdatum facture emission emissione fattura factura statement "
    "collected",
    "late": "due faelligkeit maturity expiry expiration expires expire termination falligkeit "
    "falligkeitsdatum fallig echeance scadenza vencimiento vervaldatum until",
    "due": "due falligkeit falligkeitsdatum fallig faelligkeit echeance scadenza vencimiento vervaldatum",
    "birth": "birth born dob birthday birthdate geburt geburtsdatum geburtstag naissance nascita nacimiento "
    "geboren",
    "record": "issue issued invoice statement collected report reported death died deceased examination sampled",
    "days": "days tage jours giorni dias dagen term",
    "strict": "total totals sum subtotal amount net gesamt gesamtsumme gesamtbetrag summe zwischensumme betrag "
    "somme totale montant suma importe totaal totalt summa the of all sub 合計 小計 合计 总计",
    "lines": "line lines item items position positions positionen posten entry entries charge charges lignes "
    "righe lineas regels products articles artikel services rows expenses",
}  # fmt: skip
_SETS = {role: frozenset(words.split()) for role, words in _WORDS.items()}
# Labels of rows that hold the total of the rows above.
_TOTAL_LABEL = re.compile(
    r"(?:grand |sub ?|net )?totals?\b|(?:sub[- ]?total|sum|summe|gesamt|gesamtsumme|zwischensumme|somme|totale|suma|"
    r"totaal|summa|razem|celkem|итого|всего)\b|合計|小計|合计|总计|합계"
)


def has_role(name: str, role: str) -> bool:
    """Whether one of the words of a normalized name hints at a role."""
    return not _SETS[role].isdisjoint(name.split())


def without_role(name: str, role: str) -> str:
    """Return a normalized name without the words that hint at a role."""
    return " ".join(word for word in name.split() if word not in _SETS[role])


def consists_of(name: str, role: str) -> bool:
    """Whether all words of a normalized name hint at a role."""
    words = name.split()
    return bool(words) and _SETS[role].issuperset(words)


def is_total_label(label: str) -> bool:
    """Whether a normalized text names the total of the rows above it: `Total current assets`."""
    return _TOTAL_LABEL.match(label) is not None
