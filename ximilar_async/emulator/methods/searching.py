"""The visual…KNN methods, range, nearDuplicates, allNearDupPairs.

All search is exact; `cand_set_size` and `approx_param` are taken and change nothing. Ties are
broken by order of insertion. A search by the `_id` of a stored record finds that record too, at
distance 0.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

import numpy as np
from attrs import frozen

from ximilar_async.emulator import params
from ximilar_async.emulator.answers import OK, envelope
from ximilar_async.emulator.tags import combined, tags_of

from .call import resolve_query, without_pixels
from .inserting import NEAR_DUPLICATE_RADIUS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, TypeAlias

    from numpy.typing import NDArray

    from ximilar_async.emulator.answers import Answer
    from ximilar_async.emulator.index import Collection
    from ximilar_async.emulator.tags import Levels

    from .call import Call, Resolved

    Ranking: TypeAlias = tuple[NDArray[np.intp], NDArray[np.float64]]
    """Rows with their distances, nearest first."""

_K: Final = 30
"""Default `k` of the methods' own pages (the overview says 20)."""
_GROWTH: Final = 4


@frozen(kw_only=True)
class _Wanted:
    """What a nearest-neighbour search is to return."""

    k: int
    skip: int
    radius: float
    product_field: str | None
    tags_field: str | None
    """Name of the tags field where tags count."""


def visual_knn(call: Call) -> Answer:
    """Find the `k` nearest records to an image (Visual KNN)."""
    return _knn(call, [params.query_record(call.body)], tags=False)


def visual_tags_knn(call: Call) -> Answer:
    """Find the `k` nearest records by image and tags, as `tags.py` says (Visual Tags KNN)."""
    return _knn(call, [params.query_record(call.body)], tags=True)


def visual_knn_multi(call: Call) -> Answer:
    """Find the `k` nearest records to any of several images (Visual KNN Multi).

    A record counts with its distance to the nearest of the queries, and appears once.
    """
    return _knn(call, params.records(call.body, "query_records"), tags=False)


def visual_tags_knn_multi(call: Call) -> Answer:
    """Find the `k` nearest records to any of several queries by image and tags."""
    return _knn(call, params.records(call.body, "query_records"), tags=True)


def range(call: Call) -> Answer:
    """Find all records within a distance of an image, nearest first (Range)."""
    radius = params.required_number(call.body, "radius")
    product_field = params.text(call.body, "product_field")
    return _within(call, radius, params.fields(call.body, "_id"), product_field)


def near_duplicates(call: Call) -> Answer:
    """Find the records whose image is the same or nearly so, nearest first (Near Duplicates)."""
    radius = params.number(call.body, "radius", NEAR_DUPLICATE_RADIUS)
    return _within(call, radius, params.fields(call.body, "*"), None)


def all_near_dup_pairs(call: Call) -> Answer:
    """Find all pairs of records whose images are the same or nearly so.

    The documents say "finds all mutually similar or duplicate image pairs in the collection" and no
    more. Taken here: `radius` (5.0), `filter` (holds for both), `fields_to_return` (["_id"]), `k`
    (most pairs; all). Answered: `answer_pairs`, a list of pairs of records, each pair once and in
    order of insertion; `answer_distances`, in the same order, nearest pairs first; `answer_count`,
    the number of pairs.
    """
    radius = params.number(call.body, "radius", NEAR_DUPLICATE_RADIUS)
    condition = params.filter(call.body)
    fields = params.fields(call.body, "_id")
    k = params.whole(call.body, "k", params.UNLIMITED)
    mask = call.collection.mask(condition)
    found = call.collection.vectors.pairs(radius, mask)
    pairs = sorted((distance, first, second) for first, second, distance in found)[:k]
    records = [call.collection.project(pair[1:], fields) for pair in pairs]
    distances = [pair[0] for pair in pairs]
    return envelope(OK, answer_pairs=records, answer_distances=distances, answer_count=len(pairs))


def _knn(call: Call, records: Sequence[Answer], *, tags: bool) -> Answer:
    _take_advanced(call)
    wanted = _Wanted(
        k=params.whole(call.body, "k", _K),
        skip=params.whole(call.body, "from", 0),
        radius=params.number(call.body, "radius", inf),
        product_field=params.text(call.body, "product_field"),
        tags_field=call.tags_field if tags else None,
    )
    condition, fields = params.filter(call.body), params.fields(call.body, "_id")
    queries = [resolve_query(call, record) for record in records]
    found = _nearest(call.collection, queries, wanted, call.collection.mask(condition))
    answer = _answer(call, found, fields, records)
    call.context.account.charge(sum(query.credits for query in queries))
    return answer


