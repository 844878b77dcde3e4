"""Columns: the same meaning as filters on documents, whatever is appended and replaced."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ximilar_async.emulator.columns import Columns, value_key
from ximilar_async.emulator.filters import FilterError, compile_filter
from ximilar_async.emulator.values import compare

FIELDS = ("_id", "a", "b")
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, 2, -3, 2**33, 0.0, -0.0, 1.0, 1.5, 1e300]),
    st.sampled_from(["", "x", "xy", "1", "b"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["a", "b", "0"]), inner, max_size=2),
    ),
    max_leaves=5,
)
DOCUMENTS = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=3)
PATHS = st.sampled_from([*FIELDS, "a.b", "a.0", "b.a.b", "b.0.a", "gone"])
TYPES = ["int", "long", "double", "string", "object", "array", "bool", "null", "number"]


def expressions(paths: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Conditions on one field, operators beneath the field or operator first."""
    compared = st.sampled_from(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"])
    listed = st.sampled_from(["$in", "$nin", "$all"])
    operators = st.one_of(
        st.tuples(compared, VALUES),
        st.tuples(listed, st.lists(VALUES, max_size=3)),
        st.tuples(st.just("$exists"), st.booleans()),
        st.tuples(st.just("$size"), st.integers(0, 3)),
        st.tuples(st.just("$type"), st.sampled_from(TYPES)),
        st.tuples(st.just("$mod"), st.tuples(st.integers(1, 3), st.integers(-2, 2)).map(list)),
        st.tuples(st.just("$regex"), st.sampled_from(["x", "^x$", ""])),
        st.tuples(st.just("$elemMatch"), st.fixed_dictionaries({"$gte": VALUES})),
        st.tuples(st.just("$elemMatch"), st.fixed_dictionaries({"a": VALUES})),
    )
    return st.one_of(
        st.builds(lambda path, op: {path: {op[0]: op[1]}}, paths, operators),
        st.builds(lambda path, op: {op[0]: {path: op[1]}}, paths, operators),
        st.builds(lambda path, op: {path: {"$not": {op[0]: op[1]}}}, paths, operators),
        st.builds(lambda path, value: {path: value}, paths, VALUES),
    )


FILTERS = st.recursive(
    expressions(PATHS),
    lambda inner: st.one_of(
        st.builds(
            lambda name, parts: {name: parts},
            st.sampled_from(["$and", "$or", "$nor"]),
            st.lists(inner, min_size=1, max_size=3),
        ),
        st.builds(lambda part: {"$not": part}, inner),
        st.builds(lambda one, two: {**one, **two}, inner, inner),
    ),
    max_leaves=4,
)


def columns_of(documents: list[dict[str, Any]]) -> Columns:
    columns = Columns()
    for document in documents:
        columns.append(document)
    return columns


@given(documents=st.lists(DOCUMENTS, max_size=8), filters=st.lists(FILTERS, min_size=1, max_size=4))
def test_mask_means_what_the_filter_means(
    documents: list[dict[str, Any]], filters: list[dict[str, Any]]
) -> None:
    """A mask has exactly the rows whose documents the compiled filter lets through."""
    columns = columns_of(documents)
    for filter in filters:
        mask = columns.mask(filter)
        assert mask.dtype == np.bool_
        assert mask.tolist() == [compile_filter(filter)(document) for document in documents]


@given(
    documents=st.lists(DOCUMENTS, min_size=1, max_size=6),
    changes=st.lists(st.tuples(st.integers(0, 5), DOCUMENTS), max_size=12),
    filter=FILTERS,
)
def test_replacing_is_as_if_it_had_been_so_from_the_start(
    documents: list[dict[str, Any]],
    changes: list[tuple[int, dict[str, Any]]],
    filter: dict[str, Any],
) -> None:
    """After any replacements the masks and the groups are those of the documents as they are."""
    columns, now = columns_of(documents), list(documents)
    for place, document in changes:
        row = place % len(now)
        columns.replace(row, document)
        now[row] = document
    assert columns.mask(filter).tolist() == [compile_filter(filter)(document) for document in now]
    for field in FIELDS:
        assert groups(columns, field) == groups(columns_of(now), field)


def groups(columns: Columns, field: str) -> list[list[int]]:
    codes = columns.codes(field)
    return [
        np.flatnonzero(codes == code).tolist() for code in dict.fromkeys(codes.tolist()) if code
    ]


@given(values=st.lists(VALUES, max_size=10))
def test_codes_are_equal_where_values_are(values: list[Any]) -> None:
    """Two rows have the same code exactly where the values are equal, and 0 where there is none."""
    columns = columns_of([{"v": value} for value in values])
    columns.append({})
    codes = columns.codes("v")
    assert codes.dtype == np.int32
    assert codes[-1] == 0
    for i, one in enumerate(values):
        for j, other in enumerate(values):
            assert codes[i] != 0
            assert (codes[i] == codes[j]) == (compare(one, other) == 0)


@given(one=VALUES, other=VALUES)
def test_keys_are_equal_where_values_are(one: Any, other: Any) -> None:
    """The key of a value tells equality as comparison does: 1 is 1.0 and is not true."""
    assert (value_key(one) == value_key(other)) == (compare(one, other) == 0)


def test_codes_below_a_dotted_field() -> None:
    """Grouping looks into objects, through arrays at their first value."""
    columns = columns_of(
        [
            {"brand": {"name": "N"}},
            {"brand": "N"},
            {"brand": {"name": "M"}},
            {"brand": [{"name": "N"}, {"name": "M"}]},
            {"brand": []},
        ]
    )
    codes = columns.codes("brand.name").tolist()
    assert [code > 0 for code in codes] == [True, False, True, True, False]
    assert codes[0] == codes[3] != codes[2]


def test_unknown_field() -> None:
    """A field that no document has is missing everywhere: no error, no group."""
    columns = columns_of([{"a": 1}, {"a": 2}])
    assert columns.codes("gone").tolist() == [0, 0]
    assert columns.mask({"gone": {"$exists": False}, "gone.deeper": None}).all()


@pytest.mark.parametrize("distinct", [255, 256, 65_535, 65_536, 70_000])
def test_many_values(distinct: int) -> None:
    """A field keeps its values apart however many there are."""
    columns = columns_of([{"n": number} for number in range(distinct)])
    columns.append({"n": 0})
    codes = columns.codes("n")
    assert len(np.unique(codes)) == distinct
    assert codes[-1] == codes[0]
    assert np.flatnonzero(columns.mask({"n": {"$in": [0, distinct - 1]}})).tolist() == [
        0,
        distinct - 1,
        distinct,
    ]


def test_a_late_field() -> None:
    """A field that begins late, or ends early, is missing in the other rows."""
    columns = columns_of([{"early": 1}, *({} for _ in range(300)), {"late": "x"}])
    assert np.flatnonzero(columns.mask({"late": "x"})).tolist() == [301]
    assert np.flatnonzero(columns.mask({"early": {"$ne": None}})).tolist() == [0]
    assert len(columns) == 302


def test_replaced_values_are_let_go() -> None:
    """A field whose value changes at every update holds on to the values still in use alone."""
    columns = columns_of([{"n": -1, "tags": ["a"]}] * 3)
    for number in range(1000):
        columns.replace(1, {"n": number, f"field{number}": [number]})
    held = {name: len(column.numbers) for name, column in columns._columns.items()}
    assert held == {"n": 3, "tags": 2, "field999": 2}
    assert len(columns._columns["n"].values) <= 4
    columns.replace(1, {})
    assert set(columns._columns) == {"n", "tags"}


def test_image_data_is_no_field() -> None:
    """`_base64` is not kept, every other field is, `_id` and `_url` too."""
    columns = columns_of([{"_id": "1", "_url": "u", "_base64": "AAAA"}])
    assert columns.mask({"_id": "1", "_url": {"$regex": "^u"}}).all()
    assert not columns.mask({"_base64": {"$exists": True}}).any()


def test_no_filter() -> None:
    """No filter lets every row through; one that cannot be understood is refused."""
    columns = columns_of([{}, {"a": 1}])
    assert columns.mask(None).tolist() == [True, True]
    assert Columns().mask({"a": 1}).tolist() == []
    with pytest.raises(FilterError, match=r"\$foo"):
        columns.mask({"a": {"$foo": 1}})


def test_no_such_row() -> None:
    """Replacing a row that is not there is an error, not a new row."""
    columns = columns_of([{"a": 1}])
    for row in (-1, 1):
        with pytest.raises(IndexError, match=f"row {row} of 1"):
            columns.replace(row, {})
