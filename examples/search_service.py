"""An asyncio service that answers many searches at once over one client.

Runs on the embedded emulator; with a real token, leave `base_url` out and set XIMILAR_TOKEN.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ximilar_async import Limits, Ximilar, bulk, errors
from ximilar_async.emulator import Emulator

if TYPE_CHECKING:
    from ximilar_async import Collection


async def search(shoes: Collection, id_: str) -> list[str]:
    """Return the ids most like a stored record, or none if the service cannot tell now."""
    try:
        answer = await shoes.visual_knn({"_id": id_}, k=3, fields_to_return=["_id"])
    except errors.XimilarError as error:
        print(f"no answer for {id_}: {error}")
        return []
    return [match.id for match in answer.matches if match.id is not None]


async def main() -> None:
    """Fill a collection and search it fifty times at once."""
    async with (
        Emulator() as emulator,
        Ximilar("any-token", base_url=emulator.url, limits=Limits(concurrency=10)) as client,
    ):
        shoes = client.collection("shoes", "fashion")
        records = ({"_id": str(n), "_url": f"https://example.com/{n}.jpg"} for n in range(200))
        print((await bulk.insert(shoes, records)).summary())
        found = await asyncio.gather(*(search(shoes, str(n)) for n in range(50)))
        print(f"{len(found)} searches; record 0 is most like {found[0]}")


asyncio.run(main())
