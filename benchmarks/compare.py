"""The benchmark: every client that a user could pick, on the same sink, in the same run.

    python benchmarks/compare.py [--rounds 5] [--long] [CASE …]

Clients take turns: a slice of about a second each, in a process of its own, round after round.
What counts is the median of the rounds' ratios: other work on the machine hits all alike. Writes
`results/bench.json`; the table and the chart are made from that alone.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import report
import results
from attrs import frozen
from cases import CASES, CONTENDERS
from contenders import external
from faults_vendor import VENDOR
from faults_vendor import vendor_python as environment
from pictures import draw
from sink import sink

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cases import Case
    from sink import Running

HERE = Path(__file__).parent
PATIENCE = 120.0
"""Seconds after which a slice is given up."""


@frozen
class Workshop:
    """What slices need beside the sink."""

    folder: Path
    images: Path
    python: str
    """An interpreter that has the vendor's client."""


@contextmanager
def workshop(vendor_python: str | None) -> Iterator[Workshop]:
    """Prepare what slices need: images, and the vendor's client in an environment of its own."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        images = folder / "images"
        images.mkdir()
        draw(images)
        yield Workshop(folder, images, environment(vendor_python))


def run_slice(name: str, case: Case, server: Running, shop: Workshop) -> dict[str, Any]:
    """Run one client once and return its figures."""
    contender = CONTENDERS[name]
    with tempfile.TemporaryDirectory(dir=shop.folder) as folder:
        Path(folder, "images").symlink_to(shop.images)
        load = {
            "url": server.url,
            "kind": case.kind,
            "requests": case.clients[name],
            "workers": case.workers,
            "bundle": bundle(server, shop.folder),
            "folder": folder,
        }
        before = server.statistics()
        told = run_process(
            shop.python if contender.theirs else sys.executable,
            {"contender": contender.code, "load": load},
        )
        after = server.statistics()
    requests = told.pop("requests", case.clients[name])
    came = after["requests"] - before["requests"]
    if came < requests:
        raise SystemExit(f"{name} sent {came} requests instead of {requests}")
    return {
        "requests": requests,
        "rps": requests / told["seconds"],
        "cpu_us": 1e6 * told["cpu"] / requests,
        "sink_cpu_us": 1e6 * (after["cpu"] - before["cpu"]) / came,
        **told,
    }


def run_process(python: str, words: dict[str, Any]) -> dict[str, Any]:
    """Run `slices.py` and return what it prints."""
    done = subprocess.run(
        [python, str(HERE / "slices.py")],
        input=json.dumps(words),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def bundle(server: Running, folder: Path) -> str | None:
    """Return a file with the authorities that everybody trusts and the sink's own.

    Clients that read their authorities for every connection pay for all of them, as they do
    against the real service.
    """
    if server.certificate is None:
        return None
    import certifi  # noqa: PLC0415 - comes with the peers

    both = folder / "authorities.pem"
    both.write_bytes(Path(certifi.where()).read_bytes() + server.certificate.read_bytes())
    return str(both)


def run_case(case: Case, shop: Workshop, rounds: int) -> dict[str, Any]:
    """Let the clients take turns; return each one's slices."""
    names = [name for name in case.clients if name != "wrk" or external.installed()]
    slices: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    with sink(tls=case.tls, **case.sink) as server:
        for turn in range(case.rounds or rounds):
            first = turn % len(names)
            for name in names[first:] + names[:first]:
                slices[name].append(run_slice(name, case, server, shop))
    return {
        "title": case.title,
        "base": case.base,
        "workers": case.workers,
        "clients": {name: {"slices": made} for name, made in slices.items()},
    }


def measure(names: Iterable[str], given: argparse.Namespace) -> dict[str, Any]:
    """Run the cases; return everything that is known of them."""
    start, cases = time.monotonic(), {}
    with workshop(given.vendor_python) as shop:
        for name in names:
            cases[name] = run_case(CASES[name], shop, given.rounds)
            print(f"{time.monotonic() - start:4.0f} s: {name}", file=sys.stderr, flush=True)
    titles = {name: contender.title for name, contender in CONTENDERS.items()}
    return {"rounds": given.rounds, "vendor": VENDOR, "titles": titles, "cases": cases}


def main() -> None:
    """Read the arguments, measure, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--rounds", type=int, default=5, help="slices of each client")
    parser.add_argument("--long", action="store_true", help="10 million records as well")
    parser.add_argument("--vendor-python", help="a Python that has the vendor's client")
    given = parser.parse_args()
    chosen = given.cases or [name for name, case in CASES.items() if given.long or not case.long]
    data = {**results.circumstances(), **measure(chosen, given)}
    text = report.page(data)
    print(text)
    if not given.cases:
        results.write("bench", data, text)


if __name__ == "__main__":
    main()
