"""The objects that fit a search best come first, and their score says how well they fit."""

import math
from typing import Any

import pytest

from llx_mcp.result.descriptions import describe_fields
from llx_mcp.result.object_search import ObjectSearch
from llx_mcp.result.search_hits import Found
from llx_mcp.result.words import split_terms
from tests.example_jobs import cited
from tests.result.documents import build_document, build_metadata


def search(
    result: Any, text: str, *, tree: Any = None, schema: Any = None, limit: int = 50, like: float = 0.0
) -> Found:
    """Search a result; by default every object that was found is a hit."""
    document = build_document(result, None if tree is None else build_metadata(tree))
    return ObjectSearch(document, describe_fields(schema, document.root)).run(split_terms(text), limit, like=like)


def paths(found: Found) -> list[str]:
    """Return the path of each hit, best first."""
    return [hit.group.node.path_of(hit.position) for hit in found.hits]


def scores(found: Found) -> dict[str, float]:
    """Return the score of each hit by its path, to three places."""
    return {path: round(hit.score, 3) for path, hit in zip(paths(found), found.hits, strict=True)}


def rows_of(*values: Any) -> dict[str, Any]:
    """Return a result with one row for each value."""
    return {"rows": [{"v": value} for value in values]}


def test_score_is_the_rarity_of_the_words_times_the_share_that_is_found() -> None:
    found = search(rows_of("red", "green", "blue", "red wine and cheese"), "red cheese")
    # `red` stands in two of four rows, `cheese` in one; the first row has one of the two words.
    rare, common = math.log(1 + 4 / 1), math.log(1 + 4 / 2)
    assert scores(found) == {"rows[3]": round(rare + common, 3), "rows[0]": round(1.5 * common / 2, 3)}
    assert [hit.found for hit in found.hits] == [{0, 1}, {0}]


def test_value_that_is_the_word_fits_better_than_a_text_that_has_it() -> None:
    assert paths(search(rows_of("a red wine", "red", "reddish", "tired"), "red")) == ["rows[1]", "rows[0]"]
    assert paths(search(rows_of("amortized", "re-amort", "big amort", "amort"), "amort"))[0] == "rows[3]"


def test_hits_of_one_score_are_in_the_order_of_the_document() -> None:
    assert paths(search(rows_of(*["red"] * 12), "red")) == [f"rows[{index}]" for index in range(12)]


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("1234", [1234, "1234"], [0, 1]),
        ("1234", ["due: 1.234,00 EUR", 1234, 9], [1, 0]),
        ("1234", [12345, 1234], [1, 0]),
        ("123", [1234], [0]),
        ("12", [123, 12], [1]),
        ("12", ["it is 12 kg", "112", "12.0"], [0, 2]),
        ("1,234", [1.234, 1234], [0, 1]),
        ("true", [False, True], [1]),
        ("false", [False, True], [0]),
        ("1", [True, 1], [1]),
        ("red", [True, False, "red"], [2]),
    ],
)
def test_number_or_boolean_is_found_as_a_value_and_within_texts(
    text: str, values: list[Any], expected: list[int]
) -> None:
    assert paths(search(rows_of(*values), text)) == [f"rows[{index}]" for index in expected]


def test_number_within_a_text_fits_better_than_a_longer_number() -> None:
    found = scores(search(rows_of("due: 1.234,00 EUR", 12345, 1234), "1234"))
    rarity = math.log(1 + 3 / 3)
    assert found == {
        "rows[2]": round(1.5 * rarity, 3),
        "rows[0]": round(1.3 * rarity, 3),
        "rows[1]": round(0.7 * rarity * 0.7, 3),
    }


def test_word_of_a_name_finds_all_its_objects_and_counts_less_than_a_value() -> None:
    result = {"rows": [{"colour": "red"}, {"colour": "blue"}, {"shape": "colour"}]}
    assert paths(search(result, "colour")) == ["rows[2]", "rows[0]", "rows[1]"]
    assert paths(search(result, "colour blue"))[0] == "rows[1]"


