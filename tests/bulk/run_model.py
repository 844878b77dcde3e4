"""Whole runs against a service that fails: what is claimed is held against what is true.

A scenario is an input and a few processes that treat it one after the other, all with one journal,
each ended in some way: by itself, stopped, cancelled, killed, out of power. It goes in virtual
time, so that a seed gives the same story every time.

    cd tests && python -m bulk.run_model --seeds 1000 [--first 0] [--attribution compare]
"""

from __future__ import annotations

import argparse
import asyncio
import random
import traceback
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, TypeVar

from attrs import define, evolve, field, frozen
from bulk.model_claims import GOOD, Claims
from bulk.model_scenario import Scenario
from bulk.model_service import LATEST, Line, Truth
from fakes import _VirtualLoop

from ximilar_async._collection import Collection
from ximilar_async._config import Config, Limits, make_target
from ximilar_async._session import Session
from ximilar_async.bulk import Job, Options, Outcome
from ximilar_async.bulk._engine import Engine
from ximilar_async.bulk._journal.codec import Start, decode, encode
from ximilar_async.bulk._operations import delete, insert, near_dups_insert, update
from ximilar_async.errors import BulkAborted
from ximilar_async.images import ImageOptions
from ximilar_async.sources import as_source

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from concurrent.futures import Executor

    from bulk.model_scenario import Life

    from ximilar_async.bulk import Report
    from ximilar_async.bulk._operations import Operation

T = TypeVar("T")

OPERATIONS: Final[Mapping[str, Callable[[], Operation]]] = {
    "insert": insert,
    "near_dups_insert": lambda: near_dups_insert(None),
    "update": update,
    "delete": delete,
}
LONGEST: Final = 5_000.0
"""Seconds of virtual time after which a process is taken to hang."""

# --- a loop without threads ---------------------------------------------------------------------


