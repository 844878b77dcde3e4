"""The nightly job of a shop: bring the collection in line with the catalog, unattended.

    pip install 'ximilar-async[all]' && python examples/nightly_sync.py

To be seen: three nights on the emulator. Exit code 0 for the first; a run that is killed while it
replaces photos; 2 for a run beside another one, and 0 for that other one, which mends what the
killed one left; 2 for an empty catalog; and then the log (nightly_sync_nights.py plays them).

One night with a catalog and a collection of yours, and the same as a crontab entry. State, log,
rejects and report.html lie beside the catalog, in a folder that stays:

    XIMILAR_TOKEN=... python nightly_sync.py shop.csv COLLECTION-ID --service fashion
    15 3 * * *  cd /srv/shop && python nightly_sync.py shop.csv COLLECTION-ID --log nightly.log

Exit codes: 0 the collection is as the catalog says; 1 some records were turned away, or deletions
withheld; 2 nothing could be done: no such catalog, no token, refused, or another run is at it; 3
the token is wrong; 4 collection full or credits spent; 5 the service cannot be reached; 70 a
defect; 130 stopped by Ctrl-C or SIGTERM. After any of them, and after a crash, the next run goes on
where this one ended.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from contextlib import suppress
from html import escape
from pathlib import Path

from ximilar_async import Retry, Ximilar, bulk, errors
from ximilar_async.sources import RecordMapping

log = logging.getLogger("nightly")

# sku;photo;price;name: what each column of the shop's export becomes
MAPPING = RecordMapping(id="sku", image="photo", types={"price": "float"}, rest=True)


async def night(catalog: Path, collection: str, service: str, patience: float) -> int:
    """Sync once; return the exit code."""
    options = bulk.Options(
        rejects=catalog.with_name("rejects.jsonl"),
        deadline=4 * 3600,  # leave the rest to the next night rather than run into the day
        on_result=tell,
    )
    waits = Retry(attempts=1000, deadline=patience)  # a restart at night does not cost the night
    async with Ximilar(retry=waits) as client:
        job = bulk.sync(
            client.collection(collection, service),
            catalog,
            mode="mirror",
            mapping=MAPPING,
            state=catalog.with_name(f"{collection}.state"),  # the lock as well: one run at a time
            max_deletions="5%",
            options=options,
        )
        with suppress(NotImplementedError):  # Windows
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, job.stop, number.name)
        try:
            report = await job  # the package's own logger tells how it goes
        except errors.BulkAborted as aborted:
            report = aborted.report
    try:
        report.write(catalog.with_name("report.html"))
    except OSError as error:  # what was done is done
        log.error("no report: %s", error)  # noqa: TRY400 - the message says all
    return int(report.exit_code)


def tell(result: bulk.Result) -> None:
    """Log what was turned away."""
    if result.outcome in (bulk.Outcome.REJECTED, bulk.Outcome.FAILED):
        log.warning("%s %s: %s", result.where, result.outcome, result.reason)


def code_of(error: Exception) -> int:
    """Return the exit code for what ended a run before it could report."""
    if isinstance(error, errors.AuthError):
        return bulk.ExitCode.AUTH
    if isinstance(error, errors.CapacityError):
        return bulk.ExitCode.CAPACITY
    if isinstance(error, errors.AccountingError):
        return bulk.ExitCode.ACCOUNTING
    again = isinstance(error, errors.XimilarError) and error.retryable
    return bulk.ExitCode.OUTAGE if again else bulk.ExitCode.USAGE


def guarded(catalog: Path, *settings: *tuple[str, str, float]) -> int:
    """Sync once; log what went wrong instead of a traceback, and return the exit code."""
    log.info("start: %s", catalog)
    try:
        code = asyncio.run(night(catalog, *settings))
    except (errors.XimilarError, OSError) as error:
        log.error("ended: %s", error)  # noqa: TRY400 - the message says all
        code = code_of(error)
        with suppress(OSError):  # whoever looks next morning must not see the night before
            words = f"<!doctype html><title>Nothing done</title>Nothing done: {escape(str(error))}"
            catalog.with_name("report.html").write_text(words, encoding="utf-8")
    log.info("exit code %d", code)
    return code


def main() -> int:
    """Read the command line; one night with arguments, a demonstration without."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("catalog", type=Path, nargs="?", help="CSV: sku;photo;price;name")
    parser.add_argument("collection", nargs="?", help="the collection's id")
    parser.add_argument("--service", default="photos", help="its service, such as fashion")
    parser.add_argument("--patience", type=float, default=900, help="seconds to wait for an answer")
    parser.add_argument("--log", type=Path, help="where to log; stderr without it")
    given = parser.parse_args()
    if given.catalog is None:
        from nightly_sync_nights import play  # noqa: PLC0415 - the job itself does without

        return play()
    if given.collection is None:
        parser.error("name the collection's id as well")
    form = "%(asctime)s %(process)d %(levelname)s %(message)s"
    logging.basicConfig(filename=given.log, format=form, level=logging.INFO)
    return guarded(given.catalog, given.collection, given.service, given.patience)


if __name__ == "__main__":
    sys.exit(main())
