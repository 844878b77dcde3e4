"""aiohttp by hand: the loop that is our ceiling, and the one that everybody writes first."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import orjson
import pybase64
import uvloop

from . import HEADERS, QUERY, K, body, check, drive, plainly

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from . import Load, Meter, Record


@asynccontextmanager
async def _session(load: Load) -> AsyncIterator[aiohttp.ClientSession]:
    tls = True if load.bundle is None else ssl.create_default_context(cafile=load.bundle)
    connector = aiohttp.TCPConnector(limit=load.workers, ssl=tls)
    async with aiohttp.ClientSession(connector=connector, headers=HEADERS) as session:
        yield session


def _encoded(record: Record) -> Record:
    rest = dict(record)
    image = rest.pop("_image", None) or Path(rest.pop("_file")).read_bytes()
    return {**rest, "_base64": pybase64.b64encode_as_string(image)}


def _dumped(records: list[Record]) -> bytes:
    return orjson.dumps(body([_encoded(record) for record in records]))


def bare(load: Load, meter: Meter) -> None:
    """Insert by aiohttp, orjson and uvloop, and nothing else: no retry, no limit, no report."""

    async def run() -> None:
        url = f"{load.endpoint}/insert"
        async with _session(load) as session:

            async def call(records: list[Record]) -> None:
                if load.kind == "url":
                    data = orjson.dumps(body(records))
                else:
                    data = await asyncio.to_thread(_dumped, records)
                async with session.post(url, data=data) as response:
                    check(orjson.loads(await response.read()), len(records))

            await drive(call, load, meter)

    uvloop.run(run())


def bare_knn(load: Load, meter: Meter) -> None:
    """Search by aiohttp, orjson and uvloop, and nothing else."""

    async def run() -> None:
        url = f"{load.endpoint}/visualKNN"
        async with _session(load) as session:

            async def call(_: list[Record]) -> None:
                data = orjson.dumps({"query_record": QUERY, "k": K})
                async with session.post(url, data=data) as response:
                    check(orjson.loads(await response.read()), K)

            await drive(call, load, meter)

    uvloop.run(run())


def naive(load: Load, meter: Meter) -> None:
    """Insert by aiohttp's own `json=` on asyncio's own loop."""

    async def run() -> None:
        url = f"{load.endpoint}/insert"
        async with _session(load) as session:

            async def call(records: list[Record]) -> None:
                content = body([plainly(record) for record in records])
                async with session.post(url, json=content) as response:
                    check(await response.json(), len(records))

            await drive(call, load, meter)

    asyncio.run(run())
