"""A run with a journal goes on where it stopped: nothing lost, nothing sent twice, sums exact."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from scripted import ScriptedService, answer, lost

from ximilar_async import Limits, Retry, Ximilar, bulk
from ximilar_async.errors import BulkAborted, JournalError
from ximilar_async.sources import MappedSource, RecordMapping, as_source

if TYPE_CHECKING:
    from pathlib import Path

    from scripted import Fault

QUICK = Retry(attempts=8, base=0.0005, cap=0.002)


def collection_of(service: ScriptedService) -> Any:
    return Ximilar("token", transport=service).collection("c")


def records(count: int) -> list[dict[str, Any]]:
    return [{"_id": str(n), "_url": f"https://example.com/{n}.jpg", "n": n} for n in range(count)]


def catalog(folder: Path, count: int) -> Path:
    path = folder / "catalog.jsonl"
    path.write_bytes(b"\n".join(orjson.dumps(record) for record in records(count)))
    return path


def sends(service: ScriptedService) -> Counter[str]:
    return Counter(record["_id"] for body in service.sent("insert") for record in body["records"])


async def test_a_stopped_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Stopped and started again, every record is sent once, and the report covers both runs."""
    service = ScriptedService(delay=0.001)
    path = catalog(tmp_path, 400)
    options = bulk.Options(journal=tmp_path / "run.journal", workers=2)
    job = bulk.insert(collection_of(service), path, options=options)
    async with job:
        while job.stats.inserted < 100:
            await asyncio.sleep(0.001)
        job.stop()
    first = await job
    assert 100 <= first.inserted < 400
    second = await bulk.insert(collection_of(service), path, options=options)
    assert (second.read, second.inserted, second.ok) == (400, 400, True)
    assert set(sends(service).values()) == {1}
    assert second.requests < 40


async def test_a_finished_run_sends_nothing_again(tmp_path: Path) -> None:
    """Run twice with one journal, the second run knows that everything is done."""
    service = ScriptedService()
    path = catalog(tmp_path, 95)
    options = bulk.Options(journal=tmp_path / "run.journal")
    await bulk.insert(collection_of(service), path, options=options)
    report = await bulk.insert(collection_of(service), path, options=options)
    assert (report.read, report.inserted, report.requests) == (95, 95, 0)
    assert len(service.requests) == 10


async def test_a_run_that_was_cut_off_verifies_what_was_under_way(tmp_path: Path) -> None:
    """What was sent without an outcome may have been applied: it is this run's all the same."""
    path = catalog(tmp_path, 200)
    options = bulk.Options(journal=tmp_path / "run.journal", workers=4, retry=QUICK)
    hang = asyncio.Event()

    class Hanging(ScriptedService):
        async def send(self, request: Any) -> Any:
            response = await super().send(request)
            if len(self.stored) > 80:
                await hang.wait()  # applied, but the answer never comes
            return response

    service = Hanging()
    job = bulk.insert(collection_of(service), path, options=options)
    async with job:
        while len(service.stored) < 100:
            await asyncio.sleep(0.001)
        job.abort()
    first = await job
    assert first.failed > 0
    hang.set()
    second = await bulk.insert(collection_of(service), path, options=options)
    assert (second.read, second.inserted) == (200, 200)
    assert max(sends(service).values()) <= 2


@pytest.mark.parametrize("seed", range(5))
async def test_runs_with_faults_and_cuts_end_with_exact_sums(seed: int, tmp_path: Path) -> None:
    """Lost answers, 503s, repeated ids, records of others, aborts: with marks all is attributed."""
    dice = random.Random(seed)
    path = tmp_path / "catalog.jsonl"
    ids = [dice.choice([n, n, n, max(0, n - 7)]) for n in range(300)]
    path.write_bytes(b"".join(orjson.dumps({"_id": str(n), "_url": f"u{n}"}) + b"\n" for n in ids))
    before = {str(n) for n in range(300) if dice.random() < 0.05}

    def script(method: str, _: dict[str, Any]) -> Fault | None:
        if method != "insert" or dice.random() > 0.15:
            return None
        return lost() if dice.random() < 0.6 else answer(503, "busy", http=503)

    service = ScriptedService(script, apply_first=True)
    service.stored.update({id_: {"_id": id_, "_url": f"u{id_}"} for id_ in before})
    options = bulk.Options(
        journal=tmp_path / "run.journal", workers=3, retry=QUICK, attribution="exact"
    )
    for _ in range(4):
        job = bulk.insert(collection_of(service), path, options=options)
        async with job:
            await asyncio.sleep(dice.random() * 0.03)
            job.abort()
        await job
    report = await bulk.insert(collection_of(service), path, options=options)
    new = {str(n) for n in ids} - before
    assert report.read == 300 == sum(report.counts.values())
    assert report.inserted == len(new)
    assert report.already_present == 300 - len(new)
    assert set(service.stored) == new | before


