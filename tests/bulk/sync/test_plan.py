"""A plan says just what will be done, and is carried out as it stands or not at all."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from bulk.sync.shop import opened, product, products
from documented import picture

from ximilar_async import Ximilar, bulk
from ximilar_async.errors import ConfigError, SyncRefusedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bulk.sync.shop import Shop


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with opened() as shop:
        yield shop


@pytest.fixture(params=["file", "remote", "none"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Each way to know what is stored."""
    return {"file": tmp_path / "state.db", "remote": "remote", "none": None}[request.param]


def next_day() -> list[dict[str, Any]]:
    """Return the catalog of a day later: 30 prices, 4 photos, 2 gone, 6 new."""
    catalog = [product(n, price=1000 + n) for n in range(2, 32)]
    catalog += [product(n, _url=f"https://shop/new-{n}.jpg") for n in range(32, 36)]
    return catalog + products(range(36, 106))


async def stocked(shop: Shop, state: Any) -> None:
    await bulk.sync(shop.collection, products(range(100)), state=state)
    shop.clear()


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


async def test_a_plan_says_what_the_sync_then_does(shop: Shop, state: Any) -> None:
    """Counts and requests are those of the sync that follows; planning itself writes nothing."""
    await stocked(shop, state)
    with await bulk.plan_sync(shop.collection, next_day(), mode="mirror", state=state) as plan:
        counts = (plan.insert, plan.update, plan.replace, plan.delete, plan.unchanged)
        assert counts == (6, 30, 4, 2, 64)
        assert shop.writes() == {}
        requests = dict(plan.requests)
        assert requests == {"insert": 2, "update": 3, "delete": 2, "get": 1}
        assert plan.seconds(2.0) == 4
        assert plan.credits({"insert": 10, "update": 1, "delete": 0.5}) == 100 + 30 + 3
        assert plan.samples["delete"] == ("p0", "p1")
        assert plan.summary().startswith("mirror: 104 records read, 100 stored: 6 to insert, 30 to")
        assert orjson.loads(orjson.dumps(plan.to_dict()))["replace"] == 4
    shop.clear()
    report = await bulk.sync(shop.collection, next_day(), mode="mirror", state=state)
    done = (report.inserted, report.updated, report.replaced, report.deleted, report.unchanged)
    assert done == counts
    sent = {method: shop.methods().count(method) for method in requests}
    assert sent == requests


async def test_a_plan_changes_no_file(shop: Shop, tmp_path: Path) -> None:
    """Neither makes a state where there is none, nor changes the one that is there."""
    folder = tmp_path / "states"
    folder.mkdir()
    plan = await bulk.plan_sync(shop.collection, next_day(), state=folder / "state.db")
    plan.close()
    assert files(folder) == {}
    await stocked(shop, folder / "state.db")
    before = files(folder)
    plan = await bulk.plan_sync(shop.collection, next_day(), state=folder / "state.db")
    plan.close()
    assert files(folder) == before


async def test_a_plan_is_refused_as_the_sync_would_be(shop: Shop, tmp_path: Path) -> None:
    """Guards speak before anything is planned."""
    await stocked(shop, tmp_path / "state.db")
    with pytest.raises(SyncRefusedError, match="allow_delete"):
        await bulk.plan_sync(
            shop.collection, products(range(50)), mode="mirror", state=tmp_path / "state.db"
        )


async def test_prices_and_rates_are_checked(shop: Shop, tmp_path: Path) -> None:
    """A misspelt method or a rate of nothing is refused."""
    with await bulk.plan_sync(shop.collection, next_day(), state=tmp_path / "s.db") as plan:
        with pytest.raises(ConfigError, match="a sync calls no inserts"):
            plan.credits({"inserts": 1})
        with pytest.raises(ConfigError, match="rate"):
            plan.seconds(0)


# --- as a file ----------------------------------------------------------------------------------


