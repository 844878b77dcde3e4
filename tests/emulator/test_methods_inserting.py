"""insert and nearDupsInsert, against what the documents say of them."""

from __future__ import annotations

from typing import Any

import pytest
from emulated import Shop, at, codes, ids, pixels

from ximilar_async.emulator.errors import Refusal


def nested(levels: int) -> Any:
    """Return lists and objects within each other."""
    value: Any = 1
    for level in range(levels):
        value = {"a": value} if level % 2 else [value]
    return value


def test_all_inserted() -> None:
    """210 "records inserted"; only `_id` is answered unless more is asked for."""
    answer = Shop().call("insert", records=[{"_id": "1", "_url": at(0), "price": 3}])
    assert answer["status"] == {"code": 210, "text": "records inserted"}
    assert answer["answer_records"] == [{"_id": "1"}]
    assert (answer["skipped_records"], answer["answer_count"]) == ([], 1)


def test_fields_to_return() -> None:
    """The named fields are answered, of those the record has; `["*"]` stands for all but pixels."""
    shop = Shop()
    named = shop.call(
        "insert",
        fields_to_return=["price", "colour"],
        records=[{"_id": "1", "_url": at(0), "price": 3}],
    )
    assert named["answer_records"] == [{"price": 3}]
    every = shop.call(
        "insert", fields_to_return=["*"], records=[{"_id": "2", "_base64": pixels(1), "price": 4}]
    )
    assert every["answer_records"] == [{"_id": "2", "price": 4}]


@pytest.mark.parametrize(
    ("dialect", "text"),
    [("examples", "record(s) duplicate"), ("tables", "some records inserted")],
)
def test_some_duplicates(dialect: Any, text: str) -> None:
    """211 when some ids are taken; the documents' example and table give it two texts."""
    shop = Shop(dialect=dialect)
    shop.fill([0])
    answer = shop.call("insert", records=[{"_id": "0", "_url": at(9)}, {"_id": "1", "_url": at(1)}])
    assert answer["status"] == {"code": 211, "text": text}
    assert (ids(answer), answer["answer_count"]) == (["1"], 1)
    assert answer["skipped_records"] == [
        {"_id": "0", "_reason": {"status": {"code": 211, "text": "record(s) duplicate"}}}
    ]


def test_all_duplicates_leave_what_is_stored() -> None:
    """411 "record duplicate", and the stored record stays as it was."""
    shop = Shop()
    shop.fill([0], price=[5])
    answer = shop.call("insert", records=[{"_id": "0", "_url": at(9), "price": 6}])
    assert answer["status"] == {"code": 411, "text": "record duplicate"}
    (stored,) = shop.call("get", records=[{"_id": "0"}])["answer_records"]
    assert stored == {"_id": "0", "_url": at(0), "price": 5}


def test_duplicates_within_a_request() -> None:
    """Of two records with one `_id` the first is stored, the second is a duplicate."""
    shop = Shop()
    answer = shop.call("insert", records=[{"_id": "1", "_url": at(x), "n": x} for x in (1, 2)])
    assert answer["status"]["code"] == 211
    assert codes(answer) == {"1": 211}
    assert shop.call("get", records=[{"_id": "1"}])["answer_records"][0]["n"] == 1


