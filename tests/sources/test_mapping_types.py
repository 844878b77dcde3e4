"""The types and the kinds of images that a mapping can give a column."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from naming import by_value

from ximilar_async.errors import ConfigError
from ximilar_async.sources._conversions import TYPES, conversion
from ximilar_async.sources._mapped_image import KINDS, image_field

KEPT: list[tuple[str, Any, Any]] = [
    ("text", " x ", " x "),
    ("text", b"caf\xc3\xa9", "café"),
    ("text", 1234, "1234"),
    ("text", 1.5, "1.5"),
    ("text", Decimal("19.90"), "19.90"),
    ("text", True, "true"),
    ("text", date(2026, 3, 1), "2026-03-01"),
    ("text", np.int64(7), "7"),
    ("text", np.datetime64("2026-03-01T00:00:00.000000000"), "2026-03-01T00:00:00"),
    ("text", None, None),
    ("int", " 12 ", 12),
    ("int", "12.0", 12),
    ("int", "-3", -3),
    ("int", 12.0, 12),
    ("int", Decimal("12.00"), 12),
    ("int", b"12", 12),
    ("int", "", None),
    ("int", None, None),
    ("float", "19.90", 19.9),
    ("float", "1e3", 1000.0),
    ("float", 5, 5.0),
    ("float", Decimal("0.1234567890123456789"), 0.12345678901234568),
    ("float", " ", None),
    ("bool", "Yes", True),
    ("bool", "f", False),
    ("bool", 0, False),
    ("bool", 1.0, True),
    ("bool", np.bool_(False), False),  # noqa: FBT003 - a value
    ("bool", "", None),
    ("json", '{"a": [1, null]}', {"a": [1, None]}),
    ("json", {"a": Decimal("1.5")}, {"a": 1.5}),
    ("json", b"[1]", [1]),
    ("json", " ", None),
    ("list", "red, blue,, ", ["red", "blue"]),
    ("list", ["red ", "", None, 7], ["red", "7"]),
    ("list", np.array(["red", "blue"]), ["red", "blue"]),
    ("list", {"b", "a"}, ["a", "b"]),
    ("list", "", []),
    ("list", None, []),
    ("list(|)", "a|b, c", ["a", "b, c"]),
    ("list( and )", "a and b", ["a", "b"]),
    ("base64", b"boot", "Ym9vdA=="),
    ("base64", None, None),
]


@pytest.mark.parametrize(("kind", "value", "expected"), KEPT, ids=by_value)
def test_a_type_makes_of_a_cell_what_it_says(kind: str, value: Any, expected: Any) -> None:
    """A cell of any library becomes a value of just that type; a blank number is null."""
    found = conversion(kind)(value, "x")
    assert (found, type(found)) == (expected, type(expected))


REFUSED: list[tuple[str, Any, str]] = [
    ("text", b"\xff", "not UTF-8"),
    ("text", "\ud800", "lone surrogate"),
    ("text", float("nan"), "nan, which JSON cannot carry"),
    ("text", ["x"], "list, which has no text"),
    ("int", "1.5", "no whole number"),
    ("int", "1e-9", "no whole number"),
    ("int", "1_000", "no number"),
    ("int", "٣", "no number"),
    ("int", True, "no number"),
    ("int", 2**64, "beyond 64 bits"),
    ("int", "1e99", "beyond 64 bits"),
    ("float", "19,90", "write it as 19.90"),
    ("float", "1.234,50", "no number"),
    ("float", "nan", "no number"),
    ("float", "1e999", "inf"),
    ("float", float("inf"), "inf"),
    ("float", Decimal("sNaN"), "sNaN"),
    ("bool", "maybe", "neither true nor false"),
    ("bool", 2, "neither true nor false"),
    ("json", "{", "no JSON at character 2"),
    ("json", "NaN", "is nan"),
    ("json", "[" * 100_000, "nested too deeply"),
    ("list", 1j, "complex"),
    ("list", [["x"]], "x[0] is list"),
    ("base64", "text", "str, not bytes"),
]


@pytest.mark.parametrize(("kind", "value", "words"), REFUSED, ids=by_value)
def test_what_is_of_no_such_type_is_refused(kind: str, value: Any, words: str) -> None:
    """The message begins with what the cell is called, and says what is wrong."""
    with pytest.raises(ValueError, match=r"^x") as caught:
        conversion(kind)(value, "x")
    assert words in str(caught.value)


@pytest.mark.parametrize("name", ["", "list()", "string", "Int", None])
def test_unknown_types_are_refused_before_any_row(name: Any) -> None:
    """A type that does not exist is an error of the mapping."""
    with pytest.raises(ConfigError):
        conversion(name)


CELLS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.text(st.characters())
    | st.sampled_from(["1", "1.0", "1e400", "yes", "[1]", "a,b", "data:;base64,aGk=", "s3://x/y"])
    | st.binary()
    | st.dates()
    | st.lists(st.text() | st.integers(), max_size=2)
    | st.dictionaries(st.sampled_from(["bytes", "path", "x"]), st.text() | st.none(), max_size=2)
)


@given(st.sampled_from([*TYPES, "list(;)"]), CELLS)
def test_any_cell_becomes_json_or_a_value_error(kind: str, value: Any) -> None:
    """No cell makes a type raise anything but ValueError, and what comes out is JSON."""
    try:
        found = conversion(kind)(value, "x")
    except ValueError:
        return
    assert orjson.loads(orjson.dumps(found)) == found


# --- images -------------------------------------------------------------------------------------

IMAGES: list[tuple[str, Any, Any]] = [
    ("auto", "https://example.com/1.jpg", ("_url", "https://example.com/1.jpg")),
    ("auto", " HTTP://example.com/1.jpg ", ("_url", "HTTP://example.com/1.jpg")),
    ("auto", "boots/1.jpg", ("_file", "boots/1.jpg")),
    ("auto", "C:\\boots\\1.jpg", ("_file", "C:\\boots\\1.jpg")),
    ("auto", PurePosixPath("boots/1.jpg"), ("_file", "boots/1.jpg")),
    ("auto", b"\x89PNG", ("_image", b"\x89PNG")),
    ("auto", "data:image/png;base64,aGk=", ("_base64", "aGk=")),
    ("auto", {"bytes": b"\x89PNG", "path": None}, ("_image", b"\x89PNG")),
    ("auto", {"bytes": None, "path": "1.jpg"}, ("_file", "1.jpg")),
    ("auto", ["1.jpg"], ("_file", "1.jpg")),
    ("auto", [], None),
    ("auto", " ", None),
    ("auto", None, None),
    ("url", b"https://example.com/1.jpg", ("_url", "https://example.com/1.jpg")),
    ("url", "//example.com/1.jpg", ("_url", "//example.com/1.jpg")),
    ("file", "data:x", ("_file", "data:x")),
    ("base64", "aG k=\n", ("_base64", "aGk=")),
    ("base64", b"aGk=", ("_base64", "aGk=")),
    ("bytes", bytearray(b"\x89PNG"), ("_image", bytearray(b"\x89PNG"))),
]


@pytest.mark.parametrize(("kind", "value", "expected"), IMAGES, ids=by_value)
def test_an_image_goes_where_its_kind_belongs(kind: str, value: Any, expected: Any) -> None:
    """Address, path, bytes and base64 are told by the value, or by what the mapping says."""
    assert image_field(value, "photo", kind) == expected


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        ("auto", "s3://bucket/1.jpg", "neither http"),
        ("auto", "data:image/png,%89", "neither http"),
        ("auto", "data:image/png;base64,***", "no image in base64"),
        ("auto", 7, "is int"),
        ("auto", ["1.jpg", "2.jpg"], "holds 2 images"),
        ("bytes", "1.jpg", "is str, not the bytes"),
        ("base64", "aGk", "no image in base64"),
        ("url", b"\xff", "not UTF-8"),
        ("file", datetime(2026, 1, 1), "is datetime"),  # noqa: DTZ001 - no date is a path
    ],
)
def test_what_is_no_image_is_refused(kind: str, value: Any, words: str) -> None:
    """The message names the column and what it holds."""
    with pytest.raises(ValueError, match=r"^photo") as caught:
        image_field(value, "photo", kind)
    assert words in str(caught.value)


@given(st.sampled_from(KINDS), CELLS)
def test_any_cell_is_an_image_or_a_value_error(kind: str, value: Any) -> None:
    """No cell raises anything else."""
    try:
        found = image_field(value, "photo", kind)
    except ValueError:
        return
    assert found is None or found[0] in ("_url", "_file", "_image", "_base64")
