"""The same faults against the vendor's own client and this one: what is lost, what is misreported.

    python benchmarks/faults_vendor.py [--records 5000] [--vendor-python PYTHON] [SCENARIO …]

Each run is a process of its own against a service of its own, which fails by the scenario and knows
the truth. The vendor's client comes from the package index into an environment of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import results
from attrs import frozen
from faults_scenarios import SCENARIOS
from sink import Running, served

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from collections.abc import Set as AbstractSet

    from faults_scenarios import Scenario

VENDOR = "ximilar-client==1.39.0"
HERE = Path(__file__).parent
OURS, THEIRS = "ximilar-async", "vendor's client"

LEGEND = """
*Lost*: neither stored nor reported. *Misreported*: the report says something else than is true, or
nothing of a record that is stored. Whatever names a record counts as a report: the list of results,
the error file, printed text, an exception that says where reading ended; the vendor's client also
counts failed requests (`said` in the JSON), naming no record of them.

Both with {workers} workers, batches of 10, {records:,} records, {latency:.0f} ms an answer; the
vendor's by `parallel_records_processing` with an error file, ours as it comes. {runs} runs each:
the worst is shown of what is lost and misreported, the median of requests and seconds.

Made by `benchmarks/faults_vendor.py`: {machine}, Python {python}, {vendor}.
"""


@frozen
class Judgement:
    """What a run did to its records."""

    stored: int
    lost: int
    """Records that are neither stored nor reported."""
    misreported: int
    """Records of which something else is reported than is true, or nothing though it is stored."""


def judge(
    sent: Iterable[str],
    before: AbstractSet[str],
    stored: AbstractSet[str],
    reported: Iterable[Sequence[str]],
) -> Judgement:
    """Compare what a client reported with what is true.

    Args:
        sent: The ids of the input, in any order; each as often as it came.
        before: Ids that were stored by somebody else before.
        stored: Ids that are stored at the end.
        reported: Pairs of an id and "inserted", "present" or "undone".
    """
    told: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for id_, label in reported:
        told[id_][label] += 1
    lost = misreported = 0
    for id_, times in Counter(sent).items():
        said = told[id_]
        if id_ in stored:
            new = id_ not in before
            truth = Counter({"inserted": int(new), "present": times - new})
            misreported += (truth - said).total()
        else:
            lost += max(0, times - said.total())
            misreported += said["inserted"] + said["present"]
    return Judgement(len(stored - before), lost, misreported)


def run(
    python: str, driver: str, name: str, seed: int, given: argparse.Namespace
) -> dict[str, Any]:
    """Run one client through one scenario; return its figures."""
    scenario: Scenario = SCENARIOS[name]
    records = scenario.records(given.records, seed)
    words = [name, "--records", given.records, "--seed", seed, "--latency", given.latency]
    with (
        tempfile.TemporaryDirectory() as folder,
        served(HERE / "faults_service.py", *map(str, words)) as url,
    ):
        catalog = Path(folder, "catalog.jsonl")
        catalog.write_text("".join(f"{json.dumps(record)}\n" for record in records))
        done = subprocess.run(
            [python, str(HERE / driver), url, str(catalog), str(given.workers)],
            stdout=subprocess.PIPE,
            check=True,
            timeout=1200,
        )
        seen = Running(url, None).statistics()
    told = json.loads(done.stdout)
    before = scenario.stored_before(given.records, seed)
    ids = [record["_id"] for record in records]
    judgement = judge(ids, before, set(seen["stored"]), told["reported"])
    return {
        **attrs.asdict(judgement),
        "requests": sum(seen["requests"].values()),
        "seconds": round(told["seconds"], 1),
        "faults": seen["faults"],
        "said": told["said"],
    }


def rows_of(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return one row for several runs: the worst of what is lost, the median of what it took."""
    return {
        "lost": max(run["lost"] for run in runs),
        "misreported": max(run["misreported"] for run in runs),
        "requests": statistics.median_high(run["requests"] for run in runs),
        "seconds": statistics.median_high(run["seconds"] for run in runs),
        "runs": runs,
    }


def vendor_python(given: str | None) -> str:
    """Return the Python that has the vendor's client, from the package index if need be."""
    if given is not None:
        return given
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
    folder = cache / "ximilar-async" / f"{VENDOR.replace('==', '-')}-{sys.implementation.cache_tag}"
    python, complete = folder / "bin" / "python", folder / "complete"
    if not complete.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", VENDOR], check=True)
        complete.touch()
    return str(python)


def summary(rows: dict[str, Any], given: argparse.Namespace) -> str:
    """Return the rows as a Markdown table with its legend."""
    head = ["fault", "lost: theirs", "ours", "misreported: theirs", "ours"]
    head += ["requests: theirs", "ours", "seconds: theirs", "ours"]
    lines = [
        [SCENARIOS[name].title]
        + [f"{row[who][what]:,}" for what in _FIGURES for who in (THEIRS, OURS)]
        for name, row in rows.items()
    ]
    seen = results.circumstances()
    legend = LEGEND.format(
        workers=given.workers,
        records=given.records,
        runs=given.runs,
        latency=given.latency * 1000,
        machine=seen["machine"],
        python=seen["python"],
        vendor=VENDOR.replace("==", " "),
    )
    return results.table(head, lines) + legend


_SETTINGS = ("records", "workers", "latency", "runs")
_FIGURES = ("lost", "misreported", "requests", "seconds")


def compare(names: Collection[str], given: argparse.Namespace) -> dict[str, Any]:
    """Run both clients through the scenarios, with another seed each time."""
    clients = {
        THEIRS: (vendor_python(given.vendor_python), "faults_theirs.py"),
        OURS: (sys.executable, "faults_ours.py"),
    }
    rows: dict[str, Any] = {}
    for name in names:
        rows[name] = {}
        for who, (python, driver) in clients.items():
            runs = [run(python, driver, name, seed, given) for seed in range(1, given.runs + 1)]
            row = rows[name][who] = rows_of(runs)
            figures = ", ".join(f"{what} {row[what]:,}" for what in _FIGURES)
            print(f"{name:10} {who:16} {figures}\n{'':11}{runs[0]['said']}", flush=True)
    return rows


def main() -> None:
    """Read the arguments, compare, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(SCENARIOS))
    parser.add_argument("--records", type=int, default=5000)
    parser.add_argument("--workers", type=int, default=3, help="the vendor's recommendation is 3")
    parser.add_argument("--latency", type=float, default=0.05, help="seconds an answer takes")
    parser.add_argument("--runs", type=int, default=3, help="each with another seed")
    parser.add_argument("--vendor-python", help="a Python that has the vendor's client")
    given = parser.parse_args()
    rows = compare(given.scenarios or SCENARIOS, given)
    text = summary(rows, given)
    print(f"\n{text}")
    if not given.scenarios:
        settings = {name: getattr(given, name) for name in _SETTINGS}
        results.write("faults_vendor", {"vendor": VENDOR, **settings, "rows": rows}, text)


if __name__ == "__main__":
    main()
