"""Words that differ only by their ending are one word; words of another meaning, and of other languages, are not."""

from itertools import permutations

import pytest

from llx_mcp.result.word_endings import WordFamily, find_family


def find_words(word: str, text: str) -> list[tuple[str, bool]]:
    """Return the other words of a family in a text (True), and those that only begin with its singular (False)."""
    family = find_family(word)
    assert family is not None
    return [(text[start:].split(maxsplit=1)[0], is_same) for start, is_same in family.find(text)]


@pytest.mark.parametrize(
    "words",
    [
        "mature matures matured maturing maturity maturities",
        "invoice invoices invoiced invoicing",
        "supplier suppliers",
        "expire expires expired expiration expiry",
        "terminate terminates terminated termination",
        "renew renews renewed renewal renewals",
        "govern governs governing",
        "borrow borrowed borrower borrowers borrowing borrowings",
        "commit commits committed commitment commitments",
        "deliver delivers delivered delivery deliveries",
        "guarantee guarantees guarantor",
        "company companies",
        "box boxes",
        "bus buses",
        "tax taxes",
        "address addresses addressed",
        "require requires required requirement",
        "settle settled settlement",
        "assign assignee assignment",
        "operate operates operating operations operator operative",
        "city cities",
        "løn løns",
    ],
)
def test_words_that_differ_by_their_ending_are_one_word(words: str) -> None:
    for one, other in permutations(words.split(), 2):
        assert find_words(one, f"the {other} .") == [(other, True)], one


@pytest.mark.parametrize(
    ("word", "other"),
    [
        ("port", "portion"),
        ("part", "party"),
        ("party", "part"),
        ("nation", "native"),
        ("notes", "not"),
        ("loss", "los"),
        ("class", "clas"),
        ("gas", "ga"),
        ("rate", "ration"),
        ("commit", "committee"),
        ("state", "station"),
        ("lend", "lent"),
        ("date", "data"),
        ("pay", "paid"),
    ],
)
def test_words_of_another_meaning_stay_apart(word: str, other: str) -> None:
    assert find_words(word, other) == []


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("mature", "premature"),
        ("mature", "immaturity"),
        ("expire", "expirés"),
        ("rechnung", "rechnungen"),
        ("緩衝液", "高緩衝液セット"),
        ("vertrag", "vertragsdatum"),
    ],
)
def test_part_of_another_word_is_not_the_word(word: str, text: str) -> None:
    assert find_words(word, text) == []


def test_word_begins_after_digits_and_signs() -> None:
    text = "q2invoices, 7 invoice_number (invoiced)"
    family = find_family("invoice")
    assert family is not None
    assert [text[start : start + 8] for start, _ in family.find(text)] == ["invoices", "invoiced"]


def test_longer_word_that_begins_with_the_singular_is_told_apart() -> None:
    assert find_words("invoices", "invoice invoicenumber invoicing") == [
        ("invoice", True),
        ("invoicenumber", False),
        ("invoicing", True),
    ]
    assert find_words("ids", "idle") == []


@pytest.mark.parametrize("word", ["", "a", "q2", "2025", "long-term", "law's"])
def test_what_is_no_word_has_no_endings(word: str) -> None:
    assert find_family(word) is None


def test_family_of_a_word_of_two_letters_is_its_plural() -> None:
    assert list(WordFamily("id").find("id ids idea")) == [(3, True)]


def test_word_itself_is_left_out() -> None:
    assert list(WordFamily("invoices").find("invoices")) == []
