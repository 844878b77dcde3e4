"""visualRankRecords, visualTagsRankRecords."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import numpy as np

from ximilar_async.emulator import params
from ximilar_async.emulator.answers import OK, Verdict, envelope, look_up_verdict, project, skipped
from ximilar_async.emulator.tags import distance, tags_of

from .call import resolve, resolve_query, without_pixels

if TYPE_CHECKING:
    from ximilar_async.emulator.answers import Answer

    from .call import Call, Resolved


def visual_rank_records(call: Call) -> Answer:
    """Rank given records by their distance from an image (Visual Rank Records).

    A record is stored (`_id`) or brings its image. It is answered with the fields that are known of
    it: those stored, and above them those sent.
    """
    return _rank(call, tags=False)


def visual_tags_rank_records(call: Call) -> Answer:
    """Rank given records by their distance by image and tags (Visual Tags Rank Records)."""
    return _rank(call, tags=True)


def _rank(call: Call, *, tags: bool) -> Answer:
    record = params.query_record(call.body)
    records = params.records(call.body)
    k = params.whole(call.body, "k", params.UNLIMITED)
    radius = params.number(call.body, "radius", inf)
    fields = params.fields(call.body, "_id", "_url", "_file")
    query = resolve_query(call, record)
    found = [resolve(call, each) for each in records]
    skips = [
        skipped(each, verdict)
        for each, verdict in zip(records, found, strict=True)
        if isinstance(verdict, Verdict)
    ]
    known = [each for each in found if not isinstance(each, Verdict)]
    ranked = sorted(
        ((_distance(query, each, call.tags_field if tags else None), each) for each in known),
        key=lambda pair: pair[0],
    )
    chosen = [pair for pair in ranked if pair[0] <= radius][:k]
    call.context.account.charge(query.credits)
    return envelope(
        look_up_verdict(len(known), len(skips), call.context.words, all_done=OK),
        answer_records=[project(each.document, fields) for _, each in chosen],
        answer_distances=[length for length, _ in chosen],
        query_records=[without_pixels(record)],
        skipped_records=skips,
        answer_count=len(chosen),
    )


def _distance(query: Resolved, other: Resolved, tags_field: str | None) -> float:
    visual = float(np.linalg.norm(query.vector.astype(np.float64) - other.vector))
    if tags_field is None:
        return visual
    return distance(
        visual, tags_of(query.document, tags_field), tags_of(other.document, tags_field)
    )
