"""Half a million records while 6 % of all requests fail: does the process hold on to anything?

    python benchmarks/soak.py [--records 500000] [--workers 10]

2 % of requests are answered 503, 2 % are carried out without an answer, 1 % are answered 429, and
1 % are cut. The sink keeps all records and so knows whether the report is true. Memory, descriptors
and tasks are noted at each tenth of the way, journal and rejects file included.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import results
from million import write_catalog
from sink import run, sink
from vitals import Course, peak_mib, vitals

from ximilar_async import Limits, Ximilar, bulk

if TYPE_CHECKING:
    from sink import Running

FAULTS = {"unavailable": 0.02, "lost": 0.02, "throttled": 0.01, "reset": 0.01}
RETRY_AFTER = 0.02
"""What a 429 asks for, in seconds: everybody waits then, and the run shall not last for hours."""

MOST_MIB = 2.0
"""Growth of memory that counts as flat, for each 100,000 records."""

LEGEND = """
{records:,} records, {workers} workers, journal and rejects file on. Of {requests:,} requests
{faults}.
Before the client was made: {before}; after it was closed: {after}.
Report: {counts}; the sink holds {ids:,} records.

{verdict}

Made by `benchmarks/soak.py`: {machine}, Python {python}.
"""


async def soak(server: Running, folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Run and return what was seen."""
    course = Course(given.records)
    options = bulk.Options(
        journal=folder / "journal", rejects=folder / "rejects", progress=course.note
    )
    limits = Limits(concurrency=given.workers)
    async with Ximilar("token", base_url=server.url) as client:
        await client.collection("bench").ping()  # what is opened once for all is open then
    before = vitals()
    async with Ximilar("token", base_url=server.url, limits=limits) as client:
        collection = client.collection("bench")
        report = await bulk.insert(collection, folder / "catalog.jsonl", options=options)
    await asyncio.sleep(0.5)  # closed sockets leave with a later turn of the loop
    return {
        "course": course.points,
        "before": attrs.asdict(before),
        "after": attrs.asdict(vitals()),
        "peak_mib": peak_mib(),
        "seconds": round(report.elapsed, 1),
        "requests": report.requests,
        "retries": report.retries,
        "counts": {outcome.value: number for outcome, number in report.counts.items() if number},
    }


def rise(course: list[dict[str, float]], what: str) -> float:
    """Return by how much a figure's highest value of the second half is above the first half's."""
    figures = [point[what] for point in course]
    half = len(figures) // 2
    return max(figures[half:]) - max(figures[:half])


def troubles(seen: dict[str, Any], given: argparse.Namespace) -> list[str]:
    """Return what is not as it should be."""
    course, before, after = seen["course"], seen["before"], seen["after"]
    grown = course[-1]["mib"] - course[0]["mib"]
    # Connections that were cut are opened again, and tasks end and begin: a few more are no trend.
    few = given.workers / 2
    good = {
        f"memory grew by {grown:.1f} MiB": grown <= MOST_MIB * max(1, given.records / 100_000),
        "descriptors become more": rise(course, "descriptors") <= few,
        "tasks become more": rise(course, "tasks") <= few,
        "descriptors are left": after["descriptors"] <= before["descriptors"],
        "tasks are left": after["tasks"] <= before["tasks"],
        "the report is not true": seen["counts"].get("inserted") == seen["sink"]["ids"],
        "records are missing": sum(seen["counts"].values()) == given.records,
    }
    return [trouble for trouble, is_good in good.items() if not is_good]


def holding(held: dict[str, float]) -> str:
    """Return what a process holds, in words."""
    return f"{held['descriptors']} descriptors, {held['tasks']} tasks"


def summary(seen: dict[str, Any], given: argparse.Namespace) -> str:
    """Return the table with its verdict."""
    lines = [
        [f"{p['read']:,}", f"{p['mib']:.1f}", p["descriptors"], p["tasks"]] for p in seen["course"]
    ]
    wrong = troubles(seen, given)
    words = {
        **results.circumstances(),
        "records": given.records,
        "workers": given.workers,
        "requests": seen["sink"]["requests"],
        "faults": ", ".join(f"{n:,} {fault}" for fault, n in seen["sink"]["faults"].items()),
        "before": holding(seen["before"]),
        "after": holding(seen["after"]),
        "counts": ", ".join(f"{n:,} {outcome}" for outcome, n in seen["counts"].items()),
        "ids": seen["sink"]["ids"],
        "verdict": f"**Not flat: {'; '.join(wrong)}.**" if wrong else "**Flat.**",
    }
    head = ["records read", "MiB in RAM", "descriptors", "tasks"]
    return results.table(head, lines) + LEGEND.format(**words)


def main() -> None:
    """Read the arguments, run, print and write; exit with 1 if anything is not flat."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--records", type=int, default=500_000)
    parser.add_argument("--workers", type=int, default=10)
    parser.add_argument("--dry", action="store_true", help="print only, write no result")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        sink(remember=True, retry_after=RETRY_AFTER, **FAULTS) as server,
    ):
        write_catalog(Path(folder, "catalog.jsonl"), given.records)
        seen = run(soak(server, Path(folder), given))
        seen["sink"] = server.statistics()
    text = summary(seen, given)
    print(text)
    if not given.dry:
        results.write("soak", {"records": given.records, "workers": given.workers, **seen}, text)
    sys.exit(1 if troubles(seen, given) else 0)


if __name__ == "__main__":
    main()
