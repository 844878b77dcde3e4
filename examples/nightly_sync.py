"""The nightly job of a shop: bring the collection in line with the catalog, unattended.

    python nightly_sync.py                    # three nights on the emulator, one of them killed
    python nightly_sync.py shop.csv shoes-id  # one night, as cron runs it; token in XIMILAR_TOKEN

As a crontab entry, with log, state and rejects in one folder that stays:

    15 3 * * *  cd /srv/shop && python nightly_sync.py shop.csv shoes-id --log nightly.log

Exit codes: 0 the collection is as the catalog says; 1 some records were turned away, or deletions
withheld; 2 refused, or another run is at it; 3 token; 4 collection full or credits spent; 5 the
service cannot be reached. After any of them, and after a crash, the next run goes on where this one
ended. Without arguments it shows 0, a kill, 2 for a run beside another, 0 for that other one, and 2
for an empty catalog, each in a line, and then the log of these nights.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import logging
import os
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ximilar_async import Ximilar, bulk
from ximilar_async.errors import AuthError, BulkAborted, ConfigError, StateError, XimilarError
from ximilar_async.sources import RecordMapping

if TYPE_CHECKING:
    from asyncio.subprocess import Process

    from ximilar_async.emulator import Request

log = logging.getLogger("nightly")

# sku;photo;price;name: what each column of the shop's export becomes
MAPPING = RecordMapping(id="sku", image="photo", types={"price": "float"}, rest=True)


async def night(catalog: Path, collection: str, url: str | None) -> int:
    """Sync once; return the exit code."""
    state = catalog.with_name(f"{collection}.state")  # it is the lock as well: one run at a time
    options = bulk.Options(
        rejects=catalog.with_name("rejects.jsonl"),
        deadline=4 * 3600,  # leave the rest to the next night rather than run into the day
        on_result=tell,
    )
    async with Ximilar(base_url=url) as client:
        job = bulk.sync(
            client.collection(collection),
            catalog,
            mode="mirror",
            mapping=MAPPING,
            state=state,
            max_deletions="5%",
            options=options,
        )
        with suppress(NotImplementedError):  # Windows
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, job.stop, "SIGTERM")
        try:
            report = await job
        except BulkAborted as aborted:
            report = aborted.report
    log.log(logging.INFO if report.ok else logging.WARNING, report.summary())
    report.write(catalog.with_name("report.json"))
    return int(report.exit_code)


def tell(result: bulk.Result) -> None:
    """Log what was turned away."""
    if result.outcome in (bulk.Outcome.REJECTED, bulk.Outcome.FAILED):
        log.warning("%s %s: %s", result.where, result.outcome, result.reason)


def guarded(catalog: Path, collection: str, url: str | None) -> int:
    """Sync once; log what went wrong instead of a traceback, and return the exit code."""
    log.info("start: %s", catalog)
    try:
        return asyncio.run(night(catalog, collection, url))
    except (ConfigError, StateError) as error:  # refused by a guard, or another run is at it
        log.error("nothing done: %s", error)  # noqa: TRY400 - the message says all
        return bulk.ExitCode.USAGE
    except AuthError as error:
        log.error("token refused: %s", error)  # noqa: TRY400 - as above
        return bulk.ExitCode.AUTH
    except XimilarError as error:
        log.error("ended early: %s", error)  # noqa: TRY400 - as above
        return bulk.ExitCode.OUTAGE


# --- three nights on the emulator ---------------------------------------------------------------


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


async def demonstrate(folder: Path) -> None:
    """Run three nights, each run in a process of its own, as cron would."""
    from ximilar_async.emulator import Emulator  # noqa: PLC0415 - nothing else needs it

    catalog, onlooker = folder / "shop.csv", Onlooker()
    async with Emulator(folder / "service", faults=onlooker, latency=0.02) as service:

        async def start() -> Process:
            words = [catalog, "shoes", "--url", service.url, "--log", folder / "nightly.log"]
            environment = {**os.environ, "XIMILAR_TOKEN": "any"}
            return await asyncio.create_subprocess_exec(
                sys.executable, __file__, *map(str, words), env=environment
            )

        async def ended(what: str, run: Process) -> int:
            code = await asyncio.wait_for(run.wait(), 120)
            print(f"{what}: exit code {code}")
            return code

        write_catalog(catalog, 1)
        assert await ended("night 1, into an empty collection", await start()) == 0
        write_catalog(catalog, 2)
        onlooker.watch(killed := await start(), signal.SIGKILL)
        assert await ended("night 2, killed while it replaces photos", killed) != 0
        onlooker.watch(again := await start(), signal.SIGSTOP)
        # It pauses in the middle, so that another run meets it.
        await asyncio.wait_for(onlooker.done.wait(), 60)
        refused = bulk.ExitCode.USAGE
        assert await ended("night 2, a run beside another one", await start()) == refused
        again.send_signal(signal.SIGCONT)
        assert await ended("night 2 again: it mends what was under way", again) == 0
        catalog.write_text("sku;photo;price;name\n", encoding="utf-8")
        assert await ended("night 3, the export was empty", await start()) == refused
        async with Ximilar("any", base_url=service.url) as client:
            stored = await client.collection("shoes").get_record_count()
            print(f"{stored.count} products are stored; the log says:\n")
    print((folder / "nightly.log").read_text(encoding="utf-8"))


def main() -> None:
    """Read the command line; one night with arguments, a demonstration without."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("catalog", type=Path, nargs="?")
    parser.add_argument("collection", nargs="?")
    parser.add_argument("--log", type=Path, help="where to log; stderr without it")
    parser.add_argument("--url", help="address of the service, when it is not the real one")
    given = parser.parse_args()
    if given.catalog is None:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(demonstrate(Path(folder)))
        return
    if given.collection is None:
        parser.error("name the collection's id as well")
    form = "%(asctime)s %(process)d %(levelname)s %(message)s"
    logging.basicConfig(filename=given.log, format=form, level=logging.INFO)
    sys.exit(guarded(given.catalog, given.collection, given.url))


if __name__ == "__main__":
    main()
