"""Text becomes inert HTML."""

from llx_mcp.cli.html_elements import Markup, document_text, element, join, to_markup


def test_text_is_escaped_and_markup_is_not() -> None:
    assert element("p", "a < b & \"c\" 'd'", Markup("<br>")) == "<p>a &lt; b &amp; &quot;c&quot; &#x27;d&#x27;<br></p>"


def test_attribute_cannot_be_left() -> None:
    assert element("a", "x", href='" onclick="alert(1)') == '<a href="&quot; onclick=&quot;alert(1)">x</a>'


def test_attributes_have_their_html_names_and_none_is_left_out() -> None:
    assert element("td", class_="path", aria_label="Path", id=None) == '<td class="path" aria-label="Path"></td>'


def test_empty_elements_are_not_closed() -> None:
    assert element("img", src="data:,") == '<img src="data:,">'


def test_control_and_invisible_characters_are_visible() -> None:
    assert to_markup("a\x00b\x1b[31m\u202ec\u200bd") == r"a\u0000b\u001b[31m\u202ec\u200bd"
    assert to_markup("a\tb\nc") == "a\tb\nc"


def test_text_of_a_document_is_isolated_from_the_direction_of_what_is_around() -> None:
    assert document_text("שלום") == "<bdi>שלום</bdi>"


def test_joined_texts_are_escaped() -> None:
    assert join(["<", Markup("<b></b>")], "<wbr>") == "&lt;<wbr><b></b>"
