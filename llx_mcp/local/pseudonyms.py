"""Stand-ins: another text of the same length and shape, the same one each time within a job."""

import random
import re
import unicodedata
from collections.abc import Callable
from datetime import date, timedelta

_CONSONANTS = "bcdfghjklmnpqrstvwxz"
_BLOCK = 128
_MAX_DRAWS = 100
_FIRST_DAY, _NUM_DAYS = date(1950, 1, 1), 36_525

_ID = r"\b(?:ext|dfl|pjb|cfg)-[0-9A-Za-z-]*[0-9A-Za-z]\b"
_UUID = r"\b[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\b"
_ISO_DATE = r"(?<!\d)\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?!\d)"
_ISO_TIME = r"T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?"
_OTHER_DATE = r"(?<![\d./-])(?:\d{1,2}[./-]\d{1,2}[./-](?:\d{4}|\d{2})|\d{4}[./]\d{1,2}[./]\d{1,2})(?![\d./-]*\d)"
_TIME = r"(?<![\d:])(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d)?(?![\d:])"
_NUMBER = r"[0-9]+(?:[.,'’][0-9]+)*"
# Written without spaces: a quote holds a value wherever it likes, so that each character is a word of its own.
_UNSPACED = r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
_WORD = rf"(?:(?!{_UNSPACED})[^\W\d_])+"
_TOKEN = re.compile(
    rf"(?P<id>{_ID})|(?P<uuid>{_UUID})|(?P<iso>{_ISO_DATE}(?:{_ISO_TIME})?)|(?P<date>{_OTHER_DATE})|(?P<time>{_TIME})"
    rf"|(?P<number>{_NUMBER})|(?P<digit>\d)|(?P<char>{_UNSPACED})|(?P<word>{_WORD})|(?P<surrogate>[\ud800-\udfff])"
)
_WORDS = re.compile(_WORD)


