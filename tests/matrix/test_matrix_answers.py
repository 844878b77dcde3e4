"""Rows of the fault matrix: answers that are lost, wrong, or not about what was asked.

As in `test_matrix_engine`, each row asserts exact outcomes and that they agree with the store.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from matrix_runs import (
    AlteringService,
    insert,
    on_insert,
    one_at_a_time,
    outcomes,
    records,
    stored_in,
)
from scripted import ScriptedService, answer, lost

from ximilar_async import Retry, bulk
from ximilar_async.bulk import Outcome
from ximilar_async.emulator import Emulator, Faults, faults

if TYPE_CHECKING:
    from matrix_row import Row
    from scripted import Fault

    from ximilar_async.bulk import Report

ATTRIBUTIONS = ("compare", "exact")


# --- duplicates: the service's, and the run's own -----------------------------------------------


@pytest.mark.parametrize("mirror", [True, False], ids=["as HTTP", "as body code"])
async def test_duplicates_at_the_first_attempt(row: Row, *, mirror: bool) -> None:
    """211 and 411 without any doubt say what was there before this run."""
    async with Emulator(mirror_status=mirror) as emulator:
        async with row.client(transport=emulator.transport()) as client:
            await client.collection("c").insert(records(10))
            await client.collection("c").insert(records(4, start=12))
        before = await stored_in(emulator)
        report = await insert(row, emulator.transport(), records(30))
        row.agree(await stored_in(emulator), before=before)
    assert outcomes(report) == {"inserted": 16, "already_present": 14}
    assert report.requests == 3
    assert not report.anomalies


@pytest.mark.parametrize("attribution", ATTRIBUTIONS)
@pytest.mark.parametrize("mirror", [True, False], ids=["as HTTP", "as body code"])
async def test_duplicates_after_a_doubtful_attempt(
    row: Row, attribution: str, *, mirror: bool
) -> None:
    """411 for what this very run stored before the answer was lost is no duplicate."""
    plan = Faults(faults.lost_answer(methods="insert", times_each=1))
    async with Emulator(mirror_status=mirror, faults=plan) as emulator:
        report = await insert(row, emulator.transport(), records(40), attribution=attribution)
        row.agree(await stored_in(emulator))
    assert outcomes(report) == {"inserted": 40}
    assert plan.hits["lost_answer"] == 4
    assert report.retries >= 4


@pytest.mark.parametrize(
    ("attribution", "same", "present"),
    [("compare", False, 6), ("exact", False, 6), ("exact", True, 6), ("compare", True, 0)],
)
async def test_others_records_after_a_doubtful_attempt(
    row: Row, attribution: str, *, same: bool, present: int
) -> None:
    """What others stored stays theirs; only "compare" cannot tell what has the same fields."""
    others = [record if same else {**record, "n": -1} for record in records(30)[::5]]
    plan = Faults(faults.lost_answer(methods="insert", first=2, times_each=1))
    async with Emulator(faults=plan) as emulator:
        async with row.client(transport=emulator.transport()) as client:
            await client.collection("c").insert(others)
        before = await stored_in(emulator)
        report = await insert(row, emulator.transport(), records(30), attribution=attribution)
        stored = await stored_in(emulator)
    assert outcomes(report) == {
        name: number
        for name, number in [("inserted", 30 - present), ("already_present", present)]
        if number
    }
    if present:
        row.agree(stored, before=before)


async def test_a_near_duplicate_of_itself(row: Row) -> None:
    """A record whose first answer was lost may be told as a near-duplicate of itself: inserted."""
    plan = Faults(faults.lost_answer(methods="nearDupsInsert", times_each=1))
    source = [*records(30), {"_id": "copy", "_url": records(1)[0]["_url"]}]
    async with Emulator(faults=plan) as emulator:
        transport = emulator.transport()
        async with row.client(transport=transport) as client:
            options = row.options(near_dup_order="strict", attribution="exact")
            job = bulk.near_dups_insert(client.collection("c"), source, options=options)
            report = await row.run(job)
        row.agree(await stored_in(emulator))
    assert outcomes(report) == {"inserted": 30, "near_duplicate": 1}
    (near,) = report.samples[Outcome.NEAR_DUPLICATE]
    assert (near.id, near.near_duplicates[0].id) == ("copy", "r0")


@pytest.mark.parametrize("stored", [True, False])
async def test_a_near_duplicate_answer_that_names_the_record_itself(
    row: Row, *, stored: bool
) -> None:
    """A service that compares images before ids names the record's own first attempt."""

    def script(method: str, body: dict[str, Any]) -> Fault | None:
        if method != "nearDupsInsert":
            return None
        if len(service.sent(method)) == 1:
            if stored:
                service.stored.update({record["_id"]: record for record in body["records"]})
            return lost()
        if not stored:
            return None
        near = {"answer_records": [{"_id": "?"}], "answer_distances": [0.0]}
        reason = {"status": {"code": 211, "text": "record(s) duplicate"}}
        skips = [
            {
                "_id": record["_id"],
                "_reason": {**reason, **near, "answer_records": [{"_id": record["_id"]}]},
            }
            for record in body["records"]
        ]
        return answer(411, answer_records=[], skipped_records=skips, answer_count=0)

    service = ScriptedService(script)
    async with row.client(transport=service) as client:
        job = bulk.near_dups_insert(client.collection("c"), records(10), options=row.options())
        report = await row.run(job)
    assert outcomes(report) == {"inserted": 10}
    row.agree(service.stored)


