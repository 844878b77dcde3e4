"""Bulk searches: one request a query, for "similar products of everything"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from emulated import Shop, at
from fakes import answer as reply

from ximilar_async import Retry, Ximilar, bulk
from ximilar_async._protocol import Response
from ximilar_async.bulk import Outcome, Stop
from ximilar_async.emulator.errors import Refusal
from ximilar_async.errors import BulkAborted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ximilar_async._protocol import Request
    from ximilar_async.bulk import Result


class Shelf:
    """Serves a collection on the plane; `fault` may answer a request in its place."""

    def __init__(self, fault: Callable[[int], Response | None] = lambda _: None) -> None:
        self.shop = Shop()
        self.shop.fill(range(0, 300, 10))
        self.bodies: list[dict[str, Any]] = []
        self._fault = fault

    async def send(self, request: Request) -> Response:
        body = orjson.loads(request.body) if request.body else {}
        self.bodies.append(body)
        fault = self._fault(len(self.bodies))
        if fault is not None:
            return fault
        method = request.url.rsplit("/", 1)[1]
        try:
            decoded = self.shop.call(method, **body) if body else {"status": {"code": 200}}
        except Refusal as refusal:
            return reply(refusal.code, str(refusal), http=refusal.code)
        return Response(200, {}, orjson.dumps(decoded))

    async def aclose(self) -> None:
        """Hold nothing."""


def collection_of(shelf: Shelf) -> Any:
    return Ximilar("token", transport=shelf).collection("c")


QUICK = Retry(attempts=4, base=0.001, throttled_base=0.001, cap=0.01)


async def test_each_query_is_one_request_with_its_own_answer() -> None:
    """Ids, records with an id, and images are searched; each result brings its matches."""
    shelf = Shelf()
    queries: list[Any] = ["3", {"_id": "7", "price": 9}, {"_url": at(41), "name": "photo"}]
    results: list[Result] = []
    options = bulk.Options(on_result=results.append)
    report = await bulk.visual_knn(collection_of(shelf), queries, k=2, options=options)
    assert (report.read, report.found, report.requests) == (3, 3, 3)
    found = {result.seq: [match.id for match in result.answer.matches] for result in results}
    assert found == {1: ["3", "2"], 2: ["7", "6"], 3: ["4", "5"]}
    assert [body["query_record"] for body in shelf.bodies] == [
        {"_id": "3"},
        {"_id": "7"},
        {"_url": at(41)},
    ]
    assert {body["k"] for body in shelf.bodies} == {2}


async def test_near_duplicates_of_a_catalog_are_told_with_their_distances(tmp_path: Path) -> None:
    """A file of records is a list of queries; a stored record finds itself at distance 0."""
    shelf = Shelf()
    shelf.shop.call("insert", records=[{"_id": "near", "_url": at(12)}])
    path = tmp_path / "catalog.jsonl"
    path.write_bytes(b'{"_id":"1","price":1}\n{"_id":"2","price":2}\n')
    results: list[Result] = []
    options = bulk.Options(on_result=results.append)
    await bulk.near_duplicates(collection_of(shelf), path, radius=5.0, options=options)
    found = {r.id: [(m.id, m.distance) for m in r.answer.matches] for r in results}
    assert found == {"1": [("1", 0.0), ("near", 2.0)], "2": [("2", 0.0)]}


async def test_unknown_and_unusable_queries_are_data() -> None:
    """A query that is not stored is not found, one without id and image rejected: no run ends."""
    queries: list[Any] = ["1", "unknown", {"price": 3}, 5, {"_id": "2"}]
    job = bulk.visual_knn(collection_of(Shelf()), queries, k=1)
    results = [result async for result in job.results()]
    assert {result.seq: str(result.outcome) for result in results} == {
        1: "found",
        2: "not_found",
        3: "rejected",
        4: "rejected",
        5: "found",
    }
    assert (await job).exit_code == bulk.ExitCode.TROUBLE


async def test_the_same_query_twice_is_searched_twice() -> None:
    """Queries are joined by request, not by id: repeated ones need not wait for each other."""
    queries: list[Any] = ["1", "1", {"_url": at(41)}, {"_url": at(41)}]
    report = await bulk.visual_knn(collection_of(Shelf()), queries, k=1)
    assert (report.found, report.requests) == (4, 4)


async def test_failed_searches_are_sent_again() -> None:
    """503 and answers without JSON are repeated; nothing is looked up, for nothing was written."""

    def fault(number: int) -> Response | None:
        if number % 4 == 1:
            return reply(503, "busy", http=503)
        return Response(200, {}, b"<html>") if number % 4 == 2 else None

    shelf = Shelf(fault)
    options = bulk.Options(retry=Retry(attempts=30, base=0.001, cap=0.002))
    ids = [str(n) for n in range(20)]
    report = await bulk.visual_knn(collection_of(shelf), ids, k=1, options=options)
    assert (report.found, report.failed) == (20, 0)
    searches = [body for body in shelf.bodies if body]  # a ping has none
    assert report.retries == len(searches) - 20 > 0
    assert all("query_record" in body for body in searches)


async def test_a_query_that_always_fails_is_failed_and_the_others_found() -> None:
    """Attempts are bounded for each query."""
    broken = Response(200, {}, b'{"status": {"code": 200}, "answer_records": 7}')
    shelf = Shelf(
        lambda _: broken if shelf.bodies[-1].get("query_record") == {"_id": "5"} else None
    )
    options = bulk.Options(retry=QUICK)
    ids = [str(n) for n in range(20)]
    report = await bulk.visual_knn(collection_of(shelf), ids, k=1, options=options)
    assert (report.found, report.failed) == (19, 1)
    assert report.samples[Outcome.FAILED][0].id == "5"


async def test_a_wrong_search_stops_the_run() -> None:
    """A filter that the service does not understand is no fault of two thousand queries."""
    refusal = reply(400, "unknown operator $foo", http=400)
    shelf = Shelf(lambda _: refusal)
    with pytest.raises(BulkAborted, match=r"unknown operator \$foo") as caught:
        await bulk.visual_knn(
            collection_of(shelf), map(str, range(2000)), filter={"a": {"$foo": 1}}
        )
    assert caught.value.report.stop is Stop.CONFIGURATION
    assert len(shelf.bodies) < 100


async def test_fields_are_sent_as_chosen() -> None:
    """`fields` keeps what shall travel; `_id` and image always do."""
    shelf = Shelf()
    record = {"_id": "new", "_url": at(500), "price": 3, "note": "secret", "_tags": ["a"]}
    options = bulk.Options(fields=["price", "_tags"])
    report = await bulk.insert(collection_of(shelf), [record], options=options)
    assert report.inserted == 1
    (sent,) = shelf.bodies[0]["records"]
    assert sent == {"_id": "new", "_url": at(500), "price": 3, "_tags": ["a"]}
