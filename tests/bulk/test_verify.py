"""Looking up what no answer told: a `get` that lies or breaks makes no record inserted."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Literal

import pytest
from attrs import define, field, frozen
from bulk.hostile import CHANGES, JSON, entry_ids
from fakes import in_virtual_time
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st
from scripted import ScriptedService
from scripted import answer as answer_of

from ximilar_async import Retry, Ximilar, bulk
from ximilar_async._collection import Collection
from ximilar_async._config import Config, Limits, make_target
from ximilar_async._protocol import Response
from ximilar_async._session import Session
from ximilar_async.bulk import Job, Options, Outcome, Stop
from ximilar_async.bulk._engine import Engine
from ximilar_async.bulk._operations import delete, insert, update
from ximilar_async.errors import BulkAborted
from ximilar_async.images import ImageOptions
from ximilar_async.sources import as_source

if TYPE_CHECKING:
    from ximilar_async._protocol import Request
    from ximilar_async.bulk import Report, Result

EXAMPLES = max(150, settings().max_examples)  # 20,000 with --hypothesis-profile=thorough
MARK = "ximilar_async_run"
OPERATIONS = {"insert": insert, "update": update, "delete": delete}
QUICK = Retry(attempts=2, base=0.01, cap=0.05, deadline=1.0)

Kind = Literal["insert", "update", "delete"]
Body = bytes


@frozen
class Case:
    """A run whose writes are answered without a word about any record, and its look-ups so."""

    kind: Kind
    attribution: Literal["exact", "compare"]
    ids: tuple[str, ...]
    applied: frozenset[str]
    answers: tuple[tuple[int, Any], ...]
    """HTTP status and JSON of the look-ups, the last one for all further ones; records that are
    stored are filled in with their fields."""


@define(eq=False)
class Silent:
    """A transport that applies a part of each write, says nothing of it, and lies when asked."""

    case: Case
    stored: dict[str, dict[str, Any]] = field(factory=dict, init=False)
    sent: dict[str, dict[str, Any]] = field(factory=dict, init=False)
    shown: list[tuple[int, Any]] = field(factory=list, init=False)
    """What the look-ups were answered: HTTP status, and JSON as it came."""

    async def send(self, request: Request) -> Response:
        method = request.url.rsplit("/", 1)[1]
        await asyncio.sleep(0.001)
        if method != "get":
            for record in json.loads(request.body)["records"] if request.body else []:
                self.sent[record["_id"]] = record
                if record["_id"] in self.case.applied:
                    self.stored[record["_id"]] = record
            return Response(200, {}, b'{"status": {"code": 210, "text": "OK"}}')
        number = min(len(self.shown), len(self.case.answers) - 1)
        status, raw = self.case.answers[number]
        raw = self._filled(raw)
        self.shown.append((status, json.loads(json.dumps(raw))))
        return Response(status, {}, json.dumps(raw).encode())

    async def aclose(self) -> None:
        """Hold nothing."""

    def _filled(self, raw: Any) -> Any:
        records = raw.get("answer_records") if isinstance(raw, dict) else None
        if not isinstance(records, list):
            return raw
        filled = [
            {**self.stored.get(str(r.get("_id")), {}), **r} if isinstance(r, dict) else r
            for r in records
        ]
        return {**raw, "answer_records": filled}


async def run(case: Case, transport: Silent) -> tuple[Report, list[Result]]:
    """Run the case and return what was told."""
    clock = asyncio.get_running_loop().time
    session = Session(Config(token="token", limits=Limits(), retry=QUICK), transport, clock)
    collection = Collection(session, make_target("c", "photos"), images=ImageOptions())
    results: list[Result] = []
    options = Options(attribution=case.attribution, on_result=results.append, retry=QUICK)
    records = [{"_id": id_, "_url": "u", "n": n} for n, id_ in enumerate(case.ids)]
    source = as_source(
        [{"_id": r["_id"], "n": r["n"]} if case.kind == "update" else r for r in records]
    )
    job = Job(Engine(OPERATIONS[case.kind](), collection, source, options, clock=clock))
    try:
        async with asyncio.timeout(3600):
            return await job, results
    except BulkAborted as stopped:
        return stopped.report, results


# --- what may be believed -----------------------------------------------------------------------


def shows(transport: Silent, id_: str) -> list[dict[str, Any]]:
    """Return the records of this id that some look-up listed as found."""
    lists = [raw.get("answer_records") for _, raw in transport.shown if isinstance(raw, dict)]
    entries = [e for part in lists if isinstance(part, list) for e in part if isinstance(e, dict)]
    return [e for e in entries if type(e.get("_id")) in (str, int) and str(e["_id"]) == id_]


def denies(transport: Silent, id_: str) -> bool:
    """Tell whether some look-up said that the record is not there, by name or of all."""
    return any(
        (status == 404 or _code(raw) == 404 or id_ in entry_ids(raw, "skipped_records"))
        and id_ not in entry_ids(raw, "answer_records")
        for status, raw in transport.shown
    )


def _code(raw: Any) -> Any:
    status = raw.get("status") if isinstance(raw, dict) else None
    return status.get("code") if isinstance(status, dict) else status


def check(case: Case, transport: Silent, report: Report, results: list[Result]) -> None:
    """Hold what was told against what the look-ups showed."""
    assert [result.id for result in sorted(results, key=lambda r: r.seq)] == list(case.ids)
    assert report.read == sum(report.counts.values()) == len(case.ids)
    assert report.pending == 0
    for result in results:
        event(f"{case.kind}: {result.outcome}")
        assert result.id is not None
        sent, found = transport.sent.get(result.id, {}), shows(transport, result.id)
        names = [MARK] if case.attribution == "exact" and case.kind == "insert" else sent.keys()
        same = [e for e in found if all(e.get(name) == sent.get(name) for name in names)]
        match result.outcome:
            case Outcome.INSERTED | Outcome.UPDATED:
                assert same, "claimed, and no look-up showed it"
            case Outcome.ALREADY_PRESENT:
                assert len(same) < len(found), "denied, and every look-up showed it as ours"
            case Outcome.DELETED | Outcome.NOT_FOUND:
                assert denies(transport, result.id), "gone, and no look-up said so"
            case Outcome.REJECTED:
                assert case.kind == "insert"
            case outcome:
                assert outcome in (Outcome.FAILED, Outcome.NOT_ATTEMPTED)


# --- the lies -----------------------------------------------------------------------------------


@st.composite
def lies(draw: st.DrawFn, ids: list[str], there: set[str]) -> tuple[int, Any]:
    """Return an honest answer of `get`, tampered with."""
    raw: dict[str, Any] = {
        "status": {"code": draw(st.sampled_from([205, 213, 404, 200])), "text": "words"},
        "answer_records": [{"_id": id_} for id_ in ids if id_ in there],
        "skipped_records": [
            {"_id": id_, "_reason": {"status": {"code": 404}}} for id_ in ids if id_ not in there
        ],
        "answer_count": len(there),
    }
    for change in draw(st.lists(st.sampled_from(CHANGES), max_size=3)):
        change(draw, raw, ids)
    records = raw["answer_records"]
    for entry in records if isinstance(records, list) else []:
        if isinstance(entry, dict) and draw(st.integers(0, 3)) == 0:
            entry[draw(st.sampled_from(["n", MARK, "_url", "_id"]))] = draw(JSON)
    odd = st.integers(0, 9).map(lambda n: n == 0)
    if draw(odd):
        raw["status"] = draw(st.sampled_from([{"code": c} for c in (401, 411, 412, 429, 500)]))
    status = draw(st.sampled_from([404, 429, 500, 503, 400])) if draw(odd) else 200
    return status, draw(JSON) if draw(odd) else raw


@st.composite
def cases(draw: st.DrawFn) -> Case:
    ids = draw(st.lists(st.integers(0, 40).map(str), min_size=1, max_size=12, unique=True))
    applied = draw(st.sets(st.sampled_from(ids)))
    return Case(
        draw(st.sampled_from(["insert", "insert", "update", "delete"])),
        draw(st.sampled_from(["exact", "compare"])),
        tuple(ids),
        frozenset(applied),
        tuple(draw(st.lists(lies(ids, applied), min_size=1, max_size=3))),
    )


def answer(code: int = 205, **lists: Any) -> tuple[int, Any]:
    return 200, {"status": {"code": code}, **lists}


GONE = {"_id": "1", "_reason": {"status": {"code": 404}}}
HAVE = {"_id": "1"}


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases())
@example(Case("insert", "exact", ("1",), frozenset("1"), (answer(answer_records=[HAVE, HAVE]),)))
@example(Case("delete", "compare", ("1",), frozenset("1"), (answer(404, skipped_records=[]),)))
@example(
    Case("delete", "compare", ("1",), frozenset("1"), ((404, answer(answer_records=[HAVE])[1]),))
)
def test_a_look_up_is_believed_in_what_it_shows_and_in_nothing_else(case: Case) -> None:
    """Whatever `get` answers, the sums are exact, and nothing is claimed that it does not show."""
    transport = Silent(case)
    report, results = in_virtual_time(run(case, transport))
    check(case, transport, report, results)


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        (answer(answer_records=[HAVE]), Outcome.INSERTED),
        (answer(answer_records=[{**HAVE, MARK: "another/1"}]), Outcome.ALREADY_PRESENT),
        (answer(skipped_records=[GONE]), Outcome.FAILED),
        (answer(answer_records=[HAVE], skipped_records=[GONE]), Outcome.FAILED),
        (answer(answer_records=[{"_id": "2"}]), Outcome.FAILED),
        (answer(answer_records=[], skipped_records=[]), Outcome.FAILED),
        ((500, None), Outcome.FAILED),
        ((200, "no object"), Outcome.FAILED),
        ((404, {"detail": "Not found."}), Outcome.FAILED),
        ((401, {"detail": "Invalid token."}), Outcome.FAILED),
        ((429, None), Outcome.FAILED),
    ],
)
def test_what_a_look_up_says_decides(told: tuple[int, Any], outcome: Outcome) -> None:
    """Shown with the mark is this run's, shown without is not, and anything else is unconfirmed."""
    case = Case("insert", "exact", ("1",), frozenset("1"), (told,))
    report, _ = in_virtual_time(run(case, Silent(case)))
    assert report.counts == {outcome: 1}


def test_a_412_that_lists_nothing_does_not_say_that_nothing_was_stored() -> None:
    """It says that records were refused, not that all were: a part may have found room."""

    def script(method: str, _: dict[str, Any]) -> Response | None:
        if method != "insert":
            return None
        service.stored["1"] = service.sent("insert")[0]["records"][0]
        return answer_of(412, "hard capacity exceeded", answer_records=[], skipped_records=[])

    async def main() -> Report:
        async with Ximilar("token", transport=service) as client:
            records = [{"_id": id_, "_url": "u"} for id_ in "123"]
            with pytest.raises(BulkAborted) as caught:
                await bulk.insert(client.collection("c"), records)
            return caught.value.report

    service = ScriptedService(script)
    report = in_virtual_time(main())
    assert report.counts == {Outcome.INSERTED: 1, Outcome.REJECTED: 2}
    assert report.stop is Stop.CAPACITY
