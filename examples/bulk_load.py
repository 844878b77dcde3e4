"""A load that accounts for every record: what went in, what did not, and why.

    pip install 'ximilar-async[all]' && python examples/bulk_load.py

To be seen: of 1,002 records, into an emulator, one has no image and one comes twice: both are told.
The load is stopped after 400; the same call goes on there and sends nothing twice.

A file of records, a folder of images or a table into a collection of yours; after Ctrl-C, which
lets what is under way finish, the same command goes on by the journal in the current folder:

    XIMILAR_TOKEN=... python examples/bulk_load.py catalog.jsonl COLLECTION-ID --service fashion
"""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ximilar_async import Ximilar, bulk, errors
from ximilar_async.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ximilar_async import Collection


def catalog() -> Iterator[dict[str, Any]]:
    """Yield 1,000 products, one without an image and one that comes twice."""
    for number in range(1000):
        yield {"_id": f"p{number}", "_url": f"https://example.com/{number}.jpg", "price": number}
    yield {"_id": "no image"}
    yield {"_id": "p7", "_url": "https://example.com/7.jpg", "price": 7}


def tell(result: bulk.Result) -> None:
    """Print what did not go in."""
    if result.outcome not in (bulk.Outcome.INSERTED, bulk.Outcome.NOT_ATTEMPTED):
        print(f"{result.where}: {result.outcome} {result.reason}")


async def load(shop: Collection, source: Any, name: Path, stop_after: int = 0) -> bulk.Report:
    """Insert a source; with the same journal, what earlier loads decided is not sent again."""
    options = bulk.Options(
        journal=f"{name}.journal", rejects=f"{name}.rejects.jsonl", on_result=tell
    )
    job = bulk.insert(shop, source, options=options)
    with suppress(NotImplementedError):  # Windows
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, job.stop, "Ctrl-C")
    try:
        async with job:
            if stop_after:
                async for result in job.results():
                    if result.seq >= stop_after:
                        job.stop("to show what comes of it")
                        break
    except errors.BulkAborted:
        pass  # the report says why
    print(job.stats.summary())
    assert job.stats.read == sum(job.stats.counts.values())  # every record is accounted for
    return job.stats


async def demonstrate(folder: Path) -> None:
    """Load into an emulator, in two goes."""
    async with Emulator() as emulator, Ximilar("any", base_url=emulator.url) as client:
        shop = client.collection("shop")
        await load(shop, catalog(), folder / "catalog", stop_after=400)
        report = await load(shop, catalog(), folder / "catalog")
        print(f"{report.resumed} were decided by the first load")


async def run(source: str, collection: str, service: str) -> int:
    """Load into a collection of the real service; return the exit code."""
    async with Ximilar() as client:
        shop = client.collection(collection, service)
        await shop.ping()  # a bulk run would wait 15 minutes for a service that is not there
        report = await load(shop, source, Path(Path(source).name))
    return int(report.exit_code)


def main() -> int:
    """Load what is named, or without arguments show what loading looks like."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("source", nargs="?", help="catalog.jsonl, a folder of images, …")
    parser.add_argument("collection", nargs="?", help="the collection's id")
    parser.add_argument("--service", default="photos", help="its service, such as fashion")
    given = parser.parse_args()
    if given.source is None:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(demonstrate(Path(folder)))
        return 0
    if given.collection is None:
        parser.error("name the collection's id as well")
    return asyncio.run(run(given.source, given.collection, given.service))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except errors.XimilarError as error:
        sys.exit(f"error: {error}")