class _LoneLoop(_VirtualLoop):
    """Virtual time without threads: what would go into one is done at once."""

    def run_in_executor(
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - it goes to whoever awaits the future
            done.set_exception(error)
        return done


def play(scenario: Scenario, folder: Path) -> Figures:
    """Play a scenario to its end; AssertionError where a promise is not kept.

    Args:
        scenario: What happens.
        folder: An empty folder for the journal.
    """
    random.seed(scenario.seed)  # the waits between attempts are drawn by the library
    heard: list[object] = []
    with asyncio.Runner(loop_factory=_LoneLoop) as runner:
        runner.get_loop().set_exception_handler(lambda _, context: heard.append(context))
        figures = runner.run(World(scenario, folder / "run.journal").play())
    assert not heard, f"what nobody caught: {heard}"
    return figures


@frozen
class Figures:
    """What a scenario came to."""

    records: int
    requests: int
    misattributed: int
    """Records of others that are claimed as inserted, and the other way round."""
    alike: int
    """Records that nobody can tell from one that was stored before, or from one of the input."""
    conflicting: int
    """Claims that a record is this run's after one that it is not, or the other way round."""
    tally: Counter[str]
    """How often processes ended in each way, and how often each outcome was told."""


# --- the story ----------------------------------------------------------------------------------


@define(eq=False)
class World:
    """The collection, the journal on the disk, and one process after the other."""

    scenario: Scenario
    journal: Path
    truth: Truth = field(init=False)
    claims: Claims = field(init=False)
    requests: int = field(default=0, init=False)
    _dice: random.Random = field(init=False)

    def __attrs_post_init__(self) -> None:
        scenario = self.scenario
        self._dice = random.Random(scenario.seed + 1)
        self.truth = Truth({id_: dict(record) for id_, record in scenario.before.items()})
        self.claims = Claims(
            scenario.operation,
            scenario.records,
            frozenset(scenario.before),
            self.truth,
            scenario.attribution == "exact" and GOOD[scenario.operation] is Outcome.INSERTED,
            scenario.rejects,
        )

    @property
    def rejects(self) -> Path | None:
        return self.journal.with_name("rejects.jsonl") if self.scenario.rejects else None

    async def play(self) -> Figures:
        ends: Counter[str] = Counter()
        for life in self.scenario.lives:
            process = Process(life, self)
            await process.live()
            ends[f"ended by {process.ended}"] += 1
            self.requests += process.line.requests
        await asyncio.sleep(2 * LATEST)
        self.claims.check_all_decided(self._excused())
        return Figures(
            len(self.scenario.records),
            self.requests,
            self.claims.misattributed(),
            self._alike(),
            self.claims.conflicting,
            ends + Counter({f"told {name}": n for name, n in self.claims.tally.items()}),
        )

    def _alike(self) -> int:
        records, before = self.scenario.records, self.scenario.before
        return sum(
            list(records).count(record) > 1
            or before.get(record.get("_id", ""), {}).items() >= record.items()
            for record in records
        )

    def _excused(self) -> frozenset[str]:
        """Return the ids that the service may have refused for good."""
        lives, records = self.scenario.lives, self.scenario.records
        if any(life.room is not None for life in lives):
            return frozenset(record["_id"] for record in records if "_id" in record)
        return frozenset(id_ for life in lives for id_ in life.poison)


@define(eq=False)
class Process:
    """One process of a scenario."""

    life: Life
    world: World
    line: Line = field(init=False)
    job: Job = field(init=False)
    ended: str = field(default="done", init=False)
    _waiting: asyncio.Task[Report] = field(init=False)
    _broken: AssertionError | None = field(default=None, init=False)
    """The first promise that a claim broke."""
    _disk: bytes = field(default=b"", init=False)

    def __attrs_post_init__(self) -> None:
        life, world = self.life, self.world
        truth = world.truth
        truth.capacity = None if life.room is None else len(truth.stored) + life.room
        self.line = Line(
            truth, world._dice, life.weather, life.poison, life.locked_from, self._on_request
        )
        self.job = self._job()

    def _job(self) -> Job:
        clock = asyncio.get_running_loop().time
        session = Session(Config(token="token", limits=Limits()), self.line, clock)
        collection = Collection(session, make_target("c", "photos"), images=ImageOptions())
        scenario = self.world.scenario
        options = Options(
            **self.life.more,
            workers=self.life.workers,
            batch_size=self.life.batch_size,
            journal=self.world.journal,
            rejects=self.world.rejects,
            attribution=scenario.attribution,
            durability="strict" if self.life.strict else "relaxed",
            on_result=self._on_result,
        )
        records: Any = list(scenario.records)
        source = as_source(self._trickle(records) if self.life.slow else records)
        operation = OPERATIONS[scenario.operation]()
        return Job(Engine(operation, collection, source, options, clock=clock))

    async def _trickle(self, records: list[Any]) -> AsyncIterator[Any]:
        for record in records:
            await asyncio.sleep(self.world._dice.choice([0.0, 0.0, 0.1, 2.0]))
            yield record

    def _on_result(self, result: Any) -> None:
        if self.line.cut:
            return
        try:
            self.world.claims.take(result)
            assert self.job.stats.pending >= 0
        except AssertionError as error:
            self._broken = self._broken or error
            raise

    # --- its end --------------------------------------------------------------------------------

    def _on_request(self, number: int) -> None:
        if number == self.life.after and self.life.end != "done":
            delay = self.world._dice.choice([0.0, 0.0, 0.02, 0.3])
            asyncio.get_running_loop().call_later(delay, self._end)

    def _end(self) -> None:
        if self._waiting.done():
            return
        self.ended = self.life.end
        if self.ended == "stop":
            self.job.stop()
        elif self.ended == "grace":
            self.job.stop(grace=0.1)
        elif self.ended == "abort":
            self.job.abort()
        elif self.ended in ("kill", "power"):
            self.line.cut = True
            self._disk = self.world.journal.read_bytes()
            self.job.abort()
        else:
            self._waiting.cancel()
            if self.ended == "cancel twice":
                asyncio.get_running_loop().call_later(0.1, self._waiting.cancel)

    async def live(self) -> None:
        """Run to its end, then hold what it said against what is true."""
        self.world.claims.begin(self.world.journal)
        self._waiting = asyncio.create_task(self._wait())
        await _end_of(self._waiting)
        if self.job._task is not None:
            await _end_of(self.job._task)  # cancelled twice, it ends by itself
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1, "a task is left"
        if self._broken is not None:
            raise self._broken
        if self.ended in ("kill", "power"):
            self._restore()
            whole = self.life.strict or not self.lost_power
            self.world.claims.crashed(self.world.journal, self.line.sent, whole=whole)
        else:
            report = self.job.stats if self._waiting.cancelled() else self._waiting.result()
            self.world.claims.ended(report, self.world.journal)
        if self.world.rejects is not None:
            self.world.claims.check_rejects(self.world.rejects, self.world.journal)

    async def _wait(self) -> Report:
        try:
            return await self.job
        except BulkAborted as error:
            return error.report

    @property
    def lost_power(self) -> bool:
        return self.ended == "power"

    def _restore(self) -> None:
        """Put back what the disk held when the process died, or what a power failure left of it."""
        content = self._disk
        if self.lost_power:
            content = self._torn(content)
        self.world.journal.write_bytes(content)

    def _torn(self, content: bytes) -> bytes:
        """Cut a journal somewhere behind the last run's first line, as if after another boot.

        A run's first line is on the disk before anything is sent; all behind it may be lost.
        """
        dice = self.world._dice
        lines = content.splitlines(keepends=True)
        last = max(n for n, line in enumerate(lines) if isinstance(decode(line), Start))
        start = decode(lines[last])
        assert isinstance(start, Start)
        head = b"".join(lines[:last]) + encode(evolve(start, boot="another"))
        tail = b"".join(lines[last + 1 :])
        if self.life.strict:
            return head + tail
        if self.life.cut is not None:
            return head + tail[: self.life.cut]
        return head + tail[: dice.randint(0, len(tail))] + dice.choice([b"", b"", b"\x00" * 20])


async def _end_of(task: asyncio.Task[Any]) -> None:
    await asyncio.wait({task}, timeout=LONGEST)
    assert task.done(), f"it hangs: {task!r:.200}"


def main() -> None:
    """Play many scenarios and print what they came to."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--attribution", choices=["exact", "compare"], default="exact")
    parser.add_argument("--operation", choices=sorted(GOOD), default="")
    words = parser.parse_args()
    totals: Counter[str] = Counter()
    failed = []
    for seed in range(words.first, words.first + words.seeds):
        try:
            scenario = Scenario.of(seed, words.attribution, words.operation)
            with TemporaryDirectory() as folder:
                figures = play(scenario, Path(folder))
        except BaseException as error:  # noqa: BLE001 - the next seed may fare better
            failed.append(seed)
            at = traceback.extract_tb(error.__traceback__)[-1]
            print(f"seed {seed}: {error!r:.300} at {at.name}:{at.lineno}", flush=True)
            if isinstance(error, KeyboardInterrupt):
                break
        else:
            totals.update(records=figures.records, requests=figures.requests)
            name = scenario.operation
            totals.update({f"misattributed in {name}": figures.misattributed})
            totals.update({f"conflicting in {name}": figures.conflicting})
            totals.update(figures.tally)
    print(dict(totals), f"failed: {failed}")


if __name__ == "__main__":
    main()
