"""Two hashes tell what changed: the same for the same record, another for another."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ximilar_async.bulk._sync.hashes import (
    Mark,
    image_hash,
    metadata_hash,
    metadata_of,
    shape_key,
    stamp_of,
    stored_image_hash,
    url_parts,
)
from ximilar_async.errors import RecordError

LEFT_OUT = frozenset({"_id", "_url", "_base64", "_file", "_image"})
VALUES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5)
FIELDS = st.dictionaries(st.text(min_size=1, max_size=4), VALUES, max_size=5)


@given(FIELDS)
def test_the_order_of_fields_does_not_count(fields: dict[str, Any]) -> None:
    """The same fields in another order are the same metadata, nested ones too."""
    turned = dict(reversed(fields.items()))
    assert metadata_hash({"a": fields}) == metadata_hash({"a": turned})


@given(FIELDS, FIELDS)
def test_other_fields_are_other_metadata(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Fields that differ in a name or a value have another hash."""
    same = one == other and {n: type(v) for n, v in one.items()} == {
        n: type(v) for n, v in other.items()
    }
    assert (metadata_hash(one) == metadata_hash(other)) == same


def test_null_is_a_field_that_is_not_there() -> None:
    """A record with a null and one without the field are the same."""
    with_null = metadata_of({"_id": "1", "_url": "u", "price": 3, "sale": None}, LEFT_OUT)
    assert with_null == metadata_of({"_id": "2", "_base64": "b", "price": 3}, LEFT_OUT)


@pytest.mark.parametrize(
    ("value", "words"), [(math.nan, "price"), (date(2026, 1, 2), "price"), ("\ud800", "price")]
)
def test_what_json_does_not_have_is_named(value: Any, words: str) -> None:
    """NaN, a date, half a character: no hash, but a record that is turned away by name."""
    with pytest.raises(RecordError, match=words):
        metadata_hash({"price": value})


def test_an_address_with_its_version_is_another_image() -> None:
    """The version field tells a new photo under an old address."""
    old, new = {"_url": "u", "etag": "a"}, {"_url": "u", "etag": "b"}
    assert image_hash(url_parts(old, "etag")) != image_hash(url_parts(new, "etag"))
    assert image_hash(url_parts(old, None)) == image_hash(url_parts(new, None))


def test_parts_are_not_run_together() -> None:
    """Where one part ends and the next begins counts."""
    assert image_hash([("a", b"bc"), ("d", b"")]) != image_hash([("a", b"b"), ("d", b"c")])


def test_a_stored_record_tells_its_image_only_by_its_address() -> None:
    """A stored record with a `_base64` or without `_url` does not tell which image it has."""
    expected = image_hash(url_parts({"_url": "u"}, None))
    assert stored_image_hash({"_id": "1", "_url": "u"}, None) == expected
    assert stored_image_hash({"_id": "1", "_url": "u", "_base64": "b"}, None) is None
    assert stored_image_hash({"_id": "1"}, None) is None


def test_a_file_is_known_by_size_time_and_inode() -> None:
    """Each of path, size, time and inode makes another stamp."""
    stamps = {
        stamp_of("a", 1, 2, 3),
        stamp_of("b", 1, 2, 3),
        stamp_of("a", 9, 2, 3),
        stamp_of("a", 1, 9, 3),
        stamp_of("a", 1, 2, 9),
    }
    assert len(stamps) == 5


@given(st.binary(min_size=16, max_size=16), st.none() | st.binary(min_size=16, max_size=16))
def test_a_mark_is_read_back(meta: bytes, image: bytes | None) -> None:
    """What is written into a record is read out of it."""
    mark = Mark(meta, image, shape_key(["a"]))
    assert Mark.read(str(mark)) == mark


@pytest.mark.parametrize("value", [None, 7, "", "1.a.b", "2." + "0" * 32 + ".-.k", "1.zz.-.k"])
def test_what_is_no_mark_is_none(value: Any) -> None:
    """Another version, a torn text, a number: no mark."""
    assert Mark.read(value) is None
