"""`bench`: how many requests a service answers in a second, and how quickly."""
# Typer reads the annotations at run time: no `from __future__ import annotations` in this module.

import asyncio
import secrets
import sys
import time
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import typer
from attrs import define, field, frozen
from typer import Option

from ximilar_async import _endpoints as endpoints
from ximilar_async import bulk
from ximilar_async._collection import Collection
from ximilar_async._config import Retry, make_base_url
from ximilar_async._endpoints import Endpoint
from ximilar_async._models import Record
from ximilar_async._retry import FailureClass, Trace, classify
from ximilar_async.bulk import ExitCode
from ximilar_async.bulk._timing import Histogram
from ximilar_async.errors import XimilarError
from ximilar_async.images import prepare_records
from ximilar_async.pages import counted, seconds

from .connect import find_collection, is_loopback, open_client
from .failures import UsageError, message
from .options import ACTION, PROCESSES, Access, Output, Place
from .progress import bar_view, live, ticking
from .screen import complain, put, put_json
from .search import query_record
from .signals import Signals, run
from .tables import pairs_view

EXAMPLES: Final = """
[bold]Examples[/bold]
  ximilar-async bench -c c1 --emulator= --requests 500 --concurrency 8
  ximilar-async bench -c shoes-id -s fashion --requests 100 --image id:sku-17
  ximilar-async bench -c test-id --method insert --image boot.jpg --requests 20 --rate 2

No request is sent again: each counts once, as answered or as failed, and no more are sent than \
were asked for. Latency is from sending a request to the end of its answer. `insert` takes away \
again what it has stored.

[bold]Exit codes[/bold]  0 every request was answered, 1 some were not, 2 usage, 3 token refused, \
4 collection full or credits spent, 5 service unreachable, 130 and 143 interrupted.
"""

MOST_REQUESTS: Final = 10_000
"""More are refused, whatever the service and the account would bear."""

_ADDRESS: Final = "https://example.com/bench.jpg"
"""An image for an emulator, which looks at the text of an address alone."""

_TRANSIENT: Final = (FailureClass.NOT_SENT, FailureClass.DOUBTFUL, FailureClass.THROTTLED)
"""Failures that the next request may not meet; any other ends the test."""


class Method(StrEnum):
    """What is asked of the service."""

    VISUAL_KNN = "visual_knn"
    INSERT = "insert"
    GET_RECORD_COUNT = "get_record_count"
    PING = "ping"


_ENDPOINTS: Final[Mapping[Method, Endpoint[Any]]] = {
    Method.VISUAL_KNN: endpoints.VISUAL_KNN,
    Method.INSERT: endpoints.INSERT,
    Method.GET_RECORD_COUNT: endpoints.GET_RECORD_COUNT,
    Method.PING: endpoints.PING,
}


def bench(
    *,
    method: Annotated[
        Method,
        Option(metavar="NAME", help=f"One of {', '.join(Method)}.", rich_help_panel=ACTION),
    ] = Method.VISUAL_KNN,
    requests: Annotated[
        int,
        Option(
            metavar="N",
            min=1,
            max=MOST_REQUESTS,
            help=f"Requests to send, {MOST_REQUESTS:,} at most.",
            rich_help_panel=ACTION,
        ),
    ] = 100,
    image: Annotated[
        str | None,
        Option(
            metavar="IMAGE",
            help="What to search by or to insert: a file, an http(s) address; for a search also "
            "id:ID. An emulator needs none.",
            rich_help_panel=ACTION,
        ),
    ] = None,
    batch_size: Annotated[
        int,
        Option(
            metavar="N",
            min=1,
            max=endpoints.MAX_RECORDS,
            help="With insert: records in a request.",
            rich_help_panel=ACTION,
        ),
    ] = endpoints.MAX_RECORDS,
    yes: Annotated[
        bool,
        Option("--yes", metavar="", help="Spend credits without asking.", rich_help_panel=ACTION),
    ] = False,
    processes: Annotated[int | None, PROCESSES] = None,
    place: Place,
    access: Access,
    output: Output,
) -> int:
    """Measure how many requests a service, or an emulator, answers in a second."""
    plan = Plan(method, requests, batch_size, _query(method, image, access), output)
    if plan.price and not yes and _is_real(access):
        _confirm(plan, make_base_url(access.url))

    async def work(signals: Signals) -> int:
        async with open_client(access, processes=processes) as client:
            collection = find_collection(client, place).with_options(retry=Retry(attempts=1))
            await collection.ping()  # is it there, is the token right?
            tally = await _measure(plan, collection, signals)
        _tell(tally.result(plan), plan.output)
        if tally.fatal is not None:
            raise tally.fatal
        if signals.received is not None:
            complain("stopped", f"interrupted by {signals.received.name}")
        return signals.exit_code or (ExitCode.TROUBLE if tally.failed else ExitCode.DECIDED)

    return run(work)


