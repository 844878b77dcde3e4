"""aiohttp by hand: the loop that is our ceiling, and the one that everybody writes first."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import aiohttp
import orjson
import pybase64
import uvloop

from . import HEADERS, QUERY, K, body, check, drive, plainly

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from . import Call, Load, Meter, Record

Calling: TypeAlias = "Callable[[aiohttp.ClientSession, Load], Call]"


@asynccontextmanager
async def session(load: Load) -> AsyncIterator[aiohttp.ClientSession]:
    """Yield a session with as many connections as there are workers."""
    tls = True if load.bundle is None else ssl.create_default_context(cafile=load.bundle)
    connector = aiohttp.TCPConnector(limit=load.workers, ssl=tls)
    async with aiohttp.ClientSession(connector=connector, headers=HEADERS) as opened:
        yield opened


def _encoded(record: Record) -> Record:
    rest = dict(record)
    image = rest.pop("_image", None) or Path(rest.pop("_file")).read_bytes()
    return {**rest, "_base64": pybase64.b64encode_as_string(image)}


def _dumped(records: list[Record]) -> bytes:
    return orjson.dumps(body([_encoded(record) for record in records]))


def inserting(session: aiohttp.ClientSession, load: Load) -> Call:
    """Return what inserts a batch by aiohttp and orjson, and does nothing else.

    There is no retry, no limit, no report.
    """
    url = f"{load.endpoint}/insert"

    async def call(records: list[Record]) -> None:
        if load.kind == "url":
            data = orjson.dumps(body(records))
        else:
            data = await asyncio.to_thread(_dumped, records)
        async with session.post(url, data=data) as response:
            check(orjson.loads(await response.read()), len(records))

    return call


def searching(session: aiohttp.ClientSession, load: Load) -> Call:
    """Return what searches by aiohttp and orjson, and does nothing else."""
    url = f"{load.endpoint}/visualKNN"

    async def call(_: list[Record]) -> None:
        data = orjson.dumps({"query_record": QUERY, "k": K})
        async with session.post(url, data=data) as response:
            check(orjson.loads(await response.read()), K)

    return call


def _naively(session: aiohttp.ClientSession, load: Load) -> Call:
    url = f"{load.endpoint}/insert"

    async def call(records: list[Record]) -> None:
        content = body([plainly(record) for record in records])
        async with session.post(url, json=content) as response:
            check(await response.json(), len(records))

    return call


async def _drive(calling: Calling, load: Load, meter: Meter) -> None:
    async with session(load) as opened:
        await drive(calling(opened, load), load, meter)


def bare(load: Load, meter: Meter) -> None:
    """Insert by aiohttp, orjson and uvloop: our ceiling."""
    uvloop.run(_drive(inserting, load, meter))


def bare_knn(load: Load, meter: Meter) -> None:
    """Search by aiohttp, orjson and uvloop."""
    uvloop.run(_drive(searching, load, meter))


def naive(load: Load, meter: Meter) -> None:
    """Insert by aiohttp's own `json=` on asyncio's own loop."""
    asyncio.run(_drive(_naively, load, meter))
