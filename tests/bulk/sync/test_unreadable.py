"""A catalog that cannot be read is told by its cause, and not as an empty one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from bulk.sync.shop import opened, products

from ximilar_async import bulk
from ximilar_async.errors import BulkAborted, ConfigError, SourceError, SyncRefusedError
from ximilar_async.sources import RecordMapping

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from bulk.sync.shop import Shop


@pytest.fixture(params=[0, 20], ids=["nothing stored", "20 stored"])
async def shop(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Shop]:
    async with opened() as shop:
        if request.param:
            catalog = products(range(request.param))
            await bulk.sync(shop.collection, catalog, state=tmp_path / "state.db")
        shop.clear()
        yield shop


async def test_a_mapping_that_is_none_is_refused(shop: Shop, tmp_path: Path) -> None:
    """Before anything is read."""
    wrong: Any = {"id": "sku"}
    with pytest.raises(ConfigError, match="mapping takes a RecordMapping"):
        bulk.sync(shop.collection, [], state=tmp_path / "state.db", mapping=wrong)


async def test_a_column_that_is_not_there_is_named_first(shop: Shop, tmp_path: Path) -> None:
    """Nothing was read: that is the source's error, whatever is stored."""
    (tmp_path / "shop.csv").write_text("sku,photo\n1,https://e.com/1.jpg\n")
    mapping = RecordMapping(id="skuu", image="photo")
    with pytest.raises(SourceError, match=r"^shop\.csv has no column 'skuu' \(is it 'sku'\?\)"):
        await bulk.sync(
            shop.collection, tmp_path / "shop.csv", mapping=mapping, state=tmp_path / "state.db"
        )
    with pytest.raises(SourceError, match=r"^shop\.csv has no column 'skuu'"):
        await bulk.plan_sync(
            shop.collection, tmp_path / "shop.csv", mapping=mapping, state=tmp_path / "state.db"
        )
    assert {method for method, _ in shop.log} == {"getRecordCount"}


async def test_what_a_source_raises_at_once_is_its_error(shop: Shop, tmp_path: Path) -> None:
    """The program's own exception is the cause."""

    def broken() -> Iterator[dict[str, Any]]:
        raise KeyError("price")
        yield {}

    with pytest.raises(SourceError, match=r"^records raised KeyError\('price'\)") as caught:
        await bulk.sync(shop.collection, broken(), state=tmp_path / "state.db")
    assert isinstance(caught.value.__cause__, KeyError)


async def test_a_source_that_breaks_off_later_still_counts(shop: Shop, tmp_path: Path) -> None:
    """What came before it is right."""

    def broken() -> Iterator[dict[str, Any]]:
        yield from products(range(30))
        raise KeyError("price")

    with pytest.raises(BulkAborted) as caught:
        await bulk.sync(shop.collection, broken(), state=tmp_path / "state.db", mode="mirror")
    assert caught.value.report.read == 30


async def test_a_file_in_another_encoding_is_told_by_its_first_line(tmp_path: Path) -> None:
    """Its rows are there, and none can be used: the first says why."""
    text = "_id,_url,name\n" + "".join(f"{n},https://e.com/{n}.jpg,Schühe\n" for n in range(30))
    (tmp_path / "shop.csv").write_bytes(text.encode("latin-1"))
    async with opened() as shop:
        await bulk.sync(shop.collection, products(range(20)), state=tmp_path / "state.db")
        with pytest.raises(SyncRefusedError) as caught:
            await bulk.sync(shop.collection, tmp_path / "shop.csv", state=tmp_path / "state.db")
    words = str(caught.value)
    assert words.startswith("line 2 holds the byte 0xfc"), words
    assert "not utf-8; name the encoding" in words
    assert words.endswith("none of the 30 records of shop.csv can be used, and nothing was sent")
