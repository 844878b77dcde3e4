"""Fault scenarios: which requests fail, the same each time, through both doors, from a file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest
from emulated import HEADERS, PlaneExtractor, ask, at, request

from ximilar_async._protocol import Response
from ximilar_async.emulator import Emulator, Fault, Faults, Rule, faults, load_faults
from ximilar_async.emulator.fault_file import make_faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

PATH = "/similarity/photos/v2/"
NO_IDS: Any = [7]
NO_RULE: Any = Fault()


def insert(*ids: str) -> Any:
    return request("insert", {"records": [{"_id": id_, "_url": at(1)} for id_ in ids]})


def fails(plan: Faults, requests: Iterable[Any]) -> list[bool]:
    """Return for each request whether the plan fails it."""
    return [plan(one, 0) is not None for one in requests]


# --- when ---------------------------------------------------------------------------------------


def test_chance_falls_the_same_way_each_time() -> None:
    """One seed gives one series, another seed another; the share of failures is the chance."""
    asked = [insert(str(n)) for n in range(2000)]

    def series(seed: int) -> list[bool]:
        return fails(Faults(faults.unavailable(chance=0.05), seed=seed), asked)

    assert series(7) == series(7)
    assert series(7) != series(8)
    assert sum(series(7)) == pytest.approx(100, abs=30)


def test_chances_of_two_rules_are_independent() -> None:
    """Two rules of the same chance do not fail the same requests."""
    asked = [insert(str(n)) for n in range(1000)]
    half = faults.unavailable(chance=0.5)
    alone = fails(Faults(half), asked)
    both = fails(Faults(half, faults.lost_answer(chance=0.5)), asked)
    assert sum(alone) == pytest.approx(500, abs=80)
    assert sum(both) == pytest.approx(750, abs=80)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (faults.outage(3, 4), [3, 4]),
        (faults.outage(7), [7, 8]),
        (faults.unauthorized(after=6), [7, 8]),
        (faults.throttled(every=3), [3, 6]),
        (faults.throttled(every=2, first=4, last=7), [5, 7]),
        (faults.unavailable(chance=0), []),
    ],
)
def test_requests_by_their_number(rule: Rule, expected: list[int]) -> None:
    """Ranges and every n-th request, from 1."""
    failed = fails(Faults(rule), [insert(str(n)) for n in range(1, 9)])
    assert [number for number, failing in enumerate(failed, 1) if failing] == expected


def test_methods_are_counted_on_their_own() -> None:
    """A rule about methods counts their requests only; without methods it counts all."""
    asked = [request("ping"), insert("1"), request("get"), insert("2"), insert("3")]
    assert fails(Faults(faults.outage(2, methods="insert")), asked) == [0, 0, 0, 1, 1]
    assert fails(Faults(faults.outage(2, 3)), asked) == [0, 1, 1, 0, 0]
    assert fails(Faults(faults.unavailable(methods=["ping", "get"])), asked) == [1, 0, 1, 0, 0]


def test_the_account_can_fail() -> None:
    """The one call outside a collection has a name as well."""
    account = request("account/v2/details/", base="http://localhost/", verb="GET")
    assert fails(Faults(faults.unavailable(methods="account")), [account, request("ping")]) == [
        1,
        0,
    ]


def test_poison_goes_with_its_record() -> None:
    """Each request that brings the record fails, alone or among others; asking for it does not."""
    plan = Faults(faults.poison(["bad"]))
    look_up = request("get", {"records": [{"_id": "bad"}]})
    update = request("update", {"records": [{"_id": "bad"}]})
    asked = [insert("a", "b"), insert("a", "bad"), insert("bad"), look_up, update]
    assert fails(plan, asked) == [0, 1, 1, 0, 1]


def test_records_are_found_in_every_kind_of_body() -> None:
    """Records to store and query records count alike; what is no record is passed over."""
    plan = Faults(faults.slow(1, ids="bad"))
    query = request("visualKNN", {"query_record": {"_id": "bad"}})
    several = request("visualKNNMulti", {"query_records": [{"_id": "good"}, {"_id": "bad"}]})
    assert fails(plan, [query, several, insert("bad"), insert("good")]) == [1, 1, 1, 0]
    strange: list[Any] = [b"no JSON", [1], {"records": 5}, {"records": [5, {"_id": 5}]}]
    assert not any(fails(plan, [request("insert", body) for body in strange]))


def test_times_each_goes_by_record() -> None:
    """A record fails so often, in whatever request; then it is left alone."""
    plan = Faults(faults.unavailable(times_each=2))
    asked = [insert("a", "b"), insert("b"), insert("a", "b"), insert("b"), insert("c", "b")]
    assert fails(plan, asked) == [1, 1, 1, 0, 1]


def test_times_each_goes_by_request_where_there_is_no_record() -> None:
    """Requests without records are told apart by method and body."""
    plan = Faults(faults.unavailable(times_each=1))
    asked = [request("ping"), request("ping"), request("getRecordCount"), request("random", {})]
    assert fails(plan, asked) == [1, 0, 1, 1]


def test_times_each_of_some_records() -> None:
    """With ids it is only theirs that count."""
    plan = Faults(faults.poison(["bad"], times_each=1))
    assert fails(plan, [insert("bad", "x"), insert("bad", "y"), insert("y")]) == [1, 0, 0]


def test_the_first_rule_decides_and_all_count() -> None:
    """Where two rules apply the first one acts; the hits are counted where they fell."""
    plan = Faults(faults.outage(1, 2), faults.throttled(every=2), faults.throttled(every=5))
    found = [plan(insert(str(n)), 0) for n in range(1, 6)]
    statuses = [fault and fault.answer and fault.answer.status for fault in found]
    assert statuses == [503, 503, None, 429, 429]
    assert plan.hits == {"outage": 2, "throttled": 2}


def test_what_an_earlier_rule_took_leaves_a_record_its_share() -> None:
    """A rule that did not get to act has not used up what each record is due."""
    plan = Faults(faults.outage(1, 1), faults.throttled(times_each=1))
    found = [plan(insert("a"), 0) for _ in range(3)]
    assert [fault and fault.answer and fault.answer.status for fault in found] == [503, 429, None]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: faults.unavailable(chance=1.5), "chance must be a number from 0 to 1, not 1.5"),
        (lambda: faults.unavailable(chance=True), "chance must be a number"),
        (lambda: faults.unavailable(methods="upsert"), "no method 'upsert'; there are account, "),
        (lambda: faults.unavailable(every=0), "every must be a whole number from 1 on, not 0"),
        (lambda: faults.outage(5, 4), r"last must not be below first \(5\), but is 4"),
        (lambda: faults.outage(0), "first must be a whole number from 1 on"),
        (lambda: faults.poison(NO_IDS), "ids must be texts, not 7"),
        (lambda: faults.unauthorized(after=-1), "after must be a whole number of requests"),
        (lambda: faults.unavailable(status=200), "status must be one of a refusal"),
        (lambda: faults.html_page(status=100), "status must be an HTTP status from 200 to 599"),
        (lambda: faults.slow(float("inf")), "delay must be a number of seconds, not inf"),
        (lambda: faults.slow(-1), "delay must be a number of seconds, not -1"),
        (lambda: Faults(NO_RULE), r"takes rules, not Fault\("),
    ],
)
def test_settings_that_make_no_sense(make: Callable[[], object], words: str) -> None:
    """A wrong setting is refused where it is written, by name."""
    with pytest.raises(ValueError, match=words):
        make()


# --- what, through both doors -------------------------------------------------------------------

BOTH_DOORS: dict[str, tuple[Rule, int, bytes, int]] = {
    "unavailable": (faults.unavailable(retry_after=2), 503, b"unavailable", 0),
    "unavailable, applied": (faults.unavailable(apply=True), 503, b"unavailable", 1),
    "outage": (faults.outage(1), 503, b"unavailable", 0),
    "throttled": (faults.throttled(retry_after="soon"), 429, b"too many", 0),
    "unauthorized": (faults.unauthorized(), 401, b'{"detail":"Invalid token."}', 0),
    "full": (faults.full(), 412, b"capacity", 0),
    "credits": (faults.full(status=402), 402, b"credits", 0),
    "poison": (faults.poison("1", status=413), 413, b"too large", 0),
    "slow": (faults.slow(0.001), 200, b"records inserted", 1),
    "truncated_json": (faults.truncated_json(), 200, b"", 1),
    "garbled_json": (faults.garbled_json(), 200, b"\x84", 1),
    "empty_answer": (faults.empty_answer(), 200, b"", 1),
    "html_page": (faults.html_page(), 502, b"<html>", 0),
    "html_page, 200": (faults.html_page(status=200, apply=True), 200, b"<html>", 1),
    "redirected": (faults.redirected("http://localhost/login"), 302, b"", 0),
}
"""By name: rule, HTTP status, what the body holds, records stored after one insert."""


@pytest.mark.parametrize("name", BOTH_DOORS)
async def test_what_is_answered(name: str) -> None:
    """Socket and in-process door give the same answer, and the work was done or not as told."""
    rule, status, words, stored = BOTH_DOORS[name]
    plan = Faults(Rule(**{**_settings(rule), "methods": ["insert"]}))
    async with Emulator(extractor=PlaneExtractor(), faults=plan) as emulator:
        response = await emulator.transport().send(insert("1"))
        assert await _count(emulator) == stored
        async with aiohttp.ClientSession(emulator.url, headers=HEADERS) as session:
            body = orjson.dumps({"records": [{"_id": "1", "_url": at(1)}]})
            async with session.post(PATH + "insert", data=body, allow_redirects=False) as wire:
                given = await wire.read()
                assert (wire.status, response.status) == (status, status)
                for header, value in response.headers.items():
                    assert wire.headers[header] == value
        assert words in response.body
        assert len(given) > 0 if words else name not in ("empty_answer", "redirected") or not given
    assert plan.hits == {rule.name: 2}


def _settings(rule: Rule) -> dict[str, Any]:
    return {name: getattr(rule, name) for name in ("fault", "name", "ids")}


async def _count(emulator: Emulator) -> int:
    count: int = (await ask(emulator, "getRecordCount"))[1]["answer_count"]
    return count


def test_retry_after_is_a_header() -> None:
    """The hint travels as it was given; without one there is no such header."""
    for hint, text in [(2, "2"), (0.5, "0.5"), ("Fri, 31 Dec 1999 23:59:59 GMT", None)]:
        answer = faults.throttled(retry_after=hint).fault.answer
        assert answer is not None
        assert answer.headers["retry-after"] == (text or hint)
    bare = faults.throttled().fault.answer
    assert bare is not None
    assert "retry-after" not in bare.headers


@pytest.mark.parametrize(
    ("rule", "stored", "kind"),
    [
        (faults.lost_answer(), 1, aiohttp.ServerDisconnectedError),
        (faults.lost_request(), 0, aiohttp.ServerDisconnectedError),
        (faults.cut_answer(), 1, aiohttp.ClientPayloadError),
    ],
    ids=lambda value: getattr(value, "name", None),
)
async def test_connections_are_cut(rule: Rule, stored: int, kind: type[Exception]) -> None:
    """Before the first byte or within the body; in process both are ConnectionResetError."""
    plan = Faults(Rule(name=rule.name, fault=rule.fault, methods="insert"))
    async with Emulator(extractor=PlaneExtractor(), faults=plan) as emulator:
        with pytest.raises(ConnectionResetError):
            await emulator.transport().send(insert("1"))
        assert await _count(emulator) == stored
        async with aiohttp.ClientSession(emulator.url, headers=HEADERS) as session:
            body = orjson.dumps({"records": [{"_id": "2", "_url": at(1)}]})
            with pytest.raises(kind):
                await _fetch(session, body)
            assert await _count(emulator) == 2 * stored


async def _fetch(session: aiohttp.ClientSession, body: bytes) -> bytes:
    async with session.post(PATH + "insert", data=body) as wire:
        return await wire.read()


async def test_an_empty_answer_can_be_cut() -> None:
    """A body without a byte is cut off as well."""
    cut = Rule(fault=Fault(answer=Response(200, {}), cut=True))
    async with (
        Emulator(faults=Faults(cut)) as emulator,
        aiohttp.ClientSession(emulator.url, headers=HEADERS) as session,
    ):
        with pytest.raises(aiohttp.ClientPayloadError):
            await _fetch(session, b"")


# --- from a file --------------------------------------------------------------------------------

TOML = """
seed = 7

