"""Quotes as a parser's Markdown writes them: with markup, other spacing, and characters misread."""

import random
from collections.abc import Callable
from itertools import pairwise

Distortion = Callable[[str, random.Random], str]
_LIGATURES = {"ffi": "ﬃ", "ffl": "ﬄ", "ff": "ﬀ", "fi": "ﬁ", "fl": "ﬂ"}
_ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_PLAIN = str.maketrans("“”„‘’–—−‐‑", '"""\'\'-----')
_CURLY = str.maketrans({'"': "”", "'": "’", "-": "–"})
_ACCENTED = str.maketrans("aeiouAEIOUcn", "áèîöúÀÉÍÔÜçñ")


def _of_words(change: Callable[[str, random.Random], str], separator: str = " ") -> Distortion:
    def distort(quote: str, rng: random.Random) -> str:
        return separator.join(change(word, rng) for word in quote.split())

    return distort


def _cells(quote: str, rng: random.Random) -> str:
    cells = [word + rng.choice([" ", " | ", " "]) for word in quote.split()]
    return f"| {''.join(cells)} |\n|---|:-:|"


def _html_cells(quote: str, rng: random.Random) -> str:
    words = quote.replace("&", "&amp;").split()
    return f'<table><tr><td>{" ".join(words[:2])}</td><td colspan="2">{"<br/>".join(words[2:])}</td></tr></table>'


def _emphasis(word: str, rng: random.Random) -> str:
    return rng.choice(["{}", "**{}**", "*{}*", "_{}_", "`{}`", "~~{}~~"]).format(word)


def _latex(word: str, rng: random.Random) -> str:
    word = word.replace("%", r"\%").replace("$", r"\$").replace("&", r"\&").replace("_", r"\_")
    return rng.choice(["{}", "${}$", r"\text{{{}}}", r"$\mathrm{{{}}}$", r"\textbf{{{}}}"]).format(word)


def _entities(word: str, rng: random.Random) -> str:
    escaped = word.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;").replace("’", "&rsquo;")
    return escaped + rng.choice(["", "", "&nbsp;"])


def _break_within(word: str, rng: random.Random, mark: str) -> str:
    if not word.isalpha() or len(word) < 5 or rng.random() < 0.5:
        return word
    position = rng.randrange(2, len(word) - 1)
    return word[:position] + mark + word[position:]


def _ligatures(quote: str, rng: random.Random) -> str:
    for letters, ligature in _LIGATURES.items():
        quote = quote.replace(letters, ligature)
    return quote


def _join_words(quote: str, rng: random.Random) -> str:
    words = quote.split()
    joined = words[0] if words else ""
    for before, word in pairwise(words):
        # Two numbers that run into each other are another number.
        is_digits = before[-1].isdigit() and word[0].isdigit()
        joined += ("" if rng.random() < 0.3 and not is_digits else " ") + word
    return joined


def _misread(quote: str, rng: random.Random) -> str:
    changed = [rng.choice(_ALPHABET) if char.isalnum() and rng.random() < 0.02 else char for char in quote]
    return "".join(changed)


DISTORTIONS: dict[str, Distortion] = {
    "cells": _cells,
    "html cells": _html_cells,
    "emphasis": _of_words(_emphasis),
    "heading": lambda quote, rng: f"## {quote}\n",
    "latex": _of_words(_latex),
    "link": lambda quote, rng: f"[{quote}](https://example.com/a_b?c=1#d)" if "[" not in quote else quote,
    "entities": _of_words(_entities),
    "line breaks": lambda quote, rng: "".join(rng.choice("  \n") if char == " " else char for char in quote),
    "hyphenation": _of_words(lambda word, rng: _break_within(word, rng, "-\n")),
    "soft hyphens": _of_words(lambda word, rng: _break_within(word, rng, "\u00ad")),
    "ligatures": _ligatures,
    "thin spaces": lambda quote, rng: "".join(rng.choice(" \u00a0\u2009\u202f") if c == " " else c for c in quote),
    "split words": _of_words(lambda word, rng: _break_within(word, rng, " ")),
    "joined words": _join_words,
    "plain punctuation": lambda quote, rng: quote.translate(_PLAIN),
    "curly punctuation": lambda quote, rng: quote.translate(_CURLY),
    "accents": lambda quote, rng: quote.translate(_ACCENTED) if rng.random() < 0.5 else quote,
    "upper case": lambda quote, rng: quote.upper(),
    "misread": _misread,
}
# All of these at once, in this order: what changes words before what marks them up.
TOGETHER = (
    "misread", "accents", "ligatures", "curly punctuation", "split words", "hyphenation", "latex", "emphasis", "cells",
)  # fmt: skip


def distort_together(quote: str, rng: random.Random) -> str:
    """Return a quote with many distortions at once."""
    for name in TOGETHER:
        quote = DISTORTIONS[name](quote, rng)
    return quote
