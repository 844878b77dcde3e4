"""Rows of the fault matrix that need real processes: killed, signalled, limited, misled.

As in `test_matrix_engine`, each row asserts exact outcomes and that they agree with the store.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from matrix_process import (
    Children,
    conflicts,
    report_of,
    take_in,
    until_there,
    written,
)
from matrix_runs import catalog, outcomes, records, stored_in
from scripted import ScriptedService

from ximilar_async import bulk
from ximilar_async._protocol import Response
from ximilar_async.bulk import Stop
from ximilar_async.emulator import Emulator, Fault, Faults, faults

if TYPE_CHECKING:
    from matrix_process import (
        Child,
    )
    from matrix_row import Row

    from ximilar_async._protocol import Request
    from ximilar_async.bulk import Report

COUNT = 200


async def finished(child: Child) -> Report:
    """Wait for a process that writes a report, and return it."""
    await child.end()
    report = take_in(child)
    assert report is not None, child.err
    return report


async def killed(child: Child, emulator: Emulator, stored: int) -> None:
    """Kill a process when so many records are stored."""
    await until_there(emulator, stored)
    child.process.kill()
    await child.end()
    assert child.code == -signal.SIGKILL
    assert take_in(child) is None


# --- killed -------------------------------------------------------------------------------------


@pytest.mark.parametrize("attribution", ["compare", "exact"])
async def test_kill_9_and_resume(row: Row, attribution: str) -> None:
    """Killed amid lost answers and started again: nothing lost, conflicting or misattributed."""
    plan = Faults(faults.lost_answer(methods="insert", every=10), seed=1)
    before = [{**record, "n": -1} for record in records(COUNT)[3::20]]
    source = catalog(row, COUNT)
    async with (
        Emulator(latency=0.02, faults=plan) as emulator,
        row.client(transport=emulator.transport()) as client,
        Children(row, emulator) as children,
    ):
        await client.collection("c").insert(before)
        first = await children.insert(source, attribution=attribution)
        await killed(first, emulator, 80)
        report = await finished(await children.insert(source, attribution=attribution))
        row.agree(await stored_in(emulator), before=[record["_id"] for record in before])
    assert (report.read, outcomes(report)) == (COUNT, {"inserted": 190, "already_present": 10})
    assert conflicts(row) == []


async def test_kill_9_and_a_torn_journal(row: Row) -> None:
    """The same when what was written last never reached the disk."""
    source = catalog(row, COUNT)
    async with Emulator(latency=0.02) as emulator, Children(row, emulator) as children:
        await killed(await children.insert(source, attribution="exact"), emulator, 80)
        journal = row.journal.read_bytes()[:-100]
        row.journal.write_bytes(journal.removesuffix(b"\n"))
        report = await finished(await children.insert(source, attribution="exact"))
        row.agree(await stored_in(emulator))
    assert (report.read, outcomes(report)) == (COUNT, {"inserted": COUNT})
    assert conflicts(row) == []


async def test_two_processes_on_one_journal(row: Row) -> None:
    """The second one is refused with the first one's number; the first one goes on."""
    source = catalog(row, 2 * COUNT)
    pace = [Fault(delay=1)]
    async with (
        Emulator(faults=lambda _, number: pace[0] if number > 4 else None) as emulator,
        Children(row, emulator) as children,
    ):
        first = await children.insert(source)
        await until_there(emulator, 20)
        second = await children.insert(source)
        await second.end()
        pace[0] = Fault()
        assert f"in use by process {first.process.pid}" in written(second, "refused")[0]
        assert written(second, "told") == []
        report = await finished(first)
        row.agree(await stored_in(emulator))
    assert outcomes(report) == {"inserted": 2 * COUNT}


# --- signals ------------------------------------------------------------------------------------


def reported(child: Child) -> Report:
    """Return the report that the command line printed."""
    report = report_of(json.loads(child.out))
    child.row.reports.append(report)
    return report


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
async def test_signals(row: Row, number: signal.Signals, code: int) -> None:
    """The first signal drains and reports; the same command goes on, and nothing is sent twice."""
    source = catalog(row, COUNT)
    seen: list[str] = []

    def watch(request: Request, _: int) -> None:
        if request.url.endswith("/insert"):
            seen.extend(record["_id"] for record in json.loads(request.body)["records"])

    async with (
        Emulator(latency=0.05, faults=watch) as emulator,
        Children(row, emulator) as children,
    ):
        child = await children.command(source)
        await until_there(emulator, 40)
        child.process.send_signal(number)
        await child.end()
        report, stored = reported(child), len(await stored_in(emulator))
        assert child.code == code
        assert report.stop is Stop.ASKED
        assert outcomes(report) == {"inserted": stored, "not_attempted": report.read - stored}
        assert f"interrupted by {number.name}" in child.err
        again = await children.command(source)
        await again.end()
        assert again.code == 0
        assert outcomes(reported(again)) == {"inserted": COUNT}
        assert len(await stored_in(emulator)) == COUNT
    assert sorted(seen) == sorted(record["_id"] for record in records(COUNT))


