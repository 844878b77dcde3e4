"""A data frame into a collection, and what was found back beside its rows.

    pip install 'ximilar-async[all]' polars && python examples/dataframe.py

To be seen: a Polars frame whose columns are called otherwise than the API's, the report of its
insertion (one row has no photo and is named), and the frame with each product's nearest one in a
new column. pandas, DuckDB and pyarrow go the same way: whatever has `__arrow_c_stream__`.

A CSV file with such columns (sku, photo, cost, brand) into a collection of yours:

    XIMILAR_TOKEN=... python examples/dataframe.py shop.csv COLLECTION-ID --service products
"""

from __future__ import annotations

import asyncio
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import TYPE_CHECKING

import polars as pl

from ximilar_async import Ximilar, bulk, errors
from ximilar_async.emulator import Emulator
from ximilar_async.sources import MappedSource, RecordMapping, as_source

if TYPE_CHECKING:
    from ximilar_async import Collection

MAPPING = RecordMapping(id="sku", image="photo", fields={"price": "cost", "brand": "brand"})


def make_frame() -> pl.DataFrame:
    """Return a shop's table: twenty products, one of them without a photo."""
    numbers = range(1, 21)
    photos: list[str | None] = [f"https://example.com/{number}.jpg" for number in numbers]
    photos[12] = None
    return pl.DataFrame(
        {
            "sku": list(numbers),
            "photo": photos,
            "cost": [9.9 + number for number in numbers],
            "brand": ["Acme" if number % 2 else "Zeta" for number in numbers],
            "notes": "not for the collection",
        }
    )


async def with_nearest(frame: pl.DataFrame, shop: Collection) -> pl.DataFrame:
    """Insert the frame, search for each row, and return it with what was found."""
    report = await bulk.insert(shop, MappedSource(as_source(frame), MAPPING))
    print(report.summary())
    for result in report.samples.get(bulk.Outcome.REJECTED, ()):
        print(f"  {result.reason}")

    ids = frame.select(_id=pl.col("sku").cast(pl.String))
    nearest: dict[str, str | None] = {}
    async with bulk.visual_knn(shop, ids, k=2, fields_to_return=["_id"]) as job:
        async for result in job.results():
            if result.outcome is bulk.Outcome.FOUND and result.id is not None:
                others = [match.id for match in result.answer.matches if match.id != result.id]
                nearest[result.id] = others[0] if others else None
    print(job.stats.summary())
    column = [nearest.get(str(sku)) for sku in frame["sku"]]
    return frame.with_columns(nearest=pl.Series(column, dtype=pl.String))


async def demonstrate() -> None:
    """Do it with a frame that is made here, in an emulator."""
    async with Emulator() as emulator, Ximilar("any", base_url=emulator.url) as client:
        frame = await with_nearest(make_frame(), client.collection("shop"))
        print(frame.drop("notes").head(5))


async def run(path: str, collection: str, service: str) -> None:
    """Do it with a file and a collection of the real service."""
    async with Ximilar() as client:
        shop = client.collection(collection, service)
        await shop.ping()  # a bulk run would wait 15 minutes for a service that is not there
        frame = pl.read_csv(path, schema_overrides={"sku": pl.String})  # 0017 stays 0017
        print(await with_nearest(frame, shop))


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("table", nargs="?", help="a CSV file: sku,photo,cost,brand")
    parser.add_argument("collection", nargs="?", help="the collection's id")
    parser.add_argument("--service", default="photos", help="its service, such as products")
    given = parser.parse_args()
    try:
        if given.table is None:
            asyncio.run(demonstrate())
        elif given.collection is None:
            parser.error("name the collection's id as well")
        else:
            asyncio.run(run(given.table, given.collection, given.service))
    except (errors.XimilarError, OSError) as error:  # no such file, for instance
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
