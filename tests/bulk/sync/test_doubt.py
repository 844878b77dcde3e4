"""What an interrupted sync may have stored is guarded like what is known to be stored."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from attrs import define
from bulk.sync.shop import opened, product, products

from ximilar_async import bulk
from ximilar_async.errors import SyncRefusedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bulk.sync.shop import Shop

    from ximilar_async._protocol import Request, Response


@define(eq=False)
class Mute:
    """A transport whose inserts are carried out, or not even that, and never answered."""

    inner: Any
    carried_out: bool = True
    asked: int = 0

    async def send(self, request: Request) -> Response:
        if "/insert" not in request.url:
            response: Response = await self.inner.send(request)
            return response
        if self.carried_out:
            await self.inner.send(request)
        self.asked += 1
        return await asyncio.Future()

    async def aclose(self) -> None:
        await self.inner.aclose()


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with opened() as shop:
        yield shop


async def cut_off(shop: Shop, state: Path, *, carried_out: bool = True) -> None:
    """Abort a first sync of 40 products while all their inserts wait for an answer."""
    mute = shop.transport.inner = Mute(shop.transport.inner, carried_out)
    job = bulk.sync(shop.collection, products(range(40)), mode="mirror", state=state)
    async with job:
        while mute.asked < 4:
            await asyncio.sleep(0)
        job.abort()
    shop.transport.inner = mute.inner
    shop.clear()
    assert len(await shop.stored()) == (40 if carried_out else 0)


@pytest.mark.parametrize(
    ("catalog", "words"),
    [
        ([], "no usable record, and 40 are stored"),
        ([0], r"39 of 40 stored records are not in records \(97\.5%\)"),
        (range(1000, 1010), "none of the 10 ids .* among the 40 stored"),
    ],
    ids=["empty", "cut", "another"],
)
async def test_records_in_doubt_are_guarded(
    shop: Shop, tmp_path: Path, catalog: Any, words: str
) -> None:
    """An empty, cut or wrong catalog deletes nothing of what has no row in the state yet."""
    await cut_off(shop, tmp_path / "s.db")
    with pytest.raises(SyncRefusedError, match=words):
        await bulk.sync(shop.collection, products(catalog), mode="mirror", state=tmp_path / "s.db")
    assert len(await shop.stored()) == 40
    assert shop.writes() == {}


async def test_records_in_doubt_may_be_deleted_if_asked_for(shop: Shop, tmp_path: Path) -> None:
    """A few are unasked, all of them with allow_delete; what is left is the catalog."""
    await cut_off(shop, tmp_path / "s.db")
    state = tmp_path / "s.db"
    report = await bulk.sync(shop.collection, products(range(2, 40)), mode="mirror", state=state)
    assert (report.deleted, report.unchanged, report.exit_code) == (2, 38, 0)


async def test_allowed_deletions_take_records_in_doubt(shop: Shop, tmp_path: Path) -> None:
    """With allow_delete 39 of 40 go, none of which has a row."""
    await cut_off(shop, tmp_path / "s.db")
    report = await bulk.sync(
        shop.collection, products([0]), mode="mirror", state=tmp_path / "s.db", allow_delete=True
    )
    assert (report.gone, report.deleted) == (39, 39)
    assert list(await shop.stored()) == ["p0"]


async def test_what_never_arrived_stops_nobody(shop: Shop, tmp_path: Path) -> None:
    """An empty collection has nothing to be guarded: the right catalog is not refused."""
    await cut_off(shop, tmp_path / "s.db", carried_out=False)
    report = await bulk.sync(
        shop.collection, products(range(100, 110)), mode="mirror", state=tmp_path / "s.db"
    )
    assert (report.inserted, report.gone, len(await shop.stored())) == (10, 0, 10)


async def test_a_near_duplicate_in_doubt_is_guarded(shop: Shop, tmp_path: Path) -> None:
    """A row that says "not stored" does not hide that the record was being inserted."""
    state = tmp_path / "s.db"
    near = {"near_dups": True, "options": bulk.Options(near_dup_order="strict")}
    twins = [product(n, _url="https://shop/same.jpg") for n in range(2)]
    await bulk.sync(shop.collection, twins, state=state, **near)
    mute = shop.transport.inner = Mute(shop.transport.inner)
    job = bulk.sync(shop.collection, [twins[0], product(1)], state=state)
    async with job:
        while not mute.asked:
            await asyncio.sleep(0)
        job.abort()
    shop.transport.inner = mute.inner
    with pytest.raises(SyncRefusedError, match="1 of 2 stored records"):
        await bulk.sync(shop.collection, twins[:1], mode="mirror", state=state)
    assert len(await shop.stored()) == 2


async def test_lines_without_an_id_withhold_deletions_of_records_in_doubt(
    shop: Shop, tmp_path: Path
) -> None:
    """Each such line may be the one that seems gone."""
    await cut_off(shop, tmp_path / "s.db")
    catalog = [*products(range(1, 40)), {"_url": "https://shop/0.jpg"}]
    report = await bulk.sync(shop.collection, catalog, mode="mirror", state=tmp_path / "s.db")
    assert (report.deletions_withheld, report.deleted, report.exit_code) == (1, 0, 1)
    assert len(await shop.stored()) == 40
