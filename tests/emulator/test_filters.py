"""Filters: a table of what MongoDB's manual says, in both dialects of the documents."""

from __future__ import annotations

from typing import Any

import pytest

from ximilar_async.emulator.filters import FilterError, compile_filter

DOCUMENTS: list[dict[str, Any]] = [
    {"_id": 0, "price": 100, "tags": ["a", "b"], "artist": "x"},
    {"_id": 1, "price": 250.5, "tags": [], "brand": {"name": "N", "tier": 1}},
    {"_id": 2, "price": "300", "tags": ["b"], "active": True},
    {"_id": 3, "price": None, "tags": "b"},
    {"_id": 4, "price": 200, "items": [{"c": 1, "s": "r"}, {"c": 2, "s": "g"}]},
    {"_id": 5, "price": [150, 400], "items": [{"c": 2, "s": "r"}], "active": 1},
    {"_id": 6},
]

ODD: list[dict[str, Any]] = [
    {"_id": 0, "v": [[1, 2], 3]},
    {"_id": 1, "v": [{"w": [5, 6]}, {"w": 7}, 8]},
    {"_id": 2, "v": {"w": None}},
    {"_id": 3, "v": {"0": "zero", "w": {"x": 1, "y": [1]}}},
    {"_id": 4, "v": -7.9},
    {"_id": 5, "v": 2**40},
    {"_id": 6, "v": False},
    {"_id": 7, "v": [None]},
    {"_id": 8, "v": "Line\nx1"},
    {"_id": 9, "v": []},
    {"_id": 10, "v": [{}, {"w": 7.0}]},
]
"""Shapes where implementations of the syntax usually part ways."""


def found(filter: dict[str, Any], documents: list[dict[str, Any]]) -> list[int]:
    holds = compile_filter(filter)
    return [document["_id"] for document in documents if holds(document)]