[[rule]]
fault = "unavailable"
chance = 0.05
retry_after = 1

[[rule]]
fault = "poison"
ids = ["a", "b"]
status = 400
methods = "insert"
"""


def test_toml_and_json_say_the_same(tmp_path: Path) -> None:
    """Either file gives the plan that the functions would."""
    (tmp_path / "a.toml").write_text(TOML, encoding="utf-8")
    decoded = {
        "seed": 7,
        "rule": [
            {"fault": "unavailable", "chance": 0.05, "retry_after": 1},
            {"fault": "poison", "ids": ["a", "b"], "status": 400, "methods": "insert"},
        ],
    }
    (tmp_path / "a.json").write_text(json.dumps(decoded), encoding="utf-8")
    expected = (
        faults.unavailable(chance=0.05, retry_after=1),
        faults.poison(["a", "b"], status=400, methods="insert"),
    )
    asked = [insert(str(n)) for n in range(200)]
    series = fails(Faults(*expected, seed=7), asked)
    for name in ("a.toml", "a.json"):
        plan = load_faults(tmp_path / name)
        assert plan.rules == expected
        assert fails(plan, asked) == series


MINIMAL: dict[str, dict[str, Any]] = {
    "outage": {"first": 1},
    "poison": {"ids": ["1"]},
    "redirected": {"location": "http://localhost/"},
    "slow": {"seconds": 1},
}


@pytest.mark.parametrize("name", [name for name in faults.__all__ if name.islower()])
def test_a_file_can_name_every_scenario(name: str) -> None:
    """Each function of `faults` can be used from a file, and counts under its own name."""
    plan = make_faults({"rule": [{"fault": name, **MINIMAL.get(name, {})}]})
    assert list(plan.hits) == [name]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({}, "rule 1: fault must name what goes wrong: cut_answer, "),
        ({"fault": "unavailble"}, "rule 1: unknown fault 'unavailble'; did you mean 'unavailable'"),
        ({"fault": ["x"]}, "rule 1: fault must name what goes wrong"),
        ({"fault": "slow"}, r"rule 1 \(slow\): seconds is missing"),
        ({"fault": "slow", "seconds": "1"}, r"rule 1 \(slow\): delay must be a number of seconds"),
        ({"fault": "full", "chanse": 1}, "unknown setting 'chanse'; did you mean 'chance'"),
        ({"fault": "full", "chance": "x"}, "chance must be a number from 0 to 1"),
        ({"fault": "full", "methods": 5}, "lists of texts, not 5"),
        ({"fault": "full", "ids": [5]}, "ids must be texts, not 5"),
        ({"fault": "full", "after": "x"}, "after must be a whole number of requests"),
        ({"fault": "full", "first": 3}, "first"),
        ({"fault": "full", "name": "x"}, "unknown setting 'name'"),
        ({"fault": "full", "when": {}}, "unknown setting 'when'"),
        ({"fault": "html_page", "apply": "no"}, "apply must be true or false, not 'no'"),
        ({"fault": "throttled", "retry_after": [1]}, "retry_after must be seconds or a text"),
        ({"fault": "redirected", "location": 5}, "location must be an address"),
        (5, "rule 1 is no table"),
    ],
)
def test_a_rule_that_makes_no_sense(rule: object, words: str) -> None:
    """The message names the rule, what is wrong with it, and what is known."""
    with pytest.raises(ValueError, match=words):
        make_faults({"rule": [rule]})


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.toml", "x y", r"a\.toml: .*line 1"),
        ("a.json", "{", r"a\.json: .*line 1"),
        ("a.yaml", "", "ends in .toml or .json"),
        ("a.json", "[]", "must hold a table"),
        ("a.toml", "", "there is no rule"),
        ("a.toml", "seed = 'x'\n[[rule]]\nfault = 'full'", "seed must be a whole number"),
        ("a.toml", "rules = []", "unknown setting 'rules'; did you mean 'rule'"),
        ("a.toml", "rule = 5", "there is no rule"),
        ("a.toml", b"\xff", r"a\.toml: .*utf-8"),
    ],
)
def test_a_file_that_makes_no_sense(
    tmp_path: Path, name: str, text: str | bytes, words: str
) -> None:
    """The message names the file and what is wrong with it."""
    (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(ValueError, match=words):
        load_faults(tmp_path / name)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """It is the usual error of the system, with the path."""
    with pytest.raises(FileNotFoundError, match=r"gone\.toml"):
        load_faults(tmp_path / "gone.toml")