def test_word_of_a_description_counts_half_as_much_as_a_value() -> None:
    schema = {"properties": {"rows": {"items": {"properties": {"v": {"description": "hue"}}}}}}
    found = search({"rows": [{"v": "red"}], "other": [{"w": "hue"}]}, "hue", schema=schema)
    rarity = math.log(1 + 2 / 2)
    assert scores(found) == {"other[0]": round(1.5 * rarity, 3), "rows[0]": round(0.5 * rarity * 0.5, 3)}


def test_name_of_an_empty_field_counts_less_than_that_of_a_full_one() -> None:
    assert paths(search({"rows": [{"red": None}, {"red": 1}, {"blue": 1}]}, "red")) == ["rows[1]", "rows[0]"]


@pytest.mark.parametrize("empty", [None, []])
def test_field_that_is_empty_everywhere_is_found_by_its_name(empty: Any) -> None:
    assert paths(search({"red": empty, "blue": 1}, "red")) == [""]
    assert paths(search({"part": {"red": empty}, "blue": 1}, "red")) == ["part"]


@pytest.mark.parametrize("inner", [{}, {"n": 1}, [{"n": 1}]])
def test_object_that_holds_only_objects_is_no_hit(inner: Any) -> None:
    assert "" not in paths(search({"red": inner}, "red"))


def test_what_contains_an_object_counts_half() -> None:
    races = [
        {"group": "old", "swims": [{"name": "Ada"}, {"name": "Bo"}]},
        {"group": "young", "swims": [{"name": "Ada"}, {"name": "Cy"}]},
    ]
    found = search({"races": races}, "young ada")
    assert paths(found)[0] == "races[1].swims[0]"
    # Six objects; one has `young`, two have `ada`.
    young, ada = math.log(1 + 6 / 1), math.log(1 + 6 / 2)
    assert scores(found) == {
        "races[1].swims[0]": round((young * 0.75 + ada * 1.5) * 1.75 / 2, 3),
        "races[1]": round(young * 1.5 / 2, 3),
        "races[0].swims[0]": round(ada * 1.5 / 2, 3),
        "races[1].swims[1]": round(young * 0.75 * 0.75 / 2, 3),
    }


def test_objects_three_lists_deep_are_within_the_ones_that_contain_them() -> None:
    def tree(name: str) -> dict[str, Any]:
        return {"name": name, "mid": [{"low": [{"v": "x"}, {"v": "y"}]}, {"low": [{"v": "x"}]}]}

    found = search({"top": [tree("one"), tree("two")]}, "two x")
    assert paths(found)[:2] == ["top[1].mid[0].low[0]", "top[1].mid[1].low[0]"]
    assert "top[1].mid[0].low[1]" in paths(found)
    assert "top[0].mid[0].low[1]" not in paths(found)


def test_values_of_one_field_that_no_row_has_both_are_alternatives() -> None:
    rows = [{"region": "EMEA", "v": 1}, {"region": "APJC", "v": 2}, {"region": "Americas", "v": 3}]
    found = search({"rows": rows}, "emea or apjc")
    assert scores(found) == {"rows[0]": round(1.5 * math.log(1 + 3), 3), "rows[1]": round(1.5 * math.log(1 + 3), 3)}


