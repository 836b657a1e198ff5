"""What a parser's Markdown adds to a text is taken out, and nothing else."""

import pytest

from llx_mcp.evidence.markup import strip_markup


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("no markup at all", "no markup at all"),
        ("| **Net** | 12 |", "Net 12"),
        ("|---|:-:|", "--- :-:"),
        ("## A *heading* with `code` and ~~old~~ words", "A heading with code and old words"),
        (r"$12.5\%$ of \$1{,}234", "12.5% of 1,234"),
        (r"$\text{Revenue} \mathbf{5}$", "Revenue 5"),
        (r"$\frac{1}{2}$", "1 2"),
        (r"$\alpha_{i}^{2} \times \Omega$", "αi2 Ω"),
        (r"1\,234 \quad 5", "1234 5"),
        ('[the notes](https://example.com/a_(b) "title") and ![logo](x.png)', "the notes and logo"),
        ("text[^1] more", "text1 more"),
        ("H<sub>2</sub>O, 10<sup>6</sup>", "H2O, 106"),
        ('<table><tr><td colspan="2">a</td><td>b<br/>c</td></tr></table>', "a b c"),
        ("a < b and c > d", "a < b and c > d"),
        ("AT&amp;T &#8217;24 &nbsp;", "AT&T ’24"),
        ("snake_case stays, _this_ is emphasis", "snake_case stays, this is emphasis"),
        (r"a\_b \# c", "a_b c"),
    ],
)  # fmt: skip
def test_markup_is_taken_out(text: str, plain: str) -> None:
    assert strip_markup(text).split() == plain.split()


def test_reference_to_a_character_with_thousands_of_digits_is_dropped() -> None:
    assert strip_markup(f"a &#{'9' * 5_000}; *b*").split() == ["a", ";", "b"]
