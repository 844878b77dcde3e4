"""A data frame into a collection, and what was found back beside its rows.

    pip install 'ximilar-async[all]' polars && python examples/dataframe.py

To be seen: a Polars frame whose columns are called otherwise than the API's, the report of its
insertion (one row has no photo and is named), and the frame with each product's nearest one in a
new column. pandas, DuckDB and pyarrow go the same way: whatever has `__arrow_c_stream__`.
"""

from __future__ import annotations

import asyncio

import polars as pl

from ximilar_async import Ximilar, bulk
from ximilar_async.emulator import Emulator
from ximilar_async.sources import MappedSource, RecordMapping, as_source

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


async def main() -> None:
    """Insert the frame, search for each row, and join what was found."""
    frame = make_frame()
    async with Emulator() as emulator, Ximilar("any", base_url=emulator.url) as client:
        shop = client.collection("shop")
        report = await bulk.insert(shop, MappedSource(as_source(frame), MAPPING))
        print(report.summary())
        for result in report.samples[bulk.Outcome.REJECTED]:
            print(f"  {result.reason}")

        ids = frame.select(_id=pl.col("sku").cast(pl.String))
        nearest: dict[str, str] = {}
        async with bulk.visual_knn(shop, ids, k=2, fields_to_return=["_id"]) as job:
            async for result in job.results():
                if result.outcome is bulk.Outcome.FOUND:
                    nearest[result.id] = result.answer.matches[1].id  # the first is itself
        print((await job).summary())

    column = [nearest.get(str(sku)) for sku in frame["sku"]]
    print(frame.drop("notes").with_columns(nearest=pl.Series(column)).head(5))


if __name__ == "__main__":
    asyncio.run(main())