async def test_a_signal_in_an_outage(row: Row) -> None:
    """A run that waits for the service to come back ends when it is asked to."""
    plan = Faults(faults.outage(4, methods="insert"))
    async with Emulator(faults=plan) as emulator, Children(row, emulator) as children:
        child = await children.command(catalog(row, COUNT))
        while plan.hits["outage"] < 6:
            await until_there(emulator, 30)
        child.process.send_signal(signal.SIGTERM)
        await child.end()
        report = reported(child)
        assert child.code == 143
        assert report.stop is Stop.ASKED
        assert report.inserted == len(await stored_in(emulator)) == 30
        assert report.failed + report.not_attempted == report.read - 30


async def test_a_second_signal(row: Row) -> None:
    """The second signal ends the process as a kill would; the same command goes on from there."""
    source = catalog(row, COUNT)
    slow = Faults(faults.slow(3, methods="insert", first=5, last=6))
    async with Emulator(faults=slow) as emulator, Children(row, emulator) as children:
        child = await children.command(source, "--attribution", "exact")
        await until_there(emulator, 60)
        child.process.send_signal(signal.SIGINT)
        assert child.process.stderr is not None
        assert b"once more ends at once" in await child.process.stderr.readline()
        child.process.send_signal(signal.SIGINT)
        await child.end()
        assert (child.code, child.out) == (130, "")
        again = await children.command(source, "--attribution", "exact")
        await again.end()
        assert again.code == 0
        assert outcomes(reported(again)) == {"inserted": COUNT}
        assert len(await stored_in(emulator)) == COUNT


# --- no room on the disk ------------------------------------------------------------------------


async def test_a_full_disk_for_the_journal(row: Row) -> None:
    """What cannot be written down is not sent: the run ends, and goes on when there is room."""
    source = catalog(row, COUNT)
    async with Emulator() as emulator, Children(row, emulator) as children:
        report = await finished(await children.insert(source, limit=900))
        stored = await stored_in(emulator)
        assert report.stop is Stop.JOURNAL
        assert "cannot write the journal" in report.stop_reason
        assert outcomes(report) == {
            "inserted": len(stored),
            "not_attempted": report.read - len(stored),
        }
        assert 0 < len(stored) < COUNT
        row.agree(stored)
        report = await finished(await children.insert(source))
        row.agree(await stored_in(emulator))
    assert outcomes(report) == {"inserted": COUNT}
    assert conflicts(row) == []


async def test_a_full_disk_for_the_rejects_file(row: Row) -> None:
    """The same for the rejects file: every rejected record is in it when the run is over."""
    source = catalog(row, COUNT)
    with source.open("a", encoding="utf-8") as file:
        file.writelines(f'{{"_id": "bad{n}", "text": "{"x" * 200}"}}\n' for n in range(20))
        file.writelines(json.dumps(each) + "\n" for each in records(COUNT, start=COUNT))
    async with Emulator(latency=0.002) as emulator, Children(row, emulator) as children:
        report = await finished(await children.insert(source, limit=4500))
        assert report.stop is Stop.JOURNAL
        assert "cannot write the rejects file" in report.stop_reason
        report = await finished(await children.insert(source))
        row.agree(await stored_in(emulator))
    assert outcomes(report) == {"inserted": 2 * COUNT, "rejected": 20}
    kept = [json.loads(line)["id"] for line in row.rejects.read_text().splitlines()]
    assert sorted(kept) == sorted(f"bad{n}" for n in range(20))
    async with row.client(transport=ScriptedService()) as client:
        replay = await row.run(bulk.replay(client.collection("c"), row.rejects, everything=True))
    assert outcomes(replay) == {"rejected": 20}


# --- the wall clock -----------------------------------------------------------------------------


@pytest.fixture
def jumping_clock(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a process whose wall clock jumps by hours at each look."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler to build a clock that jumps")
    library = tmp_path / "jumping_clock.so"
    code = Path(__file__).with_name("jumping_clock.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, code, "-ldl"], check=True)
    return {"LD_PRELOAD": str(library)}


async def test_clock_jump(row: Row, jumping_clock: dict[str, str]) -> None:
    """However the wall clock is moved, nothing waits longer or gives up sooner for it."""

    def plan(request: Request, number: int) -> Fault | None:
        if number == 3:
            until = format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True)
            return Fault(apply=False, answer=Response(429, {"retry-after": until}))
        return Fault(disconnect=True) if number % 6 == 0 else None

    async with Emulator(faults=plan) as emulator, Children(row, emulator) as children:
        child = await children.insert(catalog(row, COUNT), environment=jumping_clock)
        report = await finished(child)
        row.agree(await stored_in(emulator))
    (looks,) = written(child, "clock")
    assert max(looks) - min(looks) > 3600, "the clock does not jump"
    assert outcomes(report) == {"inserted": COUNT}
    assert 0 < report.elapsed < 3600
    assert max(report.latency.values()) < 3600