@frozen
class Plan:
    """What is to be sent."""

    method: Method
    requests: int
    batch_size: int
    query: Record
    output: Output

    @property
    def price(self) -> str:
        """Return what it costs, as far as the documents tell; empty if nothing."""
        if self.method is Method.INSERT:
            records = counted(self.requests * self.batch_size, "record")
            return f"{records}, whose price is not published, deleted again at the end"
        if self.method is Method.VISUAL_KNN:
            each = 1 if "_id" in self.query else 10
            return f"{each * self.requests:,} credits, {each} a search"
        return ""


@define
class Tally:
    """What has become of the requests so far."""

    started: int = 0
    latency: Histogram = field(factory=Histogram)
    answered: int = 0
    failures: Counter[str] = field(factory=Counter)
    skipped: int = 0
    """Records that answers say were not inserted."""
    fatal: XimilarError | None = None
    """What every further request would have met."""
    elapsed: float = 0.0

    @property
    def failed(self) -> int:
        """Return how many requests were not answered, or not well."""
        return self.failures.total()

    def is_over(self, plan: Plan) -> bool:
        """Tell whether no further request is to be sent."""
        return self.fatal is not None or self.started >= plan.requests

    def result(self, plan: Plan) -> dict[str, Any]:
        """Return what is to be told, as JSON values."""
        rate = self.answered / self.elapsed if self.elapsed else 0.0
        return {
            "method": plan.method.value,
            "requests": self.answered + self.failed,
            "answered": self.answered,
            "failed": self.failed,
            "failures": dict(self.failures),
            "skipped_records": self.skipped,
            "seconds": round(self.elapsed, 3),
            "requests_per_second": round(rate, 1),
            "latency": {name: round(value, 5) for name, value in self.latency.to_dict().items()},
        }


# --- before anything is sent --------------------------------------------------------------------


def _query(method: Method, image: str | None, access: Access) -> Record:
    """Return the record to search by, or the image to insert.

    Raises:
        UsageError: one is needed and was not named, or cannot be used.
    """
    if method not in (Method.VISUAL_KNN, Method.INSERT):
        return {}
    if image is None:
        if access.emulator is None:
            raise UsageError(f"--method {method} needs --image: a file, an address, or id:ID")
        return {"_url": _ADDRESS}
    query = query_record(image)
    if method is Method.INSERT and "_id" in query:
        raise UsageError("--method insert needs an image: --image takes a file or an address here")
    return query


def _is_real(access: Access) -> bool:
    """Tell whether requests leave this machine."""
    if access.emulator is not None:
        return False
    return not is_loopback(urlsplit(make_base_url(access.url)).hostname or "")


def _confirm(plan: Plan, url: str) -> None:
    """Ask whether the credits may be spent.

    Raises:
        UsageError: nobody is there to answer.
        Abort: they may not.
    """
    words = f"this sends up to {counted(plan.requests, 'request')} to {url}: {plan.price}"
    if not sys.stdin.isatty():
        raise UsageError(f"{words}; say --yes if that is meant")
    sys.stderr.write(f"{words}. Go on? [y/N] ")  # stdout is for data
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise typer.Abort