def _within(call: Call, radius: float, fields: Sequence[str], product_field: str | None) -> Answer:
    _take_advanced(call)
    condition = params.filter(call.body)
    record = params.query_record(call.body)
    query = resolve_query(call, record)
    mask = call.collection.mask(condition)
    found = call.collection.vectors.within(query.vector[None, :], radius, mask)[0]
    found = _one_a_product(call.collection, found, product_field)
    answer = _answer(call, found, fields, [record])
    call.context.account.charge(query.credits)
    return answer


def _take_advanced(call: Call) -> None:
    """Check the parameters that an exact search has no use for."""
    params.whole(call.body, "cand_set_size", 1, least=1)
    params.number(call.body, "approx_param", 0)


def _answer(call: Call, found: Ranking, fields: Sequence[str], queries: Sequence[Answer]) -> Answer:
    rows, distances = found
    return envelope(
        OK,
        answer_records=call.collection.project(rows.tolist(), fields),
        answer_distances=distances.tolist(),
        query_records=[without_pixels(query) for query in queries],
        answer_count=len(rows),
    )


def _nearest(
    collection: Collection,
    queries: Sequence[Resolved],
    wanted: _Wanted,
    mask: NDArray[np.bool_] | None,
) -> Ranking:
    """Return the nearest rows to any of the queries.

    Looking at one record a product, it is not known beforehand how many rows must be looked at:
    ever more, until enough products are among them or no rows are left.
    """
    enough = wanted.skip + wanted.k
    count = enough
    if not count:
        return np.zeros(0, np.intp), np.zeros(0)
    while True:
        every = [_candidates(collection, query, count, wanted, mask) for query in queries]
        rows, distances = _merged(every, count)
        exhausted = len(rows) < count
        inside = int(np.searchsorted(distances, wanted.radius, side="right"))
        exhausted = exhausted or inside < len(rows)
        rows, distances = rows[:inside], distances[:inside]
        rows, distances = _one_a_product(collection, (rows, distances), wanted.product_field)
        if exhausted or len(rows) >= enough:
            return rows[wanted.skip : enough], distances[wanted.skip : enough]
        count *= _GROWTH


def _candidates(
    collection: Collection,
    query: Resolved,
    count: int,
    wanted: _Wanted,
    mask: NDArray[np.bool_] | None,
) -> Ranking:
    """Return the nearest rows to one query, by image or by image and tags."""
    tags = tags_of(query.document, wanted.tags_field) if wanted.tags_field else frozenset[str]()
    if not tags or wanted.tags_field is None:
        return collection.vectors.knn(query.vector, count, mask)
    levels = collection.tags(wanted.tags_field).levels(tags)
    alive = collection.vectors.alive
    return _by_levels(
        collection, query.vector, levels, count, alive if mask is None else alive & mask
    )


def _by_levels(
    collection: Collection,
    vector: NDArray[np.float32],
    levels: Levels,
    count: int,
    usable: NDArray[np.bool_],
) -> Ranking:
    """Return the nearest rows by image and tags: the visually nearest at each tag distance."""
    found: Ranking = np.zeros(0, np.intp), np.zeros(0)
    for level, tag in enumerate(levels.distances):
        if len(found[0]) >= count and found[1][-1] < tag / 2:
            break  # whatever comes is further off, even with the same image
        rows, visual = collection.vectors.knn(vector, count, usable & (levels.of_rows == level))
        found = _merged([found, (rows, combined(visual, tag))], count)
    return found


def _merged(every: Sequence[Ranking], count: int) -> Ranking:
    """Return the rows of several rankings, each once with its least distance, nearest first."""
    if len(every) == 1:
        return every[0]
    rows = np.concatenate([ranking[0] for ranking in every])
    distances = np.concatenate([ranking[1] for ranking in every])
    order = np.lexsort((rows, distances))
    _, first = np.unique(rows[order], return_index=True)
    chosen = order[np.sort(first)[:count]]
    return rows[chosen], distances[chosen]


def _one_a_product(collection: Collection, found: Ranking, product_field: str | None) -> Ranking:
    """Keep the nearest record of each product; one that has no product is one of its own."""
    if product_field is None:
        return found
    rows, distances = found
    seen: set[Any] = set()
    kept = []
    for position, code in enumerate(collection.columns.codes(product_field)[rows].tolist()):
        if code not in seen:
            kept.append(position)
        if code:
            seen.add(code)
    return rows[kept], distances[kept]
