"""Inserts a catalog by `ximilar_async.bulk` and prints what is reported of each record.

python faults_ours.py URL CATALOG WORKERS
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from ximilar_async import Limits, Ximilar, bulk
from ximilar_async.errors import BulkAborted

LABELS = {bulk.Outcome.INSERTED: "inserted", bulk.Outcome.ALREADY_PRESENT: "present"}


async def main(url: str, records: list[Any], workers: int) -> None:
    """Insert with the settings that a user gets, but for the number of workers."""
    reported: list[tuple[str, str]] = []
    options = bulk.Options(
        on_result=lambda result: reported.append(
            (result.id or "", LABELS.get(result.outcome, "undone"))
        )
    )
    start = time.perf_counter()
    async with Ximilar("token", base_url=url, limits=Limits(concurrency=workers)) as client:
        try:
            report = await bulk.insert(client.collection("bench"), records, options=options)
        except BulkAborted as aborted:
            report = aborted.report
            # The exception says how many records were read: the others were not touched.
            reported += [(record["_id"], "undone") for record in records[report.read :]]
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "reported": reported, "said": report.summary()}))


if __name__ == "__main__":
    lines = Path(sys.argv[2]).read_text(encoding="utf-8").splitlines()
    asyncio.run(main(sys.argv[1], [json.loads(line) for line in lines], int(sys.argv[3])))