# name: filter, the `_id`s of DOCUMENTS it finds
MEANINGS: dict[str, tuple[dict[str, Any], list[int]]] = {
    "empty-filter-finds-all": ({}, [0, 1, 2, 3, 4, 5, 6]),
    "equal-number": ({"price": 200}, [4]),
    "equal-number-of-other-type": ({"price": 200.0}, [4]),
    "eq": ({"price": {"$eq": 200}}, [4]),
    "gte-looks-into-arrays-not-at-text": ({"price": {"$gte": 200}}, [1, 4, 5]),
    "gte-operator-first": ({"$gte": {"price": 200}}, [1, 4, 5]),
    "two-bounds-by-different-elements": ({"price": {"$gt": 200, "$lt": 300}}, [1, 5]),
    "lt": ({"price": {"$lt": 120}}, [0]),
    "lte": ({"price": {"$lte": 100}}, [0]),
    "gt-text-compares-with-text": ({"price": {"$gt": "2"}}, [2]),
    "null-is-null-or-missing": ({"price": None}, [3, 6]),
    "not-null": ({"price": {"$ne": None}}, [0, 1, 2, 4, 5]),
    "gte-null": ({"price": {"$gte": None}}, [3, 6]),
    "gt-null-finds-nothing": ({"price": {"$gt": None}}, []),
    "exists": ({"price": {"$exists": True}}, [0, 1, 2, 3, 4, 5]),
    "exists-not": ({"price": {"$exists": False}}, [6]),
    "exists-by-number": ({"price": {"$exists": 0}}, [6]),
    "element-of-array": ({"tags": "b"}, [0, 2, 3]),
    "ne-includes-missing": ({"tags": {"$ne": "b"}}, [1, 4, 5, 6]),
    "ne-text": ({"artist": {"$ne": "x"}}, [1, 2, 3, 4, 5, 6]),
    "whole-array": ({"tags": ["a", "b"]}, [0]),
    "whole-array-in-order": ({"tags": ["b", "a"]}, []),
    "empty-array": ({"tags": []}, [1]),
    "in": ({"tags": {"$in": ["a", "z"]}}, [0]),
    "in-nothing": ({"tags": {"$in": []}}, []),
    "in-with-null": ({"artist": {"$in": ["x", None]}}, [0, 1, 2, 3, 4, 5, 6]),
    "in-an-array": ({"tags": {"$in": [["b"]]}}, [2]),
    "in-ids": ({"_id": {"$in": [1, 2]}}, [1, 2]),
    "nin-includes-missing": ({"tags": {"$nin": ["a", "b"]}}, [1, 4, 5, 6]),
    "all": ({"tags": {"$all": ["a", "b"]}}, [0]),
    "all-of-one-fits-a-scalar": ({"tags": {"$all": ["b"]}}, [0, 2, 3]),
    "all-of-nothing-finds-nothing": ({"tags": {"$all": []}}, []),
    "all-of-a-whole-array": ({"tags": {"$all": [["a", "b"]]}}, [0]),
    "all-elem-match": (
        {"items": {"$all": [{"$elemMatch": {"c": 1}}, {"$elemMatch": {"s": "g"}}]}},
        [4],
    ),
    "size-zero": ({"tags": {"$size": 0}}, [1]),
    "size-is-of-arrays-alone": ({"tags": {"$size": 1}}, [2]),
    "dotted": ({"brand.name": "N"}, [1]),
    "dotted-gte": ({"brand.tier": {"$gte": 1}}, [1]),
    "dotted-exists": ({"brand.name": {"$exists": True}}, [1]),
    "object": ({"brand": {"name": "N", "tier": 1}}, [1]),
    "object-in-order": ({"brand": {"tier": 1, "name": "N"}}, []),
    "object-as-a-whole": ({"brand": {"name": "N"}}, []),
    "dotted-through-array": ({"items.c": 2}, [4, 5]),
    "dotted-ne-through-array": ({"items.s": {"$ne": "g"}}, [0, 1, 2, 3, 5, 6]),
    "two-fields-by-different-elements": ({"items.c": 2, "items.s": "r"}, [4, 5]),
    "elem-match-by-one-element": ({"items": {"$elemMatch": {"c": 2, "s": "r"}}}, [5]),
    "elem-match-logical": ({"items": {"$elemMatch": {"$or": [{"c": 1}, {"s": "b"}]}}}, [4]),
    "elem-match-value": ({"price": {"$elemMatch": {"$gte": 300}}}, [5]),
    "elem-match-value-by-one-element": ({"price": {"$elemMatch": {"$gt": 200, "$lt": 300}}}, []),
    "place-in-array": ({"items.0.c": 2}, [5]),
    "place-of-scalar": ({"tags.1": "b"}, [0]),
    "true-is-not-one": ({"active": True}, [2]),
    "one-is-not-true": ({"active": 1}, [5]),
    "regex-with-options": ({"artist": {"$regex": "^X", "$options": "i"}}, [0]),
    "regex-on-elements": ({"tags": {"$regex": "^b"}}, [0, 2, 3]),
    "regex-searches": ({"price": {"$regex": "0"}}, [2]),
    "or": ({"$or": [{"price": 100}, {"active": True}]}, [0, 2]),
    "and": ({"$and": [{"price": {"$gte": 100}}, {"tags": "a"}]}, [0]),
    "nor": ({"$nor": [{"price": {"$gte": 0}}, {"tags": "b"}]}, [6]),
    "not-includes-missing": ({"price": {"$not": {"$gte": 200}}}, [0, 2, 3, 6]),
    "not-regex": ({"tags": {"$not": {"$regex": "^a"}}}, [1, 2, 3, 4, 5, 6]),
    "mod": ({"price": {"$mod": [200, 0]}}, [4, 5]),
    "mod-cuts-what-is-behind-the-point": ({"price": {"$mod": [50, 0]}}, [0, 1, 4, 5]),
    "type-string": ({"price": {"$type": "string"}}, [2]),
    "type-array": ({"price": {"$type": "array"}}, [5]),
    "type-number-in-arrays": ({"price": {"$type": "number"}}, [0, 1, 4, 5]),
    "type-by-code": ({"price": {"$type": 2}}, [2]),
    "type-one-of": ({"price": {"$type": ["double", "null"]}}, [1, 3]),
    "type-bool-is-no-int": ({"active": {"$type": "int"}}, [5]),
    "type-unknown-to-json": ({"price": {"$type": "date"}}, []),
    "type-by-code-unknown-to-json": ({"price": {"$type": [9, 10]}}, [3]),
    "comment-says-nothing": ({"$comment": "why", "price": 200}, [4]),
    "fields-together": ({"price": {"$gte": 100}, "tags": "b"}, [0]),
}

