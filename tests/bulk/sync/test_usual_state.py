"""A sync without a named state: one file for each collection, begun for an empty one only."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from bulk.sync.shop import opened, product, products

from ximilar_async import bulk
from ximilar_async.errors import SyncRefusedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bulk.sync.shop import Shop


@pytest.fixture
async def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    monkeypatch.chdir(tmp_path)
    async with opened() as shop:
        yield shop


async def test_the_state_has_the_collections_name(shop: Shop, tmp_path: Path) -> None:
    """It lies in the folder where the sync was called; the next sync finds it."""
    job = bulk.sync(shop.collection, products(range(20)))
    (tmp_path / "elsewhere").mkdir()
    os.chdir(tmp_path / "elsewhere")
    assert (await job).inserted == 20
    assert not any((tmp_path / "elsewhere").iterdir())
    os.chdir(tmp_path)
    assert (tmp_path / f"ximilar-{shop.collection.id}.state").is_file()
    shop.clear()
    assert (await bulk.sync(shop.collection, products(range(20)))).unchanged == 20
    assert len(shop.log) == 1


async def test_a_full_collection_begins_no_state_that_nobody_named(
    shop: Shop, tmp_path: Path
) -> None:
    """A job in another folder is refused, as on the command line, and plans are as well."""
    await bulk.sync(shop.collection, products(range(20)))
    (tmp_path / "elsewhere").mkdir()
    os.chdir(tmp_path / "elsewhere")
    name = f"ximilar-{shop.collection.id}.state"
    words = rf"there is no file '.*elsewhere.*{name}', and the collection has 20 records\. If an"
    with pytest.raises(SyncRefusedError, match=words):
        await bulk.sync(shop.collection, products(range(20)))
    with pytest.raises(SyncRefusedError, match=rf"name that file \(state='{name}'\)"):
        await bulk.plan_sync(shop.collection, products(range(20)))
    assert not any((tmp_path / "elsewhere").iterdir())
    assert (await bulk.sync(shop.collection, products(range(20)), state=name)).unchanged == 20


async def test_a_plan_finds_the_same_state(shop: Shop, tmp_path: Path) -> None:
    """Planned and applied without a name; elsewhere the plan says what is missing."""
    await bulk.sync(shop.collection, products(range(20)))
    with await bulk.plan_sync(shop.collection, [*products(range(20)), product(20)]) as plan:
        plan.write("a.plan")
    (tmp_path / "elsewhere").mkdir()
    os.chdir(tmp_path / "elsewhere")
    with pytest.raises(SyncRefusedError, match=r"name what the plan was made with \(state=…\)"):
        await bulk.apply_plan(shop.collection, tmp_path / "a.plan")
    os.chdir(tmp_path)
    assert (await bulk.apply_plan(shop.collection, "a.plan")).inserted == 1


async def test_an_empty_collection_is_asked_once(shop: Shop) -> None:
    """The guard costs no request."""
    await bulk.sync(shop.collection, products(range(20)))
    assert [method for method, _ in shop.log].count("getRecordCount") == 1