async def written(shop: Shop, state: Any, path: Path) -> None:
    with await bulk.plan_sync(shop.collection, next_day(), mode="mirror", state=state) as plan:
        plan.write(path)
    shop.clear()


async def test_a_written_plan_is_carried_out(shop: Shop, state: Any, tmp_path: Path) -> None:
    """Applied, it does just that; the sync after it finds nothing to do."""
    await stocked(shop, state)
    await written(shop, state, tmp_path / "plan")
    report = await bulk.apply_plan(shop.collection, tmp_path / "plan", state=state)
    done = (report.inserted, report.updated, report.replaced, report.deleted, report.unchanged)
    assert done == (6, 30, 4, 2, 64)
    assert (report.read, report.exit_code) == (104, 0)
    shop.clear()
    report = await bulk.sync(shop.collection, next_day(), mode="mirror", state=state)
    assert (report.unchanged, shop.writes()) == (104, {})


async def test_a_plan_without_a_state_makes_one(shop: Shop, tmp_path: Path) -> None:
    """Planned before there was a state, applied with one: the collection is read again for it."""
    await shop.collection.insert(products(range(8)))
    state = tmp_path / "state.db"
    with await bulk.plan_sync(shop.collection, products(range(2, 20)), state=state) as plan:
        plan.write(tmp_path / "plan")
    report = await bulk.apply_plan(shop.collection, tmp_path / "plan", state=state)
    assert (report.inserted, report.unchanged) == (12, 6)
    shop.clear()
    report = await bulk.sync(shop.collection, products(range(2, 20)), state=state)
    assert (report.unchanged, shop.methods()) == (18, ["getRecordCount"])


async def test_what_has_moved_is_refused(shop: Shop, state: Any, tmp_path: Path) -> None:
    """A sync, an insert or a change in between: the plan is refused, and nothing sent."""
    await stocked(shop, state)
    await written(shop, state, tmp_path / "plan")
    catalog = products(range(100))
    catalog[5] = product(5, price=0)
    await bulk.sync(shop.collection, catalog, state=state)
    shop.clear()
    with pytest.raises(SyncRefusedError, match="plan again"):
        await bulk.apply_plan(shop.collection, tmp_path / "plan", state=state)
    assert shop.writes() == {}


async def test_a_record_more_is_refused(shop: Shop, state: Any, tmp_path: Path) -> None:
    """Somebody else inserted or deleted a record: the plan is refused, and nothing sent."""
    await stocked(shop, state)
    await written(shop, state, tmp_path / "plan")
    await shop.collection.insert([product(500)])
    shop.clear()
    with pytest.raises(SyncRefusedError, match=r"100 .* was made, and .*101 (are )?now"):
        await bulk.apply_plan(shop.collection, tmp_path / "plan", state=state)
    await shop.collection.delete(["p500", "p99"])
    shop.clear()
    with pytest.raises(SyncRefusedError, match=r"100 .* was made, and .*99 (are )?now"):
        await bulk.apply_plan(shop.collection, tmp_path / "plan", state=state)
    assert shop.writes() == {}


@pytest.mark.parametrize("damage", ["cut", "edited", "line gone", "line more", "no plan", "newer"])
async def test_a_plan_that_is_not_whole_is_refused(shop: Shop, tmp_path: Path, damage: str) -> None:
    """Torn, edited by hand, of another version: named, and nothing of it done."""
    await stocked(shop, tmp_path / "state.db")
    path = tmp_path / "plan"
    await written(shop, tmp_path / "state.db", path)
    lines = path.read_bytes().splitlines(keepends=True)
    damaged = {
        "cut": path.read_bytes()[:-30],
        "edited": path.read_bytes().replace(b'"price":1005', b'"price":1006'),
        "line gone": b"".join(lines[:3] + lines[4:]),
        "line more": b"".join([*lines[:3], lines[2], *lines[3:]]),
        "no plan": b'{"_id": "1"}\n',
        "newer": path.read_bytes().replace(b'_plan":1', b'_plan":2'),
    }
    assert damaged[damage] != path.read_bytes()
    path.write_bytes(damaged[damage])
    words = {"no plan": "is no plan", "newer": "has version 2"}.get(damage, "no whole plan")
    with pytest.raises(SyncRefusedError, match=words):
        await bulk.apply_plan(shop.collection, path, state=tmp_path / "state.db")
    assert shop.writes() == {}


