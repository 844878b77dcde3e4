"""An emulated collection with a log of its requests, and catalogs to bring it in line with."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson
from attrs import define, field

from ximilar_async import Limits, Retry, Ximilar
from ximilar_async.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from ximilar_async import Collection
    from ximilar_async._protocol import Request, Response

READING = frozenset({"get", "getRecordCount", "allRecords", "ping"})
"""Methods that change nothing."""

QUICK = Retry(attempts=3, base=0.0005, cap=0.002)


@define(eq=False)
class Logged:
    """A transport that writes down what passes.

    Args:
        inner: What carries it.
        fault: Called with method and body before each request; what it returns is the answer, and
            what it raises is raised.
    """

    inner: Any
    fault: Callable[[str, dict[str, Any]], Response | None] | None = None
    log: list[tuple[str, dict[str, Any]]] = field(factory=list)

    async def send(self, request: Request) -> Response:
        method = request.url.split("?")[0].rsplit("/", 1)[1]
        body = orjson.loads(request.body) if request.body else {}
        self.log.append((method, body))
        answer = self.fault(method, body) if self.fault else None
        response: Response = answer or await self.inner.send(request)
        return response

    async def aclose(self) -> None:
        await self.inner.aclose()


@define(eq=False)
class Shop:
    """A collection, the log of its requests, and what it holds."""

    collection: Collection
    transport: Logged

    @property
    def log(self) -> list[tuple[str, dict[str, Any]]]:
        return self.transport.log

    def writes(self) -> dict[str, list[Any]]:
        """Return the records of each writing method since the log was last cleared, by id."""
        found: dict[str, list[Any]] = {}
        for method, body in self.log:
            if method not in READING:
                found.setdefault(method, []).extend(body["records"])
        return {m: sorted(records, key=lambda r: r["_id"]) for m, records in found.items()}

    def methods(self) -> list[str]:
        """Return the methods of the log, in order."""
        return [method for method, _ in self.log]

    def clear(self) -> None:
        self.log.clear()

    async def stored(self) -> dict[str, dict[str, Any]]:
        """Return what is stored, by id."""
        before = len(self.log)
        pages = self.collection.iter_records(fields_to_return=["*"])
        records = {record["_id"]: dict(record) async for record in pages}
        del self.log[before:]
        return records


@asynccontextmanager
async def opened(**settings: Any) -> AsyncIterator[Shop]:
    """Open an empty collection."""
    async with Emulator(**settings) as emulator:
        transport = Logged(emulator.transport())
        limits = Limits(concurrency=4)
        async with Ximilar("token", transport=transport, retry=QUICK, limits=limits) as client:
            yield Shop(client.collection("shoes"), transport)


def product(n: int, **fields: Any) -> dict[str, Any]:
    """Return a product with its photo's address; a field that is None is left out."""
    record = {"_id": f"p{n}", "_url": f"https://shop/{n}.jpg", "price": n, "name": f"Shoe {n}"}
    return {name: value for name, value in (record | fields).items() if value is not None}


def products(numbers: Iterable[int]) -> list[dict[str, Any]]:
    return [product(n) for n in numbers]
