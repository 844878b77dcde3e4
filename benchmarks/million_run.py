"""Inserts a file of records with or without a journal, and prints what that took.

python million_run.py URL CATALOG RECORDS WORKERS [JOURNAL REJECTS]
"""

from __future__ import annotations

import json
import sys
import time

from sink import run
from vitals import Course, peak_mib

from ximilar_async import Limits, Ximilar, bulk


async def main(url: str, catalog: str, count: int, workers: int, *books: str) -> None:
    """Insert and print."""
    journal, rejects = books or (None, None)
    course = Course(count)
    options = bulk.Options(journal=journal, rejects=rejects, progress=course.note)
    cpu, start = time.process_time(), time.perf_counter()
    async with Ximilar("token", base_url=url, limits=Limits(concurrency=workers)) as client:
        report = await bulk.insert(client.collection("bench"), catalog, options=options)
    told = {
        "seconds": time.perf_counter() - start,
        "cpu": time.process_time() - cpu,
        "peak_mib": peak_mib(),
        "course": course.points,
        "read": report.read,
        "requests": report.requests,
        "counts": {outcome.value: number for outcome, number in report.counts.items() if number},
    }
    print(json.dumps(told))


if __name__ == "__main__":
    run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), *sys.argv[5:]))
