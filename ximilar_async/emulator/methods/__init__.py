"""The 20 methods: a request's body in, an answer out, nothing of HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .call import Call, Context
from .changing import delete, delete_by_filter, update
from .inserting import insert, near_dups_insert
from .ranking import visual_rank_records, visual_tags_rank_records
from .reading import all_records, find, get, get_record_count, ping, random
from .searching import (
    all_near_dup_pairs,
    near_duplicates,
    range,
    visual_knn,
    visual_knn_multi,
    visual_tags_knn,
    visual_tags_knn_multi,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from ximilar_async.emulator.answers import Answer

    Method: TypeAlias = Callable[[Call], Answer]

__all__ = ["BY_NAME", "CREATING", "LIGHT", "READING_IMAGES", "Call", "Context"]

BY_NAME: Final[Mapping[str, Method]] = {
    "ping": ping,
    "insert": insert,
    "nearDupsInsert": near_dups_insert,
    "delete": delete,
    "get": get,
    "find": find,
    "update": update,
    "visualKNN": visual_knn,
    "visualTagsKNN": visual_tags_knn,
    "visualKNNMulti": visual_knn_multi,
    "visualTagsKNNMulti": visual_tags_knn_multi,
    "visualRankRecords": visual_rank_records,
    "visualTagsRankRecords": visual_tags_rank_records,
    "random": random,
    "getRecordCount": get_record_count,
    "allRecords": all_records,
    "deleteByFilter": delete_by_filter,
    "range": range,
    "nearDuplicates": near_duplicates,
    "allNearDupPairs": all_near_dup_pairs,
}
"""All methods by their name on the wire."""

CREATING: Final = frozenset({"insert", "nearDupsInsert"})
"""The methods that bring an unknown collection into being: a convenience of the emulator."""

READING_IMAGES: Final = CREATING | {
    name for name in BY_NAME if name.startswith("visual") or name in {"range", "nearDuplicates"}
}
"""The methods that look at the images of the records in a request."""

LIGHT: Final = frozenset({"ping", "insert", "get", "update", "getRecordCount"})
"""The methods that look at no more records than the request names."""
