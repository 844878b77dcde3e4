"""`Options(fields=…)`: they are all that counts of a record, of what is stored as well."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from bulk.sync.shop import opened, product

from ximilar_async import bulk
from ximilar_async.errors import ServerError, StateError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bulk.sync.shop import Shop

PRICES = bulk.Options(fields=["price", "sale"])


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with opened() as shop:
        await bulk.insert(shop.collection, [product(n, owner="x", sale=1) for n in range(20)])
        shop.clear()
        yield shop


@pytest.fixture(params=["file", "remote", "none"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return {"file": tmp_path / "s.db", "remote": "remote", "none": None}[request.param]


def told(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "ximilar_async_sync"}


async def test_other_stored_fields_stay(shop: Shop, state: Any) -> None:
    """Only what is named is compared, changed and removed; a second run sends nothing."""
    catalog = [product(n, price=n + 100, name="not sent") for n in range(20)]
    terms: dict[str, Any] = {"state": state, "options": PRICES, "allow_lost_fields": True}
    for _ in range(2):
        await bulk.sync(shop.collection, catalog, **terms)
    stored = {name: told(record) for name, record in (await shop.stored()).items()}
    assert stored == {f"p{n}": product(n, price=n + 100, owner="x") for n in range(20)}
    shop.clear()
    report = await bulk.sync(shop.collection, catalog, state=state, options=PRICES)
    assert (report.unchanged, shop.writes()) == (20, {})
    report = await bulk.sync(
        shop.collection, [product(0, price=None), *catalog[1:]], state=state, options=PRICES
    )
    assert (report.updated, report.unchanged) == (1, 19)
    assert told((await shop.stored())["p0"]) == product(0, price=None, owner="x")


async def test_what_is_the_same_in_these_fields_is_unchanged(shop: Shop, tmp_path: Path) -> None:
    """Other names and owners are no difference: nothing is sent."""
    catalog = [product(n, name="another", sale=1) for n in range(20)]
    report = await bulk.sync(shop.collection, catalog, state=tmp_path / "s.db", options=PRICES)
    assert (report.unchanged, shop.writes()) == (20, {})


async def test_another_photo_keeps_the_other_fields(shop: Shop, state: Any) -> None:
    """Deleted and inserted, a record has again what was stored of it and does not count."""
    catalog = [product(n, sale=1) for n in range(20)]
    await bulk.sync(shop.collection, catalog, state=state, options=PRICES)
    catalog[3] |= {"_url": "https://shop/new.jpg", "price": 7, "name": "not sent"}
    report = await bulk.sync(shop.collection, catalog, state=state, options=PRICES)
    assert (report.replaced, report.unchanged) == (1, 19)
    expected = product(3, _url="https://shop/new.jpg", price=7, owner="x", sale=1)
    assert told((await shop.stored())["p3"]) == expected
    shop.clear()
    report = await bulk.sync(shop.collection, catalog, state=state, options=PRICES)
    assert (report.unchanged, shop.writes()) == (20, {})


async def test_an_interrupted_replacement_keeps_the_other_fields(
    shop: Shop, tmp_path: Path
) -> None:
    """Cut off when it is deleted, its other fields are in the state, and nowhere else."""
    state, hanging = tmp_path / "s.db", asyncio.Event()
    catalog = [product(n, sale=1) for n in range(20)]
    await bulk.sync(shop.collection, catalog, state=state, options=PRICES)
    catalog[3]["_url"] = "https://shop/new.jpg"

    def fault(method: str, _: dict[str, Any]) -> None:
        if method == "insert":
            hanging.set()
            raise ServerError(503, 503, "busy")

    shop.transport.fault = fault
    job = bulk.sync(shop.collection, catalog, state=state, options=PRICES)
    async with job:
        await hanging.wait()
        job.abort()
    shop.transport.fault = None
    assert len(await shop.stored()) == 19
    catalog[3]["price"] = 7
    await bulk.sync(shop.collection, catalog, state=state, options=PRICES)
    expected = product(3, _url="https://shop/new.jpg", price=7, owner="x", sale=1)
    assert (await shop.stored())["p3"] == expected


@pytest.mark.parametrize("dry_run", [False, True], ids=["sync", "plan"])
async def test_a_state_is_of_one_choice_of_fields(
    shop: Shop,
    tmp_path: Path,
    dry_run: bool,  # noqa: FBT001 - a parameter
) -> None:
    """Its hashes are of those: another choice is refused by name, and nothing was sent."""
    state, catalog = tmp_path / "s.db", [product(n, sale=1) for n in range(20)]
    call = bulk.plan_sync if dry_run else bulk.sync
    await bulk.sync(shop.collection, catalog, state=state, options=PRICES)
    for options, now in ((None, "all fields"), (bulk.Options(fields=["name"]), "the fields name")):
        words = f"was made with the fields price, sale, not with {now}: name another"
        with pytest.raises(StateError, match=words):
            await call(shop.collection, catalog, state=state, options=options)
    same = bulk.Options(fields=["sale", "price"])
    report = await bulk.sync(shop.collection, catalog, state=state, options=same)
    assert (report.unchanged, shop.writes()) == (20, {})


async def test_a_plan_carries_its_fields(shop: Shop, tmp_path: Path) -> None:
    """Applied without options it does the same, and the state knows what it holds."""
    state, path = tmp_path / "s.db", tmp_path / "plan"
    catalog = [product(n, sale=1) for n in range(20)]
    await bulk.sync(shop.collection, catalog, state=state, options=PRICES)
    catalog[3] |= {"_url": "https://shop/new.jpg", "price": 7}
    catalog[4]["price"] = 8
    with await bulk.plan_sync(shop.collection, catalog, state=state, options=PRICES) as plan:
        plan.write(path)
    report = await bulk.apply_plan(shop.collection, path, state=state)
    assert (report.replaced, report.updated) == (1, 1)
    assert (await shop.stored())["p3"]["owner"] == (await shop.stored())["p4"]["owner"] == "x"
    shop.clear()
    report = await bulk.sync(shop.collection, catalog, state=state, options=PRICES)
    assert (report.unchanged, shop.writes()) == (20, {})
