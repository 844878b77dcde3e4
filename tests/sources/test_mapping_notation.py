"""Mappings in short (`--map`) and in TOML."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ximilar_async.errors import ConfigError
from ximilar_async.sources import RecordMapping, load_mapping, parse_mapping

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], RecordMapping()),
        (["id=sku"], RecordMapping(id="sku")),
        (["_id=sku"], RecordMapping(id="sku")),
        (["image=photo"], RecordMapping(image="photo")),
        (["image:file=photo"], RecordMapping(image="photo", image_kind="file")),
        (["image"], RecordMapping(image="image")),
        (["tags=labels"], RecordMapping(tags="labels")),
        (["brand"], RecordMapping(fields=["brand"])),
        (["price=cost"], RecordMapping(fields={"price": "cost"})),
        (["price:int"], RecordMapping(fields=["price"], types={"price": "int"})),
        (
            [" price : float = cost "],
            RecordMapping(fields={"price": "cost"}, types={"price": "float"}),
        ),
        (["*", "brand"], RecordMapping(fields=["brand"], rest=True)),
        (["-notes"], RecordMapping(drop=["notes"])),
        (["shop=:cz"], RecordMapping(constants={"shop": "cz"})),
        (["shop=:"], RecordMapping(constants={"shop": ""})),
        (["shop=::"], RecordMapping(constants={"shop": ":"})),
        (["rank:int=:5"], RecordMapping(constants={"rank": 5})),
        (["sizes:list(|)=:a|b"], RecordMapping(constants={"sizes": ["a", "b"]})),
        (["a=b=c"], RecordMapping(fields={"a": "b=c"})),
        (['"g:price"=cost'], RecordMapping(fields={"g:price": "cost"})),
        (['price="g:price"'], RecordMapping(fields={"price": "g:price"})),
        (['price=":cost"'], RecordMapping(fields={"price": ":cost"})),
        (['"id"'], RecordMapping(fields=["id"])),
        (["weight (kg)"], RecordMapping(fields=["weight (kg)"])),
    ],
    ids=str,
)
def test_entries_say_what_they_seem_to_say(entries: list[str], expected: RecordMapping) -> None:
    """Each form of an entry gives the mapping that Python writes at length."""
    assert parse_mapping(entries) == expected


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        (["price:flaot=cost"], "did you mean 'float'?"),
        (["g:price"], 'a : in a name needs quotes, "a:b"'),
        (["price="], "names no column behind the ="),
        (["=cost"], "write FIELD, FIELD=COLUMN"),
        ([""], "write FIELD, FIELD=COLUMN"),
        (['"price=cost'], "write FIELD, FIELD=COLUMN"),
        (['"\\x"=cost'], "is not quoted as JSON quotes"),
        (["price=cost", "price=net"], "an entry before it names the same field"),
        (["id=a", "_id=b"], "an entry before it names the same field"),
        (["price=cost", "price=:5"], "an entry before it names the same field"),
        (["id=:5"], "id is told by a column"),
        (["id:int=sku"], "id takes no type"),
        (["tags:list=x"], "tags takes no type"),
        (["image:png=x"], "an image is one of auto, url"),
        (["rank:int=:x"], "the constant is 'x', which is no number"),
        (["image=x", "_url=y"], "two columns are mapped on the field '_url'"),
        (["-"], "drop must name columns"),
    ],
    ids=str,
)
def test_entries_that_cannot_be_read_are_named(entries: list[str], words: str) -> None:
    """What is wrong is told with the entry that it is in."""
    with pytest.raises(ConfigError) as caught:
        parse_mapping(entries)
    assert words in str(caught.value)


def test_entries_are_added_to_a_mapping() -> None:
    """What they name they replace, what the mapping kept stays, what it chose stays chosen."""
    base = RecordMapping(id="sku", types={"price": "int"}, constants={"shop": "cz"}, empty="drop")
    mapping = parse_mapping(["price:float=cost", "shop=:de", "-notes"], base)
    row = {"sku": 1, "price": 0, "cost": "5", "brand": "Acme", "notes": "x"}
    assert mapping.apply(row) == {"_id": "1", "price": 5.0, "brand": "Acme", "shop": "de"}
    assert parse_mapping(["price=cost"], base).types == {}
    chosen = parse_mapping(["brand", "-a"], RecordMapping(fields=["a", "b"]))
    assert chosen.fields == {"b": "b", "brand": "brand"}
    assert not chosen.keeps_others


def test_the_separator_reaches_constants_and_columns() -> None:
    """It counts for each entry, wherever it stands on the command line."""
    mapping = parse_mapping(["tags=t", "a:list", "b:list=:x;y"], tags_separator=";")
    row = {"_id": "1", "t": "p;q", "a": "r;s"}
    assert mapping.apply(row) == {"_id": "1", "tags": ["p", "q"], "a": ["r", "s"], "b": ["x", "y"]}


@given(st.lists(st.text(st.sampled_from('ab:="*-\\ (|)inttagsd'), max_size=12), max_size=3))
def test_any_entries_are_a_mapping_or_a_config_error(entries: list[str]) -> None:
    """No text makes the notation raise anything else."""
    try:
        mapping = parse_mapping(entries)
    except ConfigError:
        return
    assert isinstance(mapping, RecordMapping)


@given(st.text(min_size=1), st.text(min_size=1))
def test_quotes_carry_any_name(name: str, column: str) -> None:
    """A field and a column of any name can be written."""
    import json  # noqa: PLC0415 - only here

    if name != "_id":
        mapping = parse_mapping([f"{json.dumps(name)}={json.dumps(column)}"])
        assert mapping.fields == {name: column}


# --- TOML ---------------------------------------------------------------------------------------

FILE = """
id = "sku"
image-kind = "file"
image = "photo"
tags_separator = ";"
drop = ["notes"]
fields = {price = "cost", brand = "brand"}
types.price = "float"
constants = {shop = "cz", ranks = [1, 2], since = 2026-03-01}
"""
EXPECTED = RecordMapping(
    id="sku",
    image="photo",
    image_kind="file",
    tags_separator=";",
    drop=["notes"],
    fields={"price": "cost", "brand": "brand"},
    types={"price": "float"},
    constants={"shop": "cz", "ranks": [1, 2], "since": "2026-03-01"},
)


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("pyproject.toml", "[tool.ximilar-async.mapping]"),
        ("ximilar-async.toml", "[mapping]"),
        ("ximilar-async.toml", "[tool.ximilar-async.mapping]"),
    ],
)
def test_a_table_of_toml_is_a_mapping(tmp_path: Path, name: str, head: str) -> None:
    """Its keys are the arguments of RecordMapping."""
    (tmp_path / name).write_text(f"[other]\nx = 1\n{head}\n{FILE}", encoding="utf-8")
    assert load_mapping(tmp_path / name) == EXPECTED


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("m.toml", "", "has no table [mapping] or [tool.ximilar-async.mapping]"),
        ("pyproject.toml", "[mapping]\n", "has no table [tool.ximilar-async.mapping]"),
        ("m.toml", "mapping = 3\n", "has no table"),
        ("m.toml", "tool = 3\n", "has no table"),
        ("m.toml", "[tool]\nximilar-async = 3\n", "has no table"),
        ("m.toml", "[mapping\n", "is no TOML"),
        ("m.toml", "[mapping]\nimgae = 'x'\n", "no setting 'imgae'; did you mean 'image'?"),
        ("m.toml", "[mapping]\nimage-kind = 'x'\nimage_kind = 'x'\n", "stands there twice"),
        ("m.toml", "[mapping]\nid = 3\n", "m.toml, mapping: id must be text"),
        ("m.toml", "[mapping]\nfields = 3\n", "fields takes a list"),
        ("m.toml", "[mapping]\nfields.price = {column = 'x'}\n", "must name a column for 'price'"),
        ("m.toml", "[mapping]\ntypes.price = 3\n", "a type is named by text"),
        ("m.toml", "[mapping]\nconstants.x = nan\n", "the constant x is nan"),
    ],
)
def test_a_file_without_a_mapping_is_refused(
    tmp_path: Path, name: str, text: str, words: str
) -> None:
    """The message names the file and what is wrong in it."""
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_mapping(tmp_path / name)
    assert name in str(caught.value)
    assert words in str(caught.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """There may be none, and it may not be text."""
    with pytest.raises(ConfigError, match="cannot read"):
        load_mapping(tmp_path / "none.toml")
    (tmp_path / "m.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_mapping(tmp_path / "m.toml")
