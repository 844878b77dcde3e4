"""Which records of a collection are nearly the same: all pairs at once, or record by record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from attrs import evolve, frozen

from ximilar_async._collection import Collection
from ximilar_async.errors import (
    AnswerError,
    AnswerTooLargeError,
    ApiError,
    BadRequestError,
    ConfigError,
    NotFoundError,
)

from ._duplicate_groups import Pairs
from ._export import record_count
from ._options import Options
from ._outcomes import Outcome
from ._searches import near_duplicates

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from ximilar_async._collection._base import Filter
    from ximilar_async._models import Record, SearchAnswer
    from ximilar_async.errors import XimilarError

    from ._duplicate_groups import Groups
    from ._outcomes import Result
    from ._report import Report

Method: TypeAlias = Literal["pairs", "each"]
"""How near-duplicates were found: by allNearDupPairs, or by nearDuplicates for each record."""

_FORBIDDEN: Final = 403
_NOT_IMPLEMENTED: Final = 501


@frozen(kw_only=True)
class Search:
    """How far a search for near-duplicates is."""

    method: Method = "pairs"
    refused: str = ""
    """Why allNearDupPairs is not used; empty where it is, or was not tried."""
    asked: int = 0
    """Records whose near-duplicates were asked for."""
    total: int | None = None
    """Records that the collection counts; None where that does not matter."""
    pairs: int = 0
    """Pairs that were found; with "each" most of them are found from both sides."""
    failed: int = 0
    """Records that could not be asked for: groups may be incomplete."""


@frozen(kw_only=True)
class Duplicates:
    """The near-duplicates of a collection."""

    groups: Groups
    """Groups of records, largest first: a sequence whose members are made when they are looked
    at."""
    search: Search
    """How they were found."""


async def duplicates(
    collection: Collection,
    *,
    radius: float | None = None,
    filter: Filter | None = None,
    each: bool | None = None,
    page_size: int = 500,
    options: Options | None = None,
    on_progress: Callable[[Search], object] | None = None,
) -> Duplicates:
    """Find all groups of records whose images are nearly the same.

    Two records are in one group if they are near-duplicates, or linked by others that are. One
    request asks for all pairs (allNearDupPairs); where the service has no such method, refuses it,
    or answers what cannot be read, each record's near-duplicates are asked for, a search each: that
    costs credits. Kept in memory are only the pairs, and the ids of records that are in one.

    Args:
        collection: Where.
        radius: Largest distance of a near-duplicate; the service's default is 5.0 (nearDuplicates).
        filter: Look only at records that match it.
        each: True to ask for each record, False never to, None to see whether it must be.
        page_size: Ids in a request, where each record is asked for.
        options: How each record is asked for.
        on_progress: Called with how far it is, a few times a second.

    Returns:
        The groups.

    Raises:
        ConfigError: a setting is of another type.
        BulkAborted: the service became unreachable while each record was asked for.
        XimilarError: the service refuses, or does not answer even after retries.

    Example:
        found = await bulk.duplicates(shoes, radius=5.0)
        for group in found.groups:
            print(group.first.id, [(other.id, other.distance) for other in group.others])

    Documented in: Visual Search, Near Duplicates, and Available Methods (the name allNearDupPairs
    only: its answer is read as the emulator gives it, and believed only if it is whole).
    """
    if not isinstance(collection, Collection):
        raise ConfigError(
            f"duplicates takes a collection, client.collection(…), not {collection!r:.80}"
        )
    work = _Finding(collection, radius, filter, on_progress or (lambda _: None))
    if each:
        await work.ask_for_each(page_size, options or Options())
    else:
        try:
            await work.ask_for_pairs()
        except (ApiError, AnswerError, AnswerTooLargeError) as error:
            if each is not None or not is_unavailable(error):
                raise
            work.note(refused=str(error))
            await work.ask_for_each(page_size, options or Options())
    return Duplicates(groups=work.pairs.groups(), search=work.search)


def is_unavailable(error: XimilarError) -> bool:
    """Tell whether a service cannot be asked for all pairs, however often it is tried.

    Example:
        >>> is_unavailable(NotFoundError(404, 404, "")), is_unavailable(ApiError(401, 401, ""))
        (True, False)
    """
    refusing = (NotFoundError, BadRequestError, AnswerError, AnswerTooLargeError)
    code = error.code if isinstance(error, ApiError) else None
    return isinstance(error, refusing) or code in (_FORBIDDEN, _NOT_IMPLEMENTED)


def read_pairs(raw: Any) -> Iterator[tuple[str, str, float]]:
    """Return the pairs of an answer of allNearDupPairs: two ids and their distance.

    Args:
        raw: The answer, decoded.

    Raises:
        AnswerError: it is of another form, or tells that it is not whole.

    Example:
        >>> answer = {"answer_pairs": [[{"_id": "1"}, {"_id": "2"}]], "answer_distances": [0.5]}
        >>> list(read_pairs(answer))
        [('1', '2', 0.5)]
    """
    raw = raw if isinstance(raw, dict) else {}
    pairs, distances = raw.get("answer_pairs"), raw.get("answer_distances")
    if not isinstance(pairs, list) or not isinstance(distances, list):
        raise _unreadable("has no answer_pairs with answer_distances", raw)
    count = raw.get("answer_count", len(pairs))
    if len(pairs) != len(distances) or count != len(pairs) or raw.get("next"):
        words = f"holds {len(pairs)} pairs, {len(distances)} distances, and counts {count!r:.20}"
        raise _unreadable(words, raw)
    if not all(map(_is_pair, pairs)) or not all(type(far) in (int, float) for far in distances):
        raise _unreadable("holds what is no pair of records, or no distance", raw)
    return ((one["_id"], two["_id"], far) for (one, two), far in zip(pairs, distances, strict=True))


def _unreadable(words: str, raw: Any) -> AnswerError:
    return AnswerError(f"allNearDupPairs: the answer {words}", raw=raw)


def _is_pair(pair: Any) -> bool:
    return (
        isinstance(pair, list)
        and len(pair) == 2  # noqa: PLR2004 - a pair
        and all(isinstance(one, dict) and isinstance(one.get("_id"), str) for one in pair)
    )


class _Finding:
    """One search under way."""

    def __init__(
        self,
        collection: Collection,
        radius: float | None,
        filter: Filter | None,
        tell: Callable[[Search], object],
    ) -> None:
        self.pairs, self.search = Pairs(), Search()
        self._collection, self._radius, self._filter = collection, radius, filter
        self._tell = tell

    def note(self, **changes: Any) -> None:
        """Take down how far it is, and tell."""
        self.search = evolve(self.search, pairs=len(self.pairs), **changes)
        self._tell(self.search)

    async def ask_for_pairs(self) -> None:
        """Find all pairs by one request."""
        self.note()
        answer = await self._collection.all_near_dup_pairs(
            radius=self._radius, filter=self._filter, fields_to_return=["_id"]
        )
        for one, other, distance in read_pairs(answer.raw):
            self.pairs.add(one, other, distance)
        self.note()

    async def ask_for_each(self, page_size: int, options: Options) -> None:
        """Find the pairs of each record by a request of its own."""
        self.note(method="each", total=await record_count(self._collection))
        job = near_duplicates(
            self._collection,
            self._ids(page_size),
            radius=self._radius,
            filter=self._filter,
            fields_to_return=["_id"],
            options=evolve(
                options,
                on_result=lambda result: self._take(result, options.on_result),
                progress=lambda report: self._look(report, options.progress),
            ),
        )
        await job
        self.note()

    async def _ids(self, page_size: int) -> AsyncIterator[Record]:
        listing = self._collection.iter_records(
            fields_to_return=["_id"], filter=self._filter, page_size=page_size
        )
        async for record in listing:
            yield {"_id": record.get("_id")}

    def _take(self, result: Result, others: Callable[[Result], object] | None) -> None:
        whole = result.outcome is Outcome.FOUND and self._add(result.id, result.answer)
        # One that is gone by now is no near-duplicate of anything.
        failed = not whole and result.outcome is not Outcome.NOT_FOUND
        self.search = evolve(
            self.search, asked=self.search.asked + 1, failed=self.search.failed + failed
        )
        if others is not None:
            others(result)

    def _add(self, id_: str | None, answer: SearchAnswer) -> bool:
        """Take what was found for a record, and tell whether it can be understood."""
        if id_ is None or len(answer.records) != len(answer.distances):
            return False
        for match in answer.matches:
            if match.id is not None:
                self.pairs.add(id_, match.id, match.distance)
        return True

    def _look(self, report: Report, others: Callable[[Report], object] | None) -> None:
        self.note()
        if others is not None:
            others(report)
