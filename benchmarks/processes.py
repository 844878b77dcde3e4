"""Sender processes: what a bulk insert gains by them, and what each process has to do.

    python benchmarks/processes.py [--rounds 7] [CASE …]

Clients without and with 1, 2 and 3 sender processes take turns against the same sink, from one
process. Sink, parent and senders share this machine's cores, so records a second say what is
gained here; CPU time says what is where each process has a core of its own: there the busiest
process decides. Writes `results/processes.json`.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import results
import uvloop
from attrs import frozen
from contenders import BATCH, COLLECTION, TOKEN, Load
from figures import columns, cpu, middle, ratios, rps, with_a_core_each
from pictures import draw
from sink import sink

from ximilar_async import Limits, Ximilar, bulk
from ximilar_async._processes import ProcessTransport

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from contenders import Record
    from sink import Running

    from ximilar_async import Collection

WAYS: Final = {"none": None, "1": 1, "2": 2, "3": 3}
"""Numbers of sender processes."""

HEAD: Final = (
    "requests of 10 records",
    "sender processes",
    "requests/s here",
    "÷ none",
    "CPU µs a request, parent",
    "all senders",
    "÷ none, a core each",
)

LEGEND: Final = """
Medians of {rounds} turns, taken after each other by all. "÷ none, a core each": CPU a request of
the client without sender processes ÷ that of the busiest process, which decides where each has a
core of its own. Here the {cores} cores are shared with the sink.

Made by `benchmarks/processes.py`: {machine}, load {load}, Python {python}.
"""


@frozen(kw_only=True)
class Case:
    """What is sent, and to what sink."""

    title: str
    requests: int
    workers: int = 30
    kind: str = "url"
    tls: bool = False
    latency: float = 0.0


CASES: Final[Mapping[str, Case]] = {
    "small": Case(title="small records, HTTP", requests=800),
    "tls": Case(title="small records, TLS", requests=800, tls=True),
    "tls-latency": Case(
        title="small records, TLS, 50 ms an answer, 100 workers",
        requests=1000,
        workers=100,
        tls=True,
        latency=0.05,
    ),
    "images": Case(
        title="images of 50 kB from bytes, TLS, 10 workers",
        requests=50,
        workers=10,
        kind="bytes",
        tls=True,
    ),
}


@frozen
class Way:
    """A client with a number of sender processes."""

    processes: int | None
    client: Ximilar
    collection: Collection

    async def turn(self, records: list[Record]) -> dict[str, float]:
        """Insert records and return what that took."""
        gc.collect()
        pids = self._pids()
        seconds, own, theirs = -time.perf_counter(), -time.process_time(), -spent(pids)
        report = await bulk.insert(self.collection, records)
        seconds += time.perf_counter()
        own, theirs = own + time.process_time(), theirs + spent(pids)
        if report.inserted != len(records) or pids != self._pids():
            raise SystemExit(f"the run failed: {report.summary()}")
        busiest = max(own, theirs / (self.processes or 1))
        return {
            "requests": len(records) // BATCH,
            "seconds": seconds,
            "cpu": own,
            "senders_cpu": theirs,
            "busiest_cpu": busiest,
        }

    def _pids(self) -> list[int]:
        carrier = self.client._session.transport  # noqa: SLF001 - no user needs them
        return carrier.pids if isinstance(carrier, ProcessTransport) else []


def spent(pids: list[int]) -> float:
    """Return the seconds of CPU that processes have taken so far, as Linux tells them."""
    texts = [Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii") for pid in pids]
    return sum(int(text.split()[0]) for text in texts) / 1e9


async def run_case(case: Case, server: Running, folder: str, rounds: int) -> dict[str, Any]:
    """Let all ways take turns; return what each turn took."""
    certificate = None if server.certificate is None else str(server.certificate)
    load = Load(server.url, case.kind, case.requests, rounds, case.workers, certificate, folder)
    limits = Limits(concurrency=case.workers)
    turns: dict[str, list[dict[str, float]]] = {name: [] for name in WAYS}
    async with AsyncExitStack() as stack:
        ways = {}
        for name, number in WAYS.items():
            client = Ximilar(
                TOKEN, base_url=server.url, limits=limits, ssl=certificate, processes=number
            )
            await stack.enter_async_context(client)
            ways[name] = Way(number, client, client.collection(COLLECTION))
            for _ in range(3):  # a process that starts late is warm then too
                await bulk.insert(ways[name].collection, load.records(load.warm))
        for turn in range(rounds):
            names = [*WAYS]
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                turns[name].append(await ways[name].turn(load.records(case.requests)))
    return {"title": case.title, "turns": {name: columns(made) for name, made in turns.items()}}


def measure(names: Iterable[str], rounds: int) -> dict[str, Any]:
    """Return what each turn of each case took.

    Args:
        names: The cases.
        rounds: Turns of each way.
    """
    cases: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        draw(Path(folder, "images"))
        for name in names:
            case = CASES[name]
            with sink(tls=case.tls, latency=case.latency) as server:
                cases[name] = uvloop.run(run_case(case, server, folder, rounds))
            print(f"{name} is done", file=sys.stderr, flush=True)
    return cases


def rows(told: Mapping[str, Any]) -> list[list[str]]:
    """Return a case's lines of the table."""
    lines = []
    for name in WAYS:
        gained = statistics.median(ratios(told, name, "none", rps))
        senders = middle(told, name, lambda turn: cpu({**turn, "cpu": turn["senders_cpu"]}))
        lines.append(
            [
                told["title"] if name == "none" else "",
                name,
                f"{middle(told, name, rps):,.0f}",
                f"{gained:.2f}",
                f"{middle(told, name, cpu):.0f}",
                f"{senders:.0f}",
                f"{statistics.median(with_a_core_each(told, name)):.2f}",
            ]
        )
    return lines


def main() -> None:
    """Read the arguments, measure, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--rounds", type=int, default=7, help="turns of each client")
    given = parser.parse_args()
    cases = measure(given.cases or CASES, given.rounds)
    data = {**results.circumstances(), "rounds": given.rounds, "cases": cases}
    words = {**data, "cores": data["machine"].split(", ")[-2].split()[0]}
    text = results.table(HEAD, [row for told in cases.values() for row in rows(told)])
    text += LEGEND.format(**words)
    print(text)
    if not given.cases:
        results.write("processes", data, text)


if __name__ == "__main__":
    main()
