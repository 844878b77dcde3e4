"""get, find, random, getRecordCount and allRecords, against what the documents say of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from emulated import Shop, at, codes, ids

from ximilar_async.emulator.errors import Refusal
from ximilar_async.emulator.folder import Folder

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("dialect", "code"), [("examples", 213), ("tables", 206)])
def test_get(dialect: Any, code: int) -> None:
    """205 all, 213 or 206 some, 404 none; all stored fields unless some are named."""
    shop = Shop(dialect=dialect)
    shop.fill([0, 1], price=[3, 4])
    every = shop.call("get", records=[{"_id": "1"}, {"_id": "0"}])
    assert every["status"] == {"code": 205, "text": "records found"}
    assert every["answer_records"][0] == {"_id": "1", "_url": at(1), "price": 4}
    some = shop.call("get", records=[{"_id": "0"}, {"_id": "9"}], fields_to_return=["price"])
    assert some["status"] == {"code": code, "text": "some of the records not found"}
    assert (some["answer_records"], codes(some)) == ([{"price": 3}], {"9": 404})
    none = shop.call("get", records=[{"_id": "9"}])
    assert none["status"] == {"code": 404, "text": "records not found"}


def test_find() -> None:
    """The first records that match, 10 unless more are asked for, all fields."""
    shop = Shop()
    shop.fill(range(12), price=list(range(12)))
    assert ids(shop.call("find", filter={"price": {"$gte": 0}})) == [str(x) for x in range(10)]
    answer = shop.call(
        "find", filter={"$gte": {"price": 9}}, limit=2, fields_to_return=["_id", "_url"]
    )
    assert answer["answer_records"] == [{"_id": "9", "_url": at(9)}, {"_id": "10", "_url": at(10)}]
    assert (answer["status"]["code"], answer["answer_count"]) == (200, 2)


def test_random_draws_without_repeating() -> None:
    """`count` records (1 unless told) that match, none twice; fewer where there are fewer."""
    shop = Shop()
    shop.fill(range(8), even=[x % 2 == 0 for x in range(8)])
    assert shop.call("random")["answer_count"] == 1
    drawn = shop.call("random", count=99, filter={"even": True}, fields_to_return=["_id"])
    assert sorted(ids(drawn)) == ["0", "2", "4", "6"]


def test_random_repeats_with_its_seed() -> None:
    """Two collections with one seed draw the same records."""
    drawn = []
    for seed in (1, 1, 2):
        shop = Shop(seed=seed)
        shop.fill(range(9))
        drawn.append([ids(shop.call("random", count=5)) for _ in range(3)])
    assert drawn[0] == drawn[1] != drawn[2]


def test_record_count() -> None:
    """The number of records is told."""
    shop = Shop()
    assert shop.call("getRecordCount")["answer_count"] == 0
    shop.fill([0, 1])
    assert shop.call("getRecordCount")["answer_count"] == 2


def test_all_records_at_once() -> None:
    """Without `size` all records are answered, ids alone unless more is asked for."""
    shop = Shop()
    shop.fill(range(3))
    answer = shop.call("allRecords")
    assert answer["answer_records"] == [{"_id": "0"}, {"_id": "1"}, {"_id": "2"}]
    assert not {"next", "previous", "output_file_name"} & answer.keys()


def test_all_records_by_pages() -> None:
    """Pages count from 1; links have the documents' form and stand only where a page is."""
    shop = Shop()
    shop.fill(range(5))
    first, second, last = (
        shop.call("allRecords", {"size": "2", "page": str(page)}) for page in (1, 2, 3)
    )
    assert [ids(first), ids(second), ids(last)] == [["0", "1"], ["2", "3"], ["4"]]
    assert "previous" not in first
    assert second["next"] == "https://api.ximilar.com/v2/allRecords?page=3&size=2"
    assert second["previous"] == "https://api.ximilar.com/v2/allRecords?page=1&size=2"
    assert "next" not in last
    assert ids(shop.call("allRecords", {"size": "2"})) == ["0", "1"], "page 1 unless told"
    assert shop.call("allRecords", {"size": "2", "page": "9"})["answer_records"] == []


def test_all_records_with_filter() -> None:
    """Pages are of the matching records; `answer_count` is that of the whole collection."""
    shop = Shop()
    shop.fill(range(6), price=[1, 2, 1, 2, 1, 2])
    answer = shop.call("allRecords", {"size": "2", "page": "2"}, filter={"price": 2})
    assert (ids(answer), answer["answer_count"], "next" in answer) == (["5"], 6, False)


@pytest.mark.parametrize("url", [{"size": "0"}, {"size": "x"}, {"size": "2", "page": "-1"}])
def test_bad_pages_are_named(url: dict[str, str]) -> None:
    """`size` and `page` must be whole numbers from 1."""
    with pytest.raises(Refusal, match=r"`(size|page)`"):
        Shop().call("allRecords", url)


def test_output_file(tmp_path: Path) -> None:
    """A file to be kept is written, a record a line; one that would be deleted at once is not."""
    folder = Folder(tmp_path)
    shop = Shop(folder=folder)
    shop.fill([0, 1])
    gone = shop.call("allRecords", output_file_name="a.json")
    assert gone["output_file_name"] == "a.json"
    assert not (tmp_path / "output").exists()
    kept = shop.call("allRecords", output_file_name="a.json", delete_file_after=False)
    lines = (tmp_path / "output" / kept["output_file_name"]).read_bytes().splitlines()
    assert [orjson.loads(line) for line in lines] == kept["answer_records"]
    named = shop.call("allRecords", delete_file_after=False)["output_file_name"]
    assert named.startswith("all-records-")
    folder.close()


@pytest.mark.parametrize("name", ["../a.json", "/etc/a", "a/b", "..", ""])
def test_output_file_stays_in_its_folder(tmp_path: Path, name: str) -> None:
    """A name that leads elsewhere is refused."""
    folder = Folder(tmp_path / "emulator")
    shop = Shop(folder=folder)
    with pytest.raises(Refusal, match="output_file_name"):
        shop.call("allRecords", output_file_name=name, delete_file_after=False)
    folder.close()


def test_output_file_needs_a_folder() -> None:
    """An emulator in memory says that it cannot keep a file, instead of claiming it did."""
    with pytest.raises(Refusal, match="start it with a folder"):
        Shop().call("allRecords", delete_file_after=False)


@pytest.mark.parametrize(
    ("method", "body", "words"),
    [
        ("find", {"limit": -1}, "`limit` must be from 0"),
        ("find", {"limit": 2.5}, "`limit` must be a whole number, not 2.5"),
        ("find", {"filter": [1]}, "`filter` must be an object"),
        ("random", {"count": "two"}, "`count` must be a whole number"),
        ("allRecords", {"delete_file_after": "no"}, "must be true or false"),
        ("allRecords", {"output_file_name": 5}, "`output_file_name` must be a text"),
    ],
)
def test_bad_parameters_are_named(method: str, body: dict[str, Any], words: str) -> None:
    """A parameter of the wrong kind refuses the call with 400 and its name."""
    with pytest.raises(Refusal) as refusal:
        Shop().call(method, **body)
    assert refusal.value.code == 400
    assert words in refusal.value.text
