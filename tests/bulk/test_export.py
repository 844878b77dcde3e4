"""The export of a collection: page by page, and on from where it ended."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from attrs import define, field
from emulated import Shop, at

from ximilar_async import Retry, Ximilar
from ximilar_async._protocol import Response
from ximilar_async.bulk._export import _opened, export, shift
from ximilar_async.errors import ConfigError, NotFoundError, ServerError
from ximilar_async.sinks import Spool, Terms

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ximilar_async._protocol import Request
    from ximilar_async.bulk._export import ExportReport

ONCE = Retry(attempts=1)
GONE = [{"_id": "0"}, {"_id": "1"}]


@define
class Shelf:
    """Serves a collection of so many records; the page of a number may be lost."""

    count: int = 23
    lost: int | None = None
    shop: Shop = field(factory=Shop, init=False)
    pages: list[int] = field(factory=list, init=False)
    """Numbers of the pages that were asked for."""
    meanwhile: Callable[[int], object] = field(default=lambda _: None, init=False)
    """Called before a page is answered."""
    refusal: Response | None = field(default=None, init=False)
    """What every request gets instead of its answer."""

    def __attrs_post_init__(self) -> None:
        self.shop.fill(range(self.count), price=[{"eur": n} for n in range(self.count)])

    def fill(self, name: str, count: int) -> None:
        records = [{"_id": f"{name}{n}", "_url": at(90 + n)} for n in range(count)]
        self.shop.call("insert", records=records)

    async def send(self, request: Request) -> Response:
        if self.refusal is not None:
            return self.refusal
        address, _, query = request.url.partition("?")
        url = dict(part.split("=") for part in query.split("&")) if query else {}
        method = address.rsplit("/", 1)[1]
        if method == "allRecords":
            number = int(url["page"])
            self.pages.append(number)
            self.meanwhile(number)
            if number == self.lost:
                return Response(500, {}, b'{"status": {"code": 500, "text": "lost"}}')
        body = orjson.loads(request.body) if request.body else {}
        return Response(200, {}, orjson.dumps(self.shop.call(method, url, **body)))

    async def aclose(self) -> None:
        """Hold nothing."""


def collection_of(shelf: Shelf) -> Any:
    return Ximilar("token", transport=shelf, retry=ONCE).collection("c")


def ids_in(path: Path) -> list[str]:
    return [json.loads(line)["_id"] for line in path.read_bytes().splitlines()]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def break_off(shelf: Shelf, path: Path, page: int, **settings: Any) -> None:
    """Export until a page is lost."""
    shelf.lost = page
    with pytest.raises(ServerError):
        await export(collection_of(shelf), path, page_size=5, **settings)
    shelf.lost = None
    shelf.pages.clear()


@pytest.mark.parametrize("name", ["all.jsonl", "all.csv", "all.parquet", "all.jsonl.zst"])
@pytest.mark.parametrize("page", [2, 3, 5])
async def test_an_export_goes_on_and_ends_as_if_nothing_had_been(
    tmp_path: Path, name: str, page: int
) -> None:
    """The last page is read again, the rest for the first time; the file is byte for byte that."""
    whole, path = tmp_path / f"whole-{name}", tmp_path / name
    shelf = Shelf()
    first = await export(collection_of(shelf), whole, page_size=5)
    assert (first.records, first.resumed, first.before, first.after) == (23, 0, 23, 23)
    await break_off(shelf, path, page)
    assert not path.exists()
    seen: list[ExportReport] = []
    report = await export(collection_of(shelf), path, page_size=5, on_progress=seen.append)
    assert shelf.pages == list(range(page - 1, 6))
    assert (report.records, report.resumed, report.agrees) == (23, 5 * (page - 2), True)
    assert path.read_bytes() == whole.read_bytes()
    assert names_in(tmp_path) == sorted([whole.name, name])
    assert [state.records for state in seen][-1] == 23


async def test_no_kept_page_is_as_a_fresh_start(tmp_path: Path) -> None:
    """An export that broke off at its first page leaves nothing."""
    shelf = Shelf()
    await break_off(shelf, tmp_path / "all.jsonl", 1)
    assert names_in(tmp_path) == []


@pytest.mark.parametrize(
    ("change", "restarted"),
    [
        ("insert", ""),
        ("delete behind", ""),
        ("update", ""),
        ("delete before", "the collection has changed"),
        ("delete all", "fewer than were read"),
    ],
)
async def test_a_collection_that_moved_is_read_anew(
    tmp_path: Path, change: str, restarted: str
) -> None:
    """What happened behind the pages that were read, or to fields alone, does no harm."""
    shelf, path = Shelf(), tmp_path / "all.jsonl"
    await break_off(shelf, path, 4)
    changes: dict[str, tuple[str, list[dict[str, Any]]]] = {
        "insert": ("insert", [{"_id": "new", "_url": at(99)}]),
        "delete behind": ("delete", [{"_id": "20"}]),
        "update": ("update", [{"_id": "12", "price": 1}]),
        "delete before": ("delete", [{"_id": "3"}]),
        "delete all": ("delete", [{"_id": str(n)} for n in range(23)]),
    }
    method, records = changes[change]
    for start in range(0, len(records), 10):
        shelf.shop.call(method, records=records[start : start + 10])
    report = await export(collection_of(shelf), path, page_size=5)
    assert restarted in report.restarted
    assert bool(report.restarted) == bool(restarted)
    assert (shelf.pages[0], report.resumed) == ((3, 0) if restarted else (3, 10))
    stored = [r["_id"] for r in shelf.shop.call("allRecords")["answer_records"]]
    assert ids_in(path) == stored
    assert report.agrees


async def test_pages_of_another_size_go_on_where_they_fit(tmp_path: Path) -> None:
    """A page that was too large can be made smaller without beginning anew."""
    shelf, path = Shelf(), tmp_path / "all.jsonl"
    shelf.lost = 3
    with pytest.raises(ServerError):
        await export(collection_of(shelf), path, page_size=6)
    shelf.lost = None
    report = await export(collection_of(shelf), path, page_size=2)
    assert (report.resumed, report.restarted) == (6, "")
    assert ids_in(path) == [str(n) for n in range(23)]
    path.unlink()
    await break_off(shelf, path, 3)
    report = await export(collection_of(shelf), path, page_size=2)
    assert (report.resumed, report.restarted) == (0, "its pages had 5 records, and 2 do not fit")
    assert ids_in(path) == [str(n) for n in range(23)]


async def test_it_can_be_told_to_begin_anew(tmp_path: Path) -> None:
    """What is kept is then not looked at."""
    shelf, path = Shelf(), tmp_path / "all.jsonl"
    await break_off(shelf, path, 3)
    report = await export(collection_of(shelf), path, page_size=5, resume=False)
    assert (report.resumed, report.restarted, shelf.pages[0]) == (0, "", 1)
    assert ids_in(path) == [str(n) for n in range(23)]


async def test_other_fields_begin_anew(tmp_path: Path) -> None:
    """Records of one choice of fields are not mixed with those of another."""
    shelf, path = Shelf(), tmp_path / "all.jsonl"
    await break_off(shelf, path, 3)
    report = await export(collection_of(shelf), path, page_size=5, fields=["price"])
    assert "other fields" in report.restarted
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert lines[7] == {"_id": "7", "price": {"eur": 7}}


async def test_records_that_pages_lost_are_told(tmp_path: Path) -> None:
    """Two records that pages shifted past are missed by the count; a growing one explains more."""
    shelf, path = Shelf(), tmp_path / "all.jsonl"

    def look(report: ExportReport) -> None:
        if report.records == 21:  # the last page has come
            shelf.fill("x", 2)

    shelf.meanwhile = lambda page: shelf.shop.call("delete", records=GONE) if page == 2 else None
    report = await export(collection_of(shelf), path, page_size=5, on_progress=look)
    assert (report.records, report.before, report.after) == (21, 23, 23)
    assert not report.agrees
    shelf.meanwhile = lambda page: shelf.fill("y", 2) if page == 5 else None
    report = await export(collection_of(shelf), path, page_size=5)
    assert (report.records, report.before, report.after, report.agrees) == (25, 23, 25, True)


async def test_cancelled_while_it_writes_it_keeps_what_came(tmp_path: Path) -> None:
    """A cancellation leaves part and progress, and no half-written table."""
    shelf, path = Shelf(), tmp_path / "all.csv"
    task: asyncio.Task[ExportReport]

    def look(report: ExportReport) -> None:
        if report.records == shelf.count:
            task.cancel()

    task = asyncio.create_task(export(collection_of(shelf), path, page_size=5, on_progress=look))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert names_in(tmp_path) == ["all.csv.part", "all.csv.progress"]
    report = await export(collection_of(shelf), path, page_size=5)
    assert (report.resumed, report.records) == (20, 23)


async def test_cancelled_while_it_opens_its_file_it_lets_go_of_it(tmp_path: Path) -> None:
    """The next export of the same process can have it, and nothing is left."""
    path, begun, go_on = tmp_path / "all.csv", threading.Event(), threading.Event()
    terms = Terms(collection="c", service="photos", fields=("*",))

    def open_() -> Spool:
        begun.set()
        go_on.wait(30)
        return Spool(path, terms)

    async def work() -> None:
        async with _opened(open_):
            raise AssertionError("it was cancelled before")

    task = asyncio.create_task(work())
    await asyncio.to_thread(begun.wait, 30)
    task.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert names_in(tmp_path) == []
    with Spool(path, terms) as spool:
        assert spool.mark.records == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"path": "all.json"}, "no ending that is written here"),
        ({"path": "no/all.csv"}, "no folder 'no'"),
        ({"path": "."}, "is a folder"),
        ({"fields": "price"}, r"list of names: \['price'\]"),
        ({"page_size": 0}, "page_size"),
        ({"collection": "shoes"}, "client.collection"),
    ],
)
async def test_what_cannot_work_is_refused_before_anything_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any], words: str
) -> None:
    """Each mistake is named."""
    monkeypatch.chdir(tmp_path)
    shelf = Shelf()
    given = {"collection": collection_of(shelf), "path": "all.jsonl", **arguments}
    with pytest.raises(ConfigError, match=words):
        await export(given.pop("collection"), given.pop("path"), **given)
    assert (shelf.pages, names_in(tmp_path)) == ([], [])


async def test_no_such_collection_leaves_no_file(tmp_path: Path) -> None:
    """A refusal at the first request is handed on."""
    shelf = Shelf()

    shelf.refusal = Response(404, {}, b'{"detail": "Not found."}')
    with pytest.raises(NotFoundError):
        await export(collection_of(shelf), tmp_path / "all.jsonl")
    assert names_in(tmp_path) == []


def test_the_end_of_a_page_may_have_moved() -> None:
    """More or fewer records at its end are no shift; other ones, or none at all, are."""
    assert shift(5, ["a", "b"], ["a", "b"], 7) == ""
    assert shift(5, ["a", "b"], ["a"], 6) == ""
    assert shift(5, ["a"], ["a", "b"], 7) == ""
    assert "changed" in shift(5, ["a", "b"], ["b", "c"], 7)
    assert "changed" in shift(5, ["a"], [], 5)
    assert "fewer" in shift(5, ["a"], [], 4)