# --- lost answers of other operations -----------------------------------------------------------


async def _with_lost_answers(row: Row, method: str, start: Any) -> tuple[Report, dict[str, Any]]:
    """Run over 40 ids of which 30 are stored, each request's first answer being lost."""
    plan = Faults(faults.lost_answer(methods=method, times_each=1))
    async with Emulator(faults=plan) as emulator:
        transport = emulator.transport()
        async with row.client(transport=transport) as client:
            for first in range(0, 30, 10):
                await client.collection("c").insert(records(10, start=first))
            asked = [{"_id": record["_id"], "n": 7} for record in records(40)]
            report = await row.run(start(client.collection("c"), asked, options=row.options()))
        stored = await stored_in(emulator)
    assert plan.hits["lost_answer"] == 4
    return report, stored


async def test_lost_answers_of_an_update(row: Row) -> None:
    """An update is safe to repeat: what was changed is told, and what is not there."""
    report, stored = await _with_lost_answers(row, "update", bulk.update)
    assert outcomes(report) == {"updated": 30, "not_found": 10}
    assert [record["n"] for record in stored.values()] == [7] * 30


async def test_an_update_is_not_told_to_have_deleted(row: Row) -> None:
    """What an update does not find was not there."""
    await _with_lost_answers(row, "update", bulk.update)
    gone = [result for result in row.results if result.outcome is Outcome.NOT_FOUND]
    assert [result.reason for result in gone if "deleted" in result.reason] == []


async def test_lost_answers_of_a_delete(row: Row) -> None:
    """Gone is gone: by this run's lost attempt or before it, no answer tells, and this is said."""
    report, stored = await _with_lost_answers(row, "delete", bulk.delete)
    assert stored == {}
    assert outcomes(report) == {"deleted": 40}
    assert {result.reason for result in row.results} == {"it is gone; an earlier answer was lost"}


async def test_lost_answers_of_a_look_up(row: Row) -> None:
    """A look-up is safe to repeat: each record that is there is handed out once."""
    report, stored = await _with_lost_answers(row, "get", bulk.get)
    assert outcomes(report) == {"found": 30, "not_found": 10}
    assert {result.id: result.answer for result in row.results if result.answer} == stored


async def test_lost_answers_of_searches(row: Row) -> None:
    """A query whose answer is lost is asked again; one for an unknown record is not found."""
    plan = Faults(faults.lost_answer(methods="visualKNN", every=3))
    async with (
        Emulator(faults=plan) as emulator,
        row.client(transport=emulator.transport()) as client,
    ):
        await client.collection("c").insert(records(10))
        ids = [record["_id"] for record in records(12)]
        job = bulk.visual_knn(client.collection("c"), ids, k=1, options=row.options())
        report = await row.run(job)
    assert outcomes(report) == {"found": 10, "not_found": 2}
    assert plan.hits["lost_answer"] > 3
    nearest = {result.id: result.answer.matches[0].id for result in row.results if result.answer}
    assert nearest == {f"r{n}": f"r{n}" for n in range(10)}


# --- answers that are not about what was asked --------------------------------------------------


async def test_shuffled_answers(row: Row) -> None:
    """Answers are joined by `_id`: their order means nothing."""
    dice = random.Random(1)

    def shuffle(body: dict[str, Any]) -> None:
        dice.shuffle(body["answer_records"])
        dice.shuffle(body["skipped_records"])

    service = AlteringService(shuffle)
    service.stored.update({each["_id"]: {**each, "n": -1} for each in records(50)[::3]})
    before = set(service.stored)
    report = await insert(row, service, records(50))
    assert outcomes(report) == {"inserted": 33, "already_present": 17}
    assert not report.anomalies
    row.agree(service.stored, before=before)


async def test_missing_ids(row: Row) -> None:
    """What an answer does not mention is looked up: neither believed to be there nor lost."""

    def forget(body: dict[str, Any]) -> None:
        body["answer_records"] = body["answer_records"][::2]
        body["answer_count"] = len(body["answer_records"])

    service = AlteringService(forget)
    report = await insert(row, service, records(40))
    assert outcomes(report) == {"inserted": 40}
    assert report.anomalies == {"id in neither list": 20}
    assert report.requests == 4 + 2
    row.agree(service.stored)


