"""A laboratory report: 24 analytes with reference ranges and flags, a comment, and two smudged results."""

from samples.canvas import LEFT, Canvas, Field, Record, Tree

TITLE = "Laboratory report"
_ANALYTES = [
    ("Haemoglobin", "128", "g/l", "135", "175"), ("Haematocrit", "0.39", "l/l", "0.40", "0.52"),
    ("Erythrocytes", "4.4", "10^12/l", "4.5", "5.9"), ("MCV", "88", "fl", "80", "96"),
    ("Leucocytes", "7.2", "10^9/l", "4.0", "10.0"), ("Neutrophils", "4.1", "10^9/l", "1.8", "7.5"),
    ("Lymphocytes", "2.2", "10^9/l", "1.0", "4.0"), ("Monocytes", "0.6", "10^9/l", "0.2", "0.8"),
    ("Platelets", "263", "10^9/l", "150", "400"), ("Sodium", "141", "mmol/l", "135", "145"),
    ("Potassium", "5.3", "mmol/l", "3.5", "5.1"), ("Chloride", "104", "mmol/l", "98", "107"),
    ("Urea", "6.8", "mmol/l", "2.8", "7.2"), ("Creatinine", "94", "umol/l", "62", "106"),
    ("Glucose, fasting", "6.4", "mmol/l", "3.9", "5.6"), ("HbA1c", "43", "mmol/mol", "20", "42"),
    ("Bilirubin, total", "11", "umol/l", None, "21"), ("ALT", "31", "U/l", None, "50"),
    ("Gamma-GT", "72", "U/l", None, "60"), ("Albumin", "42", "g/l", "35", "52"),
    ("CRP", "3.1", "mg/l", None, "5.0"), ("Ferritin", "18", "ug/l", "30", "400"),
    ("TSH", "2.1", "mU/l", "0.4", "4.0"), ("Vitamin D, 25-OH", "38", "nmol/l", "50", None),
]  # fmt: skip
_COMMENT = (
    "Haemoglobin and ferritin are both below the reference range, which suggests iron deficiency. The potassium may be "
    "raised by haemolysis of the sample; a repeat measurement is advised."
)


def draw() -> tuple[bytes, Record]:
    """Draw the document; return the PDF, and the result with the region of each value."""
    canvas = Canvas(TITLE)
    canvas.new_page()
    tree = _draw_header(canvas)
    tree["results"] = [_draw_analyte(canvas, 238 + 20 * index, index) for index in range(len(_ANALYTES))]
    comment, _ = canvas.write_paragraph_with(_COMMENT, _COMMENT, 740)
    tree["comment"] = Field(_COMMENT, (comment,))
    signed = canvas.write_labelled("Authorised by", "Dr M. Okonjo, clinical chemistry", LEFT, 800)
    tree["authorised_by"] = Field("Dr M. Okonjo", (signed,))
    tree["fasting"] = Field(value=True)
    return canvas.output(), tree


def get_rows(tree: Record) -> Tree:
    """Return the rows of the table, which are the result with `per_table_row`."""
    return tree["results"]


def _draw_header(canvas: Canvas) -> Record:
    lab = canvas.write("Fenwick Diagnostics", LEFT, 66, size=18, bold=True)
    canvas.write(TITLE, LEFT, 86, size=12)
    report = canvas.write_labelled("Report no.", "FD-260312-0098", LEFT, 120)
    patient = canvas.write_labelled("Patient", "Rowan Ellery", LEFT, 136)
    born = canvas.write_labelled("Date of birth", "3 September 1971", LEFT, 152)
    collected = canvas.write_labelled("Collected", "12 March 2026 08:15", LEFT, 168)
    sample = canvas.write_labelled("Sample", "Serum and EDTA blood", LEFT, 184)
    for label, x in (("Analyte", LEFT), ("Result", 200), ("Unit", 270), ("Low", 360), ("High", 420), ("Flag", 480)):
        canvas.write(label, x, 216, size=9, bold=True)
    canvas.draw_rule(221)
    return {
        "laboratory": Field("Fenwick Diagnostics", (lab,)),
        "report_number": Field("FD-260312-0098", (report,)),
        "patient": {
            "name": Field("Rowan Ellery", (patient,)),
            "date_of_birth": Field("1971-09-03", (born,)),
            "sex": None,
        },
        "collected_at": Field("2026-03-12T08:15", (collected,)),
        "specimens": [Field("Serum", (sample,)), Field("EDTA blood", (sample,))],
    }


def _draw_analyte(canvas: Canvas, y: float, index: int) -> Record:
    name, value, unit, low, high = _ANALYTES[index]
    flag = "L" if low and float(value) < float(low) else "H" if high and float(value) > float(high) else None
    line = " ".join(part for part in (name, value, unit, low, high, flag) if part)
    row: Record = {"analyte": Field(name, (canvas.write(name, LEFT, y, line=line),))}
    is_smudged = name in ("Potassium", "Urea")
    row["value"] = Field(_parse_number(value), (canvas.write(value, 200, y, line=line, faint=is_smudged),))
    row["unit"] = Field(unit, (canvas.write(unit, 270, y, line=line),))
    for key, text, x in (("reference_low", low, 360), ("reference_high", high, 420)):
        row[key] = None if text is None else Field(_parse_number(text), (canvas.write(text, x, y, line=line),))
    row["flag"] = None if flag is None else Field(flag, (canvas.write(flag, 480, y, line=line, bold=True),))
    return row


def _parse_number(text: str) -> float:
    return float(text) if "." in text else int(text)
