"""Mappings: from rows to records, in Python."""

from __future__ import annotations

import pickle
import subprocess
import sys
import uuid
from decimal import Decimal
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ximilar_async.errors import ConfigError
from ximilar_async.sources import RecordMapping

ROW = {"sku": "17", "photo": "17.jpg", "labels": "a,b", "cost": "19.90", "brand": "Acme"}


def test_a_mapping_says_what_becomes_of_each_column() -> None:
    """Id, image, tags, renamed and typed fields and constants stand in the record, nothing else."""
    mapping = RecordMapping(
        id="sku",
        image="photo",
        tags="labels",
        fields={"price": "cost"},
        types={"price": "float"},
        constants={"shop": "cz", "since": Decimal("1.50")},
    )
    assert mapping.apply(ROW) == {
        "_id": "17",
        "_file": "17.jpg",
        "tags": ["a", "b"],
        "price": 19.9,
        "shop": "cz",
        "since": 1.5,
    }


def test_without_fields_every_other_column_is_kept() -> None:
    """Columns that are id, image or tags do not stand in the record a second time."""
    mapping = RecordMapping(id="sku", image="photo", tags="labels", drop=["brand"])
    assert mapping.apply(ROW) == {
        "_id": "17",
        "_file": "17.jpg",
        "tags": ["a", "b"],
        "cost": "19.90",
    }


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"fields": ["brand"]}, {"_id", "brand"}),
        ({"fields": ["brand"], "rest": True}, {"_id", "brand", "photo", "labels", "cost"}),
        ({"fields": {"price": "cost"}, "rest": True}, {"_id", "price", "photo", "labels", "brand"}),
        ({"fields": {"price": "cost", "cost": "cost"}}, {"_id", "price", "cost"}),
        ({"fields": []}, {"_id"}),
        ({"rest": False}, {"_id"}),
        ({"constants": {"brand": "x"}, "fields": []}, {"_id", "brand"}),
        ({"fields": ["sku"]}, {"_id", "sku"}),
    ],
)
def test_fields_are_chosen_as_in_a_select(settings: dict[str, Any], names: set[str]) -> None:
    """Named fields alone, unless the rest is asked for."""
    assert set(RecordMapping(id="sku", **settings).apply(ROW)) == names


def test_a_mapped_field_wins_over_a_column_of_its_name() -> None:
    """What the mapping says stands; the column that happens to be called so is left out."""
    row = {"sku": "17", "_id": "old", "photo": "17.jpg", "_url": "https://example.com/x.jpg"}
    row |= {"price": "old", "cost": "5", "shop": "old", "tags": "old", "labels": "a"}
    mapping = RecordMapping(
        id="sku",
        image="photo",
        tags="labels",
        fields={"price": "cost"},
        rest=True,
        constants={"shop": "cz"},
    )
    assert mapping.apply(row) == {
        "_id": "17",
        "_file": "17.jpg",
        "tags": ["a"],
        "price": "5",
        "shop": "cz",
    }


def test_images_stay_where_nothing_is_said_about_them() -> None:
    """Without `image` the fields of an image are taken as they are, chosen or not."""
    row = {"_id": "1", "_image": b"\x89PNG", "brand": "Acme"}
    assert RecordMapping(fields=[]).apply(row) == {"_id": "1", "_image": b"\x89PNG"}
    assert RecordMapping().apply(row) == row
    row = {"_id": "1", "_url": "", "_file": "1.jpg", "_image": None}
    assert RecordMapping(empty="keep").apply(row) == {"_id": "1", "_file": "1.jpg"}


def test_an_image_can_be_left_out() -> None:
    """An update sends no image, and its column is not kept under its own name either."""
    mapping = RecordMapping(id="sku", image="photo", drop=["labels"])
    assert mapping.without_image().apply(ROW) == {"_id": "17", "cost": "19.90", "brand": "Acme"}
    assert RecordMapping().without_image() == RecordMapping()