def test_values_that_stand_together_somewhere_are_no_alternatives() -> None:
    result = {
        "margin": [{"period": "FY2025 Q2"}, {"period": "FY2024 H1"}, {"period": "FY2024 Q2"}],
        "assets": [{"period": "FY2024"}, {"period": "FY2025 Q2"}],
    }
    assert paths(search(result, "margin q2 fy2024"))[0] == "margin[2]"
    assert paths(search(result, "margin first half fy2024"))[0] == "margin[1]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("deposits 2024, Q1 2025", ["deposits[1]", "deposits[0]"]),
        ("deposits end of first quarter of 2025, end of 2024", ["deposits[1]", "deposits[0]"]),
        ("deposits 2023, 2024, Q1 2025", ["deposits[1]", "deposits[0]", "deposits[2]"]),
        ("deposits Q1 2025", ["deposits[1]"]),
    ],
)
def test_row_of_each_period_is_found_though_one_period_has_more_words(text: str, expected: list[str]) -> None:
    periods = ["2024", "2025 Q1", "2023"]
    result = {name: [{"at": at, "n": 1} for at in periods] for name in ("deposits", "loans")}
    found = search(result | {"period_end": "2025-03-31"}, text, like=0.8)
    assert (paths(found), found.num_like, found.others) == (expected, len(expected), [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("salary of Ada Lund and Bo Ek", ["staff[0]", "staff[1]"]),
        ("salaries: Ada Lund, Bo Ek, Cy van Oh", ["staff[0]", "staff[1]", "staff[2]"]),
        ("Lund or Oh", ["staff[0]", "staff[2]"]),
    ],
)
def test_row_of_each_name_is_found(text: str, expected: list[str]) -> None:
    staff = [{"name": name, "salary": 1} for name in ("Ada Lund", "Bo Ek", "Cy van Oh", "Di Lu")]
    found = search({"staff": staff}, text, like=0.8)
    assert (sorted(paths(found)), found.num_like) == (expected, len(expected))


def test_each_row_that_has_another_value_is_found_and_counted() -> None:
    rows = [{"fruit": fruit, "kind": "sour red" if fruit == "plum" else "sour"} for fruit in ["plum", *["lime"] * 9]]
    found = search({"rows": rows}, "sour red plum lime", like=0.8, limit=3)
    assert paths(found) == ["rows[0]", "rows[1]", "rows[2]", "rows[3]"]
    assert found.num_like == 10


def test_values_of_what_contains_the_rows_are_alternatives_too() -> None:
    years = [{"year": year, "funds": [{"name": "bonds"}, {"name": "cash"}]} for year in ("2023", "2024", "2025 Q3")]
    found = search({"years": years}, "bonds 2024, third quarter 2025", like=0.8)
    assert paths(found) == ["years[2].funds[0]", "years[1].funds[0]"]


def test_object_with_no_word_of_the_topic_counts_half() -> None:
    result = {"cash": [{"at": "2024", "n": 1}], "debt": [{"at": "2024", "n": 2}], "year": {"month": "march 2024"}}
    found = search(result, "cash march 2024")
    assert paths(found)[0] == "cash[0]"
    march, year = math.log(1 + 3 / 1), math.log(1 + 3 / 3)
    assert scores(found)["year"] == round((march + year * 1.3) * 2 / 3 * 0.5, 3)
    # Without a topic nothing is off it. The value is the whole phrase, too.
    assert scores(search(result, "march 2024"))["year"] == round(march + year * 1.3 + march * 1.5, 3)


def test_object_with_a_further_word_is_returned_only_for_a_word_of_the_topic() -> None:
    result = {"assets": [{"at": "FY2025", "n": 1}], "report": {"period_end": "2025-01-01", "auditor": "Lund"}}
    assert search(result, "assets fiscal 2025 end", like=0.8).others == []
    (other,) = search(result, "assets fiscal 2025 auditor", like=0.8).others
    assert other.group.node.path == "report"


def test_object_named_by_another_period_is_returned_too() -> None:
    result = {"fy2024": {"rent": 1, "tax": 2}, "fy2025_q2": {"rent": 3, "tax": 4}, "fy2024_note": {"text": "x"}}
    found = search(result, "rent fy2024, fy2025 q2", like=0.8)
    assert paths(found) == ["fy2025_q2"]
    assert [other.group.node.path for other in found.others] == ["fy2024"]


def lists(found: Found) -> dict[str, tuple[bool, int, int]]:
    """Return the lists of the hits by their path: whether the words are about them, their elements, and the matches."""
    return {each.path: (each.is_topic, len(each.positions), each.num_like) for each in found.lists.values()}


