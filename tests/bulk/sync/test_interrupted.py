"""Stopped, cut off or refused half-way, a sync leaves nothing that the next one does not mend."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import TYPE_CHECKING, Any

import pytest
from bulk.sync.shop import QUICK, opened, product, products
from fakes import answer, refusal

from ximilar_async import bulk
from ximilar_async.bulk._sync.execute import slice_size
from ximilar_async.bulk._sync.work import Task
from ximilar_async.errors import BulkAborted, ServerError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bulk.sync.shop import Shop

    from ximilar_async._protocol import Request, Response


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with opened() as shop:
        yield shop


@pytest.fixture
async def state(shop: Shop, tmp_path: Path) -> Path:
    """A state of 40 products that are stored."""
    await bulk.sync(shop.collection, products(range(40)), state=tmp_path / "state.db")
    shop.clear()
    return tmp_path / "state.db"


def photographed(*numbers: int) -> list[dict[str, Any]]:
    """Return the 40 products, some with another photo."""
    return [
        product(n, **({"_url": f"https://shop/new-{n}.jpg"} if n in numbers else {}))
        for n in range(40)
    ]


async def cut_between(shop: Shop, state: Path, catalog: list[Any]) -> bulk.SyncReport:
    """Abort a sync when it has deleted what it replaces, and before that is inserted."""
    hanging = asyncio.Event()

    def fault(method: str, _: dict[str, Any]) -> Response | None:
        if method == "insert":
            hanging.set()
            raise ServerError(503, 503, "busy")
        return None

    shop.transport.fault = fault
    slow = bulk.Options()
    job = bulk.sync(shop.collection, catalog, mode="mirror", state=state, options=slow)
    async with job:
        await hanging.wait()
        job.abort()
    shop.transport.fault = None
    shop.clear()
    return await job


async def test_what_was_deleted_is_inserted_by_the_next_sync(shop: Shop, state: Path) -> None:
    """Looked up, and inserted with the photo of the catalog by then."""
    report = await cut_between(shop, state, photographed(3, 4))
    assert (report.stop, report.exit_code) == (bulk.Stop.ASKED, 130)
    assert report.failed + report.not_attempted == 2
    assert len(await shop.stored()) == 38
    report = await bulk.sync(shop.collection, photographed(3, 4), mode="mirror", state=state)
    assert (report.replaced, report.unchanged, report.exit_code) == (2, 38, 0)
    assert (await shop.stored())["p3"]["_url"] == "https://shop/new-3.jpg"
    assert shop.methods() == ["getRecordCount", "get", "insert"]


async def test_what_was_deleted_and_left_the_catalog_is_restored(shop: Shop, state: Path) -> None:
    """Where gone records are to stay, the state itself still has the record."""
    await cut_between(shop, state, photographed(3, 4))
    report = await bulk.sync(shop.collection, products(range(4, 40)), state=state)
    assert (report.restored, report.replaced, report.not_restored) == (1, 1, 0)
    stored = await shop.stored()
    assert stored["p3"]["_url"] == "https://shop/new-3.jpg"
    assert stored["p4"]["_url"] == "https://shop/4.jpg"
    shop.clear()
    report = await bulk.sync(shop.collection, photographed(3), state=state)
    assert (report.unchanged, shop.writes()) == (40, {})


async def test_cut_twice_it_is_still_restored(shop: Shop, state: Path) -> None:
    """The run that mends is cut off as well, and then the record leaves the catalog."""
    await cut_between(shop, state, photographed(3, 4))
    report = await cut_between(shop, state, photographed(3, 4))
    assert report.replaced == 0
    assert len(await shop.stored()) == 38
    report = await bulk.sync(shop.collection, products(range(5, 40)), state=state)
    assert (report.restored, len(await shop.stored())) == (2, 40)


async def test_a_stop_keeps_in_doubt_what_was_in_doubt(shop: Shop, state: Path) -> None:
    """What a stopped run did not get to is looked up by the next one, not believed."""
    await cut_between(shop, state, photographed(3, 4))
    shop.transport.fault = lambda method, _: job.stop() if method == "get" else None
    job = bulk.sync(shop.collection, photographed(3, 4), state=state)
    report = await job
    assert (report.stop, shop.writes()) == (bulk.Stop.ASKED, {})
    shop.transport.fault = None
    report = await bulk.sync(shop.collection, photographed(3, 4), state=state)
    assert (report.replaced, len(await shop.stored())) == (2, 40)


async def test_what_was_deleted_and_is_gone_stays_deleted(shop: Shop, state: Path) -> None:
    """A mirror wants it so, and knows then that it is not stored."""
    await cut_between(shop, state, photographed(3, 4))
    catalog = products(range(4, 40))
    report = await bulk.sync(
        shop.collection, catalog, mode="mirror", state=state, allow_delete=True
    )
    assert (report.replaced, report.restored) == (1, 0)
    assert await shop.stored() == {record["_id"]: record for record in catalog}
    shop.clear()
    report = await bulk.sync(shop.collection, catalog, mode="mirror", state=state)
    assert (report.unchanged, report.gone, shop.writes()) == (36, 0, {})


async def test_a_source_that_breaks_off_does_not_keep_it_deleted(shop: Shop, state: Path) -> None:
    """The unread part may have the record: what the state kept of it is inserted."""
    await cut_between(shop, state, photographed(39))

    def broken() -> Any:
        yield from products(range(20))
        raise OSError("cut off")

    with pytest.raises(BulkAborted, match="cut off") as caught:
        await bulk.sync(shop.collection, broken(), mode="mirror", state=state)
    assert caught.value.report.restored == 1
    assert len(await shop.stored()) == 40


async def test_stopping_inserts_what_was_deleted(shop: Shop, state: Path) -> None:
    """`stop` while records are being deleted: those that are gone are inserted before the end."""
    job = bulk.sync(shop.collection, photographed(*range(40)), mode="mirror", state=state)

    def stop(method: str, _: dict[str, Any]) -> None:
        if method == "delete":
            job.stop("enough")

    shop.transport.fault = stop
    report = await job
    assert (report.stop, report.stop_reason) == (bulk.Stop.ASKED, "enough")
    assert report.replaced + report.not_attempted == 40
    assert report.replaced
    assert len(await shop.stored()) == 40
    shop.transport.fault = None
    report = await bulk.sync(shop.collection, photographed(*range(40)), state=state)
    assert report.replaced + report.unchanged == 40
    stored = await shop.stored()
    assert {record["_url"] for record in stored.values()} == {
        f"https://shop/new-{n}.jpg" for n in range(40)
    }


async def test_stopping_while_the_source_is_read_changes_nothing(shop: Shop, state: Path) -> None:
    """Nothing was sent, and every count is nought."""
    reached = asyncio.Event()

    async def slow() -> AsyncIterator[dict[str, Any]]:
        for record in products(range(600)):
            yield record
        reached.set()
        await asyncio.Event().wait()

    async with bulk.sync(shop.collection, slow(), mode="mirror", state=state) as job:
        await reached.wait()
        assert job.stats.stage == "reading the source"
        job.stop()
    report = await job
    assert (report.stop, report.changed, report.read) == (bulk.Stop.ASKED, 0, 0)
    assert shop.writes() == {}


async def test_a_cancelled_sync_drains_and_is_cancelled(shop: Shop, state: Path) -> None:
    """Cancelling who awaits it ends it in good order; the state can be used at once."""
    started = asyncio.Event()

    def note(method: str, _: dict[str, Any]) -> None:
        if method == "delete":
            started.set()

    shop.transport.fault = note
    task = asyncio.ensure_future(_awaited(shop, state))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(await shop.stored()) == 40
    report = await bulk.sync(shop.collection, photographed(*range(40)), state=state)
    assert report.exit_code == 0


async def _awaited(shop: Shop, state: Path) -> bulk.SyncReport:
    return await bulk.sync(shop.collection, photographed(*range(40)), mode="mirror", state=state)


async def test_a_refused_token_ends_it_before_anything_is_deleted(shop: Shop, state: Path) -> None:
    """The first phase that fails ends the sync; deletions, which are last, are not attempted."""
    catalog = [product(1, price=9), *products(range(2, 45))]

    def fault(method: str, _: dict[str, Any]) -> Response | None:
        return refusal(401) if method == "update" else None

    shop.transport.fault = fault
    with pytest.raises(BulkAborted) as caught:
        await bulk.sync(shop.collection, catalog, mode="mirror", state=state)
    report = caught.value.report
    assert (report.stop, report.exit_code) == (bulk.Stop.AUTH, 3)
    assert (report.inserted, report.deleted, report.deletions_not_attempted) == (5, 0, 1)
    assert sum(report.counts.values()) == report.read
    shop.transport.fault = None
    report = await bulk.sync(shop.collection, catalog, mode="mirror", state=state)
    assert (report.updated, report.deleted, report.unchanged) == (1, 1, 43)


async def test_a_full_collection_is_told(shop: Shop, state: Path) -> None:
    """412: the sync ends with its code, and what did not fit is sent again the next time."""

    def full(method: str, body: dict[str, Any]) -> Response | None:
        if method != "insert":
            return None
        skipped = [
            {"_id": r["_id"], "_reason": {"status": {"code": 412, "text": "full"}}}
            for r in body["records"]
        ]
        return answer(412, answer_records=[], skipped_records=skipped, answer_count=0)

    shop.transport.fault = full
    with pytest.raises(BulkAborted) as caught:
        await bulk.sync(shop.collection, products(range(60)), state=state)
    report = caught.value.report
    assert (report.exit_code, report.inserted) == (4, 0)
    assert sum(report.counts.values()) == report.read == 60
    shop.transport.fault = None
    assert (await bulk.sync(shop.collection, products(range(60)), state=state)).inserted == 20


async def test_a_callback_that_raises_ends_it_and_nothing_is_lost(shop: Shop, state: Path) -> None:
    """What was under way is noted all the same: the next sync sends only the rest."""

    def bad(_: bulk.Result) -> None:
        raise RuntimeError("mine")

    options = bulk.Options(on_result=bad)
    with pytest.raises(BulkAborted, match="mine") as caught:
        await bulk.sync(shop.collection, products(range(300)), state=state, options=options)
    first = caught.value.report
    assert sum(first.counts.values()) == first.read == 300
    shop.clear()
    report = await bulk.sync(shop.collection, products(range(300)), state=state)
    assert report.inserted == 260 - first.inserted
    assert len(shop.writes()["insert"]) == report.inserted


async def test_each_result_is_fetched_once(shop: Shop, state: Path) -> None:
    """Whatever became of a record, and however small the buffer."""
    catalog = photographed(3)
    catalog[5] = product(5, price=0)
    job = bulk.sync(shop.collection, [*catalog, *products(range(40, 90))], state=state)
    found = [(result.id, str(result.outcome)) async for result in job.results(buffer=5)]
    report = await job
    assert sorted(found) == sorted(
        [("p3", "inserted"), ("p5", "updated"), *((f"p{n}", "inserted") for n in range(40, 90))]
    )
    assert (report.inserted, report.replaced, report.updated) == (50, 1, 1)


@pytest.mark.parametrize("changed", [{"_url": "https://shop/new.jpg"}, {"price": -1}])
async def test_results_hold_the_sync_back(
    shop: Shop, tmp_path: Path, changed: dict[str, Any]
) -> None:
    """It is never further ahead of who fetches than a slice and the buffer."""
    numbers = range(600)
    await bulk.sync(shop.collection, products(numbers), state=tmp_path / "s.db")
    shop.clear()
    catalog = [product(n, **changed) for n in numbers]
    job = bulk.sync(shop.collection, catalog, state=tmp_path / "s.db")
    fetched = ahead = 0
    async for _ in job.results(buffer=10):
        fetched += 1
        await asyncio.sleep(0.001)
        sent = sum(len(b["records"]) for m, b in shop.log if m in ("insert", "update"))
        ahead = max(ahead, sent - fetched)
    assert fetched == len(numbers)
    assert ahead <= slice_size(10, shop.collection.slots) + 10


@pytest.mark.parametrize("planned", [False, True], ids=["reading", "sending"])
async def test_a_deadline_ends_it(shop: Shop, state: Path, planned: bool) -> None:  # noqa: FBT001 - a parameter
    """Out of time while it reads or while it sends: told, and taken up by the next sync."""

    def slow(method: str, _: dict[str, Any]) -> None:
        if method == "insert":
            time.sleep(0.05)

    shop.transport.fault = slow
    options = bulk.Options(deadline=2.0 if planned else 0.01)
    report = await bulk.sync(shop.collection, products(range(2000)), state=state, options=options)
    assert (report.stop, report.exit_code) == (bulk.Stop.DEADLINE, 1)
    assert (report.inserted > 0, report.not_attempted > 0) == (planned, planned)
    assert sum(report.counts.values()) == report.read
    shop.transport.fault = None
    rest = await bulk.sync(shop.collection, products(range(2000)), state=state)
    assert (rest.exit_code, rest.inserted) == (0, 1960 - report.inserted)


async def test_a_second_look_knows_what_was_in_doubt(shop: Shop, state: Path) -> None:
    """A photo that was replaced and put back in the catalog is put back in the collection.

    Its first look-up fails, and something else has the collection looked at once more.
    """
    await applied_and_cut(shop, state, photographed(3))
    assert (await shop.stored())["p3"]["_url"] == "https://shop/new-3.jpg"
    await bulk.insert(shop.collection, [product(99)])
    inserted = False

    def fault(method: str, _: dict[str, Any]) -> Response | None:
        nonlocal inserted
        inserted = inserted or method == "insert"
        if method == "get" and not inserted:
            raise ServerError(503, 503, "busy")
        return None

    shop.transport.fault = fault
    catalog = [*photographed(), product(99)]
    options = bulk.Options(retry=QUICK)
    report = await bulk.sync(shop.collection, catalog, state=state, options=options)
    assert (report.replaced, report.unchanged, report.exit_code) == (1, 40, 0)
    assert (await shop.stored())["p3"]["_url"] == "https://shop/3.jpg"


async def applied_and_cut(shop: Shop, state: Path, catalog: list[Any]) -> None:
    """Abort a sync when the service has inserted what it replaces, and not answered."""
    inner, hanging = shop.transport.inner, asyncio.Event()

    class Silent:
        async def send(self, request: Request) -> Response:
            answered: Response = await inner.send(request)
            if "/insert" in request.url:
                hanging.set()
                await asyncio.Event().wait()
            return answered

        async def aclose(self) -> None: ...

    shop.transport.inner = Silent()
    async with bulk.sync(shop.collection, catalog, state=state) as job:
        await hanging.wait()
        job.abort()
    shop.transport.inner = inner
    shop.clear()


async def test_what_somebody_else_stored_is_not_kept_in_memory(shop: Shop, tmp_path: Path) -> None:
    """Records that are there already are looked at again from disk, however many they are."""
    state = tmp_path / "s.db"
    await bulk.sync(shop.collection, [product(9999)], state=state)
    await bulk.insert(shop.collection, products(range(3000)))
    catalog = [product(9999), *(product(n, blurb="x" * 1000) for n in range(3000))]
    held: list[int] = []

    def note(method: str, _: dict[str, Any]) -> None:
        if method == "insert":
            held.append(sum(isinstance(one, Task) for one in gc.get_objects()))

    shop.transport.fault = note
    report = await bulk.sync(shop.collection, catalog, state=state)
    assert (report.updated, report.unchanged) == (3000, 1)
    assert max(held) < 1500


def refusing(method: str, body: dict[str, Any]) -> Response | None:
    """Answer as a service that can download no photo of a certain host."""
    records = body.get("records", ())
    if method == "insert" and any("https://broken/" in r.get("_url", "") for r in records):
        return refusal(400)
    return None


async def test_what_is_refused_is_stored_as_before(shop: Shop, state: Path) -> None:
    """A new photo that cannot be downloaded costs no product: the old one is put back."""
    before = await shop.stored()
    catalog = [
        product(n, price=-n, **({"_url": f"https://broken/{n}.jpg"} if n in (3, 4, 5) else {}))
        for n in range(3, 40)
    ]
    shop.transport.fault = refusing
    for _ in range(2):
        report = await bulk.sync(shop.collection, catalog, state=state)
        assert (report.rejected, report.replaced, report.not_restored) == (3, 0, 0)
        assert (report.exit_code, report.phases["replace: put back"].read) == (1, 3)
        stored = await shop.stored()
        assert [stored[f"p{n}"] for n in (3, 4, 5)] == [before[f"p{n}"] for n in (3, 4, 5)]
    shop.transport.fault = None
    report = await bulk.sync(shop.collection, catalog, state=state)
    assert (report.replaced, report.unchanged, report.exit_code) == (3, 34, 0)


async def test_what_is_refused_and_cannot_be_put_back_is_told(shop: Shop, state: Path) -> None:
    """The report counts it, its result says so, and the next sync tries again."""
    refuse_all = ["3.jpg", "https://broken/3.jpg"]

    def fault(method: str, body: dict[str, Any]) -> Response | None:
        urls = [r.get("_url", "") for r in body.get("records", ())]
        hit = method == "insert" and any(u.endswith(tuple(refuse_all)) for u in urls)
        return refusal(400) if hit else None

    shop.transport.fault = fault
    results: list[bulk.Result] = []
    options = bulk.Options(on_result=results.append)
    catalog = [
        product(n, **({"_url": "https://broken/3.jpg"} if n == 3 else {})) for n in range(40)
    ]
    report = await bulk.sync(shop.collection, catalog, state=state, options=options)
    assert (report.rejected, report.not_restored, report.exit_code) == (1, 1, 1)
    assert "deleted, and its new image was refused" in (results[-1].reason or "")
    shop.transport.fault = None
    report = await bulk.sync(shop.collection, products(range(40)), state=state)
    assert (report.replaced + report.inserted, len(await shop.stored())) == (1, 40)


async def test_what_cannot_be_looked_up_is_not_deleted(shop: Shop, state: Path) -> None:
    """Without a copy nothing is risked."""

    def fault(method: str, _: dict[str, Any]) -> Response | None:
        if method == "get":
            raise ServerError(503, 503, "busy")
        return None

    shop.transport.fault = fault
    options = bulk.Options(retry=QUICK)
    report = await bulk.sync(shop.collection, photographed(3), state=state, options=options)
    assert (report.failed, report.unchanged) == (1, 39)
    assert shop.writes() == {}