# name: filter, the `_id`s of ODD it finds
ODD_MEANINGS: dict[str, tuple[dict[str, Any], list[int]]] = {
    "array-in-array-as-element": ({"v": [1, 2]}, [0]),
    "no-element-of-element": ({"v": 1}, []),
    "place-then-place": ({"v.0.1": 2}, [0]),
    "place-gives-the-array-itself": ({"v.0": [1, 2]}, [0]),
    "place-does-not-open-the-array": ({"v.0": 1}, []),
    "place-or-field-of-that-name": ({"v.0": {"$type": "string"}}, [3]),
    "place-then-field": ({"v.1.w": 7}, [1, 10]),
    "array-at-the-end-of-a-path": ({"v.w": 6}, [1]),
    "path-gives-arrays-as-a-whole": ({"v.w": [5, 6]}, [1]),
    "scalars-in-arrays-are-not-missing-fields": ({"v.w": None}, [2, 4, 5, 6, 8, 10]),
    "not-exists-below": ({"v.w": {"$exists": False}}, [0, 4, 5, 6, 7, 8, 9]),
    "deep-object": ({"v.w": {"x": 1, "y": [1]}}, [3]),
    "deep-object-with-float": ({"v.w": {"x": 1.0, "y": [1.0]}}, [3]),
    "null-in-array": ({"v": None}, [7]),
    "remainder-has-the-sign-of-the-value": ({"v": {"$mod": [4, -3]}}, [4]),
    "long": ({"v": {"$type": "long"}}, [5]),
    "gte-bool-stays-among-bools": ({"v": {"$gte": False}}, [6]),
    "gt-object": ({"v": {"$gt": {"w": None}}}, [1, 3, 10]),
    "gt-array": ({"v": {"$gt": [1]}}, [0, 1, 10]),
    "lt-array": ({"v": {"$lt": [1]}}, [7, 9]),
    "regex-multiline": ({"v": {"$regex": "^x", "$options": "m"}}, [8]),
    "regex-dot-all": ({"v": {"$regex": "e.x", "$options": "s"}}, [8]),
    "regex-verbose": ({"v": {"$regex": "x 1  # spaces do not count", "$options": "x"}}, [8]),
    "elem-match-array-as-object": ({"v": {"$elemMatch": {"0": 1}}}, [0]),
    "elem-match-elem-match": ({"v": {"$elemMatch": {"$elemMatch": {"$gt": 1}}}}, [0]),
    "elem-match-anything": ({"v": {"$elemMatch": {}}}, [0, 1, 10]),
    "elem-match-not": ({"v": {"$elemMatch": {"$not": {"$gte": 0}}}}, [0, 1, 7, 10]),
    "elem-match-does-not-open-elements": ({"v": {"$elemMatch": {"$eq": 1}}}, []),
    "size-at-a-path": ({"v.w": {"$size": 2}}, [1]),
    "in-objects": ({"v.w": {"$in": [{"x": 1, "y": [1]}, 7]}}, [1, 3, 10]),
}