@pytest.mark.parametrize(
    ("result", "text", "expected"),
    [
        # The words name the list, or what its schema says of it, or the object that holds it.
        ({"banks": ["A Bank", "B Bank", "C"]}, "banks", {"banks": (True, 3, 3)}),
        ({"banks": ["A Bank", "B Bank", "C"]}, "a bank", {"banks": (True, 3, 1)}),
        ({"deal": {"banks": [{"n": "A Bank"}, {"n": "B"}]}}, "bank of the deal", {"deal.banks": (True, 2, 2)}),
        ({"x": ["one red", "two"]}, "red hues", {"x": (True, 2, 1)}),
        ({"colours": {"x": ["red", "blue"]}}, "red colours", {"colours.x": (True, 2, 1)}),
        ({"colours": {"deep": {"x": ["red", "blue"]}}}, "red colours", {"colours.deep.x": (False, 2, 1)}),
        ({"months": ["march", "may"]}, "march month", {"months": (False, 2, 1)}),
        ({"y": ["red", "blue"]}, "red", {"y": (False, 2, 1)}),
        # All words of the topic are names of fields, or values that other objects have, too.
        ({"rows": [{"at": "Q1", "tax": 1}, {"at": "Q2", "tax": 2}, {"at": "Q2"}]}, "tax q2", {"rows": (True, 2, 1)}),
        ({"rows": [{"at": "Q1", "w": "tax"}, {"at": "Q2", "w": "tax"}]}, "tax q2", {"rows": (True, 2, 1)}),
        ({"rows": [{"who": "Ada", "tax": 1}, {"who": "Bo", "tax": 2}]}, "tax ada", {"rows": (True, 1, 1)}),
        (
            {"years": [{"at": at, "rows": [{"w": "tax"}, {"w": "rent"}]} for at in ("2023", "2024")]},
            "tax 2024",
            {"years[*].rows": (True, 2, 1)},
        ),
        (
            {"years": [{"at": at, "taxes": [{"n": 1}, {"n": 2}]} for at in ("2023", "2024")]},
            "tax 2024 2",
            {"years[1].taxes": (True, 2, 1)},
        ),
    ],
)
def test_lists_of_the_hits_are_returned_with_what_belongs_together(
    result: Any, text: str, expected: dict[str, tuple[bool, int, int]]
) -> None:
    schema = {"properties": {"x": {"description": "Hues"}}}
    assert lists(search(result, text, schema=schema, like=0.8)) == expected


def test_best_object_of_a_word_that_no_hit_has_is_returned_too() -> None:
    result = {"patient": {"name": "Rowan"}, "fasting": True, "results": [{"analyte": "Sodium"}]}
    found = search(result, "was the patient fasting", like=0.8)
    assert paths(found) == ["patient"]
    assert [other.group.node.path for other in found.others] == [""]


def test_further_object_is_returned_for_each_value_that_is_searched_for() -> None:
    ports = ["Oslo", "Moss", "Bergen"]
    calls = [{"port": port, "ship_calls": 1} for port in ports]
    pilots = [{"port": port, "pilot_name_of_day": "x"} for port in ports]
    found = search({"calls": calls, "pilots": pilots}, "ship calls moss bergen pilot", like=0.8)
    assert paths(found) == ["calls[1]", "calls[2]"]
    assert [other.group.node.path_of(other.position) for other in found.others] == ["pilots[1]", "pilots[2]"]


def test_whole_text_tells_apart_what_differs_by_a_word_that_says_nothing() -> None:
    assert paths(search(rows_of("schedule ii", "schedule iii", "schedule i"), "Schedule I"))[0] == "rows[2]"


