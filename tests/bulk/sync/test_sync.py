"""A sync sends just what differs, and nothing the second time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from bulk.sync.shop import opened, product, products

from ximilar_async import bulk
from ximilar_async.errors import BulkAborted, ConfigError, SourceError, StateError, SyncRefusedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
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


def ids(records: list[dict[str, Any]]) -> list[str]:
    return [record["_id"] for record in records]


def unmarked(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "ximilar_async_sync"}


def changed() -> list[dict[str, Any]]:
    """Return a catalog of 100 after a day: 3 prices, a field gone, 2 photos, 4 gone, 5 new."""
    catalog = products(range(4, 105))
    catalog[10] = product(14, price=99)
    catalog[20] = product(24, price=98)
    catalog[30] = product(34, price=97, name=None)
    catalog[40] = product(44, _url="https://shop/new-44.jpg")
    catalog[50] = product(54, _url="https://shop/new-54.jpg", price=1)
    return catalog


async def test_a_day_in_a_shop(shop: Shop, state: Any) -> None:
    """New, changed, re-photographed and gone products cost just their requests, and then none."""
    first = await bulk.sync(shop.collection, products(range(100)), state=state)
    assert (first.read, first.inserted, first.ok, first.exit_code) == (100, 100, True, 0)
    shop.clear()
    report = await bulk.sync(shop.collection, changed(), mode="mirror", state=state)
    assert (
        report.to_dict()
        | {
            "read": 101,
            "unchanged": 91,
            "inserted": 5,
            "updated": 3,
            "replaced": 2,
            "gone": 4,
            "deleted": 4,
            "exit_code": 0,
        }
        == report.to_dict()
    )
    writes = shop.writes()
    assert ids(writes["insert"]) == ["p100", "p101", "p102", "p103", "p104", "p44", "p54"]
    assert [unmarked(record) for record in writes["update"]] == [
        {"_id": "p14", "price": 99, "name": "Shoe 14"},
        {"_id": "p24", "price": 98, "name": "Shoe 24"},
        {"_id": "p34", "price": 97, "name": None},
    ]
    assert ids(writes["delete"]) == ["p0", "p1", "p2", "p3", "p44", "p54"]
    assert shop.methods()[-1] == "delete"
    expected = {record["_id"]: record for record in changed()}
    assert {id_: unmarked(r) for id_, r in (await shop.stored()).items()} == expected
    shop.clear()
    again = await bulk.sync(shop.collection, changed(), mode="mirror", state=state)
    assert (again.unchanged, again.changed, again.exit_code) == (101, 0, 0)
    assert shop.writes() == {}


async def test_what_a_second_run_asks(shop: Shop, tmp_path: Path) -> None:
    """With a local state an unchanged night is one question: how many records there are."""
    state = tmp_path / "state.db"
    await bulk.sync(shop.collection, products(range(50)), state=state)
    shop.clear()
    report = await bulk.sync(shop.collection, products(range(50)), state=state)
    assert shop.methods() == ["getRecordCount"]
    assert (report.requests, report.unchanged) == (1, 50)


@pytest.mark.parametrize(
    ("mode", "done"), [("insert", (5, 0, 0, 0)), ("upsert", (5, 3, 2, 0)), ("mirror", (5, 3, 2, 4))]
)
async def test_modes_go_so_far(shop: Shop, state: Any, mode: Any, done: tuple[int, ...]) -> None:
    """Only new ones; changed ones too; gone ones too."""
    await bulk.sync(shop.collection, products(range(100)), state=state)
    report = await bulk.sync(shop.collection, changed(), mode=mode, state=state)
    assert (report.inserted, report.updated, report.replaced, report.deleted) == done
    assert report.already_present == (5 if mode == "insert" else 0)
    assert sum(report.counts.values()) == report.read == 101


async def test_each_record_of_the_source_has_one_outcome(shop: Shop, tmp_path: Path) -> None:
    """Repeated ids, lines that are none, records without `_id` or image: each is counted once."""
    state, told = tmp_path / "state.db", []
    catalog: list[Any] = [
        product(1),
        product(1, price=7),
        {"_url": "https://shop/x.jpg"},
        "no record",
        {"_id": "p9", "price": 3},
        product(2, price=float("nan")),
        product(3),
    ]
    options = bulk.Options(on_result=told.append, rejects=tmp_path / "rejects.jsonl")
    report = await bulk.sync(shop.collection, catalog, state=state, options=options)
    assert (report.read, report.inserted) == (7, 2)
    assert (report.already_present, report.rejected) == (1, 4)
    assert sum(report.counts.values()) == 7
    assert (report.exit_code, report.ok) == (1, False)
    inserted = {1, 7}
    assert sorted((result.seq, result.where, str(result.outcome)) for result in told) == [
        (n, f"record {n}", "inserted" if n in inserted else "rejected") for n in (1, 3, 4, 5, 6, 7)
    ]
    reasons = " ".join(result.reason for result in told)
    for words in (
        "record 3 has no `_id`",
        "is str, not a JSON object",
        "is new and has no image",
        "price is nan",
    ):
        assert words in reasons, reasons
    assert len((tmp_path / "rejects.jsonl").read_bytes().splitlines()) == 4
    with pytest.raises(BulkAborted):
        report.raise_for_failures()


async def test_a_record_with_a_fault_is_not_gone(shop: Shop, tmp_path: Path) -> None:
    """What cannot be read today is not deleted today."""
    state = tmp_path / "state.db"
    await bulk.sync(shop.collection, products(range(30)), state=state)
    catalog = products(range(30))
    catalog[3] = product(3, price=float("inf"))
    report = await bulk.sync(shop.collection, catalog, mode="mirror", state=state)
    assert (report.rejected, report.gone, report.deleted) == (1, 0, 0)


# --- guards -------------------------------------------------------------------------------------


async def stocked(shop: Shop, tmp_path: Path) -> Path:
    state = tmp_path / "state.db"
    await bulk.sync(shop.collection, products(range(40)), state=state)
    shop.clear()
    return state


@pytest.mark.parametrize(
    ("catalog", "words"),
    [
        ([], "no usable record, and 40 are stored"),
        (products(range(500, 520)), "none of the 20 ids of records is among the 40 stored"),
        (products(range(24)), r"16 of 40 stored records .*\(40\.0%\)"),
    ],
)
async def test_what_nobody_means_is_refused(
    shop: Shop, tmp_path: Path, catalog: list[Any], words: str
) -> None:
    """Empty source, wrong catalog, 40 % gone: refused by name, and nothing is sent."""
    state = await stocked(shop, tmp_path)
    with pytest.raises(SyncRefusedError, match=words):
        await bulk.sync(shop.collection, catalog, mode="mirror", state=state)
    assert shop.writes() == {}
    assert len(await shop.stored()) == 40


async def test_what_is_meant_goes_through(shop: Shop, tmp_path: Path) -> None:
    """The options that the messages name."""
    state = await stocked(shop, tmp_path)
    sync = bulk.sync(
        shop.collection, products(range(24)), mode="mirror", state=state, allow_delete=True
    )
    assert (await sync).deleted == 16
    new = products(range(100, 110))
    report = await bulk.sync(shop.collection, new, state=state, allow_new_catalog=True)
    assert report.inserted == 10


async def test_a_source_that_breaks_off_deletes_nothing(shop: Shop, tmp_path: Path) -> None:
    """What was read is brought in, what was not is left alone, and the end is told."""
    state = await stocked(shop, tmp_path)

    def broken() -> Iterator[dict[str, Any]]:
        yield from products(range(39))
        yield product(50)
        raise SourceError("the file was cut off")

    with pytest.raises(BulkAborted, match="cut off") as caught:
        await bulk.sync(shop.collection, broken(), mode="mirror", state=state)
    report = caught.value.report
    assert (report.read, report.inserted, report.deleted) == (40, 1, 0)
    assert (report.gone, report.deletions_withheld, report.exit_code) == (1, 1, 1)
    assert ids(shop.writes()["insert"]) == ["p50"]


async def test_lost_lines_delete_nothing(shop: Shop, tmp_path: Path) -> None:
    """A line without a readable id may be the record that seems gone."""
    state = await stocked(shop, tmp_path)
    catalog = [*products(range(39)), "torn"]
    report = await bulk.sync(shop.collection, catalog, mode="mirror", state=state)
    assert (report.deleted, report.deletions_withheld, report.exit_code) == (0, 1, 1)
    assert "allow_delete" in report.withheld
    report = await bulk.sync(
        shop.collection, catalog, mode="mirror", state=state, allow_delete=True
    )
    assert report.deleted == 1


async def test_an_emptied_collection_is_no_unchanged_one(shop: Shop, tmp_path: Path) -> None:
    """A state that knows records which are all gone is refused instead of believed."""
    state = await stocked(shop, tmp_path)
    await shop.collection.delete_by_filter({})
    with pytest.raises(SyncRefusedError, match="knows 40 stored records, and the collection has"):
        await bulk.sync(shop.collection, products(range(40)), state=state)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"mode": "merge"}, "mode must be 'insert' or 'upsert' or 'mirror'"),
        ({"max_deletions": "lots"}, "max_deletions"),
        ({"radius": 3.0}, "radius is for near_dups=True"),
        ({"options": bulk.Options(journal="j")}, "resumed by its state"),
        ({"options": bulk.Options(max_records=3)}, "would count as gone"),
        ({"options": bulk.Options(dry_run=True)}, r"bulk\.plan_sync"),
    ],
)
async def test_settings_that_cannot_work_are_refused(
    shop: Shop, settings: dict[str, Any], words: str
) -> None:
    """Before anything is read, by name."""
    with pytest.raises(ConfigError, match=words):
        bulk.sync(shop.collection, [], **settings)


async def test_two_syncs_do_not_share_a_state(shop: Shop, tmp_path: Path) -> None:
    """The second one is refused while the first is under way."""
    state = tmp_path / "state.db"
    async with bulk.sync(shop.collection, products(range(200)), state=state) as job:
        while not job.stats.inserted:
            await asyncio.sleep(0.001)
        with pytest.raises(StateError, match="this very process"):
            await bulk.sync(shop.collection, products(range(200)), state=state)
    assert (await job).inserted == 200


# --- what the state does not know ---------------------------------------------------------------


async def test_a_first_state_reads_what_is_there(shop: Shop, tmp_path: Path) -> None:
    """Records that others stored are compared, updated and replaced, not believed."""
    await shop.collection.insert(products(range(8)))
    await shop.collection.insert([product(8, price=0), product(9, _url="https://shop/old.jpg")])
    shop.clear()
    report = await bulk.sync(shop.collection, products(range(12)), state=tmp_path / "state.db")
    done = (report.seeded, report.unchanged, report.updated, report.replaced, report.inserted)
    assert done == (10, 8, 1, 1, 2)
    shop.clear()
    report = await bulk.sync(shop.collection, products(range(12)), state=tmp_path / "state.db")
    assert (report.unchanged, shop.methods()) == (12, ["getRecordCount"])


async def test_the_services_own_fields_are_left_alone(shop: Shop, state: Any) -> None:
    """A field with an underscore that nobody sent is neither a change nor removed."""
    await shop.collection.insert([product(n, _color="red") for n in range(5)])
    report = await bulk.sync(shop.collection, products(range(5)), state=state)
    stored = await shop.stored()
    assert {record["_color"] for record in stored.values()} == {"red"}
    assert report.updated == (5 if state == "remote" else 0)  # to be marked, once
    shop.clear()
    report = await bulk.sync(shop.collection, products(range(5)), state=state)
    assert (report.unchanged, shop.writes()) == (5, {})


async def test_what_others_changed_behind_the_state_is_mended(shop: Shop, tmp_path: Path) -> None:
    """A record that somebody deleted or inserted meanwhile ends as the catalog has it."""
    state = await stocked(shop, tmp_path)
    await shop.collection.delete(["p1"])
    await shop.collection.insert([product(40, price=3), product(41)])
    catalog = [product(0), product(1, price=7), *products(range(2, 43))]
    report = await bulk.sync(shop.collection, catalog, state=state)
    assert (report.inserted, report.updated, report.unchanged) == (2, 1, 40)
    assert sum(report.counts.values()) == report.read == 43
    assert {i: r["price"] for i, r in (await shop.stored()).items()} == {
        record["_id"]: record["price"] for record in catalog
    }


async def test_near_duplicates_are_turned_away_once(shop: Shop, tmp_path: Path) -> None:
    """What was a near-duplicate is remembered, and not sent again until it changes."""
    state = tmp_path / "state.db"
    catalog = [product(1), product(2, _url="https://shop/1.jpg"), product(3)]
    near = {"near_dups": True, "state": state, "options": bulk.Options(near_dup_order="strict")}
    report = await bulk.sync(shop.collection, catalog, **near)
    assert (report.inserted, report.near_duplicate, report.exit_code) == (2, 1, 0)
    shop.clear()
    report = await bulk.sync(shop.collection, catalog, **near)
    assert (report.unchanged, report.near_duplicate, shop.writes()) == (2, 1, {})
    catalog[1] = product(2)
    report = await bulk.sync(shop.collection, catalog, **near)
    assert (report.inserted, len(await shop.stored())) == (1, 3)


# --- images -------------------------------------------------------------------------------------


async def test_a_version_field_tells_a_new_photo(shop: Shop, state: Any) -> None:
    """The same address with another ETag is deleted and inserted."""
    catalog = [product(n, etag="a") for n in range(30)]
    await bulk.sync(shop.collection, catalog, state=state, version_field="etag")
    catalog[3]["etag"] = "b"
    shop.clear()
    report = await bulk.sync(shop.collection, catalog, state=state, version_field="etag")
    assert (report.replaced, report.updated, report.unchanged) == (1, 0, 29)
    assert ids(shop.writes()["delete"]) == ids(shop.writes()["insert"]) == ["p3"]


async def test_an_unknown_image_is_told(shop: Shop) -> None:
    """Without a state nobody knows which `_base64` is stored: it is left, and said."""
    catalog = [{"_id": "a", "_base64": PIXEL, "price": 1}]
    await bulk.sync(shop.collection, catalog, state=None)
    report = await bulk.sync(shop.collection, catalog, state=None)
    assert (report.unchanged, report.replaced, report.images_unknown) == (1, 0, 1)


PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
)
