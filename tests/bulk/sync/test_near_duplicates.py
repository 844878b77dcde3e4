"""A near-duplicate is turned away for as long as the record that it is like is there, no longer."""

from __future__ import annotations

import asyncio
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from attrs import define
from bulk.sync.shop import opened, product

from ximilar_async import bulk
from ximilar_async._protocol import Response
from ximilar_async.bulk._sync.difference import Action, Known, Phase, decide
from ximilar_async.bulk._sync.state import Row, State

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bulk.sync.shop import Shop

    from ximilar_async._protocol import Request

SAME = "https://shop/same.jpg"


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with opened() as shop:
        yield shop


@pytest.fixture
def near(tmp_path: Path) -> dict[str, Any]:
    """How all of these sync: a deletion is never too many here."""
    return {
        "state": tmp_path / "state.db",
        "mode": "mirror",
        "allow_delete": True,
        "near_dups": True,
        "options": bulk.Options(near_dup_order="strict"),
    }


def alike() -> list[dict[str, Any]]:
    """Return two products with one photo, and a third with its own."""
    return [product(1, _url=SAME), product(2, _url=SAME), product(3)]


async def assert_settled(shop: Shop, catalog: list[dict[str, Any]], near: dict[str, Any]) -> None:
    """See that a further sync sends no write."""
    shop.clear()
    report = await bulk.sync(shop.collection, catalog, **near)
    assert shop.writes() == {}
    assert report.unchanged + report.near_duplicate == report.read


async def test_it_is_inserted_when_its_neighbour_left(shop: Shop, near: dict[str, Any]) -> None:
    """In the very run that deletes the neighbour, counted once, and told of once."""
    await bulk.sync(shop.collection, alike(), **near)
    with await bulk.plan_sync(shop.collection, alike()[1:], **near) as plan:
        assert (plan.insert, plan.near_duplicate, plan.delete) == (1, 0, 1)
    told: list[bulk.Result] = []
    options = bulk.Options(near_dup_order="strict", on_result=told.append)
    report = await bulk.sync(shop.collection, alike()[1:], **(near | {"options": options}))
    assert (report.inserted, report.near_duplicate, report.deleted, report.unchanged) == (
        1,
        0,
        1,
        1,
    )
    assert [(result.id, result.outcome.value) for result in told] == [
        ("p1", "deleted"),
        ("p2", "inserted"),
    ]
    assert sorted(await shop.stored()) == ["p2", "p3"]
    await assert_settled(shop, alike()[1:], near)


async def test_a_record_under_a_new_id_is_not_lost(shop: Shop, near: dict[str, Any]) -> None:
    """The old `_id` is gone and the new one like it: it is stored when the old one is deleted."""
    await bulk.sync(shop.collection, [product(1), product(3)], **near)
    renamed = [product(3), product(9, _url=product(1)["_url"])]
    report = await bulk.sync(shop.collection, renamed, **near)
    assert (report.inserted, report.deleted, report.near_duplicate) == (1, 1, 0)
    assert sorted(await shop.stored()) == ["p3", "p9"]
    await assert_settled(shop, renamed, near)


async def test_it_is_inserted_when_its_neighbour_has_another_photo(
    shop: Shop, near: dict[str, Any]
) -> None:
    """Replaced counts as gone, without a mirror as well."""
    near["mode"] = "upsert"
    await bulk.sync(shop.collection, alike(), **near)
    catalog = [product(1), *alike()[1:]]
    report = await bulk.sync(shop.collection, catalog, **near)
    assert (report.replaced, report.inserted, report.near_duplicate) == (1, 1, 0)
    await assert_settled(shop, catalog, near)


async def test_a_plan_that_is_applied_inserts_it_too(
    shop: Shop, near: dict[str, Any], tmp_path: Path
) -> None:
    """The plan has the record, and its neighbour is deleted first."""
    await bulk.sync(shop.collection, alike(), **near)
    with await bulk.plan_sync(shop.collection, alike()[1:], **near) as plan:
        plan.write(tmp_path / "plan")
    report = await bulk.apply_plan(
        shop.collection, tmp_path / "plan", state=near["state"], options=near["options"]
    )
    assert (report.inserted, report.deleted, report.near_duplicate) == (1, 1, 0)
    await assert_settled(shop, alike()[1:], near)


async def test_it_stays_out_if_its_neighbour_stays(shop: Shop, near: dict[str, Any]) -> None:
    """The deletion is refused: both are reported, and tried again the next time."""
    await bulk.sync(shop.collection, alike(), **near)

    def refuse(method: str, _: Any) -> Response | None:
        body = orjson.dumps({"status": {"code": 400, "text": "no"}})
        return Response(400, {}, body) if method == "delete" else None

    shop.transport.fault = refuse
    report = await bulk.sync(shop.collection, alike()[1:], **near)
    assert (report.deletions_failed, report.near_duplicate, report.inserted) == (1, 1, 0)
    shop.transport.fault = None
    report = await bulk.sync(shop.collection, alike()[1:], **near)
    assert (report.deleted, report.inserted) == (1, 1)
    assert sorted(await shop.stored()) == ["p2", "p3"]


