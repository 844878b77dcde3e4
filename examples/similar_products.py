"""Similar products of a whole catalog: a search for each record, written back as a field.

    pip install 'ximilar-async[all]' && python examples/similar_products.py

To be seen: a catalog of 60 rendered products and some copies of them in an emulator, the reports of
the searches and of the updates, and one product whose field `similar` names the three most like it,
so that a shop's page needs no search.

With a collection of yours (a search and an update for each of its records, which costs credits):

    XIMILAR_TOKEN=... python examples/similar_products.py COLLECTION-ID --service fashion
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import TYPE_CHECKING

from ximilar_async import Ximilar, bulk, errors
from ximilar_async.demo import make_catalog
from ximilar_async.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from ximilar_async import Collection, Record

COUNT = 3


async def neighbours(shop: Collection, ids: Sequence[str]) -> AsyncIterator[Record]:
    """Yield for each stored record the change that names those most like it."""
    # One more than wanted: a stored record finds itself first.
    async with bulk.visual_knn(shop, ids, k=COUNT + 1, fields_to_return=["_id"]) as job:
        async for result in job.results():
            if result.outcome is bulk.Outcome.FOUND:
                others = [match.id for match in result.answer.matches if match.id != result.id]
                yield {"_id": result.id, "similar": others[:COUNT]}
    print(job.stats.summary())


async def write_back(shop: Collection) -> bulk.Report:
    """Search for each record, and update it while the next ones are searched for."""
    # All ids first: nothing promises that pages stay as they are while their records are updated.
    ids = [record["_id"] async for record in shop.iter_records(fields_to_return=["_id"])]
    report = await bulk.update(shop, neighbours(shop, ids))
    print(report.summary())
    return report


async def demonstrate(folder: Path) -> int:
    """Do it with a rendered catalog in an emulator."""
    catalog = make_catalog(folder, products=60, spoilt=False)
    async with Emulator() as emulator, Ximilar("any", base_url=emulator.url) as client:
        shop = client.collection("shop")
        print((await bulk.insert(shop, catalog.records_path)).summary())
        report = await write_back(shop)
        (record,) = (await shop.get(["shoe-0001"])).records
        print(f"{record['_id']} ({record['name']}) is most like {', '.join(record['similar'])}")
    return int(report.exit_code)


async def run(collection: str, service: str) -> int:
    """Do it with a collection of the real service; return the exit code."""
    async with Ximilar() as client:
        report = await write_back(client.collection(collection, service))
    return int(report.exit_code)


def main() -> int:
    """Do it with the collection that is named, or without one with a catalog made here."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("collection", nargs="?", help="the collection's id")
    parser.add_argument("--service", default="photos", help="its service, such as fashion")
    given = parser.parse_args()
    if given.collection is not None:
        return asyncio.run(run(given.collection, given.service))
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(demonstrate(Path(folder)))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except errors.XimilarError as error:  # the service cannot be reached, for instance
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
