"""insert, nearDupsInsert."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from attrs import define, field, frozen

from ximilar_async._endpoints import METHODS
from ximilar_async.emulator import params
from ximilar_async.emulator.account import INSERT
from ximilar_async.emulator.answers import (
    DUPLICATE,
    FULL,
    Verdict,
    insert_verdict,
    project,
    records_answer,
    skipped,
)
from ximilar_async.emulator.descriptor import ImageRefused

from .call import BAD_RECORD, content_verdict, id_verdict, without_pixels

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from ximilar_async.emulator.answers import Answer
    from ximilar_async.emulator.index import Collection

    from .call import Call

NEAR_DUPLICATE_RADIUS: Final = 5.0
"""Default `radius` (Near Duplicates Insert)."""


def insert(call: Call) -> Answer:
    """Insert records whose `_id` is new (Insert).

    A record without `_id` or without a readable image is skipped with reason 400: an `_id` is what
    a record is found, updated and deleted by ("Unique identifier of the record within the
    collection"), so none is made up. Of records with one `_id` in one request the first is stored.
    412 when the collection is full: what fitted in is stored and listed.
    """
    return _insert(call, params.fields(call.body, "_id"), radius=None)


def near_dups_insert(call: Call) -> Answer:
    """Insert records whose `_id` is new and whose image is unlike all stored ones.

    (Near Duplicates Insert.) The records of one request are taken one after the other: each sees
    the ones before it that were stored. A near-duplicate's `_reason` lists what it is like, nearest
    first; a plain duplicate `_id` has no lists.
    """
    radius = params.number(call.body, "radius", NEAR_DUPLICATE_RADIUS)
    params.whole(call.body, "cand_set_size", 1, least=1)  # the search is exact whatever it says
    return _insert(call, params.fields(call.body, "*"), radius=radius)


def _insert(call: Call, fields: Sequence[str], *, radius: float | None) -> Answer:
    records = params.records(call.body, most=METHODS["insert"].max_records)
    for name in ("extract_colors", "extract_tags"):  # known to Fashion; nothing is extracted here
        params.flag(call.body, name, default=False)
    capacity = call.context.capacity
    room = None if capacity is None else max(0, capacity - len(call.collection))
    batch = _Batch(call.collection, fields, radius, room)
    batch.add([_candidate(call, record) for record in records])
    if batch.documents:
        call.collection.insert(batch.documents, np.stack(batch.vectors))
    call.context.account.charge(INSERT * len(batch.documents))
    stored = [project(document, fields) for document in batch.documents]
    verdict = insert_verdict(len(stored), batch.reasons, call.context.words)
    return records_answer(verdict, stored, batch.skips)


@frozen
class _Candidate:
    """A record on its way in: with the vector of its image, or with what speaks against it."""

    record: Answer
    vector: NDArray[np.float32] | None = None
    verdict: Verdict | None = None


def _candidate(call: Call, record: Answer) -> _Candidate:
    """Get the vector of a record's image, unless its `_id` already speaks against it."""
    wrong = id_verdict(record) or content_verdict(record)
    if wrong is None and record["_id"] in call.collection:
        wrong = DUPLICATE
    if wrong is not None:
        return _Candidate(record, verdict=wrong)
    try:
        return _Candidate(record, vector=call.vector(record))
    except ImageRefused as refused:
        return _Candidate(record, verdict=Verdict(BAD_RECORD, str(refused)))


@frozen
class _Neighbour:
    """A record that a candidate is too like."""

    distance: float
    document: Answer


@define
class _Batch:
    """Decides about the records of one insert, one after the other: each sees those before it."""

    collection: Collection
    fields: Sequence[str]
    radius: float | None
    """Distance up to which a record is a near-duplicate; None looks at `_id` alone."""
    room: int | None
    """How many records the collection can still take."""
    documents: list[Answer] = field(factory=list)
    """The records to be stored."""
    vectors: list[NDArray[np.float32]] = field(factory=list)
    skips: list[Answer] = field(factory=list)
    reasons: list[Verdict] = field(factory=list)
    _taken: set[str] = field(factory=set)

    def add(self, candidates: Sequence[_Candidate]) -> None:
        """Decide about all records, in their order."""
        stored = self._stored_neighbours(candidates)
        for candidate in candidates:
            near = next(stored) if candidate.vector is not None else []
            if candidate.vector is None or candidate.record["_id"] in self._taken:
                self._skip(candidate, candidate.verdict or DUPLICATE)
            elif near := sorted([*near, *self._batch_neighbours(candidate.vector)], key=_distance):
                self._skip(candidate, DUPLICATE, **self._listed(near))
            elif self.room is not None and len(self.documents) >= self.room:
                self._skip(candidate, FULL)
            else:
                self._taken.add(candidate.record["_id"])
                self.documents.append(without_pixels(candidate.record))
                self.vectors.append(candidate.vector)

    def _skip(self, candidate: _Candidate, verdict: Verdict, **more: Any) -> None:
        self.skips.append(skipped(candidate.record, verdict, **more))
        self.reasons.append(verdict)

    def _stored_neighbours(self, candidates: Sequence[_Candidate]) -> Iterator[list[_Neighbour]]:
        """Yield the stored neighbours of each candidate that has a vector."""
        vectors = [each.vector for each in candidates if each.vector is not None]
        if self.radius is None or not vectors:
            yield from ([] for _ in vectors)
            return
        for rows, distances in self.collection.vectors.within(np.stack(vectors), self.radius):
            yield [
                _Neighbour(distance, self.collection.document(row))
                for row, distance in zip(rows.tolist(), distances.tolist(), strict=True)
            ]

    def _batch_neighbours(self, vector: NDArray[np.float32]) -> Iterator[_Neighbour]:
        """Yield the neighbours among the records of this request that will be stored."""
        if self.radius is None:
            return
        for document, other in zip(self.documents, self.vectors, strict=True):
            distance = float(np.linalg.norm(vector.astype(np.float64) - other))
            if distance <= self.radius:
                yield _Neighbour(distance, document)

    def _listed(self, near: Sequence[_Neighbour]) -> dict[str, Any]:
        return {
            "answer_records": [project(each.document, self.fields) for each in near],
            "answer_distances": [each.distance for each in near],
        }


def _distance(neighbour: _Neighbour) -> float:
    return neighbour.distance
