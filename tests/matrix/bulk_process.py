"""A bulk insert in a process of its own, which may be killed, limited or misled at any time.

python bulk_process.py '{"source": …, "limit": …, "options": {…}}'

Writes a line for each result as it is decided, and the report at the end.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from typing import TYPE_CHECKING, Any

from ximilar_async import Limits, Retry, Ximilar, bulk
from ximilar_async.errors import BulkAborted, JournalError

if TYPE_CHECKING:
    from ximilar_async.bulk import Job, Result


def write(kind: str, value: Any) -> None:
    """Write a line at once: nothing of it is lost when the process is killed."""
    os.write(1, f"{kind} {json.dumps(value)}\n".encode())


def tell(result: Result) -> None:
    write("told", [result.seq, result.id, result.outcome.value, result.reason])


async def main(settings: dict[str, Any]) -> None:
    """Insert, and write what came of it."""
    options = bulk.Options(
        retry=Retry(attempts=10, base=0.005, cap=0.05),
        flush_after=0.05,
        on_result=tell,
        **settings["options"],
    )
    async with Ximilar(limits=Limits(concurrency=4)) as client:
        job = bulk.insert(client.collection("c"), settings["source"], options=options)
        if settings.get("limit"):
            asyncio.get_running_loop().call_soon(limit_files, settings["limit"])
        write("report", (await ended(job)).to_dict())


async def ended(job: Job) -> bulk.Report:
    """Return the report, however the run ends."""
    try:
        return await job
    except BulkAborted as stopped:
        report: bulk.Report = stopped.report
        return report


def limit_files(size: int) -> None:
    """Let no file grow beyond so many bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


if __name__ == "__main__":
    write("clock", [time.time() for _ in range(10)])
    try:
        asyncio.run(main(json.loads(sys.argv[1])))
    except JournalError as error:
        write("refused", str(error))
