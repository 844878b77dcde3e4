"""The clients that are compared: each sends the same batches to the same sink, in its own way.

Every contender is a function that is given a `Load` and a `Meter`; `turns.py` runs one of them in a
process of its own. This module and `vendor` are imported by the vendor's environment too, which
has neither attrs nor anything else of ours: they keep to the standard library.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from types import TracebackType

Record: TypeAlias = dict[str, Any]
Call: TypeAlias = "Callable[[list[Record]], Awaitable[object]]"

TOKEN, COLLECTION = "0" * 40, "bench"
BATCH = 10
HEADERS = {
    "Content-Type": "application/json;charset=UTF-8",
    "collection-id": COLLECTION,
    "Authorization": f"Token {TOKEN}",
}
"""What the service needs, for clients that know nothing of it."""

QUERY = {"_url": "https://shop.example/images/00000017.jpg"}
K = 5


@dataclass(frozen=True)
class Load:
    """What a contender has to send, and how."""

    url: str
    """Address of the sink."""
    kind: str
    """What records bring: "url"; "bytes" or "files" of 50 kB; "large" files of 1 MB."""
    requests: int
    """Requests of one turn."""
    turns: int
    """How often it is this client's turn."""
    workers: int
    """Requests under way at once."""
    bundle: str | None
    """File of the authorities to trust, where the sink speaks TLS."""
    folder: str
    """A folder for this process: with `images` and `large`, and room for its files."""

    @property
    def warm(self) -> int:
        """Return how many requests are sent before: connections stand and code is warm then."""
        return max(2 * self.workers, self.requests // 20) if self.kind != "large" else 1

    @property
    def endpoint(self) -> str:
        """Return the service's address."""
        return f"{self.url}/similarity/photos/v2"

    def records(self, requests: int) -> list[Record]:
        """Return the records of so many requests, all with an id of their own."""
        images = self._images()
        return [
            {"_id": f"sku-{number:08}", **images[number % len(images)], "category": "boots"}
            | ({"price": number} if self.kind == "url" else {})
            for number in range(requests * BATCH)
        ]

    def _images(self) -> list[Record]:
        if self.kind == "url":
            return [{"_url": f"https://shop.example/images/{n:08}.jpg"} for n in range(1000)]
        files = sorted(Path(self.folder, "large" if self.kind == "large" else "images").iterdir())
        if self.kind != "bytes":
            return [{"_file": str(file)} for file in files]
        return [{"_image": file.read_bytes()} for file in files]


def batches(records: list[Record]) -> Iterator[list[Record]]:
    """Yield the records in the batches of a request."""
    for start in range(0, len(records), BATCH):
        yield records[start : start + BATCH]


def body(records: list[Record]) -> Record:
    """Return what an insert sends."""
    return {"fields_to_return": ["_id"], "records": records}


def plainly(record: Record) -> Record:
    """Return a record as it travels, its image encoded by the standard library."""
    if "_url" in record:
        return record
    rest = dict(record)
    image = rest.pop("_image", None) or Path(rest.pop("_file")).read_bytes()
    return {**rest, "_base64": base64.b64encode(image).decode()}


def check(answer: Record, count: int) -> None:
    """Look at an answer as far as everybody does.

    Raises:
        SystemExit: it is not the one that was to come.
    """
    if len(answer["answer_records"]) != count:
        raise SystemExit("the answer is not the one that was to come")


class Meter:
    """Waits for each turn, measures it, and prints what it took, as a line of JSON.

    Clients take turns of a fraction of a second; whose turn it is not waits for a line on stdin and
    does nothing. CPU time is that of the process with all its threads.
    """

    def __init__(self) -> None:
        self._figures: dict[str, object] = {}
        self._seconds = self._cpu = 0.0

    def starts(self, load: Load) -> Iterator[int]:
        """Yield the number of each turn when it is there; the first time, everything is warm."""
        print("{}", flush=True)
        for turn in range(load.turns):
            if not sys.stdin.readline():
                return
            yield turn

    def turns(self, load: Load) -> Iterator[list[Record]]:
        """Yield the records of each turn when it is there."""
        for _ in self.starts(load):
            yield load.records(load.requests)

    def note(self, **figures: object) -> None:
        """Add figures to the turn's."""
        self._figures |= figures

    def __enter__(self) -> None:
        gc.collect()
        self._figures.clear()
        self._seconds, self._cpu = -time.perf_counter(), -time.process_time()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._seconds += time.perf_counter()
        self._cpu += time.process_time()
        if error is None:
            took = {"seconds": self._seconds, "cpu": self._cpu, **self._figures}
            print(json.dumps(took), flush=True)


async def send(call: Call, records: list[Record], workers: int) -> None:
    """Call for every batch, so many at once, by workers that share one iterator."""
    left = batches(records)

    async def worker() -> None:
        for batch in left:
            await call(batch)

    await asyncio.gather(*(worker() for _ in range(workers)))


async def drive(call: Call, load: Load, meter: Meter) -> None:
    """Call for every batch of each turn.

    Args:
        call: Sends one batch and reads its answer.
        load: What to send; some more is sent before anything is measured.
        meter: Measures it.
    """
    await send(call, load.records(load.warm), load.workers)
    for records in meter.turns(load):
        with meter:
            await send(call, records, load.workers)
