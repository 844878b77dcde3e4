"""What cannot be a record is told with its remedy: ids that are numbers, lists of anything else."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import polars as pl
import pytest
from bulk.sync.shop import opened
from scripted import ScriptedService

from ximilar_async import Ximilar, bulk
from ximilar_async.bulk._record_faults import id_fault
from ximilar_async.bulk._troubles import first_trouble
from ximilar_async.errors import BulkAborted, ConfigError
from ximilar_async.sources import MappedSource, RecordMapping, as_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path


def collection_of(service: ScriptedService) -> Any:
    return Ximilar("token", transport=service).collection("c")


AT = "https://example.com/1.jpg"
NUMBERS: Any = [7]


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"_id": "1"}, ""),
        ({}, " has no `_id`"),
        ({"_url": AT}, " has no `_id`"),
        ({"_id": None, "sku": 1}, " has no `_id`: it is null"),
        ({"_id": ""}, ": `_id` must be a non-empty string, not ''"),
        ({"_id": True}, ": `_id` must be a non-empty string, not True"),
        ({"_id": float("nan")}, ": `_id` must be a non-empty string, not nan: it is missing"),
        (None, " is NoneType, not a JSON object (dict)"),
        ([1], " is list, not a JSON object (dict)"),
    ],
    ids=repr,
)
def test_a_record_without_an_id_is_told(record: Any, words: str) -> None:
    """Where nothing can be advised, it is only said what is wrong."""
    assert id_fault(record) == words


@pytest.mark.parametrize("value", [17, 17.0, Decimal(17)], ids=repr)
def test_a_number_as_id_is_told_with_both_ways_out(value: Any) -> None:
    """The text it would be, and the mapping that makes text of a whole column."""
    words = id_fault({"_id": value})
    assert "ids are text in the service; give '17', or let a mapping" in words
    assert words.endswith("(RecordMapping(id='_id'))")
    assert RecordMapping(id="_id").apply({"_id": value}) == {"_id": "17"}


def test_a_uuid_as_id_is_told_as_its_text() -> None:
    """It is no string either."""
    assert "give '00000000-0000-0000-0000-000000000007'" in id_fault({"_id": UUID(int=7)})


def test_columns_are_named_where_the_id_is_called_otherwise() -> None:
    """A few of them, and how to say which it is."""
    words = id_fault({"sku": "1", "photo": AT})
    assert words == (
        " has no `_id`: which of its fields holds it (sku, photo)? name that (RecordMapping(id=…))"
    )
    many = id_fault({f"c{n}": n for n in range(30)})
    assert "c9, …)?" in many


async def test_whole_numbers_in_a_data_frame() -> None:
    """They are refused by themselves, and text by a mapping, as the reason says."""
    rows = pl.DataFrame({"_id": [1, 2], "_url": [AT, AT]})
    service = ScriptedService()
    report = await bulk.insert(collection_of(service), rows)
    assert report.rejected == 2
    reason = report.samples[bulk.Outcome.REJECTED][0].reason
    assert reason.startswith("row 1: `_id` must be a non-empty string, not 1: ids are text")
    mapped = MappedSource(as_source(rows), RecordMapping())
    assert (await bulk.insert(collection_of(service), mapped)).inserted == 2
    assert list(service.stored) == ["1", "2"]


async def test_a_number_in_a_list_of_ids_is_told_as_an_id() -> None:
    """Of ids nobody expects a JSON object."""
    report = await bulk.delete(collection_of(ScriptedService()), NUMBERS)
    reason = report.samples[bulk.Outcome.REJECTED][0].reason
    assert reason.startswith("record 1: `_id` must be a non-empty string, not 7: ids are text")


RUNS: list[Callable[..., Any]] = [bulk.insert, bulk.near_dups_insert, bulk.update, bulk.sync]


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.__name__)
@pytest.mark.parametrize(
    ("records", "words"),
    [
        (["a.jsonl", "b.jsonl"], "this list holds text ('a.jsonl', …), and a run takes records"),
        (("photos/1.jpg",), "Are they paths?"),
        (["17", "18"], "Are they ids? delete and get take them; else hand over the whole table"),
        (range(3), "this range holds int (0, …)"),
        (pl.Series(["1", "2"]), "this Series holds text"),
        (pl.Series([1, 2]), "this Series holds int"),
    ],
    ids=lambda value: str(value)[:20].replace("\n", " "),
)
async def test_what_holds_no_records_is_refused_at_once(
    run: Callable[..., Any], records: Any, words: str
) -> None:
    """One error before anything is read or sent, not one for each element."""
    service = ScriptedService()
    with pytest.raises(ConfigError) as caught:
        await run(collection_of(service), records)
    assert words in str(caught.value)
    assert not service.requests


async def test_a_list_of_paths_is_told_with_what_reads_them_all(tmp_path: Path) -> None:
    """Paths too, not only texts."""
    paths: Any = [tmp_path / "a", tmp_path / "b"]
    with pytest.raises(ConfigError, match=r"duckdb\.read_csv\(paths\)"):
        await bulk.insert(collection_of(ScriptedService()), paths)


class Counted:
    """What wraps an iterator and knows how many are to come, as a progress bar does."""

    def __init__(self, records: Iterable[Any], total: int) -> None:
        self.records, self.total = records, total

    def __len__(self) -> int:
        return self.total

    def __iter__(self) -> Iterator[Any]:
        return iter(self.records)


async def test_what_can_be_read_once_is_not_read_to_see_what_it_holds() -> None:
    """No record is taken away by a look at what has a length, and is an iterator all the same."""
    records = Counted(({"_id": str(n), "_url": AT} for n in range(30)), 30)
    report = await bulk.insert(collection_of(ScriptedService()), records)
    assert (report.read, report.inserted) == (30, 30)


async def test_one_odd_element_costs_itself_alone() -> None:
    """A list of records stays one, whatever else is in it; and columns of ids are ids."""
    service = ScriptedService()
    mixed: list[Any] = ["odd", {"_id": "1", "_url": AT}]
    report = await bulk.insert(collection_of(service), mixed)
    assert (report.inserted, report.rejected) == (1, 1)
    report = await bulk.delete(collection_of(service), pl.Series(["1"]))
    assert report.deleted == 1


async def test_the_summary_names_the_first_reason(tmp_path: Path) -> None:
    """What went wrong is in the line that is logged and raised, with where all of it is."""
    service = ScriptedService()
    wrong = [{"_id": 1, "_url": AT}, {"_id": 2, "_url": AT}]
    report = await bulk.insert(collection_of(service), wrong)
    assert report.summary().startswith(
        "insert: 2 records read: 2 rejected; first rejected: record 1: `_id` must be a non-empty"
    )
    with pytest.raises(BulkAborted, match=r"not 1: .*; report\.samples has the first of them"):
        report.raise_for_failures()
    options = bulk.Options(rejects=tmp_path / "rejects.jsonl")
    report = await bulk.insert(collection_of(service), wrong, options=options)
    with pytest.raises(BulkAborted, match=r"rejects\.jsonl has all of them: mend .*bulk\.replay"):
        report.raise_for_failures()


async def test_the_summary_of_a_sync_names_the_first_reason(tmp_path: Path) -> None:
    """A sync has no replay: the next sync takes up what was mended."""
    catalog = [{"_id": 1, "_url": AT}, {"_id": "2", "_url": AT}]
    async with opened() as shop:
        report = await bulk.sync(shop.collection, catalog, state=tmp_path / "s.db")
    assert "; first rejected: record 1: `_id` must be a non-empty" in report.summary()
    with pytest.raises(BulkAborted, match="mend what they met and sync again"):
        report.raise_for_failures()


def test_an_image_that_a_service_quotes_is_not_in_the_summary() -> None:
    """A line stays a line."""
    result = bulk.Result(1, "line 1", "1", bulk.Outcome.FAILED, "bad\nimage " + 4000 * "A")
    words = first_trouble({bulk.Outcome.FAILED: (result,)})
    assert words == "first failed: line 1: bad image " + 24 * "A" + "…"


def test_nothing_is_said_to_be_done_where_a_run_could_not_begin() -> None:
    """A quiet night has nothing to do; one that ended early has done nothing."""
    quiet = bulk.Report(operation="insert", read=0, counts={})
    assert quiet.summary().endswith("nothing to do")
    ended = bulk.Report(operation="insert", read=0, counts={}, stop=bulk.Stop.OUTAGE)
    assert "records read: nothing done; service unreachable" in ended.summary()
    night = bulk.SyncReport(mode="mirror", stop=bulk.Stop.OUTAGE, images_unknown=3)
    assert "nothing done; 3 stored images could not be compared" in night.summary()
