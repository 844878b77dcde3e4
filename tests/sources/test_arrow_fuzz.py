"""Arrow's formats cut and damaged anywhere: no row is lost in silence, nothing else is raised."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ximilar_async.errors import SourceError
from ximilar_async.sources import ArrowFileSource, ArrowStreamSource, ParquetSource
from ximilar_async.sources._values import plain_row

if TYPE_CHECKING:
    from ximilar_async.sources import Entry

COUNT = 120
TABLE = pa.table(
    {
        "_id": [f"sku-{number}" for number in range(COUNT)],
        "price": [number / 4 for number in range(COUNT)],
        "tags": [["boot", str(number)] for number in range(COUNT)],
    }
)


def written(kind: str) -> bytes:
    file = io.BytesIO()
    if kind == "parquet":
        pq.write_table(TABLE, file, row_group_size=40, write_page_checksum=True)
        return file.getvalue()
    make = pa.ipc.new_stream if kind == "stream" else pa.ipc.new_file
    with make(file, TABLE.schema) as writer:
        writer.write_table(TABLE, max_chunksize=40)
    return file.getvalue()


WHOLE = {kind: written(kind) for kind in ("parquet", "stream", "file")}


def until_footer(data: bytes | bytearray) -> int:
    """Return where the footer of a Parquet file begins."""
    return len(data) - 8 - int.from_bytes(data[-8:-4], "little")


def read(source: Any) -> tuple[list[Entry], bool]:
    """Return the entries, and whether the source broke off."""
    found: list[Entry] = []
    try:
        for chunk in source._told(raw=False):
            found += chunk
    except SourceError:
        return found, True
    return found, False


def read_bytes(kind: str, data: bytes) -> tuple[list[Entry], bool]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shop"
        path.write_bytes(data)
        return read(ParquetSource(path) if kind == "parquet" else ArrowFileSource(path))


@pytest.mark.parametrize("kind", WHOLE)
@given(cut=st.data())
def test_a_file_cut_anywhere_is_told(kind: str, cut: st.DataObject) -> None:
    """What comes before the cut are rows from the first on; a cut is never taken for the end."""
    data = WHOLE[kind]
    found, broke = read_bytes(kind, data[: cut.draw(st.integers(0, len(data) - 1))])
    assert broke
    assert [entry.record for entry in found] == TABLE.to_pylist()[: len(found)]
    assert not found or kind == "stream"


@pytest.mark.parametrize("kind", WHOLE)
@given(
    flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 255)), min_size=1, max_size=4)
)
def test_a_damaged_file_gives_rows_or_is_told(kind: str, flips: list[tuple[int, int]]) -> None:
    """Wrong bytes crash nothing: each row is an entry, or the file is a SourceError.

    Of Parquet the footer is spared: of one in some thousand of damaged ones pyarrow 26 dies.
    """
    data = bytearray(WHOLE[kind])
    end = until_footer(data) if kind == "parquet" else len(data)
    for place, mask in flips:
        data[place % end] ^= mask
    found, broke = read_bytes(kind, bytes(data))
    assert [entry.where for entry in found] == [f"row {n}" for n in range(1, len(found) + 1)]
    assert broke or len(found) == COUNT


NUMBERS = st.floats(width=32) | st.none()
DAYS = st.dates() | st.none()


@st.composite
def columns(draw: st.DrawFn) -> dict[str, list[Any]]:
    """Draw some columns of one length, each of values of one kind, nested or not."""
    count = draw(st.integers(1, 6))
    kinds: list[st.SearchStrategy[Any]] = [
        st.text(max_size=8) | st.none(),
        st.integers(-(2**63), 2**63 - 1),
        NUMBERS,
        DAYS,
        st.decimals(-999, 999, places=2),
        st.datetimes(timezones=st.just(None)),
        st.lists(NUMBERS, max_size=3),
        st.fixed_dictionaries({"a": st.text(max_size=4), "b": st.lists(DAYS, max_size=2)}),
        st.binary(max_size=4),
    ]
    chosen = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=4))
    return {
        f"column {number}": draw(st.lists(kind, min_size=count, max_size=count))
        for number, kind in enumerate(chosen)
    }


@given(columns())
def test_rows_are_what_the_rule_of_each_type_makes_of_them(drawn: dict[str, list[Any]]) -> None:
    """Deciding by column gives what deciding value by value would, faults included."""
    table = pa.table(drawn)
    found, broke = read(ArrowStreamSource(table))
    assert not broke
    assert len(found) == len(table)
    for entry, row in zip(found, table.to_pylist(), strict=True):
        try:
            expected = plain_row(row)
        except ValueError:
            assert entry.fault is not None
            continue
        assert (entry.fault, entry.record) == (None, expected)
