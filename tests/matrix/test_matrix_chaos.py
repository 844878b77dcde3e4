"""All rows at once: every request may meet any fault, and a run may be ended at any moment.

In virtual time, by seeds: a seed that fails fails each time.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from fakes import TOKEN, clock, in_virtual_time, refusal
from matrix_runs import outcomes, records
from matrix_virtual import Client, TimedService, run
from scripted import answer, lost

from ximilar_async import Limits, Retry
from ximilar_async.bulk import Outcome
from ximilar_async.errors import BulkAborted, ConnectError

if TYPE_CHECKING:
    from matrix_row import Row

    from ximilar_async._protocol import Request, Response
    from ximilar_async.bulk import Job

NONSENSE = [b"", b"<html>", b"[1]", b'{"status":{"code":210}', b"{}", TOKEN.encode()]
APPLIED = ("lost, applied", "500, applied", "late", "nonsense")
NOT_APPLIED = ("refused", "429", "429 with a hint", "lost", "500", "503 with a hint")


class Chaos(TimedService):
    """Lets a share of all requests meet a fault, applied or not as a real service may do it."""

    def __init__(self, dice: random.Random, share: float) -> None:
        super().__init__(delay=0.01)
        self._dice = dice
        self._share = share

    async def send(self, request: Request) -> Response:
        if self._dice.random() >= self._share:
            return await super().send(request)
        kind = self._dice.choice([*APPLIED, *NOT_APPLIED])
        if kind in APPLIED:
            await super().send(request)
        else:
            self.times.append(clock())
            body = orjson.loads(request.body) if request.body else {}
            self.requests.append((request.url.rsplit("/", 1)[1], body))
            await asyncio.sleep(0.01)
        return await self._fail(kind)

    async def _fail(self, kind: str) -> Response:
        hint = str(self._dice.randrange(20))
        if kind == "refused":
            raise ConnectError("localhost:1: cannot connect")
        if kind == "late":
            await asyncio.sleep(self._dice.random() * 90)
        if kind in ("late", "lost", "lost, applied"):
            raise lost()
        if kind.startswith("500"):
            return answer(500, "oops", http=500)
        if kind == "nonsense":
            return refusal(200, self._dice.choice(NONSENSE))
        status = int(kind[:3])
        return refusal(status, b"{}", retry_after=hint) if "hint" in kind else refusal(status)


def repeated(dice: random.Random, count: int) -> list[dict[str, Any]]:
    """Return records of which some have the id of one shortly before."""
    numbers = [n if dice.random() < 0.8 else max(0, n - dice.randrange(30)) for n in range(count)]
    return [{**record, "_id": f"r{n}"} for n, record in zip(numbers, records(count), strict=True)]


def settings(dice: random.Random) -> dict[str, Any]:
    """Return options of a run, all of which must come to the same."""
    return {
        "workers": dice.choice([None, 1, 9]),
        "batch_size": dice.choice([10, 3]),
        "flush_after": dice.choice([0.05, 1]),
        "max_pending_bytes": dice.choice([1, 2000, 10**8]),
    }


@pytest.mark.parametrize("attribution", ["compare", "exact"])
@pytest.mark.parametrize("seed", range(8))
def test_everything_at_once(row: Row, seed: int, attribution: Any) -> None:
    """Whatever two of five requests meet: nothing lost, conflicting or misattributed."""
    random.seed(seed)
    dice = random.Random(seed)
    service = Chaos(dice, dice.choice([0.05, 0.2, 0.4]))
    # "compare" cannot tell a repeated record, whose answer was lost, from the first one.
    source = repeated(dice, 300) if attribution == "exact" else records(300)
    ids = {record["_id"] for record in source}
    before = {id_ for id_ in sorted(ids) if dice.random() < 0.07}
    service.stored.update({id_: {"_id": id_, "n": -1} for id_ in before})
    retry = Retry(attempts=14, deadline=3000, longest_hint=600)
    limits = Limits(concurrency=dice.choice([1, 4, "auto"]))
    more = settings(dice)
    report = run(row, service, source, limits, attribution=attribution, retry=retry, **more)
    new = len(ids - before)
    expected = {"inserted": new, "already_present": 300 - new}
    assert outcomes(report) == expected
    assert set(Counter(result.seq for result in row.results).values()) == {1}
    assert service.stored.keys() == ids


ENDS = ("stop", "stop with a grace", "abort", "cancel", "cancel twice", "deadline")


async def ended(job: Job, row: Row, how: str, at: float, dice: random.Random) -> None:
    """Let a run go on for a while, then end it."""
    task = asyncio.create_task(row.run(job, within=2e4))
    await asyncio.sleep(at)
    if how.startswith("stop"):
        job.stop(grace=dice.random() * 5 if "grace" in how else None)
    if how == "abort":
        job.abort()
    if how.startswith("cancel"):
        task.cancel()
    if how == "cancel twice":
        await asyncio.sleep(dice.random() * 0.05)
        task.cancel()
    await asyncio.wait({task})
    if not task.cancelled() and (error := task.exception()) is not None:
        assert isinstance(error, BulkAborted)
    await asyncio.sleep(100)  # what the service does with requests that were given up
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("seed", range(4))
def test_everything_at_once_ended_at_any_moment(row: Row, seed: int, how: str) -> None:
    """Whenever and however a run is ended, each record that was read has one outcome, and what is
    told of it is true.
    """
    random.seed(seed)
    dice = random.Random(f"{seed}/{how}")
    service = Chaos(dice, dice.choice([0, 0.05, 0.2, 0.6]))
    source = repeated(dice, 300)
    at = dice.random() * dice.choice([0.02, 0.2, 2, 40])
    limits = Limits(concurrency=dice.choice([1, 4, "auto"]))
    more: dict[str, Any] = {"deadline": max(0.01, at)} if how == "deadline" else {}
    more["retry"] = Retry(attempts=dice.choice([2, 8]), deadline=dice.choice([5, 900]))

    async def main() -> None:
        client = Client.of(row, service, limits)
        job = client.job(source, attribution="exact", **settings(dice), **more)
        await ended(job, row, how, at, dice)
        report = job.stats
        assert Counter(result.outcome for result in row.results) == report.counts

    in_virtual_time(main())
    inserted = {result.id for result in row.results if result.outcome is Outcome.INSERTED}
    unsure = {result.id for result in row.results if result.outcome is Outcome.FAILED}
    assert inserted <= service.stored.keys() <= inserted | unsure
    assert set(Counter(result.seq for result in row.results).values()) <= {1}