GERMAN = {
    "rechnungsdatum": "2026-03-01",
    "lieferant": {"name": "Müller Möbel GmbH", "anschrift": "Hauptstraße 5, 80331 München"},
    "mietvertrag": {"mieter": "Anna Weiß", "miete": 900, "kaution": 1800, "kündigungsfrist": "drei Monate"},
    "positionen": [
        {"bezeichnung": "Bürostuhl"},
        {"bezeichnung": "Schreibtische aus Eiche"},
        {"bezeichnung": "Autohaus"},
    ],
    "summen": {"netto": 1400, "umsatzsteuer": 266},
}
FRENCH = {
    "date_facture": "2026-02-02",
    "fournisseur": {"nom": "Société Lumière", "adresse": "3 rue des Écoles, Lyon"},
    "lignes": [{"designation": "Chaises de bureau", "prix": 99.0}, {"designation": "Table ronde", "prix": 250.0}],
    "totaux": {"hors_taxe": 587, "tva": 117.4},
    "contrat": {"date_echeance": "2027-01-01", "loyer": 800, "locataire": "Zoé Petit"},
}
JAPANESE = {
    "請求書番号": "A-1",
    "支払期限": "2026-04-30",
    "仕入先": {"名称": "株式会社青木", "住所": "東京都港区1-2"},
    "明細": [
        {"品名": "緩衝液", "単価": 1200},
        {"品名": "高緩衝液セット", "単価": 5000},
        {"品名": "電極", "単価": 8000},
    ],
}


@pytest.mark.parametrize(
    ("result", "text", "best"),
    [
        (GERMAN, "Wann ist das Rechnungsdatum?", ""),
        (GERMAN, "Wie hoch ist die Miete?", "mietvertrag"),
        (GERMAN, "Was kostet der Schreibtisch?", "positionen[1]"),
        (GERMAN, "Bürostühle", "positionen[0]"),
        (GERMAN, "Autos", "positionen[2]"),
        (GERMAN, "Wie hoch ist die Umsatzsteuer?", "summen"),
        (GERMAN, "Kündigung", "mietvertrag"),
        (GERMAN, "Hauptstrasse", "lieferant"),
        (FRENCH, "Quelle est la date de la facture ?", ""),
        (FRENCH, "prix de la chaise", "lignes[0]"),
        (FRENCH, "tables rondes", "lignes[1]"),
        (FRENCH, "loyers", "contrat"),
        (FRENCH, "montant de la TVA", "totaux"),
        (FRENCH, "échéance du contrat", "contrat"),
        (JAPANESE, "支払期限", ""),
        (JAPANESE, "緩衝液", "明細[0]"),
        (JAPANESE, "電極 単価", "明細[2]"),
        (JAPANESE, "住所", "仕入先"),
        (JAPANESE, "青木", "仕入先"),
    ],
)
def test_endings_of_english_do_not_disturb_other_languages(result: Any, text: str, best: str) -> None:
    assert paths(search(result, text))[0] == best


def test_what_stands_once_outside_the_lists_counts_a_little_everywhere() -> None:
    result = {"company": "Fjord", "rows": [{"v": "red"}, {"v": "blue"}]}
    fjord, red = math.log(1 + 3 / 1), math.log(1 + 3 / 1)
    assert scores(search(result, "fjord red"))["rows[0]"] == round((fjord * 0.3 * 1.5 + red * 1.5) * 1.45 / 2, 3)


def test_fields_of_objects_within_a_row_belong_to_the_row() -> None:
    rows = [{"name": {"first": "Ada", "last": "Lund"}}, {"name": {"first": "Bo", "last": "Ek"}}, {"name": None}]
    assert paths(search({"rows": rows}, "bo ek")) == ["rows[1]"]
    (hit,) = search({"rows": rows}, "ek").hits
    assert [column.node.path for column in hit.group.columns] == ["rows[*].name.first", "rows[*].name.last"]
    assert [column.position_in(2) for column in hit.group.columns] == [None, None]
    assert [column.position_in(1) for column in hit.group.columns] == [1, 1]


def test_object_outside_lists_is_found_by_itself() -> None:
    result = {"a": {"b": {"c": "red"}, "d": "blue"}, "rows": [{"v": 1}]}
    (hit,) = search(result, "red").hits
    assert (hit.group.node.path, hit.group.is_single) == ("a.b", True)
    (row,) = search(result, "1").hits
    assert (row.group.node.path, row.group.is_single) == ("rows[*]", False)


