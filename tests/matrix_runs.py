"""Runs of the fault matrix that need nothing but the engine and a service that misbehaves."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson
from scripted import ScriptedService

from ximilar_async import Limits, Ximilar, bulk
from ximilar_async._protocol import Response

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matrix_row import Row
    from scripted import Fault

    from ximilar_async.bulk import Report
    from ximilar_async.emulator import Emulator


def records(count: int, start: int = 0) -> list[dict[str, Any]]:
    """Return records with the ids "r0", "r1", …."""
    numbers = range(start, start + count)
    return [{"_id": f"r{n}", "_url": f"https://example.com/{n}.jpg", "n": n} for n in numbers]


def catalog(row: Row, count: int) -> Path:
    """Write a file of records and return its path."""
    path = row.folder / "catalog.jsonl"
    path.write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in records(count)))
    return path


def outcomes(report: Report) -> dict[str, int]:
    """Return how many records ended in each outcome that there is."""
    return {str(outcome): number for outcome, number in report.counts.items() if number}


async def insert(
    row: Row, service: Any, source: Any, *, client: dict[str, Any] | None = None, **options: Any
) -> Report:
    """Insert records into the collection "c" behind a transport, and return the report."""
    async with row.client(transport=service, **(client or {})) as ximilar:
        job = bulk.insert(ximilar.collection("c"), source, options=row.options(**options))
        return await row.run(job)


def one_at_a_time() -> dict[str, Any]:
    """Return the settings of a client that sends one request after the other."""
    return {"limits": Limits(concurrency=1)}


def on_insert(decide: Callable[[int, set[str]], Fault | None]) -> Callable[..., Fault | None]:
    """Return a script that decides about inserts only, by their number (from 1) and ids."""
    number = 0

    def script(method: str, body: dict[str, Any]) -> Fault | None:
        nonlocal number
        if method != "insert":
            return None
        number += 1
        return decide(number, {record["_id"] for record in body["records"]})

    return script


class AlteringService(ScriptedService):
    """A service whose answers to inserts are altered on their way.

    Args:
        alter: Gets each decoded answer that has lists, and changes it in place.
    """

    def __init__(self, alter: Callable[[dict[str, Any]], object], **settings: Any) -> None:
        super().__init__(**settings)
        self._alter = alter

    async def send(self, request: Any) -> Response:
        response = await super().send(request)
        body = orjson.loads(response.body)
        if not request.url.endswith("/insert") or "answer_records" not in body:
            return response
        self._alter(body)
        return Response(response.status, response.headers, orjson.dumps(body))


def sent(service: ScriptedService) -> Counter[str]:
    """Return how often each record was sent to be inserted, by its id."""
    return Counter(record["_id"] for body in service.sent("insert") for record in body["records"])


async def until_stored(service: ScriptedService, count: int) -> None:
    """Wait until the service holds so many records."""
    while len(service.stored) < count:
        await asyncio.sleep(0)


async def stored_in(emulator: Emulator) -> dict[str, dict[str, Any]]:
    """Return the records in the collection "c" of an emulator, by their ids."""
    async with Ximilar("whoever-asks", transport=emulator.transport()) as ximilar:
        pages = ximilar.collection("c").iter_records(fields_to_return=["*"])
        return {record["_id"]: dict(record) async for record in pages}
