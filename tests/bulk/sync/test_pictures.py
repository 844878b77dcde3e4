"""Images from files and memory: other content is a new image, an unchanged file is not read."""

from __future__ import annotations

import base64
import io
import os
from typing import TYPE_CHECKING, Any

import pytest
from bulk.sync.shop import opened
from documented import picture

from ximilar_async import bulk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bulk.sync.shop import Shop

LONG_AGO = 1_700_000_000


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with opened() as shop:
        yield shop


def encoded(number: int) -> bytes:
    buffer = io.BytesIO()
    picture(number).save(buffer, "PNG")
    return buffer.getvalue()


def lay_out(folder: Path, count: int) -> None:
    """Write pictures that were made long ago."""
    folder.mkdir()
    for number in range(count):
        write(folder / f"{number}.png", encoded(number))


def write(path: Path, data: bytes, when: int = LONG_AGO) -> None:
    path.write_bytes(data)
    os.utime(path, (when, when))


async def test_a_folder_of_photos(shop: Shop, tmp_path: Path) -> None:
    """A photo with other content is replaced, a touched one is not, a gone one deleted."""
    folder, state = tmp_path / "photos", tmp_path / "state.db"
    lay_out(folder, 6)
    report = await bulk.sync(shop.collection, folder, mode="mirror", state=state)
    assert report.inserted == 6
    write(folder / "1.png", encoded(77), LONG_AGO + 9)
    write(folder / "2.png", encoded(2), LONG_AGO + 9)
    (folder / "3.png").unlink()
    shop.clear()
    report = await bulk.sync(shop.collection, folder, mode="mirror", state=state, max_deletions=1)
    assert (report.replaced, report.unchanged, report.deleted) == (1, 4, 1)
    assert [record["_id"] for record in shop.writes()["delete"]] == ["1.png", "3.png"]
    assert [record["_id"] for record in shop.writes()["insert"]] == ["1.png"]
    assert "_file" not in shop.writes()["insert"][0]


async def test_an_unchanged_file_is_not_read_again(shop: Shop, tmp_path: Path) -> None:
    """Size, time and inode tell it: even with a content that could not be read."""
    folder, state = tmp_path / "photos", tmp_path / "state.db"
    lay_out(folder, 3)
    await bulk.sync(shop.collection, folder, state=state)
    path = folder / "1.png"
    size = path.stat().st_size
    with path.open("r+b") as file:  # the same inode
        file.write(b"x" * size)
    os.utime(path, (LONG_AGO, LONG_AGO))
    report = await bulk.sync(shop.collection, folder, state=state)
    assert (report.unchanged, report.rejected) == (3, 0)
    os.utime(path, (LONG_AGO + 1, LONG_AGO + 1))
    report = await bulk.sync(shop.collection, folder, state=state)
    assert (report.unchanged, report.rejected) == (2, 1)


async def test_a_file_that_was_just_written_is_read_again(shop: Shop, tmp_path: Path) -> None:
    """Its time does not tell it from what is written into it in the same moment."""
    folder, state = tmp_path / "photos", tmp_path / "state.db"
    lay_out(folder, 2)
    path = folder / "1.png"
    path.write_bytes(encoded(1))
    facts = path.stat()
    await bulk.sync(shop.collection, folder, state=state)
    data = encoded(5)
    data += b"\0" * (facts.st_size - len(data))
    with path.open("r+b") as file:
        file.write(data)
        file.truncate()
    os.utime(path, ns=(facts.st_mtime_ns, facts.st_mtime_ns))
    report = await bulk.sync(shop.collection, folder, state=state)
    assert report.replaced == 1


async def test_a_new_photo_that_is_broken_deletes_nothing(shop: Shop, tmp_path: Path) -> None:
    """An image is read and checked before the old one is deleted."""
    folder, state = tmp_path / "photos", tmp_path / "state.db"
    lay_out(folder, 3)
    await bulk.sync(shop.collection, folder, state=state)
    write(folder / "1.png", encoded(9)[:200], LONG_AGO + 9)
    write(folder / "2.png", encoded(8), LONG_AGO + 9)
    shop.clear()
    report = await bulk.sync(shop.collection, folder, state=state)
    assert (report.replaced, report.rejected, report.unchanged) == (1, 1, 1)
    assert [record["_id"] for record in shop.writes()["delete"]] == ["2.png"]
    assert sorted(await shop.stored()) == ["0.png", "1.png", "2.png"]
    write(folder / "1.png", encoded(10), LONG_AGO + 10)
    assert (await bulk.sync(shop.collection, folder, state=state)).replaced == 1


async def test_a_missing_file_costs_its_record(shop: Shop, tmp_path: Path) -> None:
    """Named in the reason; what is stored of it is not deleted."""
    folder, state, told = tmp_path / "photos", tmp_path / "state.db", []
    lay_out(folder, 3)
    catalog = [{"_id": str(n), "_file": f"{n}.png"} for n in range(3)]
    options = bulk.Options(files_root=folder, on_result=told.append)
    await bulk.sync(shop.collection, catalog, mode="mirror", state=state, options=options)
    (folder / "1.png").unlink()
    told.clear()
    report = await bulk.sync(shop.collection, catalog, mode="mirror", state=state, options=options)
    assert (report.rejected, report.unchanged, report.gone) == (1, 2, 0)
    assert "1.png" in told[0].reason
    assert len(await shop.stored()) == 3


@pytest.mark.parametrize("kind", ["bytes", "PIL", "_base64"])
async def test_images_in_memory(shop: Shop, tmp_path: Path, kind: str) -> None:
    """The same pixels are the same image, others are replaced."""
    state = tmp_path / "state.db"

    def record(number: int) -> dict[str, Any]:

        forms: dict[str, dict[str, Any]] = {
            "bytes": {"_image": encoded(number)},
            "PIL": {"_image": picture(number)},
            "_base64": {"_base64": base64.b64encode(encoded(number)).decode()},
        }
        return {"_id": "a", "price": 1, **forms[kind]}

    for number, done in [(1, "inserted"), (1, "unchanged"), (2, "replaced"), (2, "unchanged")]:
        report = await bulk.sync(shop.collection, [record(number)], state=state)
        assert getattr(report, done) == 1, (number, report.summary())


async def test_a_plan_with_photos(shop: Shop, tmp_path: Path) -> None:
    """The plan names files, and reads them when it is carried out."""
    folder, state = tmp_path / "photos", tmp_path / "state.db"
    lay_out(folder, 4)
    with await bulk.plan_sync(shop.collection, folder, state=state) as plan:
        plan.write(tmp_path / "plan")
    report = await bulk.apply_plan(shop.collection, tmp_path / "plan", state=state)
    assert report.inserted == 4
    shop.clear()
    report = await bulk.sync(shop.collection, folder, state=state)
    assert (report.unchanged, shop.writes()) == (4, {})
