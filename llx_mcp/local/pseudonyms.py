"""Pseudonyms: random text of the same length and shape as the original, the same one each time within a job."""

import random
import re
import unicodedata
from collections.abc import Callable
from datetime import date, timedelta

_CONSONANTS = "bcdfghjklmnpqrstvwxz"
# Most scripts fill one block of this size, so letters of one block have one script and one width in UTF-8.
_UNICODE_BLOCK_SIZE = 128
_MAX_ATTEMPTS = 100
_FIRST_DAY, _NUM_DAYS = date(1950, 1, 1), 36_525

_ID = r"\b(?:ext|dfl|pjb|cfg)-[0-9A-Za-z-]*[0-9A-Za-z]\b"
_UUID = r"\b[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\b"
_ISO_DATE = r"(?<!\d)\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?!\d)"
_ISO_TIME = r"T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?"
_OTHER_DATE = r"(?<![\d./-])(?:\d{1,2}[./-]\d{1,2}[./-](?:\d{4}|\d{2})|\d{4}[./]\d{1,2}[./]\d{1,2})(?![\d./-]*\d)"
_TIME = r"(?<![\d:])(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d)?(?![\d:])"
_NUMBER = r"[0-9]+(?:[.,'’][0-9]+)*"
# Scripts without spaces. A quote may hold a value at any position, so each character counts as a word.
_UNSPACED = r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
_WORD = rf"(?:(?!{_UNSPACED})[^\W\d_])+"
_TOKEN = re.compile(
    rf"(?P<id>{_ID})|(?P<uuid>{_UUID})|(?P<iso>{_ISO_DATE}(?:{_ISO_TIME})?)|(?P<date>{_OTHER_DATE})|(?P<time>{_TIME})"
    rf"|(?P<number>{_NUMBER})|(?P<digit>\d)|(?P<char>{_UNSPACED})|(?P<word>{_WORD})|(?P<surrogate>[\ud800-\udfff])"
)
_WORDS = re.compile(_WORD)


