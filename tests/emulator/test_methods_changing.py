"""update, delete and deleteByFilter, against what the documents say of them."""

from __future__ import annotations

from typing import Any

import pytest
from emulated import Shop, at, codes, ids, pixels

from ximilar_async.emulator.errors import Refusal
from ximilar_async.emulator.filters import FilterError


def test_update_sets_and_removes_fields() -> None:
    """A field is set to its new value; null removes it; the others stay."""
    shop = Shop()
    shop.fill([0], price=[3], day=["monday"])
    answer = shop.call("update", records=[{"_id": "0", "day": None, "colour": "red"}])
    assert answer["status"] == {"code": 205, "text": "records found"}
    assert answer["answer_records"] == [{"_id": "0", "_url": at(0), "price": 3, "colour": "red"}]
    assert shop.call("find", filter={"day": {"$exists": True}})["answer_count"] == 0
    assert shop.call("find", filter={"colour": "red"})["answer_count"] == 1


@pytest.mark.parametrize(("dialect", "code"), [("examples", 213), ("tables", 206)])
def test_update_of_some(dialect: Any, code: int) -> None:
    """Unknown ids are skipped with 404; the code of a partial success has two readings."""
    shop = Shop(dialect=dialect)
    shop.fill([0])
    answer = shop.call("update", records=[{"_id": "0", "a": 1}, {"_id": "9", "a": 1}])
    assert answer["status"] == {"code": code, "text": "some of the records not found"}
    assert (ids(answer), codes(answer), answer["answer_count"]) == (["0"], {"9": 404}, 1)


def test_update_of_none() -> None:
    """404 "records not found", with its lists."""
    answer = Shop().call("update", records=[{"_id": "9", "a": 1}])
    assert answer["status"] == {"code": 404, "text": "records not found"}
    assert (answer["answer_records"], codes(answer)) == ([], {"9": 404})


@pytest.mark.parametrize(
    "change", [{"_url": at(5)}, {"_base64": pixels(5)}, {"_file": "b.jpg"}, {"_url": None}]
)
def test_update_does_not_change_the_image(change: dict[str, Any]) -> None:
    """The image itself cannot be updated: such a record is skipped and keeps all its fields."""
    shop = Shop()
    shop.fill([0, 1])
    alone = shop.call("update", records=[{"_id": "0", "price": 9, **change}])
    assert alone["status"]["code"] == 400
    assert "delete the record and insert it again" in alone["status"]["text"]
    both = shop.call("update", records=[{"_id": "0", "price": 9, **change}, {"_id": "1", "a": 1}])
    assert (both["status"]["code"], ids(both), codes(both)) == (213, ["1"], {"0": 400})
    assert shop.call("find", filter={"price": 9})["answer_count"] == 0


def test_update_keeps_records_shallow() -> None:
    """A change that nests too deep is refused, as on insert, and the record stays."""
    shop = Shop()
    shop.fill([0])
    deep: Any = 1
    for _ in range(101):
        deep = [deep]
    answer = shop.call("update", records=[{"_id": "0", "a": deep}])
    assert answer["status"]["code"] == 400
    assert shop.call("find", filter={"a": {"$exists": True}})["answer_count"] == 0


def test_update_takes_back_what_get_gave() -> None:
    """An image field that says what is stored is no change, so a fetched record can be sent."""
    shop = Shop()
    shop.fill([0], price=[3])
    (record,) = shop.call("get", records=[{"_id": "0"}])["answer_records"]
    answer = shop.call("update", records=[{**record, "price": 4}])
    assert answer["answer_records"] == [{"_id": "0", "_url": at(0), "price": 4}]


def test_update_twice_in_one_request() -> None:
    """Two changes of one record are made one after the other."""
    shop = Shop()
    shop.fill([0])
    shop.call("update", records=[{"_id": "0", "a": 1}, {"_id": "0", "b": 2}])
    (stored,) = shop.call("get", records=[{"_id": "0"}])["answer_records"]
    assert (stored["a"], stored["b"]) == (1, 2)


