"""Other people's HTTP clients as their own pages show them: one client or session, reused."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from . import HEADERS, batches, body, check, drive, plainly

if TYPE_CHECKING:
    from . import Load, Meter, Record


def by_httpx(load: Load, meter: Meter) -> None:
    """Insert by httpx's asynchronous client."""
    import httpx  # noqa: PLC0415 - requests' run is not to load it

    async def run() -> None:
        url = f"{load.endpoint}/insert"
        tls = True if load.bundle is None else ssl.create_default_context(cafile=load.bundle)
        limits = httpx.Limits(max_connections=load.workers)
        async with httpx.AsyncClient(headers=HEADERS, limits=limits, verify=tls) as client:

            async def call(records: list[Record]) -> None:
                content = body([plainly(record) for record in records])
                response = await client.post(url, json=content, timeout=90)
                check(response.json(), len(records))

            await drive(call, load, meter)

    asyncio.run(run())


def by_requests(load: Load, meter: Meter) -> None:
    """Insert by requests: threads, each with a session of its own."""
    import requests  # noqa: PLC0415 - httpx's run is not to load it

    url, local = f"{load.endpoint}/insert", threading.local()

    def enter() -> None:
        local.session = requests.Session()
        local.session.headers.update(HEADERS)

    def call(records: list[Record]) -> None:
        data = json.dumps(body([plainly(record) for record in records]))
        response = local.session.post(url, data=data, timeout=90, verify=load.bundle or True)
        check(response.json(), len(records))

    with ThreadPoolExecutor(load.workers, initializer=enter) as pool:
        list(pool.map(call, batches(load.records(load.warm))))
        for records in meter.turns(load):
            with meter:
                list(pool.map(call, batches(records)))
