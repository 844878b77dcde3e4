"""A collection in RAM stays in step with its store, whatever is done to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from emulated import at, ids

from ximilar_async.emulator.errors import EmulatorError
from ximilar_async.emulator.index import Collection
from ximilar_async.emulator.store import SqliteStore

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def points(*xs: float) -> NDArray[np.float32]:
    return np.array([[x, 0] for x in xs], np.float32)


def everything(collection: Collection) -> list[dict[str, Any]]:
    return collection.project(collection.matching(None).tolist(), ["*"])


def test_a_collection_is_rebuilt_from_its_store(tmp_path: Path) -> None:
    """Documents, filters, tags and vectors are the same after closing and opening."""

    def opened() -> Collection:
        collection = Collection(2, SqliteStore(tmp_path / "c.sqlite", {}))
        collection.load()
        return collection

    first = opened()
    first.insert([{"_id": x, "tags": [x]} for x in "abcd"], points(1, 2, 3, 4))
    first.replace([{"_id": "b", "price": 5}])
    first.delete([0, 2])
    first.store.close()
    again = opened()
    assert everything(again) == [{"_id": "b", "price": 5}, {"_id": "d", "tags": ["d"]}]
    assert again.matching({"price": 5}).tolist() == [0]
    rows, distances = again.vectors.knn(points(4)[0], 2)
    assert ([again.id(row) for row in rows.tolist()], distances.tolist()) == (["d", "b"], [0, 2])
    assert again.tags("tags").overlap(frozenset("d"))[0].tolist() == [0, 1]
    again.store.close()


def test_what_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    """When the store refuses, the collection is as it was."""
    store = SqliteStore(tmp_path / "c.sqlite", {})
    collection = Collection(2, store)
    collection.insert([{"_id": "a", "n": 1}], points(1))
    store.close()
    for change in (
        lambda: collection.insert([{"_id": "b"}], points(2)),
        lambda: collection.replace([{"_id": "a", "n": 2}]),
        lambda: collection.delete([0]),
    ):
        with pytest.raises(EmulatorError):
            change()
        assert everything(collection) == [{"_id": "a", "n": 1}]


@pytest.mark.parametrize("vector", [[[1.0]], [[1.0, np.nan]], [[1.0, np.inf]], [[1.0, -2e9]]])
def test_an_extractor_must_give_numbers(vector: list[list[float]]) -> None:
    """Vectors of another length or with gaps are refused, and nothing is stored."""
    collection = Collection(2)
    with pytest.raises(EmulatorError, match="2 numbers within"):
        collection.insert([{"_id": "a"}], np.array(vector, np.float32))
    assert len(collection) == 0


def test_rows_are_numbered_anew_when_most_are_empty() -> None:
    """Coming and going does not fill memory; what is left keeps its order, vectors and tags."""
    collection = Collection(2)
    count = 20_000
    for start in range(0, count, 1000):
        xs = range(start, start + 1000)
        collection.insert([{"_id": str(x), "t": ["k"], "n": x % 7} for x in xs], points(*xs))
    assert collection.tags("t").overlap(frozenset("k"))[0].sum() == count
    collection.delete([row for row in range(count) if row % 1000])
    assert len(collection.vectors) == len(collection) == 20
    assert [x["_id"] for x in everything(collection)] == [str(x) for x in range(0, count, 1000)]
    rows, distances = collection.vectors.knn(points(3000)[0], 1)
    assert (collection.id(int(rows[0])), distances.tolist()) == ("3000", [0])
    assert collection.tags("t").overlap(frozenset("k"))[0].tolist() == [1] * 20
    assert [collection.id(int(x)) for x in collection.matching({"n": 0})] == ["0", "7000", "14000"]


def test_an_empty_row_has_no_record() -> None:
    """Asking for a deleted row is an error of ours, not an old record."""
    collection = Collection(2)
    collection.insert([{"_id": "a", "_url": at(1)}], points(1))
    collection.delete([0])
    assert collection.row("a") is None
    for ask in (collection.id, collection.document):
        with pytest.raises(KeyError):
            ask(0)
    assert ids({"answer_records": everything(collection)}) == []