@pytest.mark.parametrize(
    ("value", "id_"),
    [
        ("0017", "0017"),
        (" 17", " 17"),
        (17, "17"),
        (17.0, "17"),
        (-(2**70), str(-(2**70))),
        (Decimal("17.00"), "17"),
        (np.int64(17), "17"),
        (np.float32(17), "17"),
        (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
    ],
)
def test_ids_become_text_with_all_their_digits(value: Any, id_: str) -> None:
    """Whole numbers are ids, whatever their type; text stays as it is."""
    assert RecordMapping(id="sku").apply({"sku": value}) == {"_id": id_}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({}, "sku is blank"),
        ({"sku": ""}, "sku is blank"),
        ({"sku": " \t"}, "sku is blank"),
        ({"sku": None}, "sku is blank"),
        ({"sku": float("nan")}, "sku is blank"),
        ({"sku": Decimal("sNaN")}, "sku is blank"),
        ({"sku": 17.5}, "17.5, which is no id"),
        ({"sku": 2.0**60}, "digits may be lost"),
        ({"sku": float("inf")}, "digits may be lost"),
        ({"sku": Decimal("1E+999999")}, "is no id"),
        ({"sku": True}, "is bool"),
        ({"sku": b"17"}, "is bytes"),
        ({"sku": "\ud800"}, "lone surrogate"),
    ],
)
def test_a_row_without_an_id_is_refused(row: dict[str, Any], words: str) -> None:
    """The message names the column."""
    with pytest.raises(ValueError, match=r"^sku") as caught:
        RecordMapping(id="sku").apply(row)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("empty", "expected"),
    [
        ("keep", {"_id": "1", "tags": [], "n": None, "a": "", "b": None}),
        ("null", {"_id": "1", "tags": [], "n": None, "a": None, "b": None}),
        ("drop", {"_id": "1", "b": None}),
    ],
)
def test_empty_cells_are_dropped_nulled_or_kept(empty: Any, expected: dict[str, Any]) -> None:
    """A blank that has a type is null; what else is blank is what `empty` says."""
    mapping = RecordMapping(tags="t", types={"n": "float"}, empty=empty)
    assert mapping.apply({"_id": "1", "t": " ", "n": " ", "a": "", "b": None}) == expected


def test_null_stays_null_by_default() -> None:
    """In an update it removes the field; a list that is null is empty."""
    row = {"_id": "1", "a": None, "t": None, "n": None}
    mapping = RecordMapping(tags="t", types={"n": "int"})
    assert mapping.apply(row) == {"_id": "1", "a": None, "tags": [], "n": None}


def test_nan_is_null_only_where_empty_cells_are_null() -> None:
    """A NaN is a fault of its row, or null by choice."""
    row = {"_id": "1", "price": float("nan")}
    for empty in ("drop", "keep"):
        with pytest.raises(ValueError, match="price is nan"):
            RecordMapping(empty=empty).apply(row)
    assert RecordMapping(empty="null").apply(row) == {"_id": "1", "price": None}


def test_messages_name_the_field_and_its_column() -> None:
    """Who reads of a fault finds the cell."""
    mapping = RecordMapping(fields={"price": "cost"}, types={"price": "int"})
    with pytest.raises(ValueError, match=r"^price \(column cost\) is 'x', which is no number$"):
        mapping.apply({"_id": "1", "cost": "x"})
    with pytest.raises(ValueError, match=r"^price \(column cost\)\[0\] is nan"):
        RecordMapping(fields={"price": "cost"}).apply({"_id": "1", "cost": [float("nan")]})


