"""The API as a table: one line a method; signatures live with the methods of `Collection`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, Literal, TypeVar

from attrs import evolve, frozen

from ._models import (
    Account,
    Answer,
    CountAnswer,
    PageAnswer,
    PingAnswer,
    RecordsAnswer,
    SearchAnswer,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

A_co = TypeVar("A_co", bound=Answer | Account, covariant=True)

MAX_RECORDS: Final = 10
"""Most records in one request ("max 10 records per request", Visual Search, Insert)."""


@frozen
class Endpoint(Generic[A_co]):
    """One API method: where it lives, what it returns, what it may carry."""

    path: str
    """The method's name on the wire: the last part of the address."""
    answer: type[A_co]
    """Class of the answer."""
    verb: Literal["GET", "POST"] = "POST"
    """The verb of the documents' own example (they say "all methods use POST", and then do not)."""
    max_records: int | None = None
    """Most entries in `records`; None where the documents name no limit."""
    writes: bool = False
    """Whether a lost answer leaves it open if the collection was changed."""
    answer_codes: frozenset[int] = frozenset()
    """4xx codes that are answers about single records, not failures of the call."""
    needs_lists: bool = True
    """Whether such a code is an answer only when the body has record lists."""
    partial_codes: frozenset[int] = frozenset()
    """4xx codes that are answers when some record was processed all the same."""
    needs_id: bool = False
    """Whether every entry of `records` must have an `_id`."""
    needs_image: bool = False
    """Whether every entry of `records` must bring an image."""
    needs_collection: bool = True
    """Whether the `collection-id` header belongs to it; all methods but `ping` have it."""
    documented: bool = True
    """False where the documents name the method without describing its answer."""


_NOT_FOUND = frozenset({404})
_DUPLICATE = frozenset({411})
_FULL = frozenset({412})

PING: Final = Endpoint("ping", PingAnswer, verb="GET", needs_collection=False)
INSERT: Final = Endpoint(
    "insert",
    RecordsAnswer,
    max_records=MAX_RECORDS,
    writes=True,
    answer_codes=_DUPLICATE,
    needs_lists=False,
    partial_codes=_FULL,
    needs_id=True,
    needs_image=True,
)
NEAR_DUPS_INSERT: Final = evolve(INSERT, path="nearDupsInsert")
DELETE: Final = Endpoint(
    "delete",
    RecordsAnswer,
    max_records=MAX_RECORDS,
    writes=True,
    answer_codes=_NOT_FOUND,
    needs_id=True,
)
GET: Final = Endpoint(
    "get", RecordsAnswer, max_records=MAX_RECORDS, answer_codes=_NOT_FOUND, needs_id=True
)
FIND: Final = Endpoint("find", RecordsAnswer)
UPDATE: Final = Endpoint(
    "update",
    RecordsAnswer,
    max_records=MAX_RECORDS,
    writes=True,
    answer_codes=_NOT_FOUND,
    needs_id=True,
)
VISUAL_KNN: Final = Endpoint("visualKNN", SearchAnswer)
VISUAL_TAGS_KNN: Final = Endpoint("visualTagsKNN", SearchAnswer)
VISUAL_KNN_MULTI: Final = Endpoint("visualKNNMulti", SearchAnswer)
VISUAL_TAGS_KNN_MULTI: Final = Endpoint("visualTagsKNNMulti", SearchAnswer)
VISUAL_RANK_RECORDS: Final = Endpoint("visualRankRecords", SearchAnswer, answer_codes=_NOT_FOUND)
VISUAL_TAGS_RANK_RECORDS: Final = Endpoint(
    "visualTagsRankRecords", SearchAnswer, answer_codes=_NOT_FOUND
)
RANDOM: Final = Endpoint("random", RecordsAnswer)
GET_RECORD_COUNT: Final = Endpoint("getRecordCount", CountAnswer, verb="GET")
ALL_RECORDS: Final = Endpoint("allRecords", PageAnswer)
DELETE_BY_FILTER: Final = Endpoint("deleteByFilter", RecordsAnswer, writes=True)
RANGE: Final = Endpoint("range", SearchAnswer)
NEAR_DUPLICATES: Final = Endpoint("nearDuplicates", SearchAnswer)
ALL_NEAR_DUP_PAIRS: Final = Endpoint("allNearDupPairs", Answer, documented=False)

METHODS: Final[Mapping[str, Endpoint[Answer]]] = {
    endpoint.path: endpoint
    for endpoint in (
        PING,
        INSERT,
        NEAR_DUPS_INSERT,
        DELETE,
        GET,
        FIND,
        UPDATE,
        VISUAL_KNN,
        VISUAL_TAGS_KNN,
        VISUAL_KNN_MULTI,
        VISUAL_TAGS_KNN_MULTI,
        VISUAL_RANK_RECORDS,
        VISUAL_TAGS_RANK_RECORDS,
        RANDOM,
        GET_RECORD_COUNT,
        ALL_RECORDS,
        DELETE_BY_FILTER,
        RANGE,
        NEAR_DUPLICATES,
        ALL_NEAR_DUP_PAIRS,
    )
}
"""All 20 methods by their name on the wire."""

ACCOUNT: Final = Endpoint("account/v2/details/", Account, verb="GET")
"""The one call outside a collection (Quickstart); its path is the whole address below the host."""
