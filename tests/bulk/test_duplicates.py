"""Near-duplicates of a whole collection: by all pairs at once, or record by record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from attrs import define, field
from emulated import Shop, at
from fakes import answer as reply
from hypothesis import given, settings
from hypothesis import strategies as st

from ximilar_async import Retry, Ximilar, bulk
from ximilar_async._protocol import Response
from ximilar_async.bulk._duplicate_groups import Pairs
from ximilar_async.bulk._duplicates import Search, duplicates, read_pairs
from ximilar_async.errors import AnswerError, AuthError, ConfigError, NotFoundError, ServerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ximilar_async._protocol import Request
    from ximilar_async.bulk._duplicate_groups import Groups

POINTS = [0, 100, 2, 200, 101, 4, 300, 8, 102.5]
"""At radius 3: 0, 2, 4 are linked by 2; 100, 101, 102.5 all are near; 8 and the others alone."""


@define
class Shelf:
    """Serves a collection on the plane; `fault` may answer a method in its place."""

    fault: Callable[[str, dict[str, Any]], Response | None] = lambda *_: None
    shop: Shop = field(factory=Shop, init=False)
    asked: list[tuple[str, dict[str, Any]]] = field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        self.shop.fill(POINTS, shop=["cz" if n % 2 else "de" for n in range(len(POINTS))])

    def count(self, method: str) -> int:
        return sum(name == method for name, _ in self.asked)

    async def send(self, request: Request) -> Response:
        address, _, query = request.url.partition("?")
        url = dict(part.split("=") for part in query.split("&")) if query else {}
        method = address.rsplit("/", 1)[1]
        body = orjson.loads(request.body) if request.body else {}
        self.asked.append((method, body))
        fault = self.fault(method, body)
        return fault or Response(200, {}, orjson.dumps(self.shop.call(method, url, **body)))

    async def aclose(self) -> None:
        """Hold nothing."""


def collection_of(shelf: Shelf) -> Any:
    retry = Retry(attempts=2, base=0.001, cap=0.002)
    return Ximilar("token", transport=shelf, retry=retry).collection("c")


def told(groups: Groups) -> list[list[tuple[str, float | None, float]]]:
    return [[(r.id, r.distance, r.nearest) for r in group.records] for group in groups]


GROUPS = [
    [("2", 0.0, 2.0), ("0", 2.0, 2.0), ("5", 2.0, 2.0)],
    [("1", 0.0, 1.0), ("4", 1.0, 1.0), ("8", 2.5, 1.5)],
]
"""The groups by that, with distances from the first and from the nearest."""


def without(methods: Response) -> Callable[[str, dict[str, Any]], Response | None]:
    return lambda method, _: methods if method == "allNearDupPairs" else None


@pytest.mark.parametrize("each", [None, False, True])
async def test_both_ways_find_the_same_groups(*, each: bool | None) -> None:
    """Linked records are one group; first its record with the most near-duplicates."""
    shelf = Shelf()
    found = await duplicates(collection_of(shelf), radius=3, each=each, page_size=4)
    assert told(found.groups) == GROUPS
    assert (len(found.groups), found.groups.records) == (2, 6)
    assert shelf.count("allNearDupPairs") == (0 if each else 1)
    assert shelf.count("nearDuplicates") == (len(POINTS) if each else 0)
    assert shelf.count("allRecords") == (3 if each else 0)


@pytest.mark.parametrize(
    "refusal",
    [
        reply(404, "no such method", http=404),
        reply(403, "not in your plan", http=403),
        reply(400, "unknown field", http=400),
        reply(501, "not implemented", http=501),
        reply(200, answer_records=[]),
        reply(200, answer_pairs=[["0", "2"]], answer_distances=[1.0]),
        reply(200, answer_pairs=[], answer_distances=[], answer_count=7),
        reply(200, answer_pairs=[], answer_distances=[], next="page 2"),
    ],
    ids=["404", "403", "400", "501", "other fields", "plain ids", "some pairs", "one page"],
)
async def test_where_pairs_cannot_be_had_each_record_is_asked_for(refusal: Response) -> None:
    """A refusal, and an answer of another form or not whole, lead to the same groups."""
    shelf, seen = Shelf(without(refusal)), list[Search]()
    found = await duplicates(collection_of(shelf), radius=3, on_progress=seen.append)
    assert told(found.groups) == GROUPS
    assert found.search.method == "each"
    assert found.search.refused
    assert (found.search.asked, found.search.total, found.search.failed) == (9, 9, 0)
    assert shelf.count("nearDuplicates") == len(POINTS)
    assert seen[0] == Search()
    assert any(state.refused and state.total == 9 and not state.asked for state in seen)


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (reply(401, "bad token", http=401), AuthError),
        (reply(500, "broken", http=500), ServerError),
    ],
)
async def test_a_service_in_trouble_is_not_asked_a_million_times(
    refusal: Response, error: type[Exception]
) -> None:
    """What is no answer to the question whether there is such a method is handed on."""
    shelf = Shelf(without(refusal))
    with pytest.raises(error):
        await duplicates(collection_of(shelf), radius=3)
    assert shelf.count("nearDuplicates") == 0


async def test_it_can_be_told_never_to_ask_for_each() -> None:
    """Searches cost credits: then a refusal is an error."""
    shelf = Shelf(without(reply(404, "no such method", http=404)))
    with pytest.raises(NotFoundError):
        await duplicates(collection_of(shelf), each=False)
    assert shelf.count("nearDuplicates") == 0


@pytest.mark.parametrize("each", [False, True])
async def test_a_filter_holds_for_both_records_of_a_pair(*, each: bool) -> None:
    """Records that it leaves out are in no group and link nobody."""
    shelf = Shelf()
    condition = {"shop": "de"}
    found = await duplicates(collection_of(shelf), radius=3, filter=condition, each=each)
    assert told(found.groups) == [
        [("0", 0.0, 2.0), ("2", 2.0, 2.0)],
        [("4", 0.0, 1.5), ("8", 1.5, 1.5)],
    ]


async def test_records_that_fail_are_counted_and_those_that_are_gone_are_not() -> None:
    """Groups may then be incomplete; a record that was deleted meanwhile is nobody's duplicate."""

    def fault(method: str, body: dict[str, Any]) -> Response | None:
        id_ = body.get("query_record", {}).get("_id")
        if id_ == "3":
            return reply(404, "not found", answer_records=[], answer_distances=[])
        return reply(200, answer_records=[{}], answer_distances=[]) if id_ == "6" else None

    options = bulk.Options(retry=Retry(attempts=2, base=0.001, cap=0.002))
    found = await duplicates(collection_of(Shelf(fault)), radius=3, each=True, options=options)
    assert told(found.groups) == GROUPS
    assert found.search.asked == 9
    assert found.search.failed == 1