class Pseudonymizer:
    """Replaces text and numbers, and remembers each replacement."""

    def __init__(self, rng: random.Random, original: str) -> None:
        """Create a pseudonymizer for one job.

        Args:
            rng: The source of randomness.
            original: All text of the job. None of its words is used as a replacement.
        """
        self._rng = rng
        self._used_words = {word.casefold() for word in _WORDS.findall(original)}
        self._replacements: dict[tuple[str, str], str] = {}
        self._generators: dict[str, Callable[[str], str]] = {
            "id": self._generate_id,
            "uuid": self._generate_hex,
            "iso": self._generate_iso_date,
            "date": self._generate_date,
            "time": lambda text: text,
            "number": self.replace_number,
            "digit": self._generate_digit,
            "char": self._generate_word,
            "word": self._replace_word,
            "surrogate": lambda _: "\ufffd",
        }

    def replace_text(self, text: str) -> str:
        """Replace each word, number, date and id of a text; spaces and punctuation stay."""
        return _TOKEN.sub(self._replace_token, text)

    def replace_number(self, literal: str) -> str:
        """Replace the digits of a number; sign, separators, exponent, leading and trailing zeros stay.

        Equal numbers get equal replacements: those of `1234.5` and `1,234.50` agree.
        """
        mantissa, exponent_mark, exponent = literal.partition("e") if "e" in literal else literal.partition("E")
        whole, fraction = _split_number(mantissa)
        digits = _digits(whole).lstrip("0")
        significant = _digits(fraction).rstrip("0")
        new_whole = self._get_or_generate("whole", digits, self._generate_digits)
        # Reversed, because the last digit of a fraction must not be 0.
        new_fraction = self._get_or_generate(
            "fraction", f"{digits}.{significant}", lambda _: self._generate_digits(significant)[::-1]
        )
        return _fill_digits(whole, new_whole.rjust(len(_digits(whole)), "0")) + (
            _fill_digits(fraction, new_fraction.ljust(len(_digits(fraction)), "0")) + exponent_mark + exponent
        )

    def _replace_token(self, match: re.Match[str]) -> str:
        kind = match.lastgroup or ""
        text = match.group()
        generate = self._generators[kind]
        # Numbers and words are remembered in their plain form by their own methods.
        return generate(text) if kind in {"number", "word"} else self._get_or_generate(kind, text, generate)

    def _get_or_generate(self, kind: str, text: str, generate: Callable[[str], str]) -> str:
        key = (kind, text)
        if key not in self._replacements:
            self._replacements[key] = generate(text)
        return self._replacements[key]

    def _replace_word(self, word: str) -> str:
        """Replace a word by the same letters in any case, and keep its case."""
        lower = "".join(_lower(char) for char in word)
        new_word = self._get_or_generate("word", lower, self._generate_word)
        return "".join(_upper(new) if char != _lower(char) else new for char, new in zip(word, new_word, strict=True))

    def _generate_word(self, word: str) -> str:
        new_word = word
        for _ in range(_MAX_ATTEMPTS):
            new_word = "".join(self._generate_letter(char) for char in word)
            if new_word.casefold() not in self._used_words:
                break
        self._used_words.add(new_word.casefold())
        return new_word

    def _generate_letter(self, char: str) -> str:
        """Return a letter of the same script and width. Consonants only, so that no English word appears."""
        if char.isascii():
            return self._rng.choice(_CONSONANTS)
        start = ord(char) // _UNICODE_BLOCK_SIZE * _UNICODE_BLOCK_SIZE
        block = [chr(code) for code in range(start, start + _UNICODE_BLOCK_SIZE) if chr(code) != char]
        lower_case = [each for each in block if each.isalpha() and _lower(each) == each and _upper(each) != each]
        return self._rng.choice(lower_case or [each for each in block if each.isalpha()] or _CONSONANTS)

    def _generate_digits(self, digits: str) -> str:
        """Return as many digits, the first of them not 0."""
        return "".join(self._rng.choice("0123456789" if index else "123456789") for index in range(len(digits)))

    def _generate_digit(self, digit: str) -> str:
        zero = ord(digit) - unicodedata.decimal(digit)
        return chr(zero + self._rng.randrange(10))

    def _generate_hex(self, text: str) -> str:
        return "".join("-" if char == "-" else self._generate_hex_digit(char) for char in text)

    def _generate_hex_digit(self, char: str) -> str:
        letters = "ABCDEF" if char.isupper() else "abcdef"
        return self._rng.choice("0123456789" if char.isdigit() else letters)

    def _generate_id(self, text: str) -> str:
        prefix, _, rest = text.partition("-")
        if re.fullmatch(_UUID, rest):
            return f"{prefix}-{self._generate_hex(rest)}"
        return f"{prefix}-" + "".join(self._generate_id_char(char) for char in rest)

    def _generate_id_char(self, char: str) -> str:
        if char.isdigit():
            return self._rng.choice("0123456789")
        letters = _CONSONANTS.upper() if char.isupper() else _CONSONANTS
        return self._rng.choice(letters) if char.isalpha() else char

    def _generate_day(self) -> date:
        return _FIRST_DAY + timedelta(days=self._rng.randrange(_NUM_DAYS))

    def _generate_iso_date(self, text: str) -> str:
        """Return another day at the same time of day."""
        return self._generate_day().isoformat() + text[len("2000-01-01") :]

    def _generate_date(self, text: str) -> str:
        """Return a date in the same format. Its day is at most 9, so that it is valid as day or as month."""
        figures = re.split(r"([./-])", text)
        year = self._generate_day().year
        for index in range(0, len(figures), 2):
            width = len(figures[index])
            if width == 4:
                figures[index] = str(year)
            elif index == 4 and len(figures[0]) < 4:
                figures[index] = f"{year % 100:02}"
            else:
                figures[index] = str(self._rng.randint(1, 9)).rjust(width, "0")
        return "".join(figures)


def _split_number(text: str) -> tuple[str, str]:
    """Split a number before its decimal mark. A comma before three digits at the end is a thousands separator."""
    match = re.search(r"([.,])(\d+)$", text)
    if not match or text.count(match.group(1)) > 1 or (match.group(1) == "," and len(match.group(2)) == 3):
        return text, ""
    return text[: match.start()], text[match.start() :]


def _digits(text: str) -> str:
    return "".join(char for char in text if char.isdigit())


def _fill_digits(pattern: str, digits: str) -> str:
    """Replace the digits of a number, in order."""
    remaining = iter(digits)
    return "".join(next(remaining) if char.isdigit() else char for char in pattern)


def _lower(char: str) -> str:
    lower = char.lower()
    return lower if len(lower) == 1 else char


def _upper(char: str) -> str:
    upper = char.upper()
    return upper if len(upper) == 1 else char