async def test_missing_ids_that_are_not_stored(row: Row) -> None:
    """What is neither mentioned nor stored failed, and can be sent again."""
    service = ScriptedService(on_insert(lambda _, __: answer(210, answer_records=[])))
    report = await insert(row, service, records(40))
    assert outcomes(report) == {"failed": 40}
    row.agree(service.stored)
    async with row.client(transport=(good := ScriptedService())) as client:
        replay = await row.run(bulk.replay(client.collection("c"), row.rejects))
    assert outcomes(replay) == {"inserted": 40}
    assert len(good.stored) == 40


async def test_extra_ids(row: Row) -> None:
    """Ids that nobody sent are counted, and change nothing about the others."""

    def add(body: dict[str, Any]) -> None:
        body["answer_records"] += [{"_id": "stranger"}, {"_id": "r1000"}, {}, 7]
        body["skipped_records"] += [{"_id": "alien", "_reason": {}}]

    service = AlteringService(add)
    report = await insert(row, service, records(40))
    assert outcomes(report) == {"inserted": 40}
    assert report.anomalies == {
        "an id in answer_records that was not sent": 16,
        "an id in skipped_records that was not sent": 4,
        "answer_count differs from answer_records": 4,
    }
    row.agree(service.stored)


async def test_doubled_ids(row: Row) -> None:
    """An id twice in a list counts once; one in both lists is looked up."""

    def double(body: dict[str, Any]) -> None:
        first, second = body["answer_records"][:2]
        body["answer_records"].append(first)
        body["skipped_records"].append({**second, "_reason": {"status": {"code": 400}}})

    service = AlteringService(double)
    report = await insert(row, service, records(40))
    assert outcomes(report) == {"inserted": 40}
    assert report.anomalies == {
        "an id twice in answer_records": 4,
        "id both done and skipped": 4,
        "answer_count differs from answer_records": 4,
    }
    row.agree(service.stored)


@pytest.mark.parametrize("seed", range(3))
async def test_everything_wrong_with_answers_at_once(row: Row, seed: int) -> None:
    """However answers are mixed up, no record is lost, doubled or told otherwise than it is."""
    dice = random.Random(seed)

    def mix(body: dict[str, Any]) -> None:
        for name in ("answer_records", "skipped_records"):
            kept = [each for each in body[name] if dice.random() > 0.2]
            body[name] = kept + dice.choices(kept, k=2) if kept else kept
            dice.shuffle(body[name])
        body["answer_records"].append({"_id": "stranger"})
        body["answer_count"] = dice.randrange(20)

    def script(method: str, _: dict[str, Any]) -> Fault | None:
        if method != "insert" or dice.random() > 0.2:
            return None
        return lost() if dice.random() < 0.5 else answer(503, "busy", http=503)

    service = AlteringService(mix, script=script, apply_first=True)
    service.stored.update({each["_id"]: {**each, "n": -1} for each in records(120)[::7]})
    before = set(service.stored)
    retry = Retry(attempts=12, base=0.002, cap=0.01)
    report = await insert(row, service, records(120), retry=retry, attribution="exact")
    assert outcomes(report) == {"inserted": 120 - len(before), "already_present": len(before)}
    assert Counter(result.id for result in row.results).most_common(1)[0][1] == 1
    row.agree(service.stored, before=before)


async def test_a_refused_look_up(row: Row) -> None:
    """Where the collection cannot be asked, a record in doubt is told as unconfirmed, not more."""

    def script(method: str, _: dict[str, Any]) -> Fault | None:
        if method == "get":
            return answer(400, "no such field", http=400)
        return lost() if len(service.sent("insert")) == 1 else None

    service = ScriptedService(script, apply_first=True)
    report = await insert(row, service, records(20), client=one_at_a_time(), workers=1)
    assert outcomes(report) == {"inserted": 10, "failed": 10}
    assert all(
        "unconfirmed" in result.reason for result in row.results if result.outcome is Outcome.FAILED
    )
    row.agree(service.stored)


@pytest.mark.parametrize("status", [400, 500])
async def test_a_record_that_breaks_its_look_up(row: Row, status: int) -> None:
    """Only the record whose look-up fails each time stays unconfirmed; the others are told."""
    plan = Faults(
        faults.lost_answer(methods="insert", times_each=1),
        faults.poison(["r3"], status=status, methods="get"),
    )
    async with Emulator(faults=plan) as emulator:
        report = await insert(row, emulator.transport(), records(40))
        row.agree(await stored_in(emulator))
    assert outcomes(report) == {"inserted": 39, "failed": 1}
    assert report.samples[Outcome.FAILED][0].id == "r3"
