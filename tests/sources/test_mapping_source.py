"""Sources of rows behind a mapping."""

from __future__ import annotations

import asyncio
import csv
import io
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from ximilar_async.errors import ConfigError, SourceError
from ximilar_async.sources import (
    AsyncIterableSource,
    Entry,
    FolderSource,
    JsonlSource,
    MappedSource,
    RecordMapping,
    SequenceSource,
    Source,
    as_source,
    parse_mapping,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from pathlib import Path

    from ximilar_async.sources import Chunk


async def entries(source: Source) -> list[Entry]:
    return [entry async for chunk in source.chunks() for entry in chunk]


async def records(rows: Any, mapping: RecordMapping) -> list[Any]:
    source = as_source(rows)
    return [entry.record for entry in await entries(MappedSource(source, mapping))]


TABLE = """sku,photo,labels,cost,notes
0017,https://example.com/1.jpg,"red, warm,,",19.90,x
18,boots/2.jpg,,,
"""


async def test_rows_of_a_csv_file_become_records() -> None:
    """A catalog as shops export it, by the standard library's reader."""
    mapping = RecordMapping(
        id="sku",
        image="photo",
        tags="labels",
        fields={"price": "cost"},
        types={"price": "float"},
        constants={"shop": "cz"},
    )
    assert await records(list(csv.DictReader(io.StringIO(TABLE))), mapping) == [
        {
            "_id": "0017",
            "_url": "https://example.com/1.jpg",
            "tags": ["red", "warm"],
            "price": 19.9,
            "shop": "cz",
        },
        {"_id": "18", "_file": "boots/2.jpg", "shop": "cz"},
    ]


async def test_a_column_that_is_blank_is_there_all_the_same(tmp_path: Path) -> None:
    """A CSV file whose first rows have no tags is mapped; `empty` sees its blank cells."""
    path = tmp_path / "shop.csv"
    rows = "".join(f"{number};;\n" for number in range(700))
    path.write_text(f"sku;labels;cost\n{rows}700;red;5\n", encoding="utf-8")
    mapping = RecordMapping(id="sku", tags="labels", types={"cost": "float"})
    found = await records(path, mapping)
    assert (found[0], found[700]) == ({"_id": "0"}, {"_id": "700", "tags": ["red"], "cost": 5.0})
    found = await records(path, parse_mapping([], mapping, empty="null"))
    assert found[0] == {"_id": "0", "tags": [], "cost": None}


async def test_a_bad_row_costs_that_row() -> None:
    """It is an entry with a fault and the row as it was read; what was faulty stays so."""
    rows = [{"sku": 1, "x": 1}, {"sku": None, "x": 2}, 5, {"sku": 4, "x": 1j}, {"sku": 5, "x": 5}]
    found = await entries(MappedSource(SequenceSource(rows), RecordMapping(id="sku")))
    assert [entry.fault for entry in found] == [
        None,
        "is no record: sku is blank, and a record needs an id",
        "is no row with columns but int, which no mapping can take",
        "is no record: x is complex, which has no JSON form; convert it before",
        None,
    ]
    assert [entry.where for entry in found] == [f"record {number}" for number in range(1, 6)]
    assert [entry.record for entry in found[1:4]] == rows[1:4]
    assert found[4].record == {"_id": "5", "x": 5}


async def test_a_fault_of_the_source_stays_as_it_is(tmp_path: Path) -> None:
    """A line that is no JSON is told as such, and its neighbours are mapped."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'nonsense\n{"sku": 1}\n')
    found = await entries(MappedSource(JsonlSource(path), RecordMapping(id="sku")))
    assert found[0].fault is not None
    assert found[0].fault.startswith("is not JSON")
    assert found[1][:3] == ("line 2", {"_id": "1"}, None)


async def test_columns_that_are_not_there_break_the_source_off() -> None:
    """Before anything is sent; the message names them, the likely ones, and those there are."""
    mapping = RecordMapping(
        id="skuu", image="foto", fields={"price": "xyz"}, types={"price": "int"}
    )
    source = MappedSource(SequenceSource([{"sku": 1, "photo": "x", "brand": "y"}]), mapping)
    with pytest.raises(SourceError) as caught:
        await entries(source)
    assert str(caught.value) == (
        "records has no columns 'skuu' (is it 'sku'?) and 'foto' (is it 'photo'?) and 'xyz', "
        "which the mapping takes; its columns are sku, photo, brand"
    )


async def test_a_type_is_for_a_column_that_is_there() -> None:
    """A misspelt name in `types` does not pass unnoticed where all columns are kept."""
    source = MappedSource(
        SequenceSource([{"_id": "1", "price": "5"}]), RecordMapping(types={"prise": "int"})
    )
    with pytest.raises(SourceError, match=r"no column 'prise' \(is it 'price'\?\)"):
        await entries(source)


async def test_a_column_may_be_missing_from_some_of_the_first_rows() -> None:
    """Rows of JSON leave fields out: it is enough that one of the first has it."""
    rows = [{"_id": "1"}, {"_id": "2", "cost": 5}, {"_id": "3"}]
    found = await records(rows, RecordMapping(fields={"price": "cost"}))
    assert found == [{"_id": "1"}, {"_id": "2", "price": 5}, {"_id": "3"}]


async def test_later_rows_may_lack_any_column() -> None:
    """What was there once is not missing when the rows go on without it."""
    rows = [{"_id": str(number), "cost": 5} for number in range(150)]
    rows += [{"_id": str(number)} for number in range(150, 300)]
    found = await records(rows, RecordMapping(fields={"price": "cost"}))
    assert [len(record) for record in found] == [2] * 150 + [1] * 150


async def test_the_first_of_live_records_may_lack_a_field_but_not_the_id() -> None:
    """Records that come one by one cannot be compared with others."""

    async def live(*rows: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        for row in rows:
            yield row

    mapping = RecordMapping(id="sku", fields={"price": "cost"})
    found = await entries(MappedSource(AsyncIterableSource(live({"sku": 1}, {"sku": 2})), mapping))
    assert [entry.record for entry in found] == [{"_id": "1"}, {"_id": "2"}]
    with pytest.raises(SourceError, match="no column 'sku'"):
        await entries(MappedSource(AsyncIterableSource(live({"cost": 1})), mapping))


async def test_columns_are_looked_for_in_the_first_row_that_is_one() -> None:
    """Faults at the beginning are no reason to miss a misspelt column."""

    class Faulty(SequenceSource):
        async def chunks(self) -> AsyncGenerator[Chunk, None]:
            yield [Entry("record 1", None, "is broken")]
            yield [Entry("record 2", {"sku": 1})]

    with pytest.raises(SourceError, match="no column 'skuu'"):
        await entries(MappedSource(Faulty([1, 2]), RecordMapping(id="skuu")))


async def test_values_reach_the_mapping_as_their_library_gives_them() -> None:
    """Decimals keep their digits for a text, bytes are an image, NaN is null by choice."""
    table = pa.table(
        {
            "sku": pa.array([17], pa.int64()),
            "photo": pa.array([b"\x89PNG"], pa.binary()),
            "cost": pa.array([Decimal("19.90")], pa.decimal128(10, 2)),
            "score": pa.array([float("nan")]),
            "labels": pa.array([["red", "warm"]]),
        }
    )
    mapping = RecordMapping(
        id="sku", image="photo", tags="labels", types={"cost": "text"}, empty="null"
    )
    assert await records(table, mapping) == [
        {
            "_id": "17",
            "_image": b"\x89PNG",
            "tags": ["red", "warm"],
            "cost": "19.90",
            "score": None,
        }
    ]


async def test_a_folder_of_images_can_be_given_constants(tmp_path: Path) -> None:
    """Its id and file stay, a field is added."""
    (tmp_path / "1.png").touch()
    source = MappedSource(FolderSource(tmp_path), RecordMapping(constants={"shop": "cz"}))
    assert (await entries(source))[0].record == {"_id": "1.png", "_file": "1.png", "shop": "cz"}


async def test_a_mapped_source_tells_what_its_rows_source_tells(tmp_path: Path) -> None:
    """Name, size, position, path and the folder of its images are those of the rows."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"sku": 1}\n')
    rows = JsonlSource(path)
    source = MappedSource(rows, RecordMapping(id="sku"))
    assert isinstance(source, Source)
    assert as_source(source) is source
    await entries(source)
    assert (source.name, source.path, source.files_root) == ("a.jsonl", path, tmp_path)
    assert source.size == source.position == rows.position == 11


def test_a_fingerprint_is_of_rows_and_mapping(tmp_path: Path) -> None:
    """Another file or another mapping is another input; records of the program are none."""
    one, two = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    one.write_bytes(b'{"sku": 1}\n')
    two.write_bytes(b'{"sku": 2}\n')

    def fingerprint(path: Path, **settings: Any) -> str | None:
        return MappedSource(JsonlSource(path), RecordMapping(**settings)).fingerprint()

    same = fingerprint(one, id="sku", drop=["x", "y"])
    assert same == fingerprint(one, id="sku", drop=["y", "x"]) is not None
    assert len({same, fingerprint(two, id="sku", drop=["x", "y"]), fingerprint(one)}) == 3
    assert MappedSource(SequenceSource([]), RecordMapping()).fingerprint() is None


async def test_leaving_early_closes_the_rows(tmp_path: Path) -> None:
    """A run that stops does not leave its input open."""
    closed = asyncio.Event()

    async def live() -> AsyncIterator[dict[str, Any]]:
        try:
            while True:
                yield {"_id": "1"}
        finally:
            closed.set()

    chunks = MappedSource(as_source(live()), RecordMapping()).chunks()
    await anext(chunks)
    await chunks.aclose()
    assert closed.is_set()


def test_a_mapping_that_is_none_is_refused_by_name() -> None:
    """A dict of columns is a near miss; nothing is read before it is told."""
    wrong: Any = {"id": "sku"}
    with pytest.raises(ConfigError, match=r"mapping takes a RecordMapping, .* not {'id': 'sku'}"):
        MappedSource(SequenceSource([{"sku": 1}]), wrong)