def test_missing_columns_are_left_out_of_a_record() -> None:
    """A row of JSON may lack a field; only the id has to be there."""
    mapping = RecordMapping(image="photo", tags="labels", fields={"price": "cost"})
    assert mapping.apply({"_id": "1"}) == {"_id": "1"}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"fields": ["a", "a"]}, "two columns are mapped on the field 'a'"),
        ({"fields": {"tags": "x"}, "tags": "y"}, "two columns are mapped on the field 'tags'"),
        ({"fields": {"_url": "x"}, "image": "y"}, "two columns are mapped on the field '_url'"),
        ({"fields": {"_id": "x"}}, "named by id"),
        ({"constants": {"_id": "x"}}, "named by id"),
        ({"fields": ["a"], "constants": {"a": 1}}, "both a column's and a constant"),
        ({"fields": ["price"], "types": {"prise": "int"}}, "did you mean 'price'?"),
        ({"types": {"a": "flaot"}}, "did you mean 'float'?"),
        ({"types": {"_id": "int"}}, "'_id' takes no type"),
        ({"types": {"tags": "list"}, "tags": "x"}, "'tags' takes no type"),
        ({"types": "x"}, "types takes a dict"),
        ({"constants": {"x": float("nan")}}, "the constant x is nan"),
        ({"constants": ["x"]}, "constants takes a dict"),
        ({"image_kind": "png"}, "image_kind must be"),
        ({"empty": "no"}, "empty must be"),
        ({"rest": "yes"}, "rest must be"),
        ({"drop": "notes"}, "drop takes a list"),
        ({"fields": "brand"}, "fields takes a list"),
        ({"fields": {"a": ""}}, "fields must name a column for 'a'"),
        ({"fields": {"": "a"}}, "fields must have names"),
        ({"fields": [3]}, "fields must name columns"),
        ({"id": None}, "id must be text"),
        ({"tags": 3}, "tags must be text"),
        ({"tags_separator": ""}, "tags_separator must be text"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused_when_it_is_made(
    settings: dict[str, Any], words: str
) -> None:
    """Before any row is read, with words that say what to change."""
    with pytest.raises(ConfigError) as caught:
        RecordMapping(**settings)
    assert words in str(caught.value)


def test_a_mapping_is_a_value() -> None:
    """It is equal to another that says the same, travels by pickle, and cannot be changed."""
    mapping = RecordMapping(id="sku", fields=["a"], types={"a": "int"}, drop=["y", "x"])
    assert mapping == RecordMapping(
        id="sku", fields={"a": "a"}, types={"a": "int"}, drop=["x", "y"]
    )
    assert RecordMapping(drop=list("jihgfedcba")).drop == tuple("abcdefghij")
    assert pickle.loads(pickle.dumps(mapping)).apply({"sku": 1, "a": "2"}) == {"_id": "1", "a": 2}
    with pytest.raises(AttributeError):
        mapping.id = "other"  # type: ignore[misc]


def test_help_tells_what_each_setting_is() -> None:
    """`help(RecordMapping)` explains every argument, and shows one in use."""
    words = "from ximilar_async.sources import RecordMapping; help(RecordMapping)"
    shown = subprocess.run(
        [sys.executable, "-c", words], capture_output=True, text=True, check=True
    )
    for name in ("id", "image", "tags", "fields", "rest", "drop", "types", "constants", "empty"):
        assert f"    {name}: " in shown.stdout
    assert ">>> mapping = RecordMapping(" in shown.stdout


NAMES = st.sampled_from(["sku", "photo", "labels", "cost", "_id", "_url", "_image", "tags", "x"])
CELLS: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.text(st.characters(), max_size=4)
    | st.binary(max_size=4)
    | st.datetimes()
    | st.lists(st.floats() | st.text(max_size=3), max_size=3)
    | st.sampled_from([np.float32("nan"), np.datetime64("NaT", "s"), 1j, object()])
)
MAPPINGS = st.sampled_from(
    [
        RecordMapping(),
        RecordMapping(id="sku", image="photo", tags="labels", empty="drop"),
        RecordMapping(id="sku", fields={"price": "cost"}, types={"price": "float"}, rest=True),
        RecordMapping(types={"x": "json", "cost": "int", "tags": "list(;)"}, empty="null"),
        RecordMapping(id="sku", image="photo", image_kind="url", fields=["x"], types={"x": "bool"}),
    ]
)


@given(MAPPINGS, st.dictionaries(NAMES | st.text(max_size=2), CELLS, max_size=8))
def test_any_row_is_a_record_or_a_value_error(mapping: RecordMapping, row: dict[str, Any]) -> None:
    """No row raises anything else; a record has an id of text, and is JSON but for its image."""
    try:
        record = mapping.apply(row)
    except ValueError:
        return
    assert isinstance(record["_id"], str)
    assert record["_id"].strip()
    record.pop("_image", None)
    assert orjson.loads(orjson.dumps(record)) == record
