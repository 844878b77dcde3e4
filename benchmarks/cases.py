"""What is compared: the clients, the cases, and how much each of them sends in a turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen

if TYPE_CHECKING:
    from collections.abc import Mapping


@frozen
class Contender:
    """A client and one way of using it."""

    title: str
    """What tables call it."""
    code: str
    """Module and function of `contenders`."""
    theirs: bool = False
    """Whether it runs in the vendor's environment."""


CONTENDERS: Final[Mapping[str, Contender]] = {
    "wrk": Contender("wrk (C), the machine's limit", "external:wrk"),
    "bare": Contender("bare aiohttp + orjson + uvloop", "plain:bare"),
    "bare_knn": Contender("bare aiohttp + orjson + uvloop", "plain:bare_knn"),
    "naive": Contender("aiohttp, `json=`", "plain:naive"),
    "httpx": Contender("httpx", "others:by_httpx"),
    "requests": Contender("requests, a Session a thread", "others:by_requests"),
    "vendor": Contender("vendor's client", "vendor:insert", theirs=True),
    "bulk": Contender("**`bulk.insert`**", "ours:bulk_insert"),
    "journal": Contender("`bulk.insert`, journal", "ours:bulk_journal"),
    "all": Contender("**`bulk.insert`, rate limit, journal, rejects file**", "ours:bulk_all"),
    "insert": Contender("`collection.insert` from workers", "ours:single_insert"),
    "gather": Contender("`collection.insert`, one `gather`", "ours:gather"),
    "tasks": Contender("`collection.insert`, a task a batch", "ours:task_a_batch"),
    "knn": Contender("**`collection.visual_knn`, typed answer**", "ours:single_knn"),
    "many": Contender("`bulk.insert`", "special:many"),
    "many_books": Contender("`bulk.insert`, journal, `remember_ids`", "special:many_with_books"),
    "gaps": Contender("`bulk.insert`, images as they are", "special:gaps_sent_as_they_are"),
    "gaps_shrunk": Contender("`bulk.insert`, images shrunk to 512", "special:gaps_shrunk"),
    "gaps_naive": Contender("aiohttp, `json=`", "special:gaps_naive"),
    "gaps_idle": Contender("nothing: the machine itself", "special:gaps_idle"),
    "limited": Contender("`bulk.insert`, rate=100", "special:limited"),
    "writer": Contender("`bulk.Writer`, flush_after=0.05", "special:writer"),
    "otel_absent": Contender("OpenTelemetry not installed", "ours:bulk_without_opentelemetry"),
    "otel_off": Contender("**telemetry off**: API and SDK loaded, never enabled", "telemetry:off"),
    "otel_idle": Contender(
        "`telemetry=OpenTelemetry()`, no provider", "telemetry:without_provider"
    ),
    "otel_on": Contender("telemetry on: a span a request, all metrics", "telemetry:on"),
}


@frozen(kw_only=True)
class Case:
    """One comparison: every client sends the same, in turns of a fraction of a second."""

    title: str
    clients: Mapping[str, int]
    """Requests of each client in a turn."""
    base: str | None = None
    """Whom the others are compared with, if with anybody."""
    kind: str = "url"
    """What the records bring; see `Load`."""
    workers: int = 10
    tls: bool = False
    sink: Mapping[str, Any] = field(factory=dict)
    """Behaviour of the sink."""
    turns: int = 5
    """Turns of each process."""
    rounds: int | None = None
    """Processes of each client, if not as many as everywhere."""
    shown: Mapping[str, str] = field(factory=dict)
    """Further figures and their columns' names."""
    long: bool = False
    """Whether it is left out unless asked for."""


_SMALL: Final = {
    "wrk": 20_000,
    "bare": 1500,
    "bulk": 1500,
    "journal": 1500,
    "all": 1500,
    "insert": 1000,
    "gather": 1000,
    "tasks": 1000,
    "naive": 1000,
    "httpx": 150,
    "requests": 200,
    "vendor": 120,
}

