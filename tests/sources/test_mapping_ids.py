"""A row that no record could be made of still says whose it is."""

from __future__ import annotations

from typing import Any

import pytest

from ximilar_async.sources import MappedSource, RecordMapping, SequenceSource

MAPPING = RecordMapping(id="sku", types={"price": "float"})


@pytest.mark.parametrize(
    ("row", "id_"),
    [
        ({"sku": 7, "price": "?"}, "7"),
        ({"sku": "a", "_id": "b", "price": "?"}, "a"),
        ({"sku": " ", "_id": "b"}, ""),
        ({"sku": 1.5, "price": "?"}, ""),
        ("text", None),
    ],
)
async def test_an_entry_with_a_fault_has_the_id_of_its_mapping(row: Any, id_: str | None) -> None:
    """The id's column, empty where it holds none; a column `_id` is not looked at."""
    source = MappedSource(SequenceSource([{"sku": "x", "price": "1"}, row]), MAPPING)
    entries = [entry async for chunk in source.chunks() for entry in chunk]
    assert (entries[0].fault, entries[0].id) == (None, None)
    assert (entries[1].fault is None, entries[1].id) == (False, id_)


async def test_entries_of_records_have_neither_fault_nor_id() -> None:
    """They are looked up in the record itself; entries are made in a way of their own here."""
    entries = [e async for chunk in SequenceSource([{"_id": "a"}]).chunks() for e in chunk]
    assert entries[0] == ("record 1", {"_id": "a"}, None, None)
    assert (entries[0].where, entries[0].id) == ("record 1", None)
