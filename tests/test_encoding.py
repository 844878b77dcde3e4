"""Records to JSON: nothing changes silently on the way, and what cannot travel is named."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import json
import uuid
from math import inf, nan
from typing import Any, NamedTuple

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ximilar_async._encoding import (
    Encoded,
    encode_body,
    encode_request,
    joined,
    with_image,
)
from ximilar_async.errors import RecordError


class Colour(enum.Enum):
    RED = "red"
    UNKNOWN = nan


class Name(enum.StrEnum):
    PRICE = "price"


class Point(NamedTuple):
    x: int
    y: int


@dataclasses.dataclass
class Item:
    price: float


def nested(levels: int) -> Any:
    """Return a body with so many lists in each other."""
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return {"a": value}


def cyclic_list() -> Any:
    values: list[Any] = [1]
    values.append(values)
    return values


def cyclic_dict() -> Any:
    record: dict[str, Any] = {"price": 1}
    record["self"] = record
    return record


NO_JSON_FORM: dict[str, tuple[Any, str]] = {
    "NaN": ({"records": [{"_id": "1"}, {"price": nan}]}, r"records\[1\].price is nan, .* cannot"),
    "infinity": ({"a": {"b": [0, inf]}}, r"a.b\[1\] is inf, which JSON cannot carry"),
    "minus infinity": ({"a": -inf}, "a is -inf"),
    "2**64": ({"a": 2**64}, "a is an integer beyond 64 bits"),
    "-2**63-1": ({"a": -(2**63) - 1}, "a is an integer beyond 64 bits"),
    "lone surrogate": ({"records": [{"name": "a\ud800"}]}, r"records\[0\].name has a lone surr"),
    "surrogate in a key": ({"a": [{"\udfff": 1}]}, r"a\[0\] key has a lone surrogate"),
    "integer key": ({"a": {1: 2}}, "a has the key 1, which is no plain string"),
    "key of the body": ({1: 2}, "the value has the key 1"),
    "None as key": ({"a": [{None: 2}]}, r"a\[0\] has the key None"),
    "enum as key": ({"a": {Name.PRICE: 2}}, "a has the key <Name.PRICE: 'price'>"),
    "datetime": ({"a": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}, "a is datetime, .*"),
    "date": ({"records": [{"day": dt.date(2026, 1, 1)}]}, r"records\[0\].day is date, "),
    "time": ({"a": dt.time(1)}, "a is time"),
    "bytes": ({"a": {"b": b"x"}}, "a.b is bytes, which has no JSON form; convert it first"),
    "set": ({"a": {"x"}}, "a is set"),
    "Decimal": ({"a": decimal.Decimal("1.5")}, "a is Decimal"),
    "complex": ({"a": 1j}, "a is complex"),
    "object": ({"a": object()}, "a is object"),
    "dataclass": ({"a": [Item(nan)]}, r"a\[0\] is Item, which has no JSON form"),
    "class": ({"a": Encoded}, "a is type"),
    "numpy float": ({"a": [np.float64(1.5)]}, r"a\[0\] is float64, .* convert it first"),
    "numpy integer": ({"a": np.int64(1)}, "a is int64"),
    "numpy array": ({"a": np.zeros(2)}, "a is ndarray"),
    "named tuple": ({"a": Point(1, 2)}, "a is Point"),
    "enum of a NaN": ({"a": Colour.UNKNOWN}, "a is nan"),
    "deep nesting": (nested(255), r"a(\[0\])+.*… is nested deeper than 254 levels"),
    "very deep nesting": (nested(5000), "is nested deeper than"),
    "cyclic list": ({"a": cyclic_list()}, r"a\[1\]\[1\].*… is nested deeper than"),
    "cyclic dict": ({"records": [cyclic_dict()]}, r"records\[0\].self.self.*… is nested deeper"),
}


@pytest.mark.parametrize(("body", "words"), NO_JSON_FORM.values(), ids=list(NO_JSON_FORM))
def test_what_json_cannot_carry_is_refused_by_its_path(body: Any, words: str) -> None:
    """A value that would change or fail on the way is refused, and the message says where it is."""
    with pytest.raises(RecordError, match=words) as caught:
        encode_body(body)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -(2**63),
        2**64 - 1,
        1.5,
        -0.0,
        5e-324,
        1.7976931348623157e308,
        "",
        "é€😀\0",
        [],
    ],
)
def test_values_arrive_as_they_left(value: Any) -> None:
    """Values that JSON has arrive as they are, to the last bit, beside a null too."""
    wire = encode_body({"a": value, "n": None})
    assert json.loads(wire) == {"a": value, "n": None}
    assert repr(json.loads(wire)["a"]) == repr(value)


@pytest.mark.parametrize("with_null", [False, True])
def test_types_with_one_meaning_travel_as_it(*, with_null: bool) -> None:
    """Tuples, enums, UUIDs and subclasses of dict, list and str are sent as what they stand for."""

    class Shop(dict[str, Any]):
        pass

    id_ = uuid.UUID(int=5)
    body = {
        "t": (1, "2"),
        "e": Colour.RED,
        "s": Name.PRICE,
        "u": id_,
        "d": Shop(a=1),
        "n": None if with_null else 0,
    }
    assert json.loads(encode_body(body)) == {
        "t": [1, "2"],
        "e": "red",
        "s": "price",
        "u": str(id_),
        "d": {"a": 1},
        "n": body["n"],
    }


@pytest.mark.parametrize("levels", [1, 200, 250, 253])
@pytest.mark.parametrize("null", [{}, {"n": None}], ids=["plain", "beside a null"])
def test_nesting_up_to_the_bound_is_taken(levels: int, null: dict[str, Any]) -> None:
    """How deep a record may be does not depend on whether there is a null in it."""
    body = nested(levels) | null
    assert json.loads(encode_body(body)) == body


def test_the_word_null_in_a_text_is_no_null() -> None:
    """A text that contains "null" is no reason to refuse anything."""
    assert encode_body({"a": "null", "b": ["nullable"]}) == b'{"a":"null","b":["nullable"]}'


def test_a_null_that_was_nan_is_told_from_a_null() -> None:
    """In `update` null removes a field, so a NaN beside a wanted null must not become one."""
    with pytest.raises(RecordError, match=r"records\[0\].price is nan"):
        encode_body({"records": [{"_id": "1", "sale": None, "price": nan}]})


def test_what_is_encoded_goes_into_a_body_byte_for_byte() -> None:
    """A record that was encoded once is not encoded again, alone or in a list."""
    wire = encode_body({"_id": "1", "price": 2.50, "n": None})
    assert wire == b'{"_id":"1","price":2.5,"n":null}'
    both = {"records": Encoded.list_of([wire, wire]), "query_record": Encoded.of(wire)}
    start = b'{"records":[' + wire + b"," + wire + b'],"query_record":' + wire
    assert encode_request(both) == start + b"}"
    assert encode_request({**both, "radius": None}) == start + b',"radius":null}'
    assert encode_request({"k": 1, "records": Encoded.list_of([])}) == b'{"records":[],"k":1}'


@pytest.mark.parametrize("sizes", [[10], [10, 10], [70_000], [70_000] * 3, [3000] * 40])
def test_image_data_is_put_in_when_it_leaves(sizes: list[int]) -> None:
    """Whatever is handed on in pieces, together it is the JSON of the records, with their sizes."""
    records = [{"_id": f"{n}", "_base64": "A" * size} for n, size in enumerate(sizes)]
    wires = [
        with_image(encode_body({"_id": record["_id"]}), record["_base64"].encode())
        for record in records
    ]
    assert [len(wire) for wire in wires] == [len(encode_body(record)) for record in records]
    whole = Encoded.list_of(wires)
    assert orjson.loads(joined(whole.wire())) == records
    assert len(whole.wire()) == len(whole) == len(encode_body({"r": records})) - len('{"r":}')


def test_a_query_of_an_image_alone_has_no_empty_field() -> None:
    """An image may be all that a record has."""
    assert joined(with_image(b"{}", b"/9j/")) == b'{"_base64":"/9j/"}'


def test_large_image_data_is_not_copied() -> None:
    """The very bytes that were encoded are handed on; small pieces around them are put together."""
    image = b"A" * 2**20
    pieces = Encoded.of(Encoded.list_of([with_image(b'{"_id":"1"}', image)] * 2).wire()).pieces
    assert [piece is image for piece in pieces] == [False, True, False, True, False]


@pytest.mark.parametrize("record", [{"_base64": nan}, {"_base64": "AAAA", "price": nan}])
def test_nan_beside_or_in_place_of_image_data_is_found(record: dict[str, Any]) -> None:
    """Image data is not searched for what became null; everything else is."""
    with pytest.raises(RecordError, match="is nan, which JSON cannot carry"):
        encode_body(record)


def test_what_is_encoded_shows_no_content() -> None:
    """The repr is short whatever the record holds: it may be an image of megabytes."""
    assert repr(Encoded.of(encode_body({"_base64": "A" * 10**6}))) == "Encoded()"


def test_the_record_given_is_not_changed() -> None:
    """Encoding reads and never writes."""
    record = {"_id": "1", "tags": ["a"], "size": {"x": None}}
    encode_body(record)
    assert record == {"_id": "1", "tags": ["a"], "size": {"x": None}}


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_every_json_value_survives(body: dict[str, Any]) -> None:
    """Whatever JSON can say comes out of the wire form as it went in."""
    assert orjson.loads(encode_body(body)) == body


ODD = st.recursive(
    JSON
    | st.floats()
    | st.integers()
    | st.text(st.characters(categories=["Cs", "Lu"]))
    | st.binary()
    | st.datetimes()
    | st.decimals(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text() | st.integers() | st.none(), inner, max_size=3)
        | st.tuples(inner)
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(), ODD, max_size=3))
def test_what_cannot_survive_is_refused(body: dict[str, Any]) -> None:
    """Anything at all either comes out as it went in or is refused: nothing is changed silently."""
    try:
        wire = encode_body(body)
    except RecordError:
        return
    assert orjson.loads(wire) == orjson.loads(json.dumps(body, allow_nan=False))