class StandIns:
    """Draws stand-ins, each once.

    Args:
        rng: where they are drawn from.
        original: all text of the job, none of whose words may come back as a stand-in.
    """

    def __init__(self, rng: random.Random, original: str) -> None:
        self._rng = rng
        self._taken = {word.casefold() for word in _WORDS.findall(original)}
        self._drawn: dict[tuple[str, str], str] = {}
        self._draws: dict[str, Callable[[str], str]] = {
            "id": self._draw_id,
            "uuid": self._draw_hex,
            "iso": self._draw_iso_date,
            "date": self._draw_date,
            "time": self._keep,
            "number": self.number,
            "digit": self._draw_digit,
            "char": self._draw_word,
            "word": self._word,
            "surrogate": lambda _: "\ufffd",
        }

    def text(self, text: str) -> str:
        """The text with a stand-in for each word, number, date and id; spaces and punctuation stay."""
        return _TOKEN.sub(self._replace, text)

    def number(self, literal: str) -> str:
        """A number of the same shape: sign, separators, exponent, leading and trailing zeros stay.

        `1234.5` and `1,234.50` have stand-ins that agree.
        """
        mantissa, mark, exponent = literal.partition("e") if "e" in literal else literal.partition("E")
        whole, fraction = _split_number(mantissa)
        digits = _digits(whole).lstrip("0")
        significant = _digits(fraction).rstrip("0")
        drawn = self._once("whole", digits, self._draw_digits)
        parts = self._once("fraction", f"{digits}.{significant}", lambda _: self._draw_digits(significant[::-1])[::-1])
        return _refill(whole, drawn.rjust(len(_digits(whole)), "0")) + (
            _refill(fraction, parts.ljust(len(_digits(fraction)), "0")) + mark + exponent
        )

    def _replace(self, match: re.Match[str]) -> str:
        kind = match.lastgroup or ""
        text = match.group()
        return self._draws[kind](text) if kind in {"number", "word"} else self._once(kind, text, self._draws[kind])

    def _once(self, kind: str, text: str, draw: Callable[[str], str]) -> str:
        key = (kind, text)
        if key not in self._drawn:
            self._drawn[key] = draw(text)
        return self._drawn[key]

    def _word(self, word: str) -> str:
        """One stand-in for a word however its letters are cased."""
        lower = "".join(_lower(char) for char in word)
        drawn = self._once("word", lower, self._draw_word)
        return "".join(_upper(new) if char != _lower(char) else new for char, new in zip(word, drawn, strict=True))

    def _draw_word(self, word: str) -> str:
        drawn = word
        for _ in range(_MAX_DRAWS):
            drawn = "".join(self._draw_letter(char) for char in word)
            if drawn.casefold() not in self._taken:
                break
        self._taken.add(drawn.casefold())
        return drawn

    def _draw_letter(self, char: str) -> str:
        """A letter of the same script and width; consonants alone spell no English word."""
        if char.isascii():
            return self._rng.choice(_CONSONANTS)
        start = ord(char) // _BLOCK * _BLOCK
        block = [chr(code) for code in range(max(start, _BLOCK), start + _BLOCK) if chr(code) != char]
        likes = [each for each in block if each.isalpha() and _lower(each) == each and _upper(each) != each]
        return self._rng.choice(likes or [each for each in block if each.isalpha()] or _CONSONANTS)

    def _draw_digits(self, digits: str) -> str:
        """As many digits, the first not zero."""
        return "".join(self._rng.choice("0123456789" if index else "123456789") for index in range(len(digits)))

    def _draw_digit(self, digit: str) -> str:
        zero = ord(digit) - unicodedata.decimal(digit)
        return chr(zero + self._rng.randrange(10))

    def _draw_hex(self, text: str) -> str:
        return "".join("-" if char == "-" else self._draw_hex_digit(char) for char in text)

    def _draw_hex_digit(self, char: str) -> str:
        letters = "ABCDEF" if char.isupper() else "abcdef"
        return self._rng.choice("0123456789" if char.isdigit() else letters)

    def _draw_id(self, text: str) -> str:
        prefix, _, rest = text.partition("-")
        if re.fullmatch(_UUID, rest):
            return f"{prefix}-{self._draw_hex(rest)}"
        return f"{prefix}-" + "".join(self._draw_id_char(char) for char in rest)

    def _draw_id_char(self, char: str) -> str:
        if char.isdigit():
            return self._rng.choice("0123456789")
        letters = _CONSONANTS.upper() if char.isupper() else _CONSONANTS
        return self._rng.choice(letters) if char.isalpha() else char

    def _draw_day(self) -> date:
        return _FIRST_DAY + timedelta(days=self._rng.randrange(_NUM_DAYS))

    def _draw_iso_date(self, text: str) -> str:
        """Another day; the time of day stays."""
        return self._draw_day().isoformat() + text[len("2000-01-01") :]

    def _draw_date(self, text: str) -> str:
        """A date in the same figures; days stop at 12, so that it is one whichever way it is read."""
        figures = re.split(r"([./-])", text)
        year = self._draw_day().year
        for index in range(0, len(figures), 2):
            width = len(figures[index])
            if width == 4:
                figures[index] = str(year)
            elif index == 4 and len(figures[0]) < 4:
                figures[index] = f"{year % 100:02}"
            else:
                figures[index] = str(self._rng.randint(1, 9)).rjust(width, "0")
        return "".join(figures)

    def _keep(self, text: str) -> str:
        return text


def _split_number(text: str) -> tuple[str, str]:
    """What stands before the decimal mark, and the rest with it. A comma before three digits groups them."""
    found = re.search(r"([.,])(\d+)$", text)
    if not found or text.count(found.group(1)) > 1 or (found.group(1) == "," and len(found.group(2)) == 3):
        return text, ""
    return text[: found.start()], text[found.start() :]


def _digits(text: str) -> str:
    return "".join(char for char in text if char.isdigit())


def _refill(shape: str, digits: str) -> str:
    """The shape with these digits in place of its own."""
    rest = iter(digits)
    return "".join(next(rest) if char.isdigit() else char for char in shape)


def _lower(char: str) -> str:
    lower = char.lower()
    return lower if len(lower) == 1 else char


def _upper(char: str) -> str:
    upper = char.upper()
    return upper if len(upper) == 1 else char
