"""visualRankRecords and visualTagsRankRecords, against what the documents say of them."""

from __future__ import annotations

from typing import Any

import pytest
from emulated import Shop, at, codes, ids, pixels


def test_ranks_stored_and_sent_records() -> None:
    """Records by `_id`, `_url` and `_base64` are ranked; `_id`, `_url`, `_file` are answered."""
    shop = Shop()
    shop.fill([7], price=[3])
    answer = shop.call(
        "visualRankRecords",
        query_record={"_url": at(0)},
        records=[{"_url": at(9)}, {"_base64": pixels(1), "_file": "local"}, {"_id": "0"}],
    )
    assert answer["status"] == {"code": 200, "text": "OK"}
    assert answer["answer_records"] == [
        {"_file": "local"},
        {"_id": "0", "_url": at(7)},
        {"_url": at(9)},
    ]
    assert answer["answer_distances"] == [1.0, 7.0, 9.0]
    assert (answer["skipped_records"], answer["answer_count"]) == ([], 3)


@pytest.mark.parametrize(("dialect", "code"), [("examples", 213), ("tables", 206)])
def test_skips_what_it_cannot_find_or_read(dialect: Any, code: int) -> None:
    """A record "not found by ID", or whose "extraction failed", is skipped with its reason."""
    shop = Shop(dialect=dialect)
    shop.fill([0])
    answer = shop.call(
        "visualRankRecords",
        query_record={"_id": "0"},
        records=[{"_id": "0"}, {"_id": "9"}, {"_id": "bad", "_base64": "AAAA"}],
    )
    assert answer["status"] == {"code": code, "text": "some of the records not found"}
    assert (ids(answer), codes(answer)) == (["0"], {"9": 404, "bad": 400})


def test_none_found() -> None:
    """404 with the list of those skipped when there is nothing to rank."""
    shop = Shop()
    shop.fill([0])
    answer = shop.call("visualRankRecords", query_record={"_id": "0"}, records=[{"_id": "9"}])
    assert (answer["status"]["code"], codes(answer)) == (404, {"9": 404})


def test_k_and_radius() -> None:
    """All records unless `k` or `radius` says otherwise; any number may be sent."""
    shop = Shop()
    records = [{"_id": str(x), "_url": at(x)} for x in range(40)]
    query = {"query_record": {"_url": at(0)}, "records": records}
    assert shop.call("visualRankRecords", **query)["answer_count"] == 40
    assert ids(shop.call("visualRankRecords", **query, k=2)) == ["0", "1"]
    near = shop.call("visualRankRecords", **query, radius=3)
    assert (ids(near), near["skipped_records"]) == (["0", "1", "2", "3"], [])


def test_ranks_by_tags() -> None:
    """Tags that are sent count before stored ones; the formula is that of visualTagsKNN."""
    shop = Shop()
    shop.fill([0], tags=[["winter"]])
    answer = shop.call(
        "visualTagsRankRecords",
        query_record={"_url": at(0), "tags": ["summer", "beach"]},
        records=[
            {"_id": "0", "tags": ["summer", "beach"]},
            {"_id": "0"},
            {"_url": at(10), "tags": ["summer"]},
        ],
        fields_to_return=["tags"],
    )
    assert answer["answer_records"] == [
        {"tags": ["summer", "beach"]},
        {"tags": ["summer"]},
        {"tags": ["winter"]},
    ]
    assert answer["answer_distances"] == [0.0, 20.0, 30.0]
