"""Many searches at once over one client, as an asyncio service has them; an error costs its search.

    pip install 'ximilar-async[all]' && python examples/search_service.py

To be seen: 200 records in an emulator, fifty searches by id at once of which ten are under way at a
time, one of them for an id that is not there, and what the fifty took.

With a collection of yours, the products most like those whose ids you name:

    XIMILAR_TOKEN=... python examples/search_service.py COLLECTION-ID ID ID --service fashion

examples/fastapi_service.py and examples/aiohttp_service.py put the same behind HTTP.
"""

from __future__ import annotations

import asyncio
import sys
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import TYPE_CHECKING

from ximilar_async import Limits, Ximilar, bulk, errors
from ximilar_async.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ximilar_async import Collection

LIMITS = Limits(concurrency=10)  # the others wait for their turn


async def search(shoes: Collection, id_: str) -> list[str]:
    """Return the ids most like a stored record, or none if the service cannot tell now."""
    try:
        answer = await shoes.visual_knn({"_id": id_}, k=4, fields_to_return=["_id"])
    except errors.XimilarError as error:  # in a shop, an empty row beats an error page
        print(f"no answer for {id_}: {error}")
        return []
    return [match.id for match in answer.matches if match.id not in (None, id_)]


async def search_all(shoes: Collection, ids: Iterable[str]) -> list[list[str]]:
    """Search for all at once, and print how long that took."""
    start = time.monotonic()
    found = await asyncio.gather(*(search(shoes, id_) for id_ in ids))
    print(f"{len(found)} searches in {time.monotonic() - start:.2f} s")
    return found


async def demonstrate() -> None:
    """Fill a collection and search it fifty times at once."""
    records = ({"_id": str(n), "_url": f"https://example.com/{n}.jpg"} for n in range(200))
    async with (
        Emulator() as emulator,
        Ximilar("any", base_url=emulator.url, limits=LIMITS) as client,
    ):
        shoes = client.collection("shoes", "fashion")
        print((await bulk.insert(shoes, records)).summary())
        found = await search_all(shoes, [*map(str, range(49)), "gone"])
        print(f"record 0 is most like {', '.join(found[0])}")


async def run(collection: str, ids: list[str], service: str) -> None:
    """Search a collection of the real service."""
    async with Ximilar(limits=LIMITS) as client:
        found = await search_all(client.collection(collection, service), ids)
    for id_, row in zip(ids, found, strict=True):
        print(f"{id_}: {', '.join(row)}")


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("collection", nargs="?", help="the collection's id")
    parser.add_argument("ids", nargs="*", metavar="ID", help="whose neighbours to search for")
    parser.add_argument("--service", default="photos", help="the collection's, such as fashion")
    given = parser.parse_args()
    try:
        if given.collection is None:
            asyncio.run(demonstrate())
        else:
            asyncio.run(run(given.collection, given.ids, given.service))
    except errors.XimilarError as error:  # no token, for instance
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
