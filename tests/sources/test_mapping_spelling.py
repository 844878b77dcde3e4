"""Numbers and truths as people write them: a comma before the decimals, words of any language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ximilar_async.errors import ConfigError
from ximilar_async.sources import RecordMapping, load_mapping, open_source, parse_mapping

if TYPE_CHECKING:
    from pathlib import Path

    from ximilar_async.sources import Entry


def price(text: Any, **settings: Any) -> Any:
    """Return what a cell becomes."""
    mapping = RecordMapping(types={"price": settings.pop("type", "float")}, **settings)
    return mapping.apply({"_id": "1", "price": text})["price"]


COMMA: dict[str, Any] = {"decimal": ","}
CZECH: dict[str, Any] = {"decimal": ",", "thousands": " "}
GERMAN: dict[str, Any] = {"decimal": ",", "thousands": "."}
SWISS: dict[str, Any] = {"thousands": "'"}
ENGLISH: dict[str, Any] = {"thousands": ","}


@pytest.mark.parametrize(
    ("settings", "text", "expected"),
    [
        (COMMA, "19,90", 19.9),
        (COMMA, "-0,5", -0.5),
        (COMMA, "19", 19.0),
        (COMMA, "1,5e3", 1500.0),
        (COMMA, ",5", 0.5),
        (COMMA, 19.9, 19.9),
        (COMMA, b"19,90", 19.9),
        (CZECH, "1 234 567,50", 1234567.5),
        (CZECH, "1\u00a0234,50", 1234.5),
        (CZECH, "1\u202f234,50", 1234.5),
        (CZECH, "1234,50", 1234.5),
        (CZECH, " 1 234 ", 1234.0),
        (GERMAN, "-1.234.567,50", -1234567.5),
        (GERMAN, "1.234", 1234.0),
        (SWISS, "1\u2019234.50", 1234.5),
        (ENGLISH, "1,234.50", 1234.5),
        ({**GERMAN, "type": "int"}, "1.234", 1234),
        ({**GERMAN, "type": "int"}, "1.234,00", 1234),
    ],
    ids=repr,
)
def test_a_number_is_read_as_it_is_written(
    settings: dict[str, Any], text: Any, expected: float
) -> None:
    """Decimals and thousands are what the mapping says; what is a number already stays."""
    found = price(text, **settings)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("settings", "text", "remedy"),
    [
        ({}, "9,00", ": write it as 9.00, or say that ',' stands before the decimals (decimal)"),
        ({}, "1 234,50", "a space stands between the thousands (thousands) and ',' stands before"),
        ({}, "1\u00a0234", ": say that a space stands between the thousands (thousands)"),
        ({}, "1,234", "',' stands between the thousands (thousands), or before the decimals"),
        ({}, "1.234,50", "'.' stands between the thousands (thousands) and ',' stands before"),
        ({}, "1,234.50", ": say that ',' stands between the thousands (thousands)"),
        (COMMA, "1 234,50", ": say that a space stands between the thousands (thousands)"),
        (COMMA, "1.234,50", ": say that '.' stands between the thousands (thousands)"),
        (COMMA, "19.90", ", for ',' stands before the decimals (decimal): write 19,90"),
        (GERMAN, "19.90", ", for ',' stands before the decimals (decimal): write 19,90"),
        (CZECH, "12 34", "which is no number"),
        (CZECH, "1 234 Kč", "which is no number"),
        (ENGLISH, "12,34", "which is no number"),
        ({**CZECH, "type": "int"}, "1 234,5", "which is no whole number"),
    ],
    ids=repr,
)
def test_what_is_written_otherwise_is_refused_with_the_remedy(
    settings: dict[str, Any], text: str, remedy: str
) -> None:
    """Nothing is guessed: the message names field, value and what to do."""
    with pytest.raises(ValueError, match=r"^price is ") as caught:
        price(text, **settings)
    assert repr(text) in str(caught.value)
    assert remedy in str(caught.value)


@pytest.mark.parametrize("settings", [COMMA, CZECH, GERMAN, SWISS, ENGLISH], ids=repr)
@given(whole=st.integers(-(10**12), 10**12), cents=st.integers(0, 99))
def test_a_written_number_is_read_again(settings: dict[str, str], whole: int, cents: int) -> None:
    """Whatever is written by a notation's own rules is read as that number."""
    text = f"{whole:,}".replace(",", settings.get("thousands", ""))
    text += f"{settings.get('decimal', '.')}{cents:02}"
    sign = "-" if whole < 0 else ""
    assert price(text, **settings) == float(f"{sign}{abs(whole)}.{cents:02}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Ano", True), (" ne ", False), ("JA", True), ("yes", True), ("0", False), ("SÍ", True)],
)
def test_truths_have_the_words_that_are_given(text: str, expected: object) -> None:
    """Words that a mapping names count besides the usual ones, in any case."""
    words = {"true_values": ["ano", "ja", "sí"], "false_values": ["ne"]}
    assert price(text, type="bool", **words) is expected