# --- sending ------------------------------------------------------------------------------------


@frozen
class Load:
    """What the requests bring."""

    plan: Plan
    record: Record
    """The query, or the image to insert, as it travels."""
    run: str = field(factory=lambda: f"bench-{secrets.token_hex(4)}")
    """Begins the id of every record that is inserted."""

    def fields(self, number: int) -> dict[str, Any]:
        """Return the body's fields of one request."""
        if self.plan.method is Method.VISUAL_KNN:
            return {"query_record": self.record}
        if self.plan.method is Method.INSERT:
            return {"records": [{**self.record, "_id": id_} for id_ in self.ids(number)]}
        return {}

    def ids(self, number: int) -> list[str]:
        """Return the ids of one request's records."""
        return [f"{self.run}-{number}-{place}" for place in range(self.plan.batch_size)]


async def _measure(plan: Plan, collection: Collection, signals: Signals) -> Tally:
    """Send the requests, as many at once as the client lets through, and tidy up."""
    (record,) = await prepare_records([plan.query], collection.images, called="--image")
    load, tally = Load(plan, record), Tally()
    start = time.perf_counter()

    async def worker() -> None:
        while not tally.is_over(plan) and signals.received is None:
            number, tally.started = tally.started, tally.started + 1
            await _send(load, number, collection, tally)

    def look() -> None:
        done, spent = tally.answered + tally.failed, time.perf_counter() - start
        words = f"{done / spent:,.0f} requests/s"
        show(bar_view(plan.method, done / plan.requests, spent, words))

    # The first signal lets what is under way come to its end.
    with signals.stopping(lambda _: None), live(plan.output) as show:
        async with ticking(look):
            await asyncio.gather(*(worker() for _ in range(collection.slots)))
        tally.elapsed = time.perf_counter() - start
        if plan.method is Method.INSERT:
            await _delete(load, tally, collection)
    return tally


async def _send(load: Load, number: int, collection: Collection, tally: Tally) -> None:
    """Send one request, once, and note what became of it."""
    trace = Trace()
    try:
        answer = await collection.call(
            _ENDPOINTS[load.plan.method], load.fields(number), trace=trace
        )
    except XimilarError as error:
        tally.failures[type(error).__name__] += 1
        if classify(error) not in _TRANSIENT:
            tally.fatal = error
        return
    tally.answered += 1
    tally.latency.add(trace.network)
    tally.skipped += len(getattr(answer, "skipped", ()))


async def _delete(load: Load, tally: Tally, collection: Collection) -> None:
    """Take away again what was inserted."""
    ids = [id_ for number in range(tally.started) for id_ in load.ids(number)]
    try:
        report = await bulk.delete(collection, ids)
        left = report.failed + report.not_attempted
    except XimilarError as error:
        complain("warning", message(error))
        left = len(ids)
    if left:
        complain("warning", f"up to {left:,} records are left whose ids begin with {load.run}")


def _tell(result: dict[str, Any], output: Output) -> None:
    if output.json:
        put_json(result)
        return
    failures = ", ".join(f"{name} {number:,}" for name, number in result["failures"].items())
    lines = {
        "requests": f"{result['requests']:,} of {result['method']} in {result['seconds']:.1f} s",
        "answered": f"{result['answered']:,}, {result['requests_per_second']:,.1f} a second",
        "latency": ", ".join(f"{name} {seconds(took)}" for name, took in result["latency"].items()),
        "failed": f"{result['failed']:,} ({failures})" if failures else "",
        "not inserted": f"{result['skipped_records']:,} records" * bool(result["skipped_records"]),
    }
    put(pairs_view({name: words for name, words in lines.items() if words}))
