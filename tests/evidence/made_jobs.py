"""Documents drawn for the tests in other layouts than the samples and the corpus, with cited values."""

import random
from functools import lru_cache
from typing import Literal

from fpdf import FPDF

from llx_mcp.result.document import Citation
from tests.evidence.cited_jobs import CitedJob, CitedValue
from tests.evidence.documents import read_source

_NUM_PAGES = 24
_COLUMN_MM = 85.0
_LINE_MM = 5.0
# In the character set of the standard fonts.
_NO_BREAK_SPACE = "\u00a0"


class _Writer:
    """Draws a document and collects what it says, with the page."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.pdf = FPDF()
        self.pdf.set_font("Helvetica", size=9)
        self.pdf.set_auto_page_break(False)
        self.values: list[CitedValue] = []

    def word(self) -> str:
        syllables = (f"{self.rng.choice('bdfgklmnprstv')}{self.rng.choice('aeiou')}" for _ in range(3))
        return "".join(syllables)[: self.rng.randint(3, 6)]

    def amount(self) -> float:
        return round(self.rng.uniform(10, 90_000), 2)

    def cite(self, value: object, quote: str) -> None:
        self.values.append(CitedValue(f"values[{len(self.values)}]", value, Citation(self.pdf.page_no(), quote)))

    def sentence(self) -> str:
        """Return a sentence with an amount or a date, and cite it."""
        words = " ".join(self.word() for _ in range(7))
        if self.rng.random() < 0.5:
            value: object = self.amount()
            text = f"The {words} is EUR {value:,.2f} for each {self.word()}."
        else:
            day, year = self.rng.randint(1, 28), self.rng.randint(1990, 2030)
            value = f"{year}-04-{day:02}"
            text = f"The {words} ends on {day} April {year} at {self.word()}."
        self.cite(value, text)
        return text


def _draw_prose(writer: _Writer) -> None:
    """Draw two columns of prose, with long words divided at the ends of lines."""
    writer.pdf.add_page()
    for column in range(2):
        y = 20.0
        for _ in range(6):
            line = ""
            for word in writer.sentence().split():
                rest = word
                if writer.pdf.get_string_width(f"{line} {word}") > _COLUMN_MM - 4:
                    if word.isalpha() and len(word) > 4:
                        line, rest = f"{line} {word[:3]}-", word[3:]
                    y = _draw_line(writer, column, y, line)
                    line = ""
                line = f"{line} {rest}".strip()
            y = _draw_line(writer, column, y, line) + _LINE_MM


def _draw_line(writer: _Writer, column: int, y: float, line: str) -> float:
    writer.pdf.set_xy(12 + column * (_COLUMN_MM + 10), y)
    writer.pdf.cell(_COLUMN_MM, _LINE_MM, line)
    return y + _LINE_MM


def _draw_table(writer: _Writer, orientation: Literal["portrait", "landscape"] = "portrait") -> None:
    """Draw a table whose amounts have no-break spaces between thousands and a comma before the cents."""
    writer.pdf.add_page(orientation=orientation)
    writer.pdf.set_xy(12, 20)
    for _ in range(20):
        name, unit = f"{writer.word().title()} {writer.word()}", writer.rng.choice(["kg", "m²", "%", "pcs"])
        amounts = [writer.amount() for _ in range(3)]
        texts = [f"{amount:,.2f}".replace(",", _NO_BREAK_SPACE).replace(".", ",") for amount in amounts]
        for text in (name, unit, *texts):
            writer.pdf.cell(35, 7, text, border=1)
        writer.cite(name, f"{name} | {unit}")
        # The cell between them is left out.
        writer.cite(amounts[0], f"| {name} | {texts[0].replace(_NO_BREAK_SPACE, ' ')} |")
        writer.cite(amounts[1], texts[1])
        writer.cite(amounts[2], texts[2])
        writer.pdf.ln()
        writer.pdf.set_x(12)


def _draw_rotated(writer: _Writer) -> None:
    """Draw sentences that run upwards."""
    writer.pdf.add_page()
    for column in range(8):
        with writer.pdf.rotation(90, 20 + column * 10, 250):
            writer.pdf.text(20 + column * 10, 250, writer.sentence())


def _draw_form(writer: _Writer) -> None:
    """Draw names and values with leader dots, the values first in the file."""
    writer.pdf.add_page()
    names = [f"{writer.word().title()} {writer.word()} no." for _ in range(18)]
    rows = [(name, f"{writer.word().upper()}-{writer.rng.randint(100, 9999)}") for name in names]
    for index, (_, value) in enumerate(rows):
        writer.pdf.text(120, 20 + index * 8, value)
    for index, (name, value) in enumerate(rows):
        writer.pdf.text(20, 20 + index * 8, f"{name} {'.' * 20}")
        writer.cite(value, value)


def _draw_wide_table(writer: _Writer) -> None:
    _draw_table(writer, "landscape")


_DRAW = (_draw_prose, _draw_table, _draw_rotated, _draw_form, _draw_wide_table)


@lru_cache(maxsize=1)
def made_jobs() -> list[CitedJob]:
    """Return the documents and their values."""
    jobs = []
    for seed in (1, 2):
        writer = _Writer(seed)
        for number in range(_NUM_PAGES):
            _DRAW[number % len(_DRAW)](writer)
        jobs.append(CitedJob(f"made {seed}", read_source(bytes(writer.pdf.output())), writer.values))
    return jobs
