"""A version field may be new, forgotten once or renamed: no image is sent again for that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from bulk.sync.shop import opened, product

from ximilar_async import bulk
from ximilar_async.bulk._sync.difference import Phase, UnderWay, image_in_doubt
from ximilar_async.bulk._sync.hashes import UNKNOWABLE, is_another_image, url_hash

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
    return {"file": tmp_path / "s.db", "remote": "remote", "none": None}[request.param]


def versioned(name: str, version: str = "v1", **changed: str) -> list[dict[str, Any]]:
    """Return 40 products with a version each, some with another."""
    return [product(n, **{name: changed.get(f"p{n}", version)}) for n in range(40)]


async def test_the_first_time_versions_are_noted(shop: Shop, state: Any) -> None:
    """What is stored without one is not deleted for it; from then on a change is seen."""
    await bulk.insert(shop.collection, [product(n) for n in range(40)])
    terms = {"state": state, "version_field": "etag"}
    report = await bulk.sync(shop.collection, versioned("etag"), **terms)
    assert (report.replaced, report.updated) == (0, 40)
    report = await bulk.sync(shop.collection, versioned("etag", p3="v2"), **terms)
    assert (report.replaced, report.unchanged) == (1, 39)
    shop.clear()
    report = await bulk.sync(shop.collection, versioned("etag", p3="v2"), **terms)
    assert (report.unchanged, shop.writes()) == (40, {})


async def test_a_version_field_forgotten_once(shop: Shop, state: Any) -> None:
    """Nothing is sent, and what was known of versions still is."""
    terms = {"state": state, "version_field": "etag"}
    await bulk.sync(shop.collection, versioned("etag"), **terms)
    shop.clear()
    report = await bulk.sync(shop.collection, versioned("etag"), state=state)
    assert (report.unchanged, report.images_unknown, shop.writes()) == (40, 0, {})
    report = await bulk.sync(shop.collection, versioned("etag", p3="v2"), **terms)
    assert (report.replaced, report.unchanged) == (1, 39)


async def test_another_version_field(shop: Shop, state: Any) -> None:
    """Versions of two fields are not compared; those of the new one hold from the next sync on."""
    await bulk.sync(shop.collection, versioned("etag"), state=state, version_field="etag")
    terms = {"state": state, "version_field": "sha", "allow_lost_fields": True}
    report = await bulk.sync(shop.collection, versioned("sha"), **terms)
    assert (report.replaced, report.updated) == (0, 40)
    report = await bulk.sync(shop.collection, versioned("sha", p3="v2"), **terms)
    assert (report.replaced, report.unchanged) == (1, 39)


async def test_a_version_that_was_there_before_its_field_was_named(
    shop: Shop, tmp_path: Path
) -> None:
    """Nothing changes but what the state knows: no request writes, and no image is unknown."""
    state = tmp_path / "s.db"
    await bulk.sync(shop.collection, versioned("etag"), state=state)
    shop.clear()
    terms = {"state": state, "version_field": "etag"}
    report = await bulk.sync(shop.collection, versioned("etag"), **terms)
    assert (report.unchanged, report.images_unknown, shop.writes()) == (40, 0, {})
    report = await bulk.sync(shop.collection, versioned("etag", p3="v2"), **terms)
    assert report.replaced == 1


def test_another_address_is_another_image_whatever_the_versions() -> None:
    """With versions on both sides, on one, and on none."""
    for field in (None, "etag"):
        for other in (None, "etag", "sha"):
            one = url_hash({"_url": "u", "etag": "a", "sha": "a"}, field)
            assert is_another_image(one, url_hash({"_url": "w", "etag": "a", "sha": "a"}, other))


def test_an_interrupted_replacement_by_another_version_is_not_believed() -> None:
    """The stored record tells the address alone: it may be either, and is replaced."""
    told = url_hash({"_url": "u"}, "etag")
    sent = url_hash({"_url": "u", "etag": "b"}, "etag")
    assert image_in_doubt(told, None, UnderWay(Phase.REPLACING, image=sent)) == UNKNOWABLE
    assert image_in_doubt(sent, None, UnderWay(Phase.REPLACING, image=sent)) == sent
    assert image_in_doubt(told, None, UnderWay(Phase.UPDATING, image=sent)) == told
