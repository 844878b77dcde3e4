"""The records of a sync's page and JSON: each in the table that it is counted in, and why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from bulk.sync.shop import QUICK, opened, product, products
from bulk.sync.test_pictures import encoded, lay_out
from bulk.test_report_page import written
from fakes import refusal

from ximilar_async import bulk
from ximilar_async.errors import BulkAborted, ServerError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bulk.sync.shop import Shop

    from ximilar_async._protocol import Response


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


def records_of(report: bulk.SyncReport, folder: Path) -> dict[str, dict[str, str]]:
    """Return the reasons of the records that the report's JSON holds, by name and id."""
    report.write(folder / "r.json")
    records = json.loads((folder / "r.json").read_text())["records"]
    return {name: {one["id"]: one["reason"] for one in some} for name, some in records.items()}


def rephotographed(*numbers: int, host: str = "broken") -> list[dict[str, Any]]:
    changed = {n: {"_url": f"https://{host}/{n}.jpg"} for n in numbers}
    return [product(n, **changed.get(n, {})) for n in range(40)]


def refusing(shop: Shop, *endings: str) -> None:
    """Have the service refuse images by how their addresses end."""

    def fault(method: str, body: dict[str, Any]) -> Response | None:
        urls = [str(record.get("_url")) for record in body.get("records", ())]
        hit = method == "insert" and any(url.endswith(endings) for url in urls)
        return refusal(400, b'{"detail": "no image there"}') if hit else None

    shop.transport.fault = fault


async def test_what_was_refused_and_put_back_is_told(
    shop: Shop, state: Path, tmp_path: Path
) -> None:
    """It is rejected, and what was stored before is stored still: the table says both."""
    refusing(shop, "broken/3.jpg", "broken/4.jpg")
    report = await bulk.sync(shop.collection, rephotographed(3, 4), state=state)
    assert (report.rejected, report.not_restored) == (2, 0)
    told = records_of(report, tmp_path)
    assert {name: list(some) for name, some in told.items()} == {"rejected": ["p3", "p4"]}
    for reason in told["rejected"].values():
        assert "no image there" in reason
        assert reason.endswith("; it is stored as before")
    page = written(report, tmp_path)
    assert "Rejected: 2" in page.text
    assert page.text.count("it is stored as before") >= 2


async def test_what_is_lost_has_its_table(shop: Shop, state: Path, tmp_path: Path) -> None:
    """Deleted, refused, and not put back: it is named with what to know of it."""
    refusing(shop, "3.jpg")
    report = await bulk.sync(shop.collection, rephotographed(3), state=state)
    assert (report.rejected, report.not_restored) == (1, 1)
    told = records_of(report, tmp_path)
    assert {name: list(some) for name, some in told.items()} == {
        "not_restored": ["p3"],
        "rejected": ["p3"],
    }
    assert told["not_restored"]["p3"].startswith("deleted, and its new image was refused: ")
    assert "Not restored: 1" in written(report, tmp_path).text


async def test_what_fails_between_is_said_to_be_deleted(
    shop: Shop, state: Path, tmp_path: Path
) -> None:
    """A replacement that is deleted and cannot be inserted is no failure like any other."""

    def fault(method: str, _: dict[str, Any]) -> Response | None:
        if method == "insert":
            raise ServerError(503, 503, "busy")
        return None

    shop.transport.fault = fault
    options = bulk.Options(retry=QUICK)
    try:
        report = await bulk.sync(
            shop.collection, rephotographed(5, host="new"), state=state, options=options
        )
    except BulkAborted as aborted:
        report = aborted.report
    told = records_of(report, tmp_path)
    assert list(told["failed"]) == ["p5"]
    assert told["failed"]["p5"].startswith("deleted, and not stored again: ")
    assert "busy" in told["failed"]["p5"]


async def test_what_was_given_up_between_is_told(shop: Shop, state: Path, tmp_path: Path) -> None:
    """Aborted when it is deleted and not yet inserted: the page names it all the same."""

    def fault(method: str, _: dict[str, Any]) -> Response | None:
        if method == "delete":
            job.abort()
        return None

    shop.transport.fault = fault
    job = bulk.sync(shop.collection, rephotographed(5, host="new"), state=state)
    report = await job
    assert report.not_attempted == 1
    told = records_of(report, tmp_path)
    assert list(told) == ["not_attempted"]
    assert "may be deleted by now" in told["not_attempted"]["p5"]


async def test_a_record_stands_where_it_is_counted(shop: Shop, state: Path, tmp_path: Path) -> None:
    """What is there already, and was looked at once more and changed, is in no table."""
    await shop.collection.insert([product(50, price=1)])
    report = await bulk.sync(
        shop.collection, [*products(range(40)), product(50), {"_id": "bare"}], state=state
    )
    assert report.rejected == 1
    assert report.already_present == 0
    assert {name: list(some) for name, some in records_of(report, tmp_path).items()} == {
        "rejected": ["bare"]
    }


async def test_a_folder_shows_what_its_images_are_like(shop: Shop, tmp_path: Path) -> None:
    """Beside each near-duplicate stands the stored image, which is a file of the folder too."""
    folder, settings = tmp_path / "photos", {"state": tmp_path / "s.db", "near_dups": True}
    lay_out(folder, 2)
    await bulk.sync(shop.collection, folder, **settings)
    (folder / "twin.png").write_bytes(encoded(1))
    report = await bulk.sync(shop.collection, folder, **settings)
    assert report.near_duplicate == 1
    images = [image["alt"] for image in written(report, tmp_path).all("img")]
    assert images == ["twin.png", "1.png"]
