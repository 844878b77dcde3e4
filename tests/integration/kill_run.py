"""Runs of real processes that are killed again and again, held against what the emulator holds.

A process is killed with SIGKILL somewhere in the middle, its journal may lose a part of its last
lines besides, and the next process goes on with it, until one may run to its end.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen
from integration.killed_client import MARK, run

from ximilar_async import Ximilar
from ximilar_async.bulk import Outcome
from ximilar_async.bulk._journal.codec import Start, decode
from ximilar_async.emulator import Emulator
from ximilar_async.emulator.faults import Faults, lost_answer, unavailable

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess
    from pathlib import Path

    from ximilar_async._protocol import Request
    from ximilar_async.bulk import Attribution
    from ximilar_async.emulator import Fault

PATIENCE = 60.0
"""Seconds that a process may take."""

# Children are forked from a process that has imported everything and does nothing else: starting
# Python and importing takes longer than such a run.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["ximilar_async.bulk", "aiohttp"])


@frozen
class Setting:
    """How many records there are, what they meet, and how often the process is killed."""

    records: int = 400
    kills: int = 4
    before: float = 0.05
    """Share of the records that somebody else stored before, with the same fields."""
    repeated: float = 0.02
    """Share of the records with an `_id` of another one."""
    busy: float = 0.05
    """Share of the requests that are answered 503 and not applied."""
    lost: float = 0.10
    """Share of the requests that are applied and never answered."""
    torn: float = 0.5
    """Share of the kills after which the journal's end is damaged."""


@frozen
class Figures:
    """What a run came to, in records."""

    records: int
    kills: int
    """Processes that were killed before their end."""
    torn: int
    """Journals that were damaged."""
    requests: int
    again: int
    """Records that were sent more than once, summed over how often."""
    lost: int
    """Records that are not stored, or of which nobody told the outcome."""
    conflicting: int
    """Records that one process told as inserted and another one as there before."""
    misattributed: int
    """Records told last as inserted that somebody else stored, and the other way round."""


@define(eq=False)
class Killing:
    """A plan of faults that also kills the process under way when its time has come."""

    plan: Faults
    dice: random.Random
    process: ForkServerProcess | None = field(default=None, init=False)
    left: int = field(default=0, init=False)
    """Requests until it is killed; 0 for never."""
    sent: Counter[str] = field(factory=Counter, init=False)
    requests: int = field(default=0, init=False)

    def __call__(self, request: Request, number: int) -> Fault | None:
        if self.process is None:
            return None  # nobody's but ours
        self.requests += 1
        if request.url.endswith("/insert"):
            self.sent.update(r["_id"] for r in json.loads(request.body)["records"])
        if self.left:
            self.left -= 1
            if not self.left:
                delay = self.dice.choice([0.0, 0.0, 0.001, 0.004])
                asyncio.get_running_loop().call_later(delay, self.kill, self.process)
        return self.plan(request, number)

    def kill(self, process: ForkServerProcess) -> None:
        if process is self.process:  # it may have ended by itself by now
            process.kill()