def test_a_word_that_is_given_counts_more_than_the_usual() -> None:
    """What the user says of a word is what it means."""
    assert price("no", type="bool", true_values=["no"]) is True
    assert price("n", type="bool", true_values=["no"]) is False


def test_a_word_that_nobody_gave_is_refused_with_the_remedy() -> None:
    """No language is guessed."""
    with pytest.raises(
        ValueError, match=r"'ano', which is neither .* \(true_values, false_values\)"
    ):
        price("ano", type="bool")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"decimal": ";"}, "decimal must be '.' or ',', not ';'"),
        ({"decimal": ","}, "decimal is for fields of the type float or int, and there is none"),
        ({"thousands": " "}, "price:float in --map or types={'price': 'float'}"),
        ({"true_values": ["ano"]}, "true_values is for fields of the type bool"),
        ({"types": {"a": "float"}, "thousands": "."}, "another character than decimal"),
        ({"types": {"a": "float"}, "thousands": ""}, "the one character between thousands"),
        ({"types": {"a": "float"}, "thousands": "  "}, "the one character between thousands"),
        ({"types": {"a": "float"}, "thousands": "0"}, "the one character between thousands"),
        ({"types": {"a": "bool"}, "true_values": "ano"}, "must be a list of words, such as"),
        ({"types": {"a": "bool"}, "true_values": [1]}, "must be a list of words, and 1 is none"),
        (
            {"types": {"a": "bool"}, "true_values": ["A"], "false_values": ["a"]},
            "true_values must be other words than false_values: 'a'",
        ),
    ],
    ids=repr,
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], words: str) -> None:
    """Also those that would change nothing, for no field is of their type."""
    with pytest.raises(ConfigError) as caught:
        RecordMapping(**settings)
    assert words in str(caught.value)


def test_the_short_notation_and_toml_say_the_same(tmp_path: Path) -> None:
    """`--decimal` and the like, and the keys of a table."""
    expected = RecordMapping(
        fields={"price": "cena", "active": "aktivni"},
        types={"price": "float", "active": "bool"},
        decimal=",",
        thousands=" ",
        true_values=["ano"],
        false_values=["ne"],
    )
    entries = ["price:float=cena", "active:bool=aktivni"]
    words: dict[str, Any] = {"true_values": ["ano"], "false_values": ["ne"]}
    assert parse_mapping(entries, decimal=",", thousands=" ", **words) == expected
    (tmp_path / "m.toml").write_text(
        '[mapping]\nfields = {price = "cena", active = "aktivni"}\ndecimal = ","\n'
        'types = {price = "float", active = "bool"}\nthousands = " "\n'
        'true_values = ["ano"]\nfalse-values = ["ne"]\n'
    )
    assert load_mapping(tmp_path / "m.toml") == expected
    assert parse_mapping([], expected, thousands=".").thousands == "."


async def test_a_shops_table_is_read(tmp_path: Path) -> None:
    """Row, column, value and remedy are in the reason of a row that is refused."""
    (tmp_path / "zbozi.csv").write_text(
        "kod;foto;cena\n1;https://e.com/1.jpg;1 299,00\n2;https://e.com/2.jpg;12.50\n"
    )
    mapping = parse_mapping(["id=kod", "image=foto", "price:float=cena"], **CZECH)
    entries: list[Entry] = []
    async for chunk in open_source(tmp_path / "zbozi.csv", mapping=mapping).chunks():
        entries += chunk
    assert entries[0].record == {"_id": "1", "_url": "https://e.com/1.jpg", "price": 1299.0}
    assert entries[1].where == "line 3"
    assert entries[1].fault == (
        "is no record: price (column cena) is '12.50', which is no number, for ',' stands before "
        "the decimals (decimal): write 12,50"
    )