# name: operator first, the same the other way round
DIALECTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "$eq": ({"$eq": {"price": 200}}, {"price": {"$eq": 200}}),
    "$ne": ({"$ne": {"tags": "b"}}, {"tags": {"$ne": "b"}}),
    "$gt": ({"$gt": {"price": 200}}, {"price": {"$gt": 200}}),
    "$gte": ({"$gte": {"price": 200}}, {"price": {"$gte": 200}}),
    "$lt": ({"$lt": {"price": 200}}, {"price": {"$lt": 200}}),
    "$lte": ({"$lte": {"price": 200}}, {"price": {"$lte": 200}}),
    "$in": ({"$in": {"tags": ["a"]}}, {"tags": {"$in": ["a"]}}),
    "$nin": ({"$nin": {"tags": ["a"]}}, {"tags": {"$nin": ["a"]}}),
    "$exists": ({"$exists": {"tags": False}}, {"tags": {"$exists": False}}),
    "$all": ({"$all": {"tags": ["a", "b"]}}, {"tags": {"$all": ["a", "b"]}}),
    "$size": ({"$size": {"tags": 1}}, {"tags": {"$size": 1}}),
    "$elemMatch": (
        {"$elemMatch": {"items": {"c": 2, "s": "r"}}},
        {"items": {"$elemMatch": {"c": 2, "s": "r"}}},
    ),
    "$regex": (
        {"$regex": {"artist": "^X"}, "$options": "i"},
        {"artist": {"$regex": "^X", "$options": "i"}},
    ),
    "$regex-options-by-field": (
        {"$regex": {"artist": "^X", "tags": "^a"}, "$options": {"artist": "i"}},
        {"artist": {"$regex": "^X", "$options": "i"}, "tags": {"$regex": "^a"}},
    ),
    "$type": ({"$type": {"price": "string"}}, {"price": {"$type": "string"}}),
    "$mod": ({"$mod": {"price": [200, 0]}}, {"price": {"$mod": [200, 0]}}),
    "$not": ({"$not": {"price": {"$gte": 200}}}, {"price": {"$not": {"$gte": 200}}}),
    "$not-of-operator-first": (
        {"$not": {"$gte": {"price": 200}}},
        {"$nor": [{"price": {"$gte": 200}}]},
    ),
    "dotted": ({"$gte": {"brand.tier": 1}}, {"brand.tier": {"$gte": 1}}),
    "two-fields": (
        {"$gte": {"price": 100, "brand.tier": 1}},
        {"price": {"$gte": 100}, "brand.tier": {"$gte": 1}},
    ),
    "both-dialects-together": (
        {"$or": [{"$lt": {"price": 120}}, {"active": True}], "$exists": {"artist": False}},
        {"active": True},
    ),
}

# name: filter, what the message must name
MISTAKES: dict[str, tuple[Any, list[str]]] = {
    "no-object": ([1], ["a filter is an object", "[1]"]),
    "unknown-operator": ({"price": {"$gtee": 1}}, ["price", "$gtee", "$gte,"]),
    "unknown-operator-first": ({"$near": {"place": 1}}, ["$near", "known are"]),
    "where": ({"$where": "1"}, ["$where"]),
    "operator-first-without-field": ({"$gte": 200}, ["$gte", "name the field", "200"]),
    "operator-first-with-nothing": ({"$gte": {}}, ["$gte", "name the field"]),
    "operator-for-a-field": ({"$gte": {"$lt": 1}}, ["$lt", "field"]),
    "operator-and-field": ({"price": {"$gte": 1, "max": 2}}, ["price", "max"]),
    "and-without-list": ({"$and": {"a": 1}}, ["$and", "list"]),
    "or-of-nothing": ({"$or": []}, ["$or", "at least one"]),
    "nor-of-numbers": ({"$nor": [1]}, ["a filter is an object", "1"]),
    "in-without-list": ({"tags": {"$in": "a"}}, ["tags: $in", "list"]),
    "nin-without-list": ({"tags": {"$nin": 3}}, ["tags: $nin", "list"]),
    "in-of-operators": ({"tags": {"$in": [{"$gte": 1}]}}, ["tags: $in", "$gte"]),
    "all-without-list": ({"tags": {"$all": "a"}}, ["tags: $all", "list"]),
    "all-mixed": ({"tags": {"$all": [{"$elemMatch": {}}, 1]}}, ["tags: $all", "$elemMatch"]),
    "size-of-text": ({"tags": {"$size": "2"}}, ["tags: $size", "whole number"]),
    "size-broken": ({"tags": {"$size": 1.5}}, ["tags: $size", "1.5"]),
    "size-negative": ({"tags": {"$size": -1}}, ["tags: $size", "-1"]),
    "mod-of-one": ({"price": {"$mod": [4]}}, ["price: $mod", "divisor, remainder"]),
    "mod-by-zero": ({"price": {"$mod": [0, 1]}}, ["price: $mod", "divisor is 0"]),
    "mod-of-text": ({"price": {"$mod": ["4", 1]}}, ["price: $mod", "'4'"]),
    "type-unknown": ({"price": {"$type": "integer"}}, ["price: $type", "integer", "number"]),
    "type-code-unknown": ({"price": {"$type": 99}}, ["price: $type", "99"]),
    "type-of-nothing": ({"price": {"$type": []}}, ["price: $type", "at least one"]),
    "exists-maybe": ({"price": {"$exists": "yes"}}, ["price: $exists", "true or false"]),
    "regex-broken": ({"artist": {"$regex": "("}}, ["artist: $regex", "'('"]),
    "regex-of-number": ({"artist": {"$regex": 1}}, ["artist: $regex", "text"]),
    "regex-posix-class": ({"artist": {"$regex": "[[:alpha:]]"}}, ["artist: $regex", "[:alpha:]"]),
    "options-unknown": ({"a": {"$regex": "x", "$options": "iz"}}, ["a: $regex", "z"]),
    "options-alone": ({"a": {"$options": "i"}}, ["a", "$options"]),
    "options-alone-first": ({"$options": "i"}, ["$options"]),
    "not-of-a-value": ({"price": {"$not": 200}}, ["price: $not", "operators", "200"]),
    "not-of-nothing": ({"price": {"$not": {}}}, ["price: $not", "operators"]),
    "elem-match-of-a-value": ({"tags": {"$elemMatch": "a"}}, ["tags: $elemMatch", "object"]),
    "inside-elem-match": (
        {"items": {"$elemMatch": {"c": {"$foo": 1}}}},
        ["c", "$foo"],
    ),
}


