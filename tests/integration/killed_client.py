"""A bulk insert with a journal, in a process that may be killed at any time."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from ximilar_async import Limits, Retry, Ximilar, bulk

if TYPE_CHECKING:
    from ximilar_async.bulk import Attribution, Result

MARK = "ximilar_async_run"


def run(url: str, catalog: str, journal: str, told: str, attribution: Attribution) -> None:
    """Insert a catalog and write each result as it is decided, and the report's sums at the end.

    Args:
        url: The emulator's address.
        catalog: A file of JSON lines.
        journal: The journal's path.
        told: A file that gets a line for each result; nothing of it is lost when the process dies.
        attribution: As in the options.
    """
    asyncio.run(_insert(url, catalog, journal, told, attribution))


async def _insert(
    url: str, catalog: str, journal: str, told: str, attribution: Attribution
) -> None:
    out = os.open(told, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def tell(result: Result) -> None:
        os.write(out, f"{result.seq} {result.outcome}\n".encode())

    options = bulk.Options(
        journal=journal,
        retry=Retry(attempts=10, base=0.002, cap=0.02),
        attribution=attribution,
        marker=MARK,
        on_result=tell,
    )
    async with Ximilar("any-token", base_url=url, limits=Limits(concurrency=4)) as client:
        report = await bulk.insert(client.collection("c"), catalog, options=options)
    os.write(
        out, f"0 {report.read} {report.inserted} {report.already_present} {report.ok}\n".encode()
    )