def test_a_refused_first_leaves_the_id_free() -> None:
    """When the first record of an `_id` has no readable image, the second one gets in."""
    answer = Shop().call(
        "insert", records=[{"_id": "1", "_base64": "AAAA"}, {"_id": "1", "_url": at(0)}]
    )
    assert (ids(answer), codes(answer)) == (["1"], {"1": 400})


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"_url": at(0)}, "has no _id"),
        ({"_id": None, "_url": at(0)}, "has no _id"),
        ({"_id": 7, "_url": at(0)}, "must be a non-empty string, not 7"),
        ({"_id": "", "_url": at(0)}, "must be a non-empty string"),
        ({"_id": "1"}, "no image"),
        ({"_id": "1", "_url": "photo.jpg"}, "'photo.jpg' is not an http:// or https:// address"),
        ({"_id": "1", "_url": 5}, "5 is not an http"),
        ({"_id": "1", "_base64": "%%"}, "not valid base64"),
        ({"_id": "1", "_base64": 5}, "_base64 must be a text"),
        ({"_id": "1", "_base64": "AAAA"}, "no point"),
        ({"_id": "1", "_file": "a.jpg"}, "without files_root"),
        ({"_id": "1", "_url": at(0), "deep": nested(101)}, "more than 100 levels deep"),
    ],
)
def test_a_record_that_cannot_be_stored_is_skipped(record: dict[str, object], words: str) -> None:
    """A record without `_id` or readable image is skipped with reason 400; the others get in."""
    answer = Shop().call("insert", records=[record, {"_id": "ok", "_url": at(1)}])
    assert answer["status"] == {"code": 211, "text": "some records inserted"}
    assert ids(answer) == ["ok"]
    (skip,) = answer["skipped_records"]
    assert skip["_reason"]["status"]["code"] == 400
    assert words in skip["_reason"]["status"]["text"]


def test_none_could_be_stored() -> None:
    """411 also heads a batch refused for other reasons than duplicates; the lists say why."""
    answer = Shop().call("insert", records=[{"_id": "1"}, {"_url": at(0)}])
    assert answer["status"] == {"code": 411, "text": "records refused"}
    assert answer["skipped_records"][1].keys() == {"_url", "_reason"}


def test_a_data_head_is_taken() -> None:
    """`_base64` may carry a `data:image/…;base64,` head and line breaks."""
    wrapped = "data:image/png;base64," + pixels(12345.5, 1)[:6] + "\n" + pixels(12345.5, 1)[6:]
    shop = Shop()
    shop.call("insert", records=[{"_id": "1", "_base64": wrapped}])
    answer = shop.call("visualKNN", query_record={"_url": at(12345.5, 1)})
    assert answer["answer_distances"] == [0.0]


def test_pixels_count_before_the_address() -> None:
    """Of several image fields `_base64` counts; the others are stored all the same."""
    shop = Shop()
    shop.call("insert", records=[{"_id": "1", "_base64": pixels(3), "_url": at(9), "_file": "x"}])
    assert shop.call("nearDuplicates", query_record={"_url": at(3)})["answer_records"] == [
        {"_id": "1", "_url": at(9), "_file": "x"}
    ]


def test_capacity() -> None:
    """412 "hard capacity exceeded" when not all fit in; what fitted in is stored and listed."""
    shop = Shop(capacity=2)
    partial = shop.call("insert", records=[{"_id": str(x), "_url": at(x)} for x in range(3)])
    assert partial["status"] == {"code": 412, "text": "hard capacity exceeded"}
    assert (ids(partial), codes(partial)) == (["0", "1"], {"2": 412})
    whole = shop.call(
        "nearDupsInsert", records=[{"_id": "0", "_url": at(0)}, {"_id": "9", "_url": at(99)}]
    )
    assert whole["status"]["code"] == 412
    assert (ids(whole), codes(whole)) == ([], {"0": 211, "9": 412})
    assert shop.call("getRecordCount")["answer_count"] == 2


def test_near_duplicates_are_refused_with_what_they_are_like() -> None:
    """A near-duplicate's reason lists records and distances; a taken `_id` has no lists."""
    shop = Shop()
    shop.fill([0, 3])
    answer = shop.call(
        "nearDupsInsert",
        fields_to_return=["_id"],
        records=[
            {"_id": "a", "_url": at(2)},
            {"_id": "0", "_url": at(50)},
            {"_id": "b", "_url": at(60)},
        ],
    )
    assert answer["status"] == {"code": 211, "text": "record(s) duplicate"}
    assert ids(answer) == ["b"]
    near, taken = answer["skipped_records"]
    assert near["_reason"]["answer_records"] == [{"_id": "1"}, {"_id": "0"}]
    assert near["_reason"]["answer_distances"] == [1.0, 2.0]
    assert taken["_reason"].keys() == {"status"}


