"""A bulk insert with a journal, in a process that may be killed at any time.

python killed_client.py URL CATALOG JOURNAL ATTRIBUTION
"""

from __future__ import annotations

import asyncio
import sys

from ximilar_async import Retry, Ximilar, bulk


async def main(url: str, catalog: str, journal: str, attribution: str) -> None:
    """Run to the end and print the counts as JSON."""
    retry = Retry(attempts=10, base=0.002, cap=0.02)
    options = bulk.Options(
        journal=journal,
        workers=4,
        retry=retry,
        attribution="exact" if attribution == "exact" else "compare",
    )
    async with Ximilar("any-token", base_url=url) as client:
        report = await bulk.insert(client.collection("c"), catalog, options=options)
    print(report.read, report.inserted, report.already_present, report.ok)


asyncio.run(main(*sys.argv[1:]))
