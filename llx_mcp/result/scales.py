"""The scales that a text names for its numbers: thousands, millions, per cent."""

import re

from llx_mcp.result.normalize import numbers_in

# For each factor, the words and signs that name it, in lower case.
_NAMES = {
    1e2: r"hundreds?",
    1e3: (
        r"thousands?|tausend|tsd|teur|t€|keur|k€|milliers|en miles|miles de|migliaia|milhares|duizend|tusen|"
        r"[$€£¥]\s?\(?['’]?000s?|['’]000s?|\(000s?\)|in 000s?|000[’']s|千"
    ),
    1e6: r"millions?|millionen|mio|mln|mn|millones|milioni|milhões|miljoen|miljoner|[$€£]\s?mm?|m[$€£]|百万|백만",
    1e9: r"billions?|bn|mrd|milliarden?|milliards?|miliardi|miljard|[$€£]\s?bn|十億",
    1e12: r"trillions?|billionen|兆",
}
_SCALE = re.compile("|".join(rf"(?P<s{index}>{names})" for index, names in enumerate(_NAMES.values())), re.IGNORECASE)
# A letter directly after a number: 51k, 7.1M, 3B.
_LETTER = re.compile(r"[0-9]\s?(?:([kK])|([mM])|([bB]))(?![^\W_])")
_LETTER_FACTORS = (1e3, 1e6, 1e9)
_FACTORS = tuple(_NAMES)
_PERCENT = r"(?:%|％|٪|per\s?cent|pct|prozent|procent|pour\s?cent|por\s?ciento|percento)"
# It begins at the first digit of a number, so that a long one is read once.
_AMOUNT = r"(?<![0-9.,'’])[0-9]+(?:[.,'’][0-9]+)*"
_PERCENT_NUMBER = re.compile(rf"{_AMOUNT}(?:\s?(?:-|–|—|/|to|and|or|bis)\s?{_AMOUNT})?\s?{_PERCENT}", re.IGNORECASE)
_ANY_PERCENT = re.compile(_PERCENT, re.IGNORECASE)


def find_named_scales(text: str) -> frozenset[float]:
    """Return the factors by which a text says that its numbers are multiplied, such as 1e6 for `(in millions)`."""
    found = {_FACTORS[int((match.lastgroup or "s0")[1:])] for match in _SCALE.finditer(text) if _is_word(text, match)}
    found |= {_LETTER_FACTORS[(match.lastindex or 1) - 1] for match in _LETTER.finditer(text)}
    return frozenset(found)


def find_percentages(text: str) -> frozenset[float]:
    """Return the numbers beside a percent sign; all numbers where a sign stands by itself, as in `Share (%)`."""
    matches = list(_PERCENT_NUMBER.finditer(text))
    if len(matches) < len(_ANY_PERCENT.findall(text)):
        return numbers_in(text)
    return frozenset().union(*(numbers_in(match.group()) for match in matches))


def _is_word(text: str, match: re.Match[str]) -> bool:
    """Whether a name is not just a part of a longer word."""
    before, after = text[max(match.start() - 1, 0) : match.start()], text[match.end() : match.end() + 1]
    is_open = before.isalpha() and match.group()[0].isascii() and match.group()[0].isalpha()
    return not is_open and not (after.isalnum() and match.group()[-1].isascii())