@pytest.mark.parametrize(("filter", "expected"), MEANINGS.values(), ids=MEANINGS)
def test_meaning(filter: dict[str, Any], expected: list[int]) -> None:
    """A filter finds what MongoDB's manual says it finds."""
    assert found(filter, DOCUMENTS) == expected


@pytest.mark.parametrize(("filter", "expected"), ODD_MEANINGS.values(), ids=ODD_MEANINGS)
def test_meaning_of_odd_shapes(filter: dict[str, Any], expected: list[int]) -> None:
    """Nested arrays, places in arrays, nulls and mixed kinds are found as in MongoDB."""
    assert found(filter, ODD) == expected


@pytest.mark.parametrize(("first", "mongo"), DIALECTS.values(), ids=DIALECTS)
def test_operator_first(first: dict[str, Any], mongo: dict[str, Any]) -> None:
    """The operator-first form of the documents' examples means what MongoDB's own form means."""
    expected = found(mongo, DOCUMENTS)
    assert found(first, DOCUMENTS) == expected
    assert 0 < len(expected) < len(DOCUMENTS)


@pytest.mark.parametrize(("filter", "named"), MISTAKES.values(), ids=MISTAKES)
def test_mistake(filter: Any, named: list[str]) -> None:
    """A filter that cannot be understood is refused with the field and the operator named."""
    with pytest.raises(FilterError) as caught:
        compile_filter(filter)
    assert [part for part in named if part not in str(caught.value)] == []


@pytest.mark.parametrize("key", ["$and", "$not", "a"])
def test_nesting_is_bounded(key: str) -> None:
    """A filter nested without end is refused as such, whatever it is nested with."""
    filter: dict[str, Any] = {"a": 1}
    for _ in range(900):
        filter = (
            {key: [filter]}
            if key == "$and"
            else {key: filter if key == "$not" else {"$not": filter}}
        )
    if key == "a":
        filter = {"a": {"$gte": 1}}
        for _ in range(900):
            filter = {"a": {"$elemMatch": filter}}
    with pytest.raises(FilterError, match="nested deeper than 100"):
        compile_filter(filter)


def test_examples_of_the_documents() -> None:
    """The two filters printed in the documents find what their text says."""
    records = [
        {"_id": 1, "artist": "david_27", "price": 200},
        {"_id": 2, "artist": "a", "price": 9},
    ]
    assert found({"artist": {"$ne": "david_27"}}, records) == [2]
    assert found({"$gte": {"price": 200}}, records) == [1]