async def test_another_input_is_refused(tmp_path: Path) -> None:
    """A journal belongs to one input; a changed file is named, and the journal left as it is."""
    service = ScriptedService()
    path = catalog(tmp_path, 30)
    options = bulk.Options(journal=tmp_path / "run.journal")
    await bulk.insert(collection_of(service), path, options=options)
    before = (tmp_path / "run.journal").read_bytes()
    mapped = MappedSource(as_source(path), RecordMapping(empty="keep"))
    path.write_bytes(b'{"_id": "other", "_url": "u"}\n')
    with pytest.raises(JournalError, match="to another input, or to this one before it was chang"):
        await bulk.insert(collection_of(service), path, options=options)
    mapping = bulk.Options(journal=tmp_path / "mapped.journal")
    await bulk.insert(collection_of(service), mapped, options=mapping)
    mapped = MappedSource(as_source(path), RecordMapping())
    with pytest.raises(JournalError, match="belongs to the same input with another mapping"):
        await bulk.insert(collection_of(service), mapped, options=mapping)
    assert (tmp_path / "run.journal").read_bytes() == before


async def test_the_journal_holds_no_records_and_no_token(tmp_path: Path) -> None:
    """The journal knows numbers and outcomes, nothing of what was sent."""
    service = ScriptedService()
    client = Ximilar("secret-token-canary", transport=service)
    options = bulk.Options(journal=tmp_path / "run.journal", rejects=tmp_path / "rejects.jsonl")
    path = catalog(tmp_path, 30)
    with path.open("ab") as file:
        file.write(b'\n{"_id": "no image"}\nnonsense')
    await bulk.insert(client.collection("c"), path, options=options)
    journal = (tmp_path / "run.journal").read_text()
    rejects = (tmp_path / "rejects.jsonl").read_text()
    assert "example.com" not in journal
    assert "canary" not in journal + rejects


async def test_rejected_and_failed_records_can_be_replayed(tmp_path: Path) -> None:
    """What was turned away is in the rejects file as it was read, and goes in when it is mended."""
    down = True

    def script(method: str, body: dict[str, Any]) -> Fault | None:
        bad = down and any(record["_id"] in ("3", "4") for record in body.get("records", ()))
        return answer(500, "internal", http=500) if bad and method == "insert" else None

    service = ScriptedService(script)
    rejects = tmp_path / "rejects.jsonl"
    retry = Retry(attempts=12, base=0.0005, cap=0.002)
    options = bulk.Options(rejects=rejects, retry=retry, workers=2)
    source = [*records(100), {"_id": "no image"}]
    report = await bulk.insert(collection_of(service), source, options=options)
    assert (report.inserted, report.failed, report.rejected) == (98, 2, 1)
    assert len(rejects.read_bytes().splitlines()) == 3
    down = False
    again = await bulk.replay(collection_of(service), rejects)
    assert (again.read, again.inserted) == (2, 2)
    everything = await bulk.replay(collection_of(service), rejects, everything=True)
    assert (everything.already_present, everything.rejected) == (2, 1)


async def test_a_full_disk_stops_the_run_before_anything_leaves(tmp_path: Path) -> None:
    """What cannot be written down is not sent."""
    service = ScriptedService()
    options = bulk.Options(rejects="/dev/full")
    with pytest.raises(BulkAborted, match="rejects file") as caught:
        await bulk.insert(collection_of(service), [{}, *records(5000)], options=options)
    report = caught.value.report
    assert report.stop is bulk.Stop.JOURNAL
    assert report.pending == 0
    assert report.inserted == len(service.stored) < 5000


async def test_what_waited_for_its_turn_when_a_run_was_stopped_is_not_in_doubt(
    tmp_path: Path,
) -> None:
    """It never left, so what is stored of it was there before, and the next run says so."""
    service = ScriptedService()
    options = bulk.Options(journal=tmp_path / "run.journal")
    async with Ximilar("token", transport=service, limits=Limits(rate=10)) as client:
        job = bulk.insert(client.collection("c"), records(100), options=options)
        async with job:
            while not job.stats.inserted:
                await asyncio.sleep(0.01)
            job.stop("enough")
        stopped = await job
    left = [record for record in records(100) if record["_id"] not in service.stored]
    assert stopped.inserted == 100 - len(left) < 100
    await bulk.insert(collection_of(service), left)
    report = await bulk.insert(collection_of(service), records(100), options=options)
    assert (report.inserted, report.already_present) == (100 - len(left), len(left))
    assert report.inferred == 0