async def test_what_is_no_collection_is_refused() -> None:
    """The message says what is taken."""
    no_collection: Any = "shoes"
    with pytest.raises(ConfigError, match=r"client\.collection"):
        await duplicates(no_collection)


@pytest.mark.parametrize(
    "raw",
    [
        None,
        [],
        {},
        {"answer_pairs": [], "answer_distances": None},
        {"answer_pairs": [[{"_id": "1"}]], "answer_distances": [1.0]},
        {"answer_pairs": [[{"_id": "1"}, {"_id": 2}]], "answer_distances": [1.0]},
        {"answer_pairs": [[{"_id": "1"}, {"_id": "2"}]], "answer_distances": ["1"]},
        {"answer_pairs": [[{"_id": "1"}, {"_id": "2"}]], "answer_distances": []},
    ],
)
def test_an_answer_that_is_not_understood_is_not_believed(raw: Any) -> None:
    """Nothing is taken from half an answer."""
    with pytest.raises(AnswerError, match="allNearDupPairs"):
        read_pairs(raw)


EDGES = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh"), st.integers(0, 9)),
    max_size=20,
)


@settings(deadline=None)
@given(edges=EDGES, data=st.data())
def test_groups_are_the_connected_parts_whatever_the_order(
    edges: list[tuple[str, str, int]], data: st.DataObject
) -> None:
    """Compared with a plain search through the graph; order and direction do not matter."""
    pairs = Pairs()
    for one, other, far in edges:
        pairs.add(one, other, far)
    groups = pairs.groups()
    near: dict[str, dict[str, int]] = {}
    for one, other, far in edges:
        if one != other:
            for a, b in ((one, other), (other, one)):
                near.setdefault(a, {})[b] = min(far, near.get(a, {}).get(b, far))
    left, parts = set(near), []
    while left:
        part, front = set(), {min(left)}
        while front:
            part |= front
            front = {b for a in front for b in near[a]} - part
        parts.append(part)
        left -= part
    assert [len(group.records) for group in groups] == sorted(map(len, parts), reverse=True)
    assert {frozenset(r.id for r in group.records) for group in groups} == set(
        map(frozenset, parts)
    )
    for group in groups:
        degrees = [len(near[r.id]) for r in group.records]
        assert degrees[0] == max(degrees)
        assert all(r.nearest == min(near[r.id].values()) for r in group.records)
        assert [r.distance for r in group.others] == [
            near[group.first.id].get(r.id) for r in group.others
        ]
    again = Pairs()
    for one, other, far in data.draw(st.permutations(edges)):
        again.add(*((other, one) if far % 2 else (one, other)), far)
    assert list(again.groups()) == list(groups)


def test_groups_are_a_sequence() -> None:
    """They can be counted, indexed from both ends, cut and iterated over."""
    pairs = Pairs()
    for one, other in ("ab", "bc", "xy"):
        pairs.add(one, other, 1.0)
    groups = pairs.groups()
    assert len(groups) == 2
    assert groups[-1].first.id == "x"
    assert [group.first.id for group in groups[:1]] == ["b"]
    assert list(groups[5:]) == []
    with pytest.raises(IndexError):
        groups[2]
    assert repr(groups) == "<Groups: 2 of 5 records>"
    assert list(Pairs().groups()) == []


async def test_equal_images_are_found() -> None:
    """The same image twice is a pair at distance 0."""
    shelf = Shelf()
    shelf.shop.call("insert", records=[{"_id": "twin", "_url": at(300)}])
    found = await duplicates(collection_of(shelf), radius=0.5)
    assert told(found.groups) == [[("6", 0.0, 0.0), ("twin", 0.0, 0.0)]]
