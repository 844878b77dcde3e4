"""Where the collection is not what the state says, the report says so, and it is read aright."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from bulk.sync.shop import QUICK, opened, product, products

from ximilar_async import Ximilar, bulk
from ximilar_async.errors import StateError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bulk.sync.shop import Shop

    from ximilar_async._protocol import Request, Response


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with opened() as shop:
        yield shop


class Busy:
    """A transport that lets somebody else write after pages of the collection were read.

    Args:
        shop: Whose collection.
        deletions: Ids that are deleted, one after each first page.
    """

    def __init__(self, shop: Shop, deletions: list[str]) -> None:
        self._inner, self._shop, self._deletions = shop.transport.inner, shop, deletions
        shop.transport.inner = self

    async def send(self, request: Request) -> Response:
        response: Response = await self._inner.send(request)
        first = request.url.endswith("page=1") and "allRecords" in request.url
        if first and self._deletions:
            await self._shop.collection.delete([self._deletions.pop(0)])
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


async def seed_while_busy(shop: Shop, state: Any, deletions: list[str]) -> bulk.SyncReport:
    """Sync a collection of 1,200 records without p500 while others delete."""
    await bulk.insert(shop.collection, products(range(1200)))
    Busy(shop, deletions)
    catalog = [one for one in products(range(10, 1200)) if one["_id"] != "p500"]
    return await bulk.sync(shop.collection, catalog, state=state, mode="mirror", allow_delete=True)


async def test_a_collection_that_shrinks_while_it_is_read_is_read_again(
    shop: Shop, tmp_path: Path
) -> None:
    """A record that slipped onto a page already read is seen all the same, and deleted."""
    report = await seed_while_busy(shop, tmp_path / "s.db", ["p3"])
    stored = await shop.stored()
    assert set(stored) == {f"p{n}" for n in range(10, 1200) if n != 500}
    assert (report.deleted, report.notes) == (10, ())


async def test_a_collection_that_never_rests_is_told(shop: Shop, tmp_path: Path) -> None:
    """After three readings the sync goes on with what it saw, and says so."""
    report = await seed_while_busy(shop, tmp_path / "s.db", ["p3", "p4", "p5"])
    assert report.notes[0].startswith("the collection changed each time it was read")


async def test_what_others_did_is_told(shop: Shop, tmp_path: Path) -> None:
    """Fewer records than the state knows: summary and values say it; the same number: nothing."""
    state = tmp_path / "state.db"
    await bulk.sync(shop.collection, products(range(40)), state=state)
    report = await bulk.sync(shop.collection, products(range(40)), state=state)
    assert report.notes == ()
    await shop.collection.insert([product(50)])
    report = await bulk.sync(shop.collection, products(range(40)), state=state)
    words = "the collection has 41 records, and 40 are known of"
    assert report.notes == (words,)
    assert report.summary().endswith(words)
    assert report.to_dict()["notes"] == [words]


async def test_the_state_of_another_machine_is_refused(shop: Shop, tmp_path: Path) -> None:
    """An emulator's state does not pass for the service's, nor the other way round."""
    state = tmp_path / "state.db"
    await bulk.sync(shop.collection, products(range(4)), state=state)
    url = "http://127.0.0.1:9"
    async with Ximilar("t", transport=shop.transport, base_url=url, retry=QUICK) as client:
        with pytest.raises(StateError, match=r"what api\.ximilar\.com stores, not 127\.0\.0\.1"):
            await bulk.sync(client.collection("shoes"), products(range(4)), state=state)


async def test_what_others_deleted_is_stored_again(shop: Shop, tmp_path: Path) -> None:
    """The ids are read, what is missing is new, and what is there is left; a plan only says so."""
    state = tmp_path / "state.db"
    await bulk.sync(shop.collection, products(range(40)), state=state)
    await shop.collection.delete([f"p{n}" for n in range(1, 10)])
    words = "the collection has 31 records, and 40 are known of"
    with await bulk.plan_sync(shop.collection, products(range(40)), state=state) as plan:
        assert (plan.insert, plan.notes) == (0, (words,))
    shop.clear()
    report = await bulk.sync(shop.collection, products(range(40)), state=state, mode="mirror")
    assert (report.inserted, report.unchanged, len(await shop.stored())) == (9, 31, 40)
    assert report.notes[1] == "9 of them are not in the collection any more, and count as new"
    assert report.requests == len(shop.log)
    report = await bulk.sync(shop.collection, products(range(40)), state=state, mode="mirror")
    assert (report.unchanged, report.notes) == (40, ())


async def test_nothing_is_forgotten_while_others_write(shop: Shop, tmp_path: Path) -> None:
    """If the number of ids is not that of the records, some may have been missed."""
    state = tmp_path / "state.db"
    await bulk.sync(shop.collection, products(range(1200)), state=state)
    await shop.collection.delete(["p7"])
    Busy(shop, ["p3"])
    report = await bulk.sync(shop.collection, products(range(1200)), state=state)
    assert (report.unchanged, report.inserted, len(report.notes)) == (1200, 0, 1)
