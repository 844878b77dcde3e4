"""The targets, and what the benchmark's JSON says of them. Pure."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from attrs import frozen
from figures import cpu, every, ratios, rps, with_a_core_each

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Cases: TypeAlias = "Mapping[str, Any]"


@frozen(kw_only=True)
class Target:
    """One row: a figure and what it is to be."""

    what: str
    cases: tuple[str, ...]
    """Cases that it needs."""
    figures: Callable[[Cases], list[float]]
    """Returns a figure for each turn; their median counts."""
    by_cpu: Callable[[Cases], list[float]] | None = None
    """The same by CPU time, which other work on the machine disturbs less."""
    least: float | None = None
    most: float | None = None
    stretch: float | None = None
    unit: str = ""
    digits: int = 2

    def row(self, cases: Cases) -> dict[str, Any]:
        """Return what tables and charts show of it."""
        values = self.figures(cases)
        measured = statistics.median(values)
        low, _, high = statistics.quantiles(values, n=4) if len(values) > 1 else (measured,) * 3
        return {
            "what": self.what,
            "target": self._words(self.least if self.most is None else self.most),
            "stretch": "" if self.stretch is None else self._words(self.stretch),
            "measured": measured,
            "quartiles": (low, high),
            "by_cpu": self.by_cpu and statistics.median(self.by_cpu(cases)),
            "digits": self.digits,
            "met": self._verdict(measured),
        }

    def _words(self, bound: float | None) -> str:
        return f"{'≥' if self.most is None else '≤'} {bound:g}{self.unit}"

    def _good(self, value: float, bound: float | None) -> bool:
        if bound is None:
            return False
        return value >= bound if self.most is None else value <= bound

    def _verdict(self, value: float) -> str:
        if self._good(value, self.stretch):
            return "stretch"
        return "target" if self._good(value, self.least or self.most) else "missed"


def _over(case: str, name: str, base: str) -> Callable[[Cases], list[float]]:
    return lambda cases: ratios(cases[case], name, base, rps)


def _cheaper(case: str, name: str, than: str) -> Callable[[Cases], list[float]]:
    """By how much a request is cheaper than another client's."""
    return lambda cases: ratios(cases[case], than, name, cpu)


def _efficiency(case: str) -> Callable[[Cases], list[float]]:
    """Requests a second over those that workers and latency leave room for."""

    def figures(cases: Cases) -> list[float]:
        told = cases[case]
        most = told["workers"] / told["sink"]["latency"]
        return [value / most for value in every(told, "bulk", rps)]

    return figures


def _noted(case: str, name: str, what: str) -> Callable[[Cases], list[float]]:
    return lambda cases: every(cases[case], name, lambda turn: turn[what])


TARGETS: Final = (
    Target(
        what="`bulk.insert` ÷ bare aiohttp loop, requests/s, small records",
        cases=("small",),
        figures=_over("small", "bulk", "bare"),
        by_cpu=_cheaper("small", "bulk", "bare"),
        least=0.90,
        stretch=0.95,
    ),
    Target(
        what="the same with rate limit, retry, journal, rejects file",
        cases=("small",),
        figures=_over("small", "all", "bare"),
        by_cpu=_cheaper("small", "all", "bare"),
        least=0.80,
        stretch=0.90,
    ),
    Target(
        what="`visual_knn`, typed answer ÷ bare aiohttp call, requests/s",
        cases=("search",),
        figures=_over("search", "knn", "bare_knn"),
        by_cpu=_cheaper("search", "knn", "bare_knn"),
        least=0.85,
        stretch=0.93,
    ),
    Target(
        what="CPU a record, vendor's client ÷ ours, small records",
        cases=("small",),
        figures=_cheaper("small", "bulk", "vendor"),
        least=10,
        stretch=15,
        unit=" times",
        digits=1,
    ),
    Target(
        what="records/s ÷ vendor's client, TLS, 50 ms, 30 workers each",
        cases=("tls-latency",),
        figures=_over("tls-latency", "bulk", "vendor"),
        by_cpu=_cheaper("tls-latency", "bulk", "vendor"),
        least=5,
        unit=" times",
        digits=1,
    ),
    Target(
        what="records/s ÷ vendor's client, 5 % of answers at 500 ms, 30 workers each",
        cases=("tail",),
        figures=_over("tail", "bulk", "vendor"),
        by_cpu=_cheaper("tail", "bulk", "vendor"),
        least=2.5,
        stretch=3.5,
        unit=" times",
        digits=1,
    ),
    Target(
        what="CPU a record, vendor's client ÷ ours, image files",
        cases=("files",),
        figures=_cheaper("files", "bulk", "vendor"),
        least=8,
        stretch=12,
        unit=" times",
        digits=1,
    ),
    *(
        Target(
            what=f"requests/s ÷ (workers ÷ latency), 50 ms, {workers} workers",
            cases=(f"latency-{workers}",),
            figures=_efficiency(f"latency-{workers}"),
            least=least,
            stretch=0.97,
        )
        for workers, least in ((10, 0.95), (30, 0.95), (100, 0.90))
    ),
    *(
        Target(
            what=f"two sender processes ÷ none, a core for each, {over}",
            cases=(f"processes-{case}",),
            figures=lambda cases, case=case: with_a_core_each(cases[f"processes-{case}"], "2"),
            least=1.6,
            stretch=1.9,
        )
        for over, case in (("TLS", "tls"), ("plain HTTP", "small"))
    ),
    Target(
        what="`bulk.insert` with telemetry off ÷ without OpenTelemetry, requests/s",
        cases=("telemetry",),
        figures=_over("telemetry", "otel_off", "otel_absent"),
        by_cpu=_cheaper("telemetry", "otel_off", "otel_absent"),
        least=0.98,
    ),
    Target(
        what="memory from 10 % to 100 % of 1 M records",
        cases=("cost-1m",),
        figures=_noted("cost-1m", "many", "grown_mib"),
        most=2,
        unit=" MiB",
        digits=1,
    ),
    Target(
        what="peak memory, 1 M records",
        cases=("cost-1m",),
        figures=_noted("cost-1m", "many", "peak_mib"),
        most=64,
        unit=" MiB",
        digits=0,
    ),
    Target(
        what="the same with journal and remembered ids",
        cases=("cost-1m",),
        figures=_noted("cost-1m", "many_books", "peak_mib"),
        most=96,
        unit=" MiB",
        digits=0,
    ),
    Target(
        what="longest that the loop stands still, image files of 1 MB",
        cases=("gaps",),
        figures=_noted("gaps", "gaps", "worst_ms"),
        by_cpu=_noted("gaps", "gaps", "own_ms"),
        most=15,
        stretch=10,
        unit=" ms",
        digits=1,
    ),
    Target(
        what="most requests in any second under a limit of 100 (burst 10)",
        cases=("rate",),
        figures=_noted("rate", "limited", "busiest"),
        most=110,
        digits=0,
    ),
    *(
        Target(
            what=f"CPU a record, {size} records ÷ 10,000",
            cases=(case,),
            figures=_noted(case, "many", "growth"),
            most=1.1,
        )
        for size, case in (("100,000", "cost-100k"), ("1 M", "cost-1m"), ("10 M", "cost-10m"))
    ),
)


def rows(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows whose cases were run.

    Args:
        data: The benchmark's JSON.
    """
    processes = {f"processes-{name}": told for name, told in data.get("processes", {}).items()}
    cases = {**data["cases"], **processes}
    for target in TARGETS:
        if all(case in cases for case in target.cases):
            yield target.row(cases)
