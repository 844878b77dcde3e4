"""A record that was turned away protects what is stored under its id, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from bulk.sync.shop import opened, product, products

from ximilar_async import bulk
from ximilar_async.sources import RecordMapping

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bulk.sync.shop import Shop

MAPPING = RecordMapping(id="sku", image="photo", types={"price": "float"})


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with opened() as shop:
        yield shop


def rows(*bad: int, count: int = 40, **more: Any) -> list[dict[str, Any]]:
    """Return the rows of a shop, some with a price that is no number."""
    return [
        {"sku": f"p{n}", "photo": f"https://shop/{n}.jpg", "price": "?" if n in bad else "5"}
        | {name: value(n) for name, value in more.items()}
        for n in range(count)
    ]


@pytest.mark.parametrize("more", [{}, {"_id": lambda n: f"internal{n}"}, {"_id": lambda _: "p3"}])
async def test_a_mapped_row_with_a_fault_is_there(
    shop: Shop, tmp_path: Path, more: dict[str, Any]
) -> None:
    """Its id is the mapping's column, whatever a column `_id` says; others are deleted."""
    state = tmp_path / "s.db"
    await bulk.sync(shop.collection, rows(count=41, **more), mapping=MAPPING, state=state)
    source = [row for row in rows(7, **more) if row["sku"] != "p3"]
    report = await bulk.sync(shop.collection, source, mapping=MAPPING, state=state, mode="mirror")
    assert (report.rejected, report.withheld, report.gone, report.deleted) == (1, "", 2, 2)
    assert {"p3", "p7", "p40"} - (await shop.stored()).keys() == {"p3", "p40"}


async def test_a_mapped_row_without_an_id_withholds_deletions(shop: Shop, tmp_path: Path) -> None:
    """A blank id is none, even where the row has a column `_id` with one."""
    state = tmp_path / "s.db"
    await bulk.sync(shop.collection, rows(), mapping=MAPPING, state=state)
    source = rows()
    source[7] |= {"sku": " ", "_id": "p7"}
    report = await bulk.sync(shop.collection, source, mapping=MAPPING, state=state, mode="mirror")
    assert (report.deletions_withheld, report.deleted) == (1, 0)
    assert len(await shop.stored()) == 40


async def test_a_row_that_a_table_faults_is_there(shop: Shop, tmp_path: Path) -> None:
    """The fault may be told by the source of the rows and not by the mapping."""
    pyarrow = pytest.importorskip("pyarrow")
    state = tmp_path / "s.db"
    mapping = RecordMapping(id="sku", image="photo")
    table = pyarrow.table({"sku": ["p0", "p1"], "photo": ["https://x/0", "https://x/1"]})
    await bulk.sync(shop.collection, table, mapping=mapping, state=state)
    table = table.append_column("price", pyarrow.array([1.0, float("nan")]))
    report = await bulk.sync(
        shop.collection, table, mapping=mapping, state=state, mode="mirror", allow_delete=True
    )
    assert (report.rejected, report.updated, report.deleted) == (1, 1, 0)


async def test_an_unmapped_record_with_a_fault_is_there(shop: Shop, tmp_path: Path) -> None:
    """As it ever was: a NaN costs the change, and not the product."""
    state = tmp_path / "s.db"
    await bulk.sync(shop.collection, products(range(40)), state=state)
    source = products(range(40))
    source[7]["price"] = float("nan")
    report = await bulk.sync(shop.collection, source, state=state, mode="mirror", allow_delete=True)
    assert (report.rejected, report.deleted, len(await shop.stored())) == (1, 0, 40)


@pytest.mark.parametrize(
    "bad",
    [{"price": float("nan")}, {"_url": None, "_file": "no-such.jpg"}, {"_url": None, "_image": 5}],
    ids=["price", "file", "image"],
)
async def test_a_good_record_behind_a_bad_one_is_sent(
    shop: Shop, tmp_path: Path, bad: dict[str, Any]
) -> None:
    """The one that was turned away does not count as the record of its id; a third one would."""
    for price in (1, 2):
        source = [product(1, **bad), product(1, price=price), product(1, price=9)]
        report = await bulk.sync(shop.collection, source, state=tmp_path / "s.db", mode="mirror")
        assert (report.rejected, report.already_present) == (1, 1)
        assert (report.inserted, report.updated, report.gone) == (price == 1, price == 2, 0)
        assert (await shop.stored())["p1"]["price"] == price


async def test_a_record_without_an_image_is_no_record_of_its_id(shop: Shop, tmp_path: Path) -> None:
    """What is turned away for that leaves the id to the record behind it."""
    source = [product(1, _url=None), product(1)]
    report = await bulk.sync(shop.collection, source, state=tmp_path / "s.db")
    assert (report.rejected, report.inserted, report.already_present) == (1, 1, 0)