def test_a_batch_sees_itself() -> None:
    """Records of one request are taken in turn: each sees those before it that were stored."""
    answer = Shop().call(
        "nearDupsInsert",
        fields_to_return=["_id"],
        records=[{"_id": name, "_url": at(x)} for name, x in [("a", 0), ("b", 4), ("c", 8)]],
    )
    assert ids(answer) == ["a", "c"], "c is near b alone, and b was not stored"
    (skip,) = answer["skipped_records"]
    assert skip["_reason"]["answer_records"] == [{"_id": "a"}]
    assert skip["_reason"]["answer_distances"] == [4.0]


def test_radius() -> None:
    """Records up to the radius, 5.0 unless given, are near-duplicates; the bound counts as near."""
    shop = Shop()
    shop.fill([0])
    at_five = [{"_id": "a", "_url": at(5)}]
    assert shop.call("nearDupsInsert", records=at_five)["status"]["code"] == 411
    assert shop.call("nearDupsInsert", records=at_five, radius=4.9)["status"]["code"] == 210


def test_near_duplicates_answer_all_fields_by_default() -> None:
    """`fields_to_return` of nearDupsInsert defaults to ["*"], for neighbours too."""
    shop = Shop()
    shop.fill([0], price=[3])
    answer = shop.call("nearDupsInsert", records=[{"_id": "a", "_url": at(0)}])
    (skip,) = answer["skipped_records"]
    assert skip["_reason"]["answer_records"] == [{"_id": "0", "_url": at(0), "price": 3}]
    assert skip["_reason"]["answer_distances"] == [0.0]


def test_eleven_records_are_too_many() -> None:
    """An eleventh record refuses the whole call ("max 10 records per request"), and says so."""
    shop = Shop()
    records = [{"_id": str(x), "_url": at(x)} for x in range(11)]
    with pytest.raises(Refusal, match="11 records; at most 10") as refusal:
        shop.call("insert", records=records)
    assert refusal.value.code == 400
    assert len(shop.collection) == 0


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "`records` is missing"),
        ({"records": []}, "`records` is empty"),
        ({"records": {"_id": "1"}}, "must be a list of records"),
        ({"records": ["1"]}, "must be a list of records"),
        ({"records": [{}], "fields_to_return": "_id"}, "must be a list of field names"),
        ({"records": [{}], "radius": -1}, "`radius` must be a number of 0 or more, not -1"),
        ({"records": [{}], "radius": True}, "`radius` must be a number"),
        ({"records": [{}], "cand_set_size": "x"}, "`cand_set_size` must be a whole number"),
        ({"records": [{}], "extract_tags": 1}, "`extract_tags` must be true or false"),
    ],
)
def test_bad_parameters_are_named(body: dict[str, object], words: str) -> None:
    """A parameter of the wrong kind refuses the call with 400 and its name."""
    with pytest.raises(Refusal) as refusal:
        Shop().call("nearDupsInsert", **body)
    assert refusal.value.code == 400
    assert words in refusal.value.text


def test_fashion_options_are_taken() -> None:
    """`extract_colors` and `extract_tags` are taken, also as null; the vendor's client sends so."""
    shop = Shop()
    for number, value in enumerate([True, False, None]):
        record = {"_id": str(number), "_url": at(number)}
        answer = shop.call("insert", records=[record], extract_colors=value, extract_tags=value)
        assert answer["status"]["code"] == 210


def test_credits() -> None:
    """A stored record costs one credit, a refused one none."""
    shop = Shop()
    shop.call("insert", records=[{"_id": "1", "_url": at(0)}, {"_id": "1", "_url": at(1)}])
    assert shop.spent == 1
