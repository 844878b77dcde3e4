"""Values of any library to JSON: the rule of each type, and what is refused."""

from __future__ import annotations

import uuid
from collections import OrderedDict
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from naming import by_value

from ximilar_async.sources._values import plain, plain_entry, plain_row


class Size(IntEnum):
    SMALL = 1


class Colour(Enum):
    RED = "red"


class Word(str):
    __slots__ = ()


class Pair(NamedTuple):
    a: int
    b: str


PRAGUE = timezone(timedelta(hours=2))
NAT = type("NaTType", (datetime,), {"__module__": "pandas._libs.tslibs.nattype"})(2026, 1, 1)

KEPT: list[tuple[Any, Any]] = [
    (None, None),
    (True, True),
    ("café", "café"),
    (Word("x"), "x"),
    (2**64 - 1, 2**64 - 1),
    (-(2**63), -(2**63)),
    (Size.SMALL, 1),
    (Colour.RED, "red"),
    (1.5, 1.5),
    (Decimal("19.90"), 19.9),
    (Decimal("19.00"), 19.0),
    (Decimal(19), 19),
    (Decimal("1.9E+3"), 1900),
    (date(2026, 3, 1), "2026-03-01"),
    (datetime(2026, 3, 1, 12, 30), "2026-03-01T12:30:00"),  # noqa: DTZ001 - no zone is the case
    (datetime(2026, 3, 1, 12, 30, tzinfo=PRAGUE), "2026-03-01T10:30:00Z"),
    (datetime(2026, 3, 1, 12, 30, 0, 5, tzinfo=UTC), "2026-03-01T12:30:00.000005Z"),
    (time(12, 30), "12:30:00"),
    (timedelta(days=1, milliseconds=500), 86400.5),
    (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
    ((1, (2,)), [1, [2]]),
    (Pair(1, "x"), [1, "x"]),
    ({"b", "a"}, ["a", "b"]),
    (set("jihgfedcba"), list("abcdefghij")),
    (frozenset({2, 1}), [1, 2]),
    (OrderedDict(a=1), {"a": 1}),
    (MappingProxyType({"a": Decimal(1)}), {"a": 1}),
    ({1: "x"}, {"1": "x"}),
    (np.float32(0.5), 0.5),
    (np.int8(3), 3),
    (np.bool_(True), True),  # noqa: FBT003 - a value
    (np.str_("x"), "x"),
    (np.array([[1, 2]]), [[1, 2]]),
    (np.datetime64("2026-03-01"), "2026-03-01"),
    (np.datetime64("2026-03-01T12:30:00.000000000"), "2026-03-01T12:30:00"),
    (np.datetime64("NaT", "s"), None),
    (np.timedelta64(90, "s"), 90.0),
    (NAT, None),
]


@pytest.mark.parametrize(("value", "expected"), KEPT, ids=by_value)
def test_each_type_has_its_rule(value: Any, expected: Any) -> None:
    """A value becomes what its rule says, of just that type."""
    found = plain(value)
    assert (found, type(found)) == (expected, type(expected))


REFUSED: list[tuple[Any, str]] = [
    (float("nan"), "is nan"),
    (float("-inf"), "is -inf"),
    (np.float32("nan"), "is nan"),
    (Decimal("NaN"), "is NaN"),
    (Decimal("sNaN"), "is sNaN"),
    (Decimal("0.12345678901234567890"), "more digits"),
    (Decimal("1E-999999"), "more digits"),
    (Decimal("1E+999999"), "beyond 64 bits"),
    (Decimal(2**64), "beyond 64 bits"),
    (2**64, "beyond 64 bits"),
    (-(2**63) - 1, "beyond 64 bits"),
    ("\ud800", "lone surrogate"),
    (b"x", "is bytes"),
    (memoryview(b"x"), "is bytes"),
    (np.bytes_(b"x"), "is bytes"),
    (timedelta.max, "more digits"),
    (datetime.max.replace(tzinfo=timezone(timedelta(hours=-1))), "UTC has no date"),
    (np.datetime64("2026-03-01T12:30:00.000000001"), "finer than microseconds"),
    (np.datetime64(10**6, "Y"), "no date"),
    (np.longdouble(1), "is longdouble"),
    (1j, "is complex"),
    (object(), "is object"),
    (iter(()), "is tuple_iterator"),
    ({None: 1}, "has the key None"),
    ({True: 1}, "has the key True"),
    ({1: "x", "1": "y"}, "has the key '1' twice"),
    ({"\ud800": 1}, "key has a lone surrogate"),
]


@pytest.mark.parametrize(("value", "words"), REFUSED, ids=by_value)
def test_what_no_rule_keeps_is_refused_with_its_place(value: Any, words: str) -> None:
    """The message begins with the value's place, and says what is wrong."""
    with pytest.raises(ValueError, match=r"^a\.b\[1\]") as caught:
        plain({"b": [0, value]}, "a")
    assert words in str(caught.value)


def test_what_holds_itself_is_refused() -> None:
    """A list within itself ends in a refusal, not in a recursion."""
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(ValueError, match="nested deeper than 200 levels"):
        plain(endless)


def test_a_column_of_decimals_has_one_type() -> None:
    """The scale decides between whole numbers and others, not the single value."""
    assert {type(plain(Decimal(text))) for text in ("1.00", "1.50", "0.00")} == {float}
    assert {type(plain(Decimal(text))) for text in ("1", "150", "0")} == {int}


def test_a_row_keeps_its_image_and_its_order() -> None:
    """Bytes in `_image` are for the image's preparation; anywhere else they are refused."""
    row = {"price": Decimal("1.50"), "_image": b"\x89PNG", "_id": "1"}
    assert list(plain_row(row).items()) == [("price", 1.5), ("_image", b"\x89PNG"), ("_id", "1")]
    with pytest.raises(ValueError, match="_file is bytes"):
        plain_row({"_file": b"\x89PNG"})


def test_a_row_that_is_no_record_is_an_entry_with_a_fault() -> None:
    """The row stays with the entry, for the rejects."""
    row = {"_id": "1", "price": float("nan")}
    entry = plain_entry("row 7", row)
    assert (entry.where, entry.record) == ("row 7", row)
    assert entry.fault is not None
    assert entry.fault.startswith("is no record: price is nan")
    assert plain_entry("row 8", {"_id": "1"})[:3] == ("row 8", {"_id": "1"}, None)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.text(st.characters())
    | st.binary(max_size=4)
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.datetimes(timezones=st.none() | st.just(UTC) | st.just(PRAGUE))
    | st.uuids()
    | st.sampled_from([Size.SMALL, Colour.RED, np.float32(1.5), np.datetime64("NaT", "s"), 1j])
)
HASHABLE = st.integers() | st.text(st.characters()) | st.floats() | st.dates()
KEYS = st.text(max_size=3) | st.integers(0, 3)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(KEYS, inner, max_size=3)
        | st.frozensets(HASHABLE, max_size=3)
        | st.tuples(inner)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_what_comes_out_is_json_or_a_value_error(value: Any) -> None:
    """A value becomes something that JSON gives back just so, or is refused by ValueError."""
    try:
        found = plain(value, "x")
    except ValueError as error:
        assert str(error).startswith("x")  # noqa: PT017 - it may be raised, and then says this
        return
    assert orjson.loads(orjson.dumps(found)) == found


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_any_row_becomes_a_record_or_a_fault(row: dict[Any, Any]) -> None:
    """No row raises; a record's names are text."""
    entry = plain_entry("row 1", row)
    if entry.fault is None:
        assert all(type(name) is str for name in entry.record)
        orjson.dumps(entry.record)
