"""The benchmark: every client that a user could pick, on the same sink, in the same run.

    python benchmarks/compare.py [--rounds 3] [--long] [CASE …]

Clients take turns of a fraction of a second, each in a process of its own, and all processes are
new in every round. What counts is the median of the turns' ratios: other work on the machine hits
all alike. Writes `results/bench.json`; the page, the chart and the README's table
are made from that alone.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import chart
import processes
import readme
import report
import results
from attrs import frozen
from cases import CASES, CONTENDERS
from contenders import external
from faults_vendor import VENDOR
from faults_vendor import vendor_python as environment
from figures import columns
from pictures import draw
from sink import sink

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cases import Case
    from sink import Running

HERE = Path(__file__).parent
_TURNS_OF_PROCESSES = 7
PATIENCE = 1800.0
"""Seconds after which a turn is given up: one of them sends ten million records."""


@frozen
class Workshop:
    """What clients need beside the sink."""

    folder: Path
    python: str
    """An interpreter that has the vendor's client."""


@contextmanager
def workshop(vendor_python: str | None) -> Iterator[Workshop]:
    """Prepare what clients need: images, and the vendor's client in an environment of its own."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        draw(folder / "images")
        draw(folder / "large", count=10, size=(1600, 1200), quality=92)
        yield Workshop(folder, environment(vendor_python))


@frozen
class Client:
    """A client that waits for its turn in a process of its own."""

    name: str
    requests: int
    process: subprocess.Popen[str]

    def answer(self) -> dict[str, Any]:
        """Return what the process prints next.

        Raises:
            SystemExit: it ended, or takes too long.
        """
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            raise SystemExit(f"{self.name}: failed")
        told: dict[str, Any] = json.loads(line)
        return told

    def turn(self, server: Running) -> dict[str, Any]:
        """Let it send and return what that took."""
        assert self.process.stdin is not None
        before = server.statistics()
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        told = self.answer()
        after = server.statistics()
        requests = told.pop("requests", self.requests)
        came = after["requests"] - before["requests"]
        if came < requests:
            raise SystemExit(f"{self.name} sent {came} requests instead of {requests}")
        figures = {"requests": requests, "seconds": told.pop("seconds"), "cpu": told.pop("cpu")}
        seen = {name: after[name] for name in ("busiest",) if name in after}
        return {**figures, "sink_cpu": after["cpu"] - before["cpu"], **seen, **told}


@contextmanager
def client(name: str, case: Case, server: Running, shop: Workshop) -> Iterator[Client]:
    """Start a client; it is warm when the block begins."""
    contender = CONTENDERS[name]
    with tempfile.TemporaryDirectory(dir=shop.folder) as folder:
        for images in ("images", "large"):
            Path(folder, images).symlink_to(shop.folder / images)
        load = {
            "url": server.url,
            "kind": case.kind,
            "requests": case.clients[name],
            "turns": case.turns,
            "workers": case.workers,
            "bundle": bundle(server, shop.folder),
            "folder": folder,
        }
        python = shop.python if contender.theirs else sys.executable
        with subprocess.Popen(
            [python, str(HERE / "turns.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdin is not None
            words = {"contender": contender.code, "load": load}
            process.stdin.write(f"{json.dumps(words)}\n")
            process.stdin.flush()
            try:
                made = Client(name, case.clients[name], process)
                made.answer()  # it is warm
                yield made
            finally:
                process.kill()


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
    """Let the clients take turns, and return what each turn took."""
    names = [name for name in case.clients if name != "wrk" or external.installed()]
    turns: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    with sink(tls=case.tls, **case.sink) as server:
        for _ in range(case.rounds or rounds):
            with ExitStack() as stack:
                clients = [stack.enter_context(client(name, case, server, shop)) for name in names]
                for turn in range(case.turns):
                    first = turn % len(clients)
                    for one in clients[first:] + clients[:first]:
                        turns[one.name].append(one.turn(server))
    told = ("title", "base", "workers", "tls", "sink", "shown")
    described = {name: value for name, value in attrs.asdict(case).items() if name in told}
    return {**described, "turns": {name: columns(made) for name, made in turns.items()}}


def measure(names: Iterable[str], given: argparse.Namespace) -> dict[str, Any]:
    """Run the cases; return everything that is known of them."""
    start, cases = time.monotonic(), {}
    loads = [os.getloadavg()[0]]
    with workshop(given.vendor_python) as shop:
        for name in names:
            cases[name] = run_case(CASES[name], shop, given.rounds)
            loads.append(os.getloadavg()[0])
            print(f"{time.monotonic() - start:4.0f} s: {name}", file=sys.stderr, flush=True)
    titles = {name: contender.title for name, contender in CONTENDERS.items()}
    return {
        "minutes": round((time.monotonic() - start) / 60, 1),
        "loads": [round(load, 1) for load in loads],
        "vendor": VENDOR,
        "titles": titles,
        "cases": cases,
    }


def main() -> None:
    """Read the arguments, measure, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--rounds", type=int, default=3, help="processes of each client")
    parser.add_argument("--long", action="store_true", help="10 million records as well")
    parser.add_argument("--vendor-python", help="a Python that has the vendor's client")
    given = parser.parse_args()
    chosen = given.cases or [name for name, case in CASES.items() if given.long or not case.long]
    data = {**results.circumstances(), **measure(chosen, given)}
    if not given.cases:
        data["processes"] = processes.measure(("tls", "small"), _TURNS_OF_PROCESSES)
    text = report.page(data)
    print(text)
    if not given.cases:
        results.write("bench", data, text)
        chart.draw(data, results.FOLDER / "bench.svg")
        readme.main()


if __name__ == "__main__":
    main()
