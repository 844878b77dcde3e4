"""Three nights of nightly_sync.py on the emulator, each run in a process of its own, as with cron.

    pip install 'ximilar-async[all]' && python examples/nightly_sync_nights.py

To be seen: the exit code of each run, one of which is killed and one paused, and then the log.
There is nothing to be run against the real service here: nightly_sync.py is the job itself.
"""

from __future__ import annotations

import asyncio
import csv
import os
import signal
import sys
import tempfile
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from ximilar_async import Ximilar, bulk
from ximilar_async.emulator import Emulator

if TYPE_CHECKING:
    from asyncio.subprocess import Process

    from ximilar_async.emulator import Request

JOB = Path(__file__).with_name("nightly_sync.py")
REFUSED = bulk.ExitCode.USAGE


class Onlooker:
    """Sees the requests as the emulator gets them, and sends a run a signal at its third write."""

    def __init__(self) -> None:
        self.run: Process | None = None
        self.signal = signal.SIGKILL
        self.done = asyncio.Event()
        self.writes = 0

    def watch(self, run: Process, number: signal.Signals) -> None:
        """Wait for the writes of a run."""
        self.run, self.signal, self.writes = run, number, 0
        self.done.clear()

    def __call__(self, request: Request, _: int) -> None:
        """Count a request; as a plan of faults it plans none."""
        if self.run is None or not request.url.endswith(("insert", "update", "delete")):
            return
        self.writes += 1
        if self.writes == 3:  # noqa: PLR2004 - in the middle of replacing photos
            self.run.send_signal(self.signal)
            self.run = None
            self.done.set()


def write_catalog(path: Path, night: int, count: int = 300) -> None:
    """Write the catalog of a night: every fifth photo and every third price is another one."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(["sku", "photo", "price", "name"])
        for n in range(night * 5, night * 5 + count):  # five go, five come
            photo = f"https://shop.example/{n}.jpg?{night if n % 5 == 0 else 0}"
            writer.writerow([f"{n:04}", photo, n + (night if n % 3 == 0 else 0), f"Shoe {n}"])


async def ended(what: str, run: Process) -> int:
    """Wait for a run, and print how it ended."""
    code = await asyncio.wait_for(run.wait(), 120)
    print(f"{what}: exit code {code}")
    return code


async def end(run: Process) -> None:
    """Leave no run behind when the play is left early."""
    if run.returncode is None:
        run.kill()
        await run.wait()


async def demonstrate(folder: Path) -> None:
    """Play the three nights."""
    catalog, onlooker = folder / "shop.csv", Onlooker()
    async with (
        Emulator(folder / "service", faults=onlooker, latency=0.02) as service,
        AsyncExitStack() as ends,
    ):

        async def start() -> Process:
            words = [sys.executable, JOB, catalog, "shoes", "--log", folder / "nightly.log"]
            environment = {**os.environ, "XIMILAR_TOKEN": "any", "XIMILAR_URL": service.url}
            run = await asyncio.create_subprocess_exec(*map(str, words), env=environment)
            ends.push_async_callback(end, run)
            return run

        write_catalog(catalog, 1)
        assert await ended("night 1, into an empty collection", await start()) == 0
        write_catalog(catalog, 2)
        onlooker.watch(killed := await start(), signal.SIGKILL)
        assert await ended("night 2, killed while it replaces photos", killed) != 0
        onlooker.watch(again := await start(), signal.SIGSTOP)
        # It pauses in the middle, so that another run meets it.
        await asyncio.wait_for(onlooker.done.wait(), 60)
        assert await ended("night 2, a run beside another one", await start()) == REFUSED
        again.send_signal(signal.SIGCONT)
        assert await ended("night 2 again: it mends what was under way", again) == 0
        catalog.write_text("sku;photo;price;name\n", encoding="utf-8")
        assert await ended("night 3, the export was empty", await start()) == REFUSED
        async with Ximilar("any", base_url=service.url) as client:
            stored = await client.collection("shoes").get_record_count()
            print(f"{stored.count} products are stored; the log says:\n")
    print((folder / "nightly.log").read_text(encoding="utf-8"))


def play() -> int:
    """Play the nights in a folder that goes away; return the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            asyncio.run(demonstrate(Path(folder)))
        except KeyboardInterrupt:
            return int(bulk.ExitCode.INTERRUPTED)
    return 0


if __name__ == "__main__":
    ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter).parse_args()
    sys.exit(play())
