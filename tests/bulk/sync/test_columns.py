"""A catalog whose export lost a column is refused; allowed, it is told of in plan and report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from bulk.sync.shop import READING, opened, product

from ximilar_async import bulk
from ximilar_async.errors import SyncRefusedError

if TYPE_CHECKING:
    from pathlib import Path

NOTE = "16 of 30 stored records lose the field 'name', as where a source has lost a column"


@pytest.mark.parametrize("seeded", [False, True])
@pytest.mark.parametrize(("lost", "notes"), [(16, [NOTE]), (15, [])])
async def test_a_field_that_goes_away_in_most_records(
    tmp_path: Path,
    seeded: bool,  # noqa: FBT001 - a parameter
    lost: int,
    notes: list[str],
) -> None:
    """Whether the state knows the field, or a look into the collection shows it."""
    state, full = tmp_path / "s.db", [product(n) for n in range(30)]
    catalog: list[dict[str, Any]] = [product(n, name=None) for n in range(lost)] + full[lost:]
    async with opened() as shop:
        if seeded:
            await bulk.insert(shop.collection, full)
        else:
            await bulk.sync(shop.collection, full, state=state)
        terms: dict[str, Any] = {"state": state}
        if notes:
            for begin in (bulk.plan_sync, bulk.sync):
                shop.clear()
                with pytest.raises(SyncRefusedError, match=f"^{NOTE}: nothing .*allow_lost_fields"):
                    await begin(shop.collection, catalog, **terms)
                assert {method for method, _ in shop.log} <= READING
            terms["allow_lost_fields"] = True
        with await bulk.plan_sync(shop.collection, catalog, **terms) as plan:
            assert list(plan.notes) == notes
            assert (NOTE in plan.summary()) is bool(notes)
        report = await bulk.sync(shop.collection, catalog, **terms)
        assert (report.updated, list(report.notes)) == (lost, notes)
        report = await bulk.sync(shop.collection, catalog, state=state)
        assert (report.unchanged, list(report.notes)) == (30, [])


async def test_a_small_collection_is_not_told_of(tmp_path: Path) -> None:
    """Of a few records a field may well go away in most."""
    state = tmp_path / "s.db"
    async with opened() as shop:
        await bulk.sync(shop.collection, [product(n) for n in range(9)], state=state)
        catalog = [product(n, name=None) for n in range(9)]
        report = await bulk.sync(shop.collection, catalog, state=state)
    assert (report.updated, list(report.notes)) == (9, [])


async def test_ids_that_come_twice_are_named(tmp_path: Path) -> None:
    """The first record of each counts; plan and report say which ids these are."""
    catalog = [product(1), product(2), product(1, price=7), product(2, price=7), product(1)]
    note = "3 records have an `_id` that came before, such as 'p1', 'p2': the first of each counts"
    async with opened() as shop:
        with await bulk.plan_sync(shop.collection, catalog, state=tmp_path / "s.db") as plan:
            assert plan.notes == (note,)
        report = await bulk.sync(shop.collection, catalog, state=tmp_path / "s.db")
        assert (report.inserted, report.already_present, report.notes) == (2, 3, (note,))
        stored = await shop.stored()
    assert stored["p1"]["price"] == product(1)["price"]


@pytest.mark.parametrize("state", ["file", "remote"])
async def test_new_photos_do_not_hide_a_column_that_is_lost(tmp_path: Path, state: str) -> None:
    """A record that is replaced loses its fields as well as one that is updated."""
    terms: dict[str, Any] = {"state": "remote" if state == "remote" else tmp_path / "s.db"}
    full = [product(n) for n in range(20)]
    new = [product(n, name=None, _url=f"https://shop/new/{n}.jpg") for n in range(20)]
    async with opened() as shop:
        await bulk.sync(shop.collection, full, **terms)
        with pytest.raises(SyncRefusedError, match="20 of 20 stored records lose the field 'name'"):
            await bulk.sync(shop.collection, new, **terms)
        report = await bulk.sync(shop.collection, new, allow_lost_fields=True, **terms)
        assert report.replaced == 20
        assert all("name" not in record for record in (await shop.stored()).values())


async def test_a_mark_of_ours_is_no_column(tmp_path: Path) -> None:
    """What an insert with marks left is taken away without a word: no source ever had it."""
    full = [product(n) for n in range(20)]
    async with opened() as shop:
        options = bulk.Options(attribution="exact")
        await bulk.insert(shop.collection, full, options=options)
        report = await bulk.sync(shop.collection, full, state=tmp_path / "s.db")
        assert (report.updated, list(report.notes)) == (20, [])
        stored = await shop.stored()
    assert not any("ximilar_async_run" in record for record in stored.values())