async def test_a_plan_of_another_collection_is_refused(shop: Shop, tmp_path: Path) -> None:
    """By name; and one that was made with another kind of state."""
    await stocked(shop, tmp_path / "state.db")
    await written(shop, tmp_path / "state.db", tmp_path / "plan")
    other = Ximilar("token", transport=shop.transport).collection("other")
    with pytest.raises(SyncRefusedError, match=r"is for collection 'shoes' .* not for 'other'"):
        bulk.apply_plan(other, tmp_path / "plan", state=tmp_path / "state.db")
    with pytest.raises(SyncRefusedError, match="another state"):
        bulk.apply_plan(shop.collection, tmp_path / "plan", state="remote")
    with pytest.raises(ConfigError, match="cannot read the plan"):
        bulk.apply_plan(shop.collection, tmp_path / "nowhere")


# --- what it holds ------------------------------------------------------------------------------


async def test_a_plan_shows_what_would_be_sent(shop: Shop, state: Any) -> None:
    """Changed fields, null for one that goes, ids alone to delete; no mark of the sync's own."""
    await stocked(shop, state)
    catalog = [product(2, price=7, name=None), *products(range(3, 100)), product(200)]
    async with shop_plan(shop, catalog, state) as plan:
        assert plan.records("update") == [{"_id": "p2", "price": 7, "name": None}]
        assert plan.records("delete", limit=1) == [{"_id": "p0"}]
        assert plan.records("insert") == [product(200)]
        assert plan.records("restore") == []
        with pytest.raises(ConfigError, match="no records to 'adopt', but to insert, update"):
            plan.records("adopt")
        with pytest.raises(ConfigError, match="limit"):
            plan.records("update", limit=0)


async def test_a_plan_says_why_records_are_rejected(shop: Shop, tmp_path: Path) -> None:
    """Place and reason of the first of them, as JSON too."""
    catalog = [product(1), {"_id": "x"}, product(2, price=float("nan"))]
    async with shop_plan(shop, catalog, tmp_path / "s.db") as plan:
        (first, why), (second, _) = sorted(plan.rejects)
        assert (first, second, plan.rejected) == ("record 2", "record 3", 2)
        assert "has no image" in why
        assert [first, why] in plan.to_dict()["rejects"]


@asynccontextmanager
async def shop_plan(
    shop: Shop, catalog: list[dict[str, Any]], state: Any
) -> AsyncIterator[bulk.SyncPlan]:
    with await bulk.plan_sync(shop.collection, catalog, mode="mirror", state=state) as plan:
        yield plan


@pytest.mark.parametrize("change", ["changed", "gone", "touched"])
async def test_a_photo_that_changed_is_refused(shop: Shop, tmp_path: Path, change: str) -> None:
    """Sent as it is now it would be taken for what it was; a new time alone is no change."""
    folder, state = tmp_path / "photos", tmp_path / "state.db"
    folder.mkdir()
    for n in range(3):
        picture(n).save(folder / f"{n}.png")
        os.utime(folder / f"{n}.png", (1_700_000_000, 1_700_000_000))
    with await bulk.plan_sync(shop.collection, folder, state=state) as plan:
        plan.write(tmp_path / "plan")
    photo = folder / "1.png"
    if change == "gone":
        photo.unlink()
    else:
        picture(50 if change == "changed" else 1).save(photo)
    job = bulk.apply_plan(shop.collection, tmp_path / "plan", state=state)
    if change == "touched":
        assert (await job).inserted == 3
        return
    with pytest.raises(SyncRefusedError, match=r"the photo of record '1\.png' .* plan again"):
        await job
    assert shop.writes() == {}
