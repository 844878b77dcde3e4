"""The API's methods as coroutines on one collection."""

from __future__ import annotations

from ._listing import ListingMethods
from ._ranking import RankingMethods
from ._records import RecordMethods
from ._search import SearchMethods

__all__ = ["Collection"]


class Collection(RecordMethods, SearchMethods, RankingMethods, ListingMethods):
    """One image collection: the API's 20 methods under their own names, and `iter_records`.

    Made by `Ximilar.collection()`. Methods carry the API's names in snake case (`visualKNNMulti` is
    `visual_knn_multi`, the field `from` is `skip`). A record that could not be processed is part of
    the answer; only a call that failed as a whole raises. What is None is not sent, so that the
    service's own defaults hold.

    Records are plain dicts and may bring their image as `_url`, `_base64`, `_file` (a local path:
    read, checked and encoded, never sent as a path) or `_image` (bytes, a PIL image or a numpy
    array in RGB).

    Every method raises what `ximilar_async.errors` draws: `RecordError` before anything is sent,
    `TransportError` and `ApiError` after retries.

    Example:
        answer = await shoes.visual_knn({"_id": "1"}, k=2)
        for match in answer.matches:
            print(match.id, match.distance)
    """
