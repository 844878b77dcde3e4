"""A service whose items trickle in: each caller learns what became of its own, requests are full.

    pip install 'ximilar-async[all]' && python examples/trickle.py

To be seen: sixty uploads that come one after the other into an emulator, one of them twice; what
its two callers are told, and how few requests it took.

With a collection of yours, each of these images as an upload of its own:

    XIMILAR_TOKEN=... python examples/trickle.py COLLECTION-ID https://... https://...
"""

from __future__ import annotations

import asyncio
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter

from ximilar_async import Ximilar, bulk, errors
from ximilar_async.emulator import Emulator


async def upload(writer: bulk.Writer, id_: str, url: str) -> bulk.Outcome:
    """Store one photo, as a web service would for each of its own requests."""
    future = await writer.add({"_id": id_, "_url": url})  # waiting here is the back-pressure
    return (await future).outcome


async def later(writer: bulk.Writer, number: int) -> bulk.Outcome:
    """Store a photo that comes after those with lower numbers."""
    await asyncio.sleep(number * 0.01)
    return await upload(writer, f"photo-{number}", f"https://example.com/{number}.jpg")


async def demonstrate() -> None:
    """Let 60 uploads arrive one after the other, and one of them twice."""
    async with Emulator() as emulator, Ximilar("any", base_url=emulator.url) as client:
        async with bulk.Writer(client.collection("photos"), flush_after=0.1) as writer:
            uploads = (later(writer, number) for number in [*range(60), 7])
            outcomes = await asyncio.gather(*uploads)
        print(f"photo 7 came twice: {outcomes[7]}, {outcomes[60]}")
        print(writer.report.summary())
        print(f"{writer.report.requests} requests")


async def run(collection: str, urls: list[str], service: str) -> None:
    """Store images of these addresses in a collection of the real service."""
    async with Ximilar() as client:
        photos = client.collection(collection, service)
        await photos.ping()  # a bulk run would wait 15 minutes for a service that is not there
        async with bulk.Writer(photos, flush_after=0.5) as writer:
            outcomes = await asyncio.gather(*(upload(writer, url, url) for url in urls))
        for url, outcome in zip(urls, outcomes, strict=True):
            print(f"{url}: {outcome}")
        print(writer.report.summary())


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("collection", nargs="?", help="the collection's id")
    parser.add_argument("urls", nargs="*", metavar="URL", help="addresses of images, also the ids")
    parser.add_argument("--service", default="photos", help="its service, such as fashion")
    given = parser.parse_args()
    try:
        if given.collection is None:
            asyncio.run(demonstrate())
        else:
            asyncio.run(run(given.collection, given.urls, given.service))
    except errors.XimilarError as error:  # no token, for instance
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