def test_elements_of_a_list_of_scalars_are_found_one_by_one() -> None:
    result = {"rows": [{"tags": ["red", "blue"]}, {"tags": []}, {"tags": ["green", "red"]}]}
    found = search(result, "red")
    assert paths(found) == ["rows[0].tags[0]", "rows[2].tags[1]"]
    # Their list is in no object that has scalars of its own.
    assert [hit.group.parent for hit in found.hits] == [None, None]


def test_quotes_are_searched_for_words_that_stand_in_no_value_and_no_name() -> None:
    result = {"rows": [{"v": "bank"}, {"v": "shop"}, {"v": None}]}
    quote = cited(0.9, 1, "12 Rue Haxo, bank")
    tree = {"rows": [{"v": quote}, {"v": cited(0.9, 1, "no more")}, {"v": quote}]}
    found = search(result, "haxo", tree=tree)
    assert scores(found) == {"rows[0]": round(0.5 * math.log(1 + 3 / 1) * 0.5, 3)}
    # `shop` stands in no quote, and `v` is a name.
    assert paths(search(result, "shop v", tree=tree))[0] == "rows[1]"
    assert paths(search(result, "more bank", tree=tree))[0] in ("rows[0]", "rows[1]")
    assert search(result, "haxo").hits == []


def test_quote_in_a_list_within_a_row_counts_for_the_row() -> None:
    result = {"rows": [{"p": {"q": "a"}}, {"p": None}, {"p": {"q": "b"}}]}
    tree = {"rows": [{}, {}, {"p": {"q": cited(0.9, 1, "Rue Haxo")}}]}
    assert paths(search(result, "haxo", tree=tree)) == ["rows[2]"]


def test_only_hits_near_the_best_are_returned_and_counted() -> None:
    result = rows_of("red", "red", "a red one", "reddish brown")
    found = search(result, "red", like=0.8)
    assert (paths(found), found.num_like) == (["rows[0]", "rows[1]"], 2)
    all_like = search(result, "red", like=0.6)
    assert (paths(all_like), all_like.num_like) == (["rows[0]", "rows[1]", "rows[2]"], 3)


@pytest.mark.parametrize("limit", [1, 3, 39, 40])
def test_hits_beyond_the_limit_are_counted(limit: int) -> None:
    by_value = search(rows_of(*["red"] * 40), "red", limit=limit, like=0.8)
    assert (len(by_value.hits), by_value.num_like) == (limit, 40)
    by_name = search({"red": [{"v": index} for index in range(40)], "blue": [{"v": 1}]}, "red", limit=limit, like=0.8)
    assert (len(by_name.hits), by_name.num_like) == (limit, 40)


def test_rows_found_by_value_and_by_name_are_counted_once() -> None:
    found = search({"red": [{"v": "red"}, {"v": "x"}, {"v": "y"}]}, "red")
    assert (len(found.hits), found.num_like) == (3, 3)


def test_only_rows_that_have_the_named_field_are_found_by_its_name() -> None:
    found = search({"rows": [{"red": 1}, {"blue": 1}, {"red": 2, "blue": 2}]}, "red")
    assert (paths(found), found.num_like) == (["rows[0]", "rows[2]"], 2)


def test_words_that_stand_nowhere_are_absent() -> None:
    found = search(rows_of("red", "blue"), "red green v")
    assert found.absent == {1}
    nothing = search(rows_of("red"), "green")
    assert (nothing.hits, nothing.num_like, set(nothing.absent)) == ([], 0, {0})


def test_whole_phrase_fits_better_than_its_words_apart() -> None:
    assert paths(search(rows_of("wine that is red", "red wine", "wine red"), "red wine"))[0] == "rows[1]"


def test_search_after_another_has_only_its_own_words() -> None:
    document = build_document({"red": 1, "part": {"blue": 2}}, None)
    prepared = ObjectSearch(document, {})
    assert paths(prepared.run(split_terms("red"), 5)) == [""]
    assert paths(prepared.run(split_terms("blue"), 5)) == ["part"]
    assert paths(prepared.run(split_terms("red"), 5)) == [""]
