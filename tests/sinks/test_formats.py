"""From JSON lines to what a file's ending asks for."""

from __future__ import annotations

import csv
import gzip
import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ximilar_async.errors import ConfigError
from ximilar_async.sinks import Conversion, Format, format_of, replaced
from ximilar_async.sinks._columns import Columns
from ximilar_async.sinks._parquet import ClashError, ParquetSink, Types

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RECORDS: list[dict[str, Any]] = [
    {"_id": "1", "price": 5, "name": 'A "good", red\nboot', "sizes": [41, 42]},
    {"price": 7.5, "_id": "2", "shop": {"city": "Brno"}, "on": True, "name": None},
    {"_id": "3", "sizes": [], "mixed": "five", "none": None, "shop": {"street": "Dlouhá"}},
    {"_id": "4", "mixed": 5, "void": {}},
]


@pytest.fixture
def converted(tmp_path: Path) -> Callable[..., tuple[Path, list[str]]]:
    """Return what writes records to a file of a name, and what was noted about it."""

    def converted(
        records: list[dict[str, Any]], name: str, **settings: Any
    ) -> tuple[Path, list[str]]:
        spool, path = tmp_path / "spool", tmp_path / name
        lines = (orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in records)
        spool.write_bytes(b"".join(lines))
        conversion = Conversion(spool, path, format_of(name), **settings)
        *_, last = [0, *conversion.steps()]
        assert last == len(records)
        return path, conversion.notes

    return converted


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("a.jsonl", Format("jsonl")),
        ("a.NDJSON", Format("jsonl")),
        ("a.b.csv", Format("csv")),
        ("a.tsv.gz", Format("tsv", "gzip")),
        ("a.jsonl.zst", Format("jsonl", "zstd")),
        ("a.parquet", Format("parquet")),
    ],
)
def test_the_ending_decides(name: str, format: Format) -> None:
    """Capitals and further dots do not matter."""
    assert format_of(f"folder.csv/{name}") == format


@pytest.mark.parametrize("name", ["a", "a.json", "a.gz", "a.xlsx", ".csv", "a.csv.bz2"])
def test_an_unknown_ending_is_refused_with_those_that_are_known(name: str) -> None:
    """The message names the file and every ending."""
    with pytest.raises(ConfigError, match=r"\.jsonl.*\.csv.*\.parquet.*\.gz or \.zst") as caught:
        format_of(name)
    assert repr(name) in str(caught.value)


def test_parquet_is_not_compressed_once_more() -> None:
    """The message says what to write instead."""
    with pytest.raises(ConfigError, match=r"end in \.parquet"):
        format_of("a.parquet.gz")


@pytest.mark.parametrize("group", [1, 2, 100])
def test_csv_holds_every_field_of_every_record(converted: Any, group: int) -> None:
    """Columns are the union of the fields; texts stand as they are, all else as JSON."""
    path, notes = converted(RECORDS, "a.csv", group=group)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = ["_id", "price", "name", "sizes", "shop", "on", "mixed", "none", "void"]
    assert list(rows[0]) == names
    for row, record in zip(rows, RECORDS, strict=True):
        for name in names:
            value = record.get(name)
            text = value if isinstance(value, str) else "" if value is None else None
            assert row[name] == text if text is not None else json.loads(row[name]) == value
    assert notes == []


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.parquet"])
def test_a_table_can_keep_to_some_columns(converted: Any, name: str) -> None:
    """Columns that were named come in that order, those that no record has too."""
    path, _ = converted(RECORDS, name, fields=["_id", "nowhere", "price"])
    if name == "a.parquet":
        assert pq.read_table(path).to_pylist()[1] == {"_id": "2", "nowhere": None, "price": 7.5}
    else:
        first = path.read_text(encoding="utf-8").splitlines()[0]
        assert first.replace("\t", ",") == "_id,nowhere,price"


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst"])
def test_compressed_lines_are_the_lines(converted: Any, name: str) -> None:
    """What is read back is what was gathered; the same records make the same bytes."""
    path, _ = converted(RECORDS, name, group=2)
    data = path.read_bytes()
    if name.endswith(".gz"):
        text = gzip.decompress(data)
    else:
        with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
            text = stream.read()
    assert [json.loads(line) for line in text.splitlines()] == RECORDS
    assert converted(RECORDS, name, group=2)[0].read_bytes() == data


