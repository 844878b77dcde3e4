"""A million records from a file: memory, records a second, and what a kill in the middle costs.

    python benchmarks/million.py [--records 1000000] [--workers 10]

Three runs into a sink that counts ids: with journal and rejects file, without them, and with them
but killed by SIGKILL at half and started again. One record in a thousand has no image and goes to
the rejects file.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import results
from sink import sink

if TYPE_CHECKING:
    from sink import Running

RUN = Path(__file__).with_name("million_run.py")
BATCH = 10
PATIENCE = 1800.0
"""Seconds after which a run is given up."""

LATENCY = 0.005
"""Seconds an answer takes in the run that is killed, so that requests are under way then."""

LEGEND = """
{records:,} records of {bytes:.0f} bytes from a JSONL file, {workers} workers, batches of 10; one
record in a thousand is rejected. Killed by SIGKILL at {killed_at:,} records and started again, at
5 ms an answer: **{repeated} records were sent twice**, of at most {under_way_at_most} under way;
{counts} in the end, {ids:,} different ids at the sink, {rejects:,} lines of rejects.

Made by `benchmarks/million.py`: {machine}, Python {python}.
"""


def write_catalog(path: Path, count: int) -> None:
    """Write so many records whose image is an address; each thousandth has none."""
    with path.open("w", encoding="ascii") as file:
        for number in range(count):
            image = "" if number % 1000 == 999 else f'"_url": "https://shop.example/{number}.jpg", '
            file.write(f'{{"_id": "sku-{number}", {image}"price": {number}}}\n')


def start(server: Running, catalog: Path, given: argparse.Namespace, *books: Path) -> Any:
    """Start a run in a process of its own."""
    words = [RUN, server.url, catalog, given.records, given.workers, *books]
    command = [sys.executable, *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for a run and return what it printed."""
    with process:
        printed, _ = process.communicate(timeout=PATIENCE)
    if process.returncode:
        raise SystemExit("the run failed")
    told: dict[str, Any] = json.loads(printed)
    return told


def whole(catalog: Path, given: argparse.Namespace, *books: Path) -> dict[str, Any]:
    """Run from start to end."""
    with sink() as server:
        done = finish(start(server, catalog, given, *books))
        done["sink_cpu"] = server.statistics()["cpu"]
    done["records_per_second"] = round(done["read"] / done["seconds"])
    return done


def killed(catalog: Path, given: argparse.Namespace, *books: Path) -> dict[str, Any]:
    """Run, kill at half, run again; count what was sent twice."""
    with sink(count=True, latency=LATENCY) as server:
        process = start(server, catalog, given, *books)
        end = time.monotonic() + PATIENCE
        while (seen := server.statistics())["records"] < given.records / 2:
            if process.poll() is not None or time.monotonic() > end:
                raise SystemExit("the run did not get to its half")
            time.sleep(0.05)
        with process:
            process.kill()
        again = finish(start(server, catalog, given, *books))
        after = server.statistics()
    return {
        "killed_at": seen["records"],
        "repeated": after["repeated"],
        "under_way_at_most": given.workers * BATCH,
        "ids": after["ids"],
        "again": again,
    }


def growth(run: dict[str, Any]) -> float:
    """Return by how many MiB the process grew from a tenth of the records to all."""
    course = run["course"]
    return round(course[-1]["mib"] - course[0]["mib"], 1)


def row(name: str, run: dict[str, Any]) -> list[str]:
    """Return a run's line in the table."""
    each = 1e6 * run["cpu"] / run["read"]
    figures = [f"{run['records_per_second']:,}", f"{each:.0f}", f"{run['peak_mib']:.0f}"]
    return [name, *figures, f"{growth(run):+.1f}", f"{run['seconds']:.0f}"]


def measure(given: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Make the three runs; return their figures and the table."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        catalog, rejects = folder / "catalog.jsonl", folder / "rejects-killed.jsonl"
        write_catalog(catalog, given.records)
        size = catalog.stat().st_size / given.records
        runs = {"with": whole(catalog, given, folder / "journal", folder / "rejects.jsonl")}
        runs["with"]["journal_bytes"] = (folder / "journal").stat().st_size
        runs["without"] = whole(catalog, given)
        runs["killed"] = killed(catalog, given, folder / "killed", rejects)
        runs["killed"]["rejects"] = len(rejects.read_bytes().splitlines())
    head = ["1 run each", "records/s", "µs of CPU a record", "peak MiB", "MiB from 10 % on", "s"]
    lines = [
        row("journal and rejects file", runs["with"]),
        row("neither", runs["without"]),
    ]
    counts = ", ".join(f"{n:,} {name}" for name, n in runs["killed"]["again"]["counts"].items())
    settings = {"records": given.records, "workers": given.workers, "bytes": size}
    words = {**results.circumstances(), **settings, **runs["killed"], "counts": counts}
    return {**settings, **runs}, results.table(head, lines) + LEGEND.format(**words)


def main() -> None:
    """Read the arguments, measure, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=10)
    parser.add_argument("--dry", action="store_true", help="print only, write no result")
    given = parser.parse_args()
    data, text = measure(given)
    print(text)
    if not given.dry:
        results.write("million", data, text)


if __name__ == "__main__":
    main()
