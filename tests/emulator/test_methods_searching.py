"""Searches, against what the documents say of them; distances are those of points on a line."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from emulated import Shop, at, ids, pixels
from hypothesis import given
from hypothesis import strategies as st

from ximilar_async.emulator.errors import Refusal


def test_knn_answers_nearest_first() -> None:
    """Records with their distances, nearest first, and the query record without its pixels."""
    shop = Shop()
    shop.fill([0, 40, 10])
    answer = shop.call("visualKNN", query_record={"_base64": pixels(1), "note": "n"}, k=2)
    assert list(answer) == [
        "status",
        "statistics",
        "answer_records",
        "answer_distances",
        "query_records",
        "answer_count",
    ]
    assert answer["answer_records"] == [{"_id": "0"}, {"_id": "2"}]
    assert answer["answer_distances"] == [1.0, 9.0]
    assert answer["query_records"] == [{"note": "n"}]
    assert answer["answer_count"] == 2


def test_knn_by_id_finds_the_record_itself() -> None:
    """A stored record is its own nearest, at exactly 0.0."""
    shop = Shop()
    shop.fill([0, 40, 10])
    answer = shop.call("visualKNN", query_record={"_id": "2"}, fields_to_return=["_url"])
    assert answer["answer_distances"] == [0.0, 10.0, 30.0]
    assert answer["answer_records"][0] == {"_url": at(10)}


def test_k_from_and_radius() -> None:
    """30 records unless told; `from` skips the nearest; `radius` bounds the distance."""
    shop = Shop()
    shop.fill(range(35))
    query = {"_id": "0"}
    assert len(ids(shop.call("visualKNN", query_record=query))) == 30
    page = shop.call("visualKNN", query_record=query, k=3, **{"from": 4})
    assert page["answer_distances"] == [4.0, 5.0, 6.0]
    assert ids(shop.call("visualKNN", query_record=query, radius=1)) == ["0", "1"]
    for method in ("visualKNN", "visualTagsKNN"):
        assert ids(shop.call(method, query_record={**query, "tags": ["a"]}, k=0)) == []


def test_ties_are_broken_by_insertion() -> None:
    """Records at one distance come in the order in which they were inserted."""
    shop = Shop()
    shop.fill([5, -5, 5, -5, 0])
    assert ids(shop.call("visualKNN", query_record={"_url": at(0)}, k=4)) == ["4", "0", "1", "2"]


def test_filter() -> None:
    """Only records that the filter lets through are found, in both dialects of filters."""
    shop = Shop()
    shop.fill(range(6), price=[100, 200, 300, 100, 200, 300])
    for condition in ({"$gte": {"price": 300}}, {"price": {"$gte": 300}}):
        answer = shop.call("visualKNN", query_record={"_id": "0"}, filter=condition)
        assert ids(answer) == ["2", "5"]


def test_one_record_a_product() -> None:
    """The nearest record of each product ("each record in the response will be different product").

    A record that has no product is one of its own. There are more records of the first product
    than a first look would take.
    """
    shop = Shop()
    products: list[Any] = ["a"] * 20 + ["b", None, None, "b", "c"]
    shop.fill(range(25), p=products)
    shop.call("update", records=[{"_id": "22", "p": None}])
    query = {"_url": at(-1)}
    answer = shop.call("visualKNN", query_record=query, product_field="p", k=4)
    assert ids(answer) == ["0", "20", "21", "22"]
    more = shop.call("visualKNN", query_record=query, product_field="p", k=2, **{"from": 3})
    assert ids(more) == ["22", "24"]
    near = shop.call("range", query_record=query, product_field="p", radius=22)
    assert ids(near) == ["0", "20", "21"]


def test_an_unknown_query_record() -> None:
    """404 with the `_id` that is not there; with an image beside it the image is searched by."""
    shop = Shop()
    shop.fill([0])
    with pytest.raises(Refusal, match="'nine' is not in the collection") as refusal:
        shop.call("visualKNN", query_record={"_id": "nine"})
    assert refusal.value.code == 404
    assert ids(shop.call("visualKNN", query_record={"_id": "nine", "_url": at(0)})) == ["0"]


@pytest.mark.parametrize(
    ("method", "body", "words"),
    [
        ("visualKNN", {}, "`query_record` is missing"),
        ("visualKNN", {"query_record": [{"_id": "0"}]}, "`query_record` must be one record"),
        ("visualKNN", {"query_record": {}}, "no image"),
        ("visualKNN", {"query_record": {"_base64": "AAAA"}}, "the query record: no point"),
        ("visualKNN", {"query_record": {"_id": "0"}, "k": -1}, "`k` must be from 0"),
        ("visualKNN", {"query_record": {"_id": "0"}, "product_field": 5}, "`product_field`"),
        ("visualKNN", {"query_record": {"_id": "0"}, "cand_set_size": 0}, "`cand_set_size`"),
        ("visualKNNMulti", {"query_record": {"_id": "0"}}, "`query_records` is missing"),
        ("range", {"query_record": {"_id": "0"}}, "`radius` is missing"),
    ],
)
def test_bad_parameters_are_named(method: str, body: dict[str, Any], words: str) -> None:
    """A parameter that is missing or of the wrong kind refuses the call with 400 and its name."""
    shop = Shop()
    shop.fill([0])
    with pytest.raises(Refusal) as refusal:
        shop.call(method, **body)
    assert refusal.value.code == 400
    assert words in refusal.value.text


def test_a_stored_record_counts_before_its_address() -> None:
    """By `_id` the stored image is meant; pixels that are sent along count before it."""
    shop = Shop()
    shop.fill([0, 50])
    stored = shop.call("visualKNN", query_record={"_id": "0", "_url": at(50)})
    assert ids(stored) == ["0", "1"]
    sent = shop.call("visualKNN", query_record={"_id": "0", "_base64": pixels(50)})
    assert ids(sent) == ["1", "0"]


def test_several_queries() -> None:
    """A record counts with its distance to the nearest query, and is found once."""
    shop = Shop()
    shop.fill([0, 3, 10, 100])
    answer = shop.call("visualKNNMulti", query_records=[{"_id": "0"}, {"_url": at(11)}], k=3)
    assert ids(answer) == ["0", "2", "1"]
    assert answer["answer_distances"] == [0.0, 1.0, 3.0]
    assert answer["query_records"] == [{"_id": "0"}, {"_url": at(11)}]


def test_tags_weigh_as_much_as_the_image() -> None:
    """(visual + tag) / 2, the tag distance being 60 * (1 - shared / all): see `tags.py`."""
    shop = Shop()
    shop.fill([0, 10, 20], tags=[["a", "b"], ["a"], ["a", "b", "c", 7]])
    answer = shop.call("visualTagsKNN", query_record={"_url": at(0), "tags": ["a", "b"]})
    assert ids(answer) == ["0", "1", "2"]
    assert answer["answer_distances"] == [0.0, (10 + 30) / 2, pytest.approx((20 + 20) / 2)]
    other = shop.call("visualTagsKNN", query_record={"_url": at(0), "tags": ["z"]}, k=1)
    assert other["answer_distances"] == [30.0]


def test_tags_of_a_stored_query() -> None:
    """A query by `_id` brings the stored tags; tags that are sent along count before them."""
    shop = Shop()
    shop.fill([0, 10], tags=[["a"], ["b"]])
    stored = shop.call("visualTagsKNN", query_record={"_id": "0"})
    assert stored["answer_distances"] == [0.0, 35.0]
    sent = shop.call("visualTagsKNN", query_record={"_id": "0", "tags": ["b"]})
    assert (ids(sent), sent["answer_distances"]) == (["1", "0"], [5.0, 30.0])


def test_a_query_without_tags_goes_by_the_image() -> None:
    """Fashion's tags come from a service of its own, so a query without tags is no mistake."""
    shop = Shop(tags_field="_tags_simple")
    shop.fill([0, 10], _tags_simple=[["a"], ["b"]])
    answer = shop.call("visualTagsKNN", query_record={"_url": at(0), "tags": ["ignored"]})
    assert answer["answer_distances"] == [0.0, 10.0]