def test_update_changes_what_searches_see() -> None:
    """Filters, products and tags go by the new values."""
    shop = Shop()
    shop.fill([0, 1, 2], p=["x", "y", "z"], tags=[["red"], ["red"], ["blue"]])
    query = {"_url": at(0), "tags": ["red"]}
    assert ids(shop.call("visualTagsKNN", query_record=query))[-1] == "2"
    shop.call("update", records=[{"_id": "1", "p": "x", "tags": None}])
    assert ids(shop.call("visualKNN", query_record={"_id": "0"}, product_field="p")) == ["0", "2"]
    assert shop.call("visualTagsKNN", query_record=query)["answer_distances"] == [0.0, 30.5, 31.0]


def test_delete() -> None:
    """220 when all went, 213 (or 206) when some did, 404 when none; each skipped one is listed."""
    shop = Shop()
    shop.fill([0, 1, 2])
    some = shop.call("delete", records=[{"_id": "0"}, {"_id": "9"}])
    assert some["status"] == {"code": 213, "text": "some of the records not found"}
    assert (some["answer_records"], codes(some)) == ([{"_id": "0"}], {"9": 404})
    every = shop.call("delete", records=[{"_id": "1"}])
    assert every["status"] == {"code": 220, "text": "records deleted"}
    none = shop.call("delete", records=[{"_id": "0"}, {"_id": "1"}])
    assert none["status"] == {"code": 404, "text": "records not found"}
    assert shop.call("getRecordCount")["answer_count"] == 1


def test_delete_twice_in_one_request() -> None:
    """A record goes once: its second mention is not found."""
    shop = Shop()
    shop.fill([0])
    answer = shop.call("delete", records=[{"_id": "0"}, {"_id": "0"}])
    assert (ids(answer), codes(answer)) == (["0"], {"0": 404})


def test_deleted_records_are_found_no_more() -> None:
    """No search, listing or look-up finds a deleted record; its `_id` and image are free again."""
    shop = Shop()
    shop.fill([0, 1], tags=[["a"], ["a"]])
    shop.call("delete", records=[{"_id": "0"}])
    for method in ("visualKNN", "visualTagsKNN", "nearDuplicates"):
        assert ids(shop.call(method, query_record={"_url": at(0), "tags": ["a"]})) == ["1"]
    assert ids(shop.call("allRecords")) == ids(shop.call("find", filter={})) == ["1"]
    assert shop.call("allNearDupPairs")["answer_count"] == 0
    again = shop.call("insert", records=[{"_id": "0", "_url": at(7)}])
    assert again["status"]["code"] == 210
    assert ids(shop.call("allRecords")) == ["1", "0"], "in order of insertion"


@pytest.mark.parametrize("record", [{}, {"_id": 5}, {"_url": at(0)}])
def test_a_record_without_id(record: dict[str, Any]) -> None:
    """update, delete and get skip a record whose `_id` is missing or no string, with reason 400."""
    shop = Shop()
    shop.fill([0])
    for method in ("update", "delete", "get"):
        answer = shop.call(method, records=[record, {"_id": "9"}])
        assert answer["skipped_records"][0]["_reason"]["status"]["code"] == 400
    assert len(shop.collection) == 1


def test_delete_by_filter() -> None:
    """The records that the filter lets through go and are answered; the others stay."""
    shop = Shop()
    shop.fill([0, 1, 2], price=[100, 200, 300])
    answer = shop.call(
        "deleteByFilter", filter={"$gte": {"price": 200}}, fields_to_return=["price"]
    )
    assert answer["status"] == {"code": 200, "text": "OK"}
    assert answer["answer_records"] == [{"price": 200}, {"price": 300}]
    assert answer["answer_count"] == 2
    assert ids(shop.call("allRecords")) == ["0"]


def test_delete_by_filter_wants_a_filter() -> None:
    """Without a filter nothing goes: `{}` must be said to empty a collection."""
    shop = Shop()
    shop.fill([0])
    with pytest.raises(Refusal, match="`filter` is missing"):
        shop.call("deleteByFilter")
    assert shop.call("deleteByFilter", filter={})["answer_records"] == [{"_id": "0"}]


def test_a_bad_filter_deletes_nothing() -> None:
    """A filter that cannot be understood is named, and nothing is deleted."""
    shop = Shop()
    shop.fill([0])
    with pytest.raises(FilterError, match=r"\$foo"):
        shop.call("deleteByFilter", filter={"price": {"$foo": 1}})
    assert len(shop.collection) == 1