@pytest.mark.parametrize("terms", [{"near_dups": False}, {"radius": 0.0}])
async def test_other_terms_try_it_again(
    shop: Shop, near: dict[str, Any], terms: dict[str, Any]
) -> None:
    """A near-duplicate by one radius may be none by another; by the same it is not sent again."""
    await bulk.sync(shop.collection, alike(), **near)
    shop.clear()
    report = await bulk.sync(shop.collection, alike(), **(near | terms))
    sent = [record["_id"] for records in shop.writes().values() for record in records]
    assert sent == ["p2"]
    assert report.inserted + report.near_duplicate == 1
    await assert_settled(shop, alike(), near | terms)


def test_a_near_duplicate_that_lost_its_image_is_turned_away() -> None:
    """Without an image it cannot be inserted."""
    known = Known(1, b"m", b"i", 1, None, Phase.NEAR_DUPLICATE)
    assert decide("upsert", b"other", None, known) is Action.REJECT


def test_the_state_forgets_it_with_the_last_of_its_neighbours(tmp_path: Path) -> None:
    """One of two that is gone or moved is not enough; an unnamed one may be any."""
    state = State.passing(tmp_path)
    stored = [Row(id_, b"m", b"i", 1) for id_ in "123"]
    refused = [
        Row("a", b"m", b"x", 1, None, Phase.NEAR_DUPLICATE, ("1", "2")),
        Row("b", b"m", b"x", 1, None, Phase.NEAR_DUPLICATE),
        Row("c", b"m", b"x", 1, None, Phase.NEAR_DUPLICATE, ("3",)),
    ]
    state.settle(put=[*stored, *refused])
    state.settle(put=[Row("1", b"other", b"i", 1)])
    assert sorted(state.find("abc")) == ["a", "b", "c"]
    state.settle(put=[Row("1", b"m", b"another", 1)])
    assert sorted(state.find("abc")) == ["a", "c"]
    state.settle(gone=["2"])
    assert sorted(state.find("abc")) == ["c"]
    state.close()


@define(eq=False)
class Watched:
    """A transport that counts how many requests are under way at once."""

    inner: Any
    here: int = 0
    most: int = 0

    async def send(self, request: Request) -> Response:
        self.here += 1
        self.most = max(self.most, self.here)
        await asyncio.sleep(0)
        response: Response = await self.inner.send(request)
        self.here -= 1
        return response

    async def aclose(self) -> None:
        await self.inner.aclose()


STRICT = bulk.Options(near_dup_order="strict", batch_size=1)
GROUPED = bulk.Options(near_dup_order="grouped", near_dup_group="shelf", batch_size=1)
FREE = bulk.Options(batch_size=1)


@pytest.fixture
def watched(shop: Shop) -> Watched:
    shop.transport.inner = Watched(shop.transport.inner)
    return shop.transport.inner


async def planned(shop: Shop, near: dict[str, Any], path: Path, options: bulk.Options) -> None:
    catalog = [product(n, shelf="top") for n in range(12)]
    terms = near | {"options": options}
    with await bulk.plan_sync(shop.collection, catalog, **terms) as plan:
        plan.write(path)


@pytest.mark.parametrize(
    ("planned_with", "applied_with", "at_once"),
    [
        (STRICT, FREE, 1),
        (GROUPED, FREE, 1),  # all of them are on one shelf
        (FREE, STRICT, 1),  # what is named when it is applied counts
        (FREE, FREE, 4),
    ],
    ids=["strict", "grouped", "named later", "any"],
)
async def test_a_plan_keeps_the_order(
    shop: Shop,
    watched: Watched,
    near: dict[str, Any],
    tmp_path: Path,
    *,
    planned_with: bulk.Options,
    applied_with: bulk.Options,
    at_once: int,
) -> None:
    """Near-duplicates are sent in the order that the plan was made with."""
    await planned(shop, near, tmp_path / "plan", planned_with)
    report = await bulk.apply_plan(
        shop.collection, tmp_path / "plan", state=near["state"], options=applied_with
    )
    assert report.inserted == 12
    assert watched.most == at_once


async def test_a_plan_without_an_order_is_carried_out(
    shop: Shop, watched: Watched, near: dict[str, Any], tmp_path: Path
) -> None:
    """A plan of a release that kept none is as good as ever."""
    path = tmp_path / "plan"
    await planned(shop, near, path, STRICT)
    lines = path.read_bytes().splitlines(keepends=True)[:-1]
    head = orjson.loads(lines[0])
    del head["near_dup_order"], head["near_dup_group"]
    lines[0] = orjson.dumps(head, option=orjson.OPT_APPEND_NEWLINE)
    digest = blake2b(b"".join(lines), digest_size=16).hexdigest()
    path.write_bytes(b"".join([*lines, orjson.dumps({"end": len(lines) - 1, "checksum": digest})]))
    report = await bulk.apply_plan(shop.collection, path, state=near["state"], options=FREE)
    assert (report.inserted, watched.most) == (12, 4)
