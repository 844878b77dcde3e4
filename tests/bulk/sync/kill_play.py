"""Syncs of real processes that are killed again and again while the catalog goes on changing."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen
from bulk.sync.killed_sync import run

from ximilar_async import Ximilar
from ximilar_async.emulator import Emulator
from ximilar_async.emulator.faults import Faults, lost_answer, unavailable

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess
    from pathlib import Path

    from ximilar_async._protocol import Request
    from ximilar_async.bulk import Mode
    from ximilar_async.emulator import Fault

PATIENCE = 60.0
"""Seconds that a process may take."""

WRITING = ("insert", "update", "delete")

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["ximilar_async.bulk", "aiohttp"])

Catalog = dict[str, dict[str, Any]]


@frozen
class Setting:
    """How large the catalog is, what happens to it, and how often a sync is killed."""

    records: int = 240
    kills: int = 4
    photos: float = 0.25
    """Share of the records with a new photo before each sync."""
    prices: float = 0.1
    gone: float = 0.04
    new: float = 0.04
    changing: float = 0.5
    """Share of the kills after which the catalog changes once more."""
    busy: float = 0.03
    """Share of the writes that are answered 503 and not applied."""
    lost: float = 0.04
    """Share of the writes that are applied and never answered."""
    remote: bool = False
    """Whether the records themselves carry the state; then every seed mirrors."""


@frozen
class Figures:
    """What a run came to."""

    kills: int
    """Processes that were killed before their end."""
    differing: int
    """Records that are stored otherwise than the catalog has them, or not at all, or too many."""
    deleted_not_inserted: int
    """Records that were stored once, that nobody wanted deleted, and that are not stored."""
    window: int
    """Most records that were deleted and not yet inserted when a process was killed."""
    second_writes: int
    """Writing requests of one more sync."""
    sent: int
    """Records sent for writing."""
    needed: int
    """Records that had to be sent at least."""
    requests: int


@define(eq=False)
class Killing:
    """A plan of faults that also kills the process under way when its time has come."""

    plan: Faults
    dice: random.Random
    process: ForkServerProcess | None = field(default=None, init=False)
    left: int = field(default=0, init=False)
    """Writes until it is killed; 0 for never."""
    requests: Counter[str] = field(factory=Counter, init=False)
    sent: int = field(default=0, init=False)

    def __call__(self, request: Request, number: int) -> Fault | None:
        if self.process is None:
            return None  # nobody's but ours
        method = request.url.split("?")[0].rsplit("/", 1)[1]
        self.requests[method] += 1
        if method in WRITING:
            self.sent += len(json.loads(request.body)["records"])
        if self.left:
            self.left -= 1
            if not self.left:
                delay = self.dice.choice([0.0, 0.0, 0.001, 0.003, 0.006])
                asyncio.get_running_loop().call_later(delay, self.kill, self.process)
        return self.plan(request, number)

    def kill(self, process: ForkServerProcess) -> None:
        if process is self.process:  # it may have ended by itself by now
            process.kill()


@define(eq=False)
class Play:
    """One catalog, one collection, one state."""

    dice: random.Random
    folder: Path
    mode: Mode
    setting: Setting
    emulator: Emulator
    killing: Killing
    catalog: Catalog = field(factory=dict, init=False)
    dropped: set[str] = field(factory=set, init=False)
    """Ids that the catalog had once and has no more."""
    _numbers: int = field(default=0, init=False)

    def begin(self) -> None:
        for _ in range(self.setting.records):
            self._add()
        self.write()

    def _add(self) -> None:
        self._numbers += 1
        id_ = f"p{self._numbers}"
        self.catalog[id_] = {
            "_id": id_,
            "_url": f"https://shop/{id_}-0.jpg",
            "price": 1,
            "note": self.dice.choice(["a", None]),
        }

    def change(self) -> int:
        """Let a day pass; return how many records have to be sent."""
        setting, dice, before = self.setting, self.dice, dict(self.catalog)
        for id_, record in before.items():
            fate = dice.random()
            if fate < setting.photos:
                url = f"https://shop/{id_}-{dice.random()}.jpg"
                self.catalog[id_] = {**record, "_url": url}
            elif fate < setting.photos + setting.prices:
                self.catalog[id_] = {
                    **record,
                    "price": dice.random(),
                    "note": dice.choice([None, 2]),
                }
            elif fate < setting.photos + setting.prices + setting.gone:
                del self.catalog[id_]
                self.dropped.add(id_)
        for _ in range(int(setting.new * setting.records)):
            self._add()
        self.write()
        return sum(
            self._cost(before.get(id_), self.catalog.get(id_)) for id_ in {*before, *self.catalog}
        )

    def _cost(self, old: dict[str, Any] | None, new: dict[str, Any] | None) -> int:
        if new is None:
            return self.mode == "mirror"
        if old is None or old == new:
            return old is None
        return 2 if old["_url"] != new["_url"] else 1

    def write(self) -> None:
        lines = "".join(json.dumps(record) + "\n" for record in self.catalog.values())
        (self.folder / "catalog.jsonl").write_text(lines, encoding="utf-8")

    async def sync(self) -> bool:
        """Sync until it ends or is killed; tell whether it was killed."""
        words = (self.emulator.url, str(self.folder), self.mode, self.setting.remote)
        process = _FORKS.Process(target=run, args=words, daemon=True)
        self.killing.process = process
        process.start()
        try:
            await _end_of(process)
            assert process.exitcode in (0, -9), f"it ended with {process.exitcode}"
            return process.exitcode != 0
        finally:
            self.killing.process = None
            process.kill()
            process.join()
            process.close()

    async def stored(self) -> Catalog:
        async with Ximilar("another", base_url=self.emulator.url) as client:
            pages = client.collection("c").iter_records(fields_to_return=["*"])
            return {record["_id"]: _unmarked(record) async for record in pages}


async def play(seed: int, folder: Path, setting: Setting | None = None) -> Figures:
    """Kill syncs of a changing catalog as often as the setting says, let one end, and look.

    Args:
        seed: Of all chance that is ours; even ones mirror, odd ones upsert.
        folder: An empty folder.
        setting: The frame; None for the usual one.
    """
    setting, dice = setting or Setting(), random.Random(seed)
    plan = Faults(
        unavailable(chance=setting.busy, methods=WRITING),
        lost_answer(chance=setting.lost, methods=WRITING),
        seed=seed,
    )
    killing = Killing(plan, dice)
    kills = window = 0
    async with Emulator(faults=killing, latency=0.001) as emulator:
        mode: Mode = "upsert" if seed % 2 and not setting.remote else "mirror"
        it = Play(dice, folder, mode, setting, emulator, killing)
        it.begin()
        assert not await it.sync()
        killing.sent, first = 0, set(it.catalog)
        needed = it.change()
        for _ in range(setting.kills):
            killing.left = dice.randint(1, max(2, needed // 10 // 2))
            kills += await it.sync()
            missing = (first - it.dropped) - set(await it.stored())
            window = max(window, len(missing))
            if dice.random() < setting.changing:
                needed += it.change()
        killing.left = 0
        assert not await it.sync()
        stored, sent = await it.stored(), killing.sent
        before = sum(killing.requests[method] for method in WRITING)
        assert not await it.sync()
        second = sum(killing.requests[method] for method in WRITING) - before
    kept = first if mode == "upsert" else first - it.dropped
    return Figures(
        kills=kills,
        differing=_differing(stored, it),
        deleted_not_inserted=len(kept - set(stored)),
        window=window,
        second_writes=second,
        sent=sent,
        needed=needed,
        requests=sum(killing.requests.values()),
    )


def _differing(stored: Catalog, it: Play) -> int:
    """Count what is stored otherwise than the catalog has it."""
    wanted = {id_: _present(record) for id_, record in it.catalog.items()}
    wrong = sum(stored.get(id_) != record for id_, record in wanted.items())
    extra = set(stored) - set(wanted)
    return wrong + len(extra if it.mode == "mirror" else extra - it.dropped)


def _unmarked(record: Any) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "ximilar_async_sync"}


def _present(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if value is not None}


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