async def play(
    seed: int, folder: Path, attribution: Attribution, setting: Setting | None = None
) -> Figures:
    """Kill a run of a catalog as often as the setting says, let it end, and see what it told.

    Args:
        seed: Of all chance that is ours: the inputs, the faults, the kills.
        folder: An empty folder.
        attribution: As in the options.
        setting: The frame; None for the usual one.
    """
    setting = setting or Setting()
    dice = random.Random(seed)
    records = _catalog(dice, setting)
    before = [r for r in records if dice.random() < setting.before]
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (folder / "catalog.jsonl").write_text(lines, encoding="utf-8")
    plan = Faults(
        unavailable(chance=setting.busy, methods="insert"),
        lost_answer(chance=setting.lost, methods="insert"),
        seed=seed,
    )
    killing = Killing(plan, dice)
    killed = torn = 0
    async with Emulator(faults=killing, latency=0.002) as emulator:
        await _store(emulator, before)
        for _ in range(setting.kills):
            killing.left = dice.randint(1, max(1, len(records) // 10 // setting.kills * 2))
            was_killed = await _run(emulator, folder, attribution, killing)
            killed += was_killed
            if was_killed and dice.random() < setting.torn:
                torn += _tear(folder / "journal", dice)
        killing.left = 0
        assert not await _run(emulator, folder, attribution, killing)
        stored = await _stored(emulator)
    told = _told(folder / "told")
    last = (folder / "told").read_text(encoding="ascii").splitlines()[-1].split()
    new = {record["_id"] for record in records} - {record["_id"] for record in before}
    claimed = sum(words[-1] == Outcome.INSERTED for words in told.values())
    sums = ["0", str(len(records)), str(claimed), str(len(records) - claimed), "True"]
    assert last == sums, f"the last report says {last}, and told was {sums}"
    return Figures(
        records=len(records),
        kills=killed,
        torn=torn,
        requests=killing.requests,
        again=sum(killing.sent.values()) - len(killing.sent),
        lost=_lost(records, told, stored),
        conflicting=sum({"inserted", "already_present"} <= set(words) for words in told.values()),
        misattributed=_misattributed(records, told, stored, new, attribution),
    )


def _catalog(dice: random.Random, setting: Setting) -> list[dict[str, Any]]:
    ids = [
        n if dice.random() > setting.repeated else max(0, n - 30) for n in range(setting.records)
    ]
    return [{"_id": str(n), "_url": f"https://example.com/{n}.jpg", "n": n} for n in ids]


async def _store(emulator: Emulator, records: list[dict[str, Any]]) -> None:
    """Store records as somebody else."""
    async with Ximilar("another", base_url=emulator.url) as client:
        collection = client.collection("c")
        for start in range(0, len(records), 10):
            await collection.insert(records[start : start + 10])


async def _stored(emulator: Emulator) -> dict[str, dict[str, Any]]:
    async with Ximilar("another", base_url=emulator.url) as client:
        pages = client.collection("c").iter_records(fields_to_return=["*"])
        return {record["_id"]: dict(record) async for record in pages}


async def _run(
    emulator: Emulator, folder: Path, attribution: Attribution, killing: Killing
) -> bool:
    """Run the client until it ends or is killed; tell whether it was killed."""
    words = (emulator.url, *(str(folder / name) for name in ("catalog.jsonl", "journal", "told")))
    process = _FORKS.Process(target=run, args=(*words, attribution), daemon=True)
    killing.process = process
    process.start()
    try:
        await _end_of(process)
        assert process.exitcode in (0, -9), f"it ended with {process.exitcode}"
        return process.exitcode != 0
    finally:
        killing.process = None
        process.kill()
        process.join()
        process.close()


async def _end_of(process: ForkServerProcess) -> None:
    """Wait for a process without a thread: two that ask for its exit code get it in half."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(process.sentinel, ended.set)
    try:
        async with asyncio.timeout(PATIENCE):
            await ended.wait()
    finally:
        loop.remove_reader(process.sentinel)
    process.join()


def _tear(journal: Path, dice: random.Random) -> bool:
    """Damage the end of a journal, at a line of its last run: cut in it, or garbage behind it."""
    if not journal.exists():
        return False
    content = journal.read_bytes()
    lines = content.splitlines(keepends=True)
    starts = [n for n, line in enumerate(lines) if isinstance(decode(line), Start)]
    if not starts:
        return False
    safe = sum(map(len, lines[: starts[-1] + 1]))
    cut = dice.randint(safe, len(content))
    journal.write_bytes(content[:cut] + (b"\x00" if content[:cut].endswith(b"\n") else b""))
    return True


# --- what came of it ----------------------------------------------------------------------------


def _told(path: Path) -> dict[int, list[str]]:
    """Return what was told of each record, in order; the report's line left out."""
    told: dict[int, list[str]] = {}
    for line in path.read_text(encoding="ascii").splitlines():
        seq, outcome, *report = line.split()
        if not report:
            told.setdefault(int(seq), []).append(outcome)
    return told


def _lost(
    records: list[dict[str, Any]], told: dict[int, list[str]], stored: dict[str, dict[str, Any]]
) -> int:
    decided = (Outcome.INSERTED, Outcome.ALREADY_PRESENT)
    return sum(
        record["_id"] not in stored or told.get(seq, [""])[-1] not in decided
        for seq, record in enumerate(records, 1)
    )


def _misattributed(
    records: list[dict[str, Any]],
    told: dict[int, list[str]],
    stored: dict[str, dict[str, Any]],
    new: set[str],
    attribution: Attribution,
) -> int:
    """Count wrong claims: by the marks; without them by how often each `_id` is claimed."""
    claims = {
        seq: told.get(seq, [""])[-1] == Outcome.INSERTED for seq in range(1, len(records) + 1)
    }
    if attribution == "exact":
        marks = {
            seq: str(stored[record["_id"]].get(MARK, "")).endswith(f"/{seq}")
            for seq, record in enumerate(records, 1)
        }
        return sum(claims[seq] != marks[seq] for seq in claims)
    times: Counter[str] = Counter()
    for seq, record in enumerate(records, 1):
        times[record["_id"]] += claims[seq]
    return sum(abs(count - (id_ in new)) for id_, count in times.items())
