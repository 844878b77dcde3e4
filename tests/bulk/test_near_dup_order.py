"""The order of a near-duplicate insert: what may be under way at once."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from fakes import in_virtual_time
from scripted import answer

from ximilar_async import Limits, Retry, Ximilar, bulk
from ximilar_async.bulk import Outcome
from ximilar_async.errors import ConfigError, TimedOutError

if TYPE_CHECKING:
    from ximilar_async._protocol import Request, Response

RADIUS = 5.0


class PlainService:
    """Compares a request's records when it arrives, and stores them when it answers.

    So requests under way at once do not see each other. An image's address ends in its place on a
    line: two within the radius are near-duplicates.

    Args:
        lost: Share of the answers that never come, their work done.
    """

    def __init__(self, lost: float = 0.0) -> None:
        self.stored: dict[str, float] = {}
        self._sent: dict[str, dict[str, Any]] = {}
        self.under_way: list[list[str]] = []
        self.together: list[set[str]] = []
        self._chance = Random(7)
        self._lost = lost

    async def send(self, request: Request) -> Response:
        if request.url.endswith("/ping"):
            return answer(200)
        body = orjson.loads(request.body)
        if request.url.endswith("/get"):
            there = [self._sent[r["_id"]] for r in body["records"] if r["_id"] in self.stored]
            return answer(205, answer_records=there, skipped_records=[])
        self._sent |= {r["_id"]: r for r in body["records"]}
        points = {r["_id"]: float(r["_url"].rsplit("/", 1)[1]) for r in body["records"]}
        self.under_way.append(list(points))
        self.together.append({id_ for ids in self.under_way for id_ in ids})
        accepted, skipped = self._compare(points)
        await asyncio.sleep(self._chance.uniform(0.1, 2.0))
        self.under_way.remove(list(points))
        self.stored |= accepted
        if self._chance.random() < self._lost:
            raise TimedOutError("no answer in time")
        done = [{"_id": id_} for id_ in accepted]
        return answer(211, answer_records=done, skipped_records=skipped, answer_count=len(done))

    async def aclose(self) -> None:
        """Hold nothing."""

    def _compare(self, points: dict[str, float]) -> tuple[dict[str, float], list[Any]]:
        accepted: dict[str, float] = {}
        skipped = []
        for id_, point in points.items():
            if id_ in self.stored:
                reason = {"status": {"code": 211, "text": "record duplicate"}}
                skipped.append({"_id": id_, "_reason": reason})
                continue
            seen = {**self.stored, **accepted}
            near = {i: abs(p - point) for i, p in seen.items() if abs(p - point) <= RADIUS}
            if not near:
                accepted[id_] = point
                continue
            near_reason = {
                "status": {"code": 211, "text": "near duplicate"},
                "answer_records": [{"_id": i} for i in near],
                "answer_distances": list(near.values()),
            }
            skipped.append({"_id": id_, "_reason": near_reason})
        return accepted, skipped


def catalog(products: int = 40, photos: int = 4) -> list[dict[str, Any]]:
    """Return photos of products, those of one product near each other, in mixed order."""
    records = [
        {"_id": f"{p}-{n}", "_url": f"https://plane/{p * 100 + n}", "product": p}
        for p in range(products)
        for n in range(photos)
    ]
    Random(3).shuffle(records)
    return records


def first_of_each(records: list[dict[str, Any]]) -> set[str]:
    """Return the ids that one sender after the other would have stored."""
    firsts: dict[int, str] = {}
    for record in records:
        firsts.setdefault(record["product"], record["_id"])
    return set(firsts.values())


def load(service: PlainService, records: list[dict[str, Any]], **options: Any) -> bulk.Report:
    async def main() -> bulk.Report:
        client = Ximilar("token", transport=service, limits=Limits(concurrency=8))
        settings = bulk.Options(retry=Retry(attempts=20, base=0.001, cap=0.005), **options)
        return await bulk.near_dups_insert(client.collection("c"), records, options=settings)

    return in_virtual_time(main())


@pytest.mark.parametrize("lost", [0.0, 0.3])
def test_strict_stores_what_one_sender_would(lost: float) -> None:
    """Each request leaves when all before it are decided, lost answers and retries included."""
    service, records = PlainService(lost), catalog()
    report = load(service, records, near_dup_order="strict")
    assert set(service.stored) == first_of_each(records)
    assert max(map(len, service.together)) == 10
    assert report.inserted == len(service.stored) == 40
    # After a lost answer a record's own first attempt may be what it is a near-duplicate of.
    assert report.near_duplicate == 120


@pytest.mark.parametrize("code", [400, 500])
def test_strict_keeps_the_order_of_a_batch_that_is_taken_apart(code: int) -> None:
    """The halves of a batch with a bad record wait for each other, and all others for them."""

    class Spoilt(PlainService):
        async def send(self, request: Request) -> Response:
            if b'"_id":"bad"' in request.body:
                await asyncio.sleep(0.01)
                return answer(code, "bad", http=code)
            return await super().send(request)

    service, records = Spoilt(), catalog()
    records[14] = {**records[14], "_id": "bad", "product": "none"}
    report = load(service, records, near_dup_order="strict")
    left = [record for record in records if record["_id"] != "bad"]
    assert set(service.stored) == first_of_each(left)
    assert report.inserted == len(service.stored)
    assert report.rejected + report.failed == 1


def test_strict_keeps_the_order_however_batches_are_cut() -> None:
    """A record that opened the next batch does not overtake the one that waits for its turn."""
    order: list[str] = []

    class Noting(PlainService):
        async def send(self, request: Request) -> Response:
            if request.url.endswith("nearDupsInsert"):
                order.extend(r["_id"] for r in orjson.loads(request.body)["records"])
            return await super().send(request)

    async def main() -> None:
        client = Ximilar("token", transport=Noting(), limits=Limits(concurrency=8))
        options = bulk.Options(near_dup_order="strict", flush_after=0.01, max_batch_bytes=150)
        await bulk.near_dups_insert(client.collection("c"), catalog(10), options=options)

    in_virtual_time(main())
    assert order == [record["_id"] for record in catalog(10)]


def test_grouped_stores_one_of_a_group_and_runs_groups_side_by_side() -> None:
    """Records of one product are never under way together, those of several are."""
    service, records = PlainService(), catalog()
    report = load(service, records, near_dup_order="grouped", near_dup_group="product")
    for together in service.together:
        products = [id_.split("-")[0] for id_ in together]
        assert len(products) == len(set(products))
    assert max(map(len, service.together)) > 10
    assert set(service.stored) == first_of_each(records)
    assert (report.inserted, report.near_duplicate) == (40, 120)


def test_grouped_by_image_keeps_the_same_address_apart() -> None:
    """Without a field the group is the image itself: the same address under another id waits."""
    records = [{"_id": str(n), "_url": f"https://plane/{n % 30 * 100}"} for n in range(120)]
    service = PlainService()
    report = load(service, records, near_dup_order="grouped")
    assert (report.inserted, report.near_duplicate) == (30, 90)
    assert service.stored.keys() == {str(n) for n in range(30)}


def test_any_order_may_store_near_duplicates_of_one_input() -> None:
    """The default is the fastest and says so: what is under way together is not compared."""
    service, records = PlainService(), catalog()
    report = load(service, records)
    assert report.inserted == len(service.stored) > 40
    assert report.read == 160


def test_ids_given_twice_are_decided_in_every_order() -> None:
    """A repeated id is sent when the first is decided, also where groups or order hold it back."""
    records = [{**record, "_id": str(n % 25)} for n, record in enumerate(catalog(20, 2))]
    for order in ("any", "grouped", "strict"):
        service = PlainService()
        report = load(service, records, near_dup_order=order)
        assert report.read == sum(report.counts.values()) == 40
        assert report.inserted == len(service.stored)
        assert report.counts.get(Outcome.FAILED, 0) == 0


def test_an_unknown_order_is_refused() -> None:
    """The message names the three orders there are."""
    with pytest.raises(ConfigError, match="'strict' or 'grouped' or 'any', not 'sorted'"):
        bulk.Options(near_dup_order="sorted")
