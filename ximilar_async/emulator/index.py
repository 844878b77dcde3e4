"""One collection in RAM: ids, documents, vectors and columns, kept in step with its store."""

from __future__ import annotations

import random
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson
from attrs import define, field

from .columns import Columns
from .errors import EmulatorError
from .store import MemoryStore
from .tags import TagIndex, tags_of
from .vectors import VectorStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from .store import Row, Store

_LOAD_AT_ONCE: Final = 4096
_WORTH_COMPACTING: Final = 16_384
_LARGEST: Final = 1e9
"""Largest number in a vector, by amount: what `VectorStore` takes."""

Document = dict[str, Any]


@define(eq=False)
class Collection:
    """The records of one collection; used by one thread at a time.

    Rows are numbered by insertion; a deleted record leaves its row empty until the rows are
    compacted.

    Example:
        >>> shoes = Collection(dimensions=2)
        >>> shoes.insert([{"_id": "1", "price": 3}], np.zeros((1, 2), np.float32))
        >>> shoes.document(shoes.row("1"))
        {'_id': '1', 'price': 3}
    """

    dimensions: int
    """Length of a vector."""
    store: Store = field(factory=MemoryStore)
    """What outlives the process."""
    seed: int | None = None
    """Seed of `sample`; None takes the system's entropy."""
    vectors: VectorStore = field(init=False, repr=False)
    columns: Columns = field(init=False, repr=False)
    _tags: dict[str, TagIndex] = field(factory=dict, init=False, repr=False)
    _ids: list[str | None] = field(factory=list, init=False, repr=False)
    _documents: list[bytes] = field(factory=list, init=False, repr=False)
    _rows: dict[str, int] = field(factory=dict, init=False, repr=False)
    _random: random.Random = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self.vectors = VectorStore(self.dimensions)
        self.columns = Columns()
        self._random = random.Random(self.seed)  # noqa: S311 - a sample of records is no secret

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, id_: object) -> bool:
        return isinstance(id_, str) and id_ in self._rows

    def load(self) -> None:
        """Read everything from the store."""
        rows = iter(self.store.rows())
        while some := list(islice(rows, _LOAD_AT_ONCE)):
            self._append(some, *_unpacked(some, self.dimensions))

    def row(self, id_: object) -> int | None:
        """Return the row of a record, or None where there is no such `_id`."""
        return self._rows.get(id_) if isinstance(id_, str) else None

    def id(self, row: int) -> str:
        """Return the `_id` of the record in a row.

        Raises:
            KeyError: the row is empty.
        """
        id_ = self._ids[row]
        if id_ is None:
            raise KeyError(row)
        return id_

    def document(self, row: int) -> Document:
        """Return the record in a row, as it is stored.

        Raises:
            KeyError: the row is empty.
        """
        if self._ids[row] is None:
            raise KeyError(row)
        document: Document = orjson.loads(self._documents[row])
        return document

    def project(self, rows: Iterable[int], fields: Sequence[str]) -> list[Document]:
        """Return the fields asked for of the records in some rows; `["*"]` stands for all."""
        if list(fields) == ["_id"]:
            return [{"_id": self.id(row)} for row in rows]
        documents = (self.document(row) for row in rows)
        if "*" in fields:
            return list(documents)
        return [{name: doc[name] for name in fields if name in doc} for doc in documents]

    def insert(self, documents: Sequence[Document], vectors: NDArray[np.float32]) -> None:
        """Store records with new ids, all or none.

        Args:
            documents: Records, each with its `_id`.
            vectors: Their vectors, of shape (records, dimensions).

        Raises:
            EmulatorError: they could not be written, or the vectors are none; nothing is changed
                then.
        """
        fits = vectors.shape == (len(documents), self.dimensions)
        if not fits or not np.abs(vectors).max(initial=0) <= _LARGEST:
            raise EmulatorError(
                f"the extractor did not give {self.dimensions} numbers within ±{_LARGEST:g}"
            )
        rows = [
            (document["_id"], _encoded(document), _packed(vector))
            for document, vector in zip(documents, vectors, strict=True)
        ]
        self.store.insert(rows)
        self._append(rows, documents, vectors)

    def replace(self, documents: Sequence[Document]) -> None:
        """Give stored records, told by their `_id`, other fields; their images stay.

        Raises:
            EmulatorError: they could not be written; nothing is changed then.
        """
        self.store.replace([(document["_id"], _encoded(document)) for document in documents])
        latest = {self._rows[document["_id"]]: document for document in documents}
        for row, document in latest.items():
            self._documents[row] = _encoded(document)
            self.columns.replace(row, document)
        for name, index in self._tags.items():
            index.replace(list(latest), [tags_of(doc, name) for doc in latest.values()])

    def delete(self, rows: Sequence[int]) -> None:
        """Remove the records in some rows, all or none.

        Raises:
            EmulatorError: this could not be written; nothing is changed then.
        """
        self.store.delete([self.id(row) for row in rows])
        for row in rows:
            del self._rows[self.id(row)]
            self._ids[row] = None
            self._documents[row] = b""
            self.vectors.remove(row)
        self._compact_if_worth_it()

    def mask(self, filter: Mapping[str, Any] | None) -> NDArray[np.bool_] | None:
        """Return which rows a filter lets through, or None where there is no filter.

        Raises:
            FilterError: the filter cannot be understood.
        """
        return None if filter is None else self.columns.mask(filter)

    def matching(self, filter: Mapping[str, Any] | None) -> NDArray[np.intp]:
        """Return the rows of the records that a filter lets through, in order of insertion.

        Raises:
            FilterError: the filter cannot be understood.
        """
        mask, alive = self.mask(filter), self.vectors.alive
        return np.flatnonzero(alive if mask is None else alive & mask)

    def sample(self, rows: NDArray[np.intp], count: int) -> list[int]:
        """Return some of the given rows, each at most once, in random order."""
        chosen = self._random.sample(range(len(rows)), min(count, len(rows)))
        return [int(rows[index]) for index in chosen]

    def tags(self, name: str) -> TagIndex:
        """Return the tags in one field of all rows; gathered when first asked for."""
        index = self._tags.setdefault(name, TagIndex())
        new = range(len(index), len(self._ids))
        empty: frozenset[str] = frozenset()
        index.extend(
            empty if self._ids[row] is None else tags_of(self.document(row), name) for row in new
        )
        return index

    def _append(
        self, rows: Sequence[Row], documents: Sequence[Document], vectors: NDArray[np.float32]
    ) -> None:
        self.vectors.append(vectors)
        for (id_, encoded, _), document in zip(rows, documents, strict=True):
            self._rows[id_] = len(self._ids)
            self._ids.append(id_)
            self._documents.append(encoded)
            self.columns.append(document)

    def _compact_if_worth_it(self) -> None:
        """Number the rows anew when most are empty: columns and vectors do not shrink."""
        if len(self._ids) < _WORTH_COMPACTING or len(self._rows) * 2 > len(self._ids):
            return
        left = np.flatnonzero(self.vectors.alive).tolist()
        rows = [
            (self.id(row), self._documents[row], _packed(self.vectors.vector(row))) for row in left
        ]
        self._ids, self._documents, self._rows = [], [], {}
        self.vectors, self.columns = VectorStore(self.dimensions), Columns()
        self._tags = {}
        for start in range(0, len(rows), _LOAD_AT_ONCE):
            some = rows[start : start + _LOAD_AT_ONCE]
            self._append(some, *_unpacked(some, self.dimensions))


def _encoded(document: Document) -> bytes:
    # A copy of its own size: orjson's bytes leave the rest of a kilobyte behind them unusable.
    return bytes(memoryview(orjson.dumps(document)))


def _packed(vector: NDArray[np.float32]) -> bytes:
    return vector.astype("<f4", copy=False).tobytes()


def _unpacked(rows: Sequence[Row], dimensions: int) -> tuple[list[Document], NDArray[np.float32]]:
    vectors = np.frombuffer(b"".join(row[2] for row in rows), dtype="<f4")
    native = vectors.reshape(len(rows), dimensions).astype(np.float32, copy=False)
    return [orjson.loads(row[1]) for row in rows], native
