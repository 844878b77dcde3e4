"""Similar products of a whole catalog: a search for each record, written back as a field.

    pip install 'ximilar-async[all]' && python examples/similar_products.py

To be seen: a catalog of 60 rendered products in an emulator, the report of the run, and one product
whose field `similar` names the three most like it, so that a shop's page needs no search.

With a collection of yours (a search and an update for each of its records, which costs credits):

    XIMILAR_TOKEN=... python examples/similar_products.py COLLECTION-ID
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ximilar_async import Ximilar, bulk
from ximilar_async.demo import make_catalog
from ximilar_async.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ximilar_async import Collection, Record

COUNT = 3


async def neighbours(shop: Collection, searches: list[bulk.Report]) -> AsyncIterator[Record]:
    """Yield for each stored record the change that names those most like it."""
    # All ids first: nothing promises that pages stay as they are while their records are updated.
    ids = [record["_id"] async for record in shop.iter_records(fields_to_return=["_id"])]
    # One more than wanted: a stored record finds itself first.
    async with bulk.visual_knn(shop, ids, k=COUNT + 1, fields_to_return=["_id"]) as job:
        async for result in job.results():
            if result.outcome is bulk.Outcome.FOUND:
                others = [match.id for match in result.answer.matches if match.id != result.id]
                yield {"_id": result.id, "similar": others[:COUNT]}
    searches.append(await job)


async def write_back(shop: Collection) -> None:
    """Search for each record, and update it while the next ones are searched for."""
    searches: list[bulk.Report] = []
    report = await bulk.update(shop, neighbours(shop, searches))
    print(searches[0].summary())
    print(report.summary())
    report.raise_for_failures()


async def demonstrate(folder: Path) -> None:
    """Do it with a rendered catalog in an emulator."""
    catalog = make_catalog(folder, products=60)
    async with Emulator() as emulator, Ximilar("any", base_url=emulator.url) as client:
        shop = client.collection("shop")
        print((await bulk.insert(shop, catalog.records_path)).summary())
        await write_back(shop)
        (record,) = (await shop.get(["shoe-0001"])).records
        print(f"{record['_id']} ({record['name']}) is most like {', '.join(record['similar'])}")


async def run(collection_id: str) -> None:
    """Do it with a collection of the real service."""
    async with Ximilar() as client:
        await write_back(client.collection(collection_id))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(run(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as name:
            asyncio.run(demonstrate(Path(name)))