def test_several_queries_with_tags() -> None:
    """Each query brings its own tags; the nearest by image and tags counts."""
    shop = Shop()
    shop.fill([0, 10], tags=[["a"], ["b"]])
    answer = shop.call(
        "visualTagsKNNMulti",
        query_records=[{"_url": at(0), "tags": ["a"]}, {"_url": at(4), "tags": ["b"]}],
    )
    assert answer["answer_distances"] == [0.0, 3.0]


def test_range_and_near_duplicates() -> None:
    """All records up to the radius; near-duplicates within 5.0, with all fields, unless told."""
    shop = Shop()
    shop.fill([0, 5, 6, 2], price=[1, 1, 2, 2])
    near = shop.call("nearDuplicates", query_record={"_id": "0"})
    assert near["answer_distances"] == [0.0, 2.0, 5.0]
    assert near["answer_records"][1] == {"_id": "3", "_url": at(2), "price": 2}
    wide = shop.call("range", query_record={"_id": "0"}, radius=100, filter={"price": 2})
    assert wide["answer_records"] == [{"_id": "3"}, {"_id": "2"}]


def test_all_near_duplicate_pairs() -> None:
    """Each pair once, in order of insertion, nearest pairs first; the filter holds for both."""
    shop = Shop()
    shop.fill([0, 50, 4, 51], price=[1, 1, 1, 2])
    answer = shop.call("allNearDupPairs")
    assert answer["answer_pairs"] == [[{"_id": "1"}, {"_id": "3"}], [{"_id": "0"}, {"_id": "2"}]]
    assert (answer["answer_distances"], answer["answer_count"]) == ([1.0, 4.0], 2)
    assert shop.call("allNearDupPairs", k=1)["answer_count"] == 1
    assert shop.call("allNearDupPairs", radius=3)["answer_distances"] == [1.0]
    named = shop.call("allNearDupPairs", filter={"price": 1}, fields_to_return=["price"])
    assert named["answer_pairs"] == [[{"price": 1}, {"price": 1}]]