@pytest.mark.parametrize("group", [1, 2, 100])
def test_parquet_has_the_types_that_hold_all_records(converted: Any, group: int) -> None:
    """Numbers widen, objects gather fields, mixed values become JSON text, however cut up."""
    path, notes = converted(RECORDS, "a.parquet", group=group)
    table = pq.read_table(path)
    assert {column.name: str(column.type) for column in table.schema} == {
        "_id": "string",
        "price": "double",
        "name": "string",
        "sizes": "list<element: int64>",
        "shop": "struct<city: string, street: string>",
        "on": "bool",
        "mixed": "string",
        "none": "string",
        "void": "string",
    }
    rows = table.to_pylist()
    assert [row["mixed"] for row in rows] == [None, None, '"five"', "5"]
    assert rows[3]["void"] == "{}"
    assert rows[1]["shop"] == {"city": "Brno", "street": None}
    assert notes == ["mixed: values of several types, written as JSON text"]
    assert pq.ParquetFile(path).num_row_groups == -(-len(RECORDS) // group)


def test_a_number_that_no_float_holds_keeps_its_digits(converted: Any) -> None:
    """2**53 + 1 among floats makes a column of text, though each group alone has one type."""
    records = [{"_id": "1", "n": 2**53 + 1}, {"_id": "2", "n": 0.5}, {"_id": "3", "n": 2**64 - 1}]
    for chosen in (records[:2], records):
        path, notes = converted(chosen, "a.parquet", group=1)
        values = [json.loads(row["n"]) for row in pq.read_table(path).to_pylist()]
        assert values == [record["n"] for record in chosen]
        assert len(notes) == 1


def test_a_value_that_does_not_fit_is_no_silent_loss(tmp_path: Path) -> None:
    """The sink names the column."""
    types = Types()
    types.add([{"_id": "1", "n": 1}])
    with (
        (tmp_path / "a").open("wb") as target,
        closing(ParquetSink(target, types)) as sink,
        pytest.raises(ClashError, match="n"),
    ):
        sink.write([{"_id": "1", "n": "one"}])


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2)
    ),
    max_leaves=6,
)


def _same(told: Any, value: Any) -> bool:
    """Tell whether a value of a table is one of JSON: what is missing may stand as null."""
    if isinstance(value, dict) and isinstance(told, dict):
        return all(_same(told.get(name), value.get(name)) for name in {*told, *value})
    if isinstance(value, list) and isinstance(told, list):
        return len(told) == len(value) and all(map(_same, told, value))
    return bool(told == value)


@settings(deadline=None, max_examples=60)
@given(records=st.lists(st.dictionaries(st.sampled_from("xyz"), JSON, max_size=3), max_size=5))
def test_no_json_is_lost_in_a_table(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]]
) -> None:
    """Whatever records hold, a Parquet file can be written and says the same."""
    folder = tmp_path_factory.mktemp("any")
    records = [{"_id": str(n), **record} for n, record in enumerate(records)]
    spool, path = folder / "spool", folder / "a.parquet"
    spool.write_bytes(b"".join(orjson.dumps(r, option=orjson.OPT_APPEND_NEWLINE) for r in records))
    list(Conversion(spool, path, format_of(path), group=2).steps())
    rows = pq.read_table(path).to_pylist()
    for row, record in zip(rows, records, strict=True):
        for name, told in row.items():
            value = record.get(name)
            as_text = isinstance(told, str) and value is not None
            assert _same(told, value) or (as_text and json.loads(told) == value)


def test_an_empty_collection_makes_a_table_without_rows(converted: Any) -> None:
    """It has the column `_id` and can be read."""
    assert converted([], "a.csv")[0].read_text() == "_id\n"
    assert pq.read_table(converted([], "a.parquet")[0]).num_rows == 0
    assert gzip.decompress(converted([], "a.jsonl.gz")[0].read_bytes()) == b""


def test_fields_without_end_are_no_table() -> None:
    """Ids used as names of fields would make a column each: refused with what to do."""
    columns = Columns(most=3)
    columns.add([{"_id": "1", "a": 1, "b": 1}])
    with pytest.raises(ConfigError, match=r"more than 3 different fields.*\.jsonl"):
        columns.add([{"c": 1}])


@pytest.mark.parametrize("name", ["a.csv.zst", "a.csv", "a.parquet"])
def test_a_conversion_that_breaks_off_leaves_what_was_there(tmp_path: Path, name: str) -> None:
    """An error in the middle, or a step that is never taken, leaves the old file and no other."""
    (tmp_path / "spool").write_bytes(b'{"_id":"1"}\n{"_id":"2"}\nnonsense\n')
    path = tmp_path / name
    path.write_text("old")
    steps = Conversion(tmp_path / "spool", path, format_of(name), fields=["_id"], group=1).steps()
    with pytest.raises(ValueError, match="expected"):
        list(steps)
    assert path.read_text() == "old"
    assert sorted(tmp_path.iterdir()) == sorted([path, tmp_path / "spool"])


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.jsonl.gz"])
def test_what_a_killed_process_left_is_written_over(
    converted: Any, tmp_path: Path, name: str
) -> None:
    """A half-written file has a name of its own, and is gone with the next one that is whole."""
    left = tmp_path / f"{name}.new"
    left.write_bytes(b"half" * 10_000)
    path, _ = converted(RECORDS, name)
    data = path.read_bytes()
    assert not left.exists()
    assert converted(RECORDS, name)[0].read_bytes() == data


def test_a_new_file_takes_the_permissions_of_the_old(tmp_path: Path) -> None:
    """And those of any new file where there was none."""
    path = tmp_path / "a"
    path.touch()
    path.chmod(0o640)
    (tmp_path / "plain").touch()
    for name in ("a", "b"):
        with replaced(tmp_path / name) as target:
            target.write(b"new")
    assert path.stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "b").stat().st_mode == (tmp_path / "plain").stat().st_mode
