"""A load that accounts for every record: what went in, what did not, and why.

Runs on the embedded emulator; with a real token, leave `base_url` out and set XIMILAR_TOKEN.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ximilar_async import Ximilar, bulk
from ximilar_async.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator


def catalog() -> Iterator[dict[str, Any]]:
    """Yield 1,000 products, one without an image and one that comes twice among them."""
    for number in range(1000):
        yield {"_id": f"p{number}", "_url": f"https://example.com/{number}.jpg", "price": number}
    yield {"_id": "no image"}
    yield {"_id": "p7", "_url": "https://example.com/7.jpg", "price": 7}


def tell(result: bulk.Result) -> None:
    """Print what did not go in."""
    if result.outcome is not bulk.Outcome.INSERTED:
        print(f"{result.where}: {result.outcome} {result.reason}")


async def main() -> None:
    """Load the catalog and print what became of it."""
    async with Emulator() as emulator, Ximilar("any-token", base_url=emulator.url) as client:
        products = client.collection("products")
        report = await bulk.insert(products, catalog(), options=bulk.Options(on_result=tell))
        print(report.summary())
        assert report.read == sum(report.counts.values())


asyncio.run(main())
