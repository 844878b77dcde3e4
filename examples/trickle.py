"""A service whose items trickle in: each caller learns what became of its own, requests are full.

Runs on the embedded emulator; with a real token, leave `base_url` out and set XIMILAR_TOKEN.
"""

from __future__ import annotations

import asyncio

from ximilar_async import Ximilar, bulk
from ximilar_async.emulator import Emulator


async def upload(writer: bulk.Writer, number: int) -> bulk.Outcome:
    """Store one photo, as a web service would for each of its own requests."""
    await asyncio.sleep(number * 0.01)
    record = {"_id": f"photo-{number}", "_url": f"https://example.com/{number}.jpg"}
    future = await writer.add(record)  # waiting here is the back-pressure
    return (await future).outcome


async def main() -> None:
    """Let 60 uploads arrive one after the other, and one of them twice."""
    async with Emulator() as emulator, Ximilar("any-token", base_url=emulator.url) as client:
        photos = client.collection("photos")
        async with bulk.Writer(photos, flush_after=0.1) as writer:
            uploads = (upload(writer, number) for number in [*range(60), 7])
            outcomes = await asyncio.gather(*uploads)
        print(f"photo 7 came twice: {outcomes[7]}, {outcomes[60]}")
        print(writer.report.summary())
        print(f"{writer.report.requests} requests")


asyncio.run(main())