_AT_50_MS: Final = {
    f"latency-{workers}": Case(
        title=f"Small records, 50 ms an answer, {workers} workers",
        clients={"bare": 60 * workers, "bulk": 60 * workers},
        base="bare",
        workers=workers,
        sink={"latency": 0.05},
        turns=2,
        rounds=2,
    )
    for workers in (10, 30, 100, 300)
}

_MEMORY: Final = {
    "peak_mib": "peak MiB",
    "grown_mib": "MiB from 10 % on",
    "growth": "CPU a record ÷ with 10,000 records",
}

_GROWTH: Final = {
    "cost-100k": Case(
        title="100,000 records", clients={"many": 10_000}, turns=3, rounds=1, shown=_MEMORY
    ),
    "cost-1m": Case(
        title="1,000,000 records",
        clients={"many": 100_000, "many_books": 100_000},
        turns=1,
        rounds=1,
        shown=_MEMORY,
    ),
    "cost-10m": Case(
        title="10,000,000 records",
        clients={"many": 1_000_000, "many_books": 1_000_000},
        turns=1,
        rounds=1,
        shown=_MEMORY,
        long=True,
    ),
}

CASES: Final[Mapping[str, Case]] = {
    "small": Case(
        title="Small records, 10 workers, no delay", clients=_SMALL, base="bare", turns=8
    ),
    "search": Case(
        title="Single searches, 10 at once, no delay",
        clients={"bare_knn": 1500, "knn": 1500},
        base="bare_knn",
        turns=12,
    ),
    "bytes": Case(
        title="Images of 50 kB from bytes, 10 workers, no delay",
        clients={"bare": 150, "bulk": 150, "naive": 60, "httpx": 50, "vendor": 40},
        base="bare",
        kind="bytes",
        turns=3,
    ),
    # All send the files as they are: for the vendor's client they are below the 100 kB from which
    # it decodes, for ours upright and below its 512 pixels.
    "files": Case(
        title="Images of 50 kB from files, 10 workers, no delay",
        clients={"bare": 150, "bulk": 150, "naive": 60, "vendor": 40},
        base="bare",
        kind="files",
        turns=3,
    ),
    "tls": Case(
        title="Small records over TLS, 10 workers, no delay",
        clients={"bare": 1500, "bulk": 1200, "httpx": 200, "requests": 300, "vendor": 40},
        base="bare",
        tls=True,
        turns=3,
    ),
    "tls-latency": Case(
        title="Small records over TLS, 50 ms an answer, 30 workers",
        clients={"bare": 900, "bulk": 900, "vendor": 120},
        base="vendor",
        workers=30,
        tls=True,
        sink={"latency": 0.05},
        turns=2,
    ),
    "tail": Case(
        title="Small records, 50 ms an answer, 5 % take 500 ms, 30 workers",
        clients={"bare": 1200, "bulk": 1200, "vendor": 480},
        base="vendor",
        workers=30,
        sink={"latency": 0.05, "slow": 0.05, "slow_latency": 0.5},
        turns=2,
    ),
    "telemetry": Case(
        title="`bulk.insert` with OpenTelemetry, small records, 10 workers, no delay",
        clients={"otel_absent": 2000, "otel_off": 2000, "otel_idle": 1500, "otel_on": 700},
        base="otel_absent",
        turns=24,  # what is to be seen is smaller than what turns differ by
    ),
    **_AT_50_MS,
    **_GROWTH,
    "gaps": Case(
        title="How long the loop stands still, image files of 1 MB, 4 workers",
        clients={"gaps": 10, "gaps_shrunk": 4, "gaps_naive": 4, "gaps_idle": 0},
        kind="large",
        workers=4,
        rounds=1,
        shown={"worst_ms": "worst, ms", "p99_ms": "p99, ms", "own_ms": "worst by CPU, ms"},
    ),
    "rate": Case(
        title="A limit of 100 requests a second",
        clients={"limited": 400},
        sink={"busiest": True},
        rounds=1,
        shown={"busiest": "most in any second"},
    ),
    "writer": Case(
        title="A Writer at low traffic: from `add` to the result",
        clients={"writer": 10},
        sink={"latency": 0.02},
        rounds=1,
        shown={"p50_ms": "p50, ms", "p99_ms": "p99, ms"},
    ),
}