def test_credits() -> None:
    """A search by a stored `_id` costs 1 credit, by an image 10; every query of several counts."""
    shop = Shop()
    shop.fill([0])
    for method, body, price in [
        ("visualKNN", {"query_record": {"_id": "0"}}, 1),
        ("visualKNN", {"query_record": {"_url": at(0)}}, 10),
        ("nearDuplicates", {"query_record": {"_base64": pixels(0)}}, 10),
        ("visualKNNMulti", {"query_records": [{"_id": "0"}, {"_url": at(1)}]}, 11),
        ("find", {}, 0),
    ]:
        before = shop.spent
        shop.call(method, **body)
        assert shop.spent - before == price, method


POINTS = st.lists(st.integers(-9, 9), min_size=1, max_size=30)


@given(
    points=POINTS,
    queries=st.lists(st.integers(-9, 9), min_size=1, max_size=3),
    products=st.randoms(use_true_random=False),
    k=st.integers(0, 12),
    skip=st.integers(0, 5),
    tags=st.booleans(),
)
def test_searches_agree_with_looking_at_everything(
    points: list[int], queries: list[int], products: Any, k: int, skip: int, *, tags: bool
) -> None:
    """Whatever is stored and asked, the answer is that of sorting all records by distance."""
    shop = Shop()
    product = [products.choice(["a", "b", "c", None]) for _ in points]
    labels = [products.sample(["x", "y", "z"], products.randint(0, 3)) for _ in points]
    records = [
        {"_id": str(n), "_url": at(x), "tags": labels[n]}
        | ({"p": product[n]} if product[n] else {})
        for n, x in enumerate(points)
    ]
    for start in range(0, len(records), 10):
        shop.call("insert", records=records[start : start + 10])
    method = "visualTagsKNNMulti" if tags else "visualKNNMulti"
    query_records = [{"_url": at(x), "tags": ["x", "y"]} for x in queries]
    body = {"query_records": query_records, "k": k, "from": skip, "product_field": "p"}
    answer = shop.call(method, **body)

    def distance(n: int) -> float:
        visual = min(abs(points[n] - x) for x in queries)
        shared, either = len({"x", "y"} & {*labels[n]}), len({"x", "y"} | {*labels[n]})
        return (visual + 60 * (1 - shared / either)) / 2 if tags else visual

    ranked = sorted(range(len(points)), key=lambda n: (distance(n), n))
    seen: set[str] = set()
    kept = [n for n in ranked if not product[n] or not (product[n] in seen or seen.add(product[n]))]
    expected = kept[skip : skip + k]
    assert ids(answer) == [str(n) for n in expected]
    assert np.allclose(answer["answer_distances"], [distance(n) for n in expected])
    assert all(a <= b for a, b in itertools.pairwise(answer["answer_distances"]))
