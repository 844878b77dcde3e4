"""A bulk insert of many small records: records a second, and memory from 10 % to 100 %.

    python benchmarks/bench_bulk.py [--records 100000]

The emulator runs in a process of its own, so that the memory shown is the client's. It costs about
as much as the client does; a server cheaper than the client comes with the comparison of clients.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ximilar_async import Ximilar, bulk

if TYPE_CHECKING:
    from collections.abc import Iterator

_SERVER = """
import asyncio
from ximilar_async.emulator import Emulator

async def main():
    async with Emulator() as emulator:
        print(emulator.url, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@contextmanager
def emulator() -> Iterator[str]:
    """Run an emulator in another process; yield its address."""
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def resident_bytes() -> int:
    """Return the memory of this process that is in RAM."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def records(count: int) -> Iterator[dict[str, Any]]:
    """Yield small records whose image is an address."""
    for number in range(count):
        yield {"_id": str(number), "_url": f"https://example.com/{number}.jpg", "price": number}


async def run(url: str, count: int) -> None:
    """Insert the records and print what it took."""
    marks: list[tuple[int, int]] = []

    def note(report: bulk.Report) -> None:
        marks.append((report.read, resident_bytes()))

    async with Ximilar("any-token", base_url=url) as client:
        report = await bulk.insert(
            client.collection("bench"), records(count), options=bulk.Options(progress=note)
        )
    print(report.summary())
    print(f"{report.records_per_second:,.0f} records/s, {report.requests:,} requests")
    for share in (0.1, 0.25, 0.5, 0.75, 1.0):
        memory = next((size for read, size in marks if read >= share * count), marks[-1][1])
        print(f"RSS at {share:4.0%}: {memory / 2**20:6.1f} MiB")


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--records", type=int, default=100_000)
    given = parser.parse_args()
    with emulator() as url:
        asyncio.run(run(url, given.records))


if __name__ == "__main__":
    main()
