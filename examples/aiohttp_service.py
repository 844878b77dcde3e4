"""A web service with aiohttp: one client for the app's life, search, errors as statuses, health.

    pip install 'ximilar-async[all]' && python examples/aiohttp_service.py

To be seen: what such a service, on an emulator, answers: its health, searches by a product's id and
by an uploaded image, an unknown product (404), and an upload that is no image (422).

To serve a collection of yours at http://127.0.0.1:8080, until Ctrl-C:

    XIMILAR_TOKEN=... python examples/aiohttp_service.py COLLECTION-ID
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from ximilar_async import Collection, Retry, Ximilar, bulk, errors
from ximilar_async.demo import make_catalog
from ximilar_async.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp.typedefs import Handler

    from ximilar_async import SearchAnswer

SHOP = web.AppKey("shop", Collection)

STATUSES: list[tuple[type[errors.XimilarError], int]] = [
    (errors.RecordError, 422),  # the caller's image or record cannot be used
    (errors.NotFoundError, 404),  # a query by an id that is not stored
    (errors.RateLimitError, 503),  # our quota, not the caller's fault
    (errors.CapacityError, 503),
    (errors.TimedOutError, 504),
    (errors.AuthError, 500),  # ours to mend
    (errors.ConfigError, 500),
    (errors.XimilarError, 502),
]


@web.middleware
async def tell_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer what the service could not do with the status that says whose turn it is."""
    try:
        return await handler(request)
    except errors.XimilarError as error:
        status = next(status for kind, status in STATUSES if isinstance(error, kind))
        headers = {} if error.retry_after is None else {"Retry-After": f"{error.retry_after:.0f}"}
        return web.json_response({"error": str(error)}, status=status, headers=headers)


def row(answer: SearchAnswer) -> web.Response:
    """Return what was found, nearest first."""
    found = [{"id": match.id, "distance": round(match.distance, 2)} for match in answer.matches]
    return web.json_response(found)


async def similar(request: web.Request) -> web.Response:
    """Find products like a stored one."""
    query = {"_id": request.match_info["id"]}
    return row(await request.app[SHOP].visual_knn(query, k=3, fields_to_return=["_id"]))


async def search(request: web.Request) -> web.Response:
    """Find products like an uploaded image."""
    query = {"_image": await request.read()}
    return row(await request.app[SHOP].visual_knn(query, k=3, fields_to_return=["_id"]))


async def health(request: web.Request) -> web.Response:
    """Tell whether the service behind this one answers."""
    return web.json_response({"search": (await request.app[SHOP].ping()).status.text})


def make_app(
    collection_id: str, token: str | None = None, base_url: str | None = None
) -> web.Application:
    """Return the app; its client lives as long as it does."""

    async def client(app: web.Application) -> AsyncIterator[None]:
        patience = Retry(attempts=2, deadline=5)  # a caller waits: no minute of retries
        async with Ximilar(token, base_url=base_url, retry=patience) as ximilar:
            app[SHOP] = ximilar.collection(collection_id)
            yield

    app = web.Application(middlewares=[tell_errors])
    app.cleanup_ctx.append(client)
    app.add_routes(
        [
            web.get("/health", health),
            web.get("/products/{id}/similar", similar),
            web.post("/search", search),
        ]
    )
    return app


async def show(
    http: aiohttp.ClientSession, method: str, path: str, body: bytes | None = None
) -> None:
    """Send one request, and print it with its answer."""
    async with http.request(method, path, data=body) as response:
        print(f"{method} {path}: {response.status} {await response.text()}")


async def demonstrate(folder: Path) -> None:
    """Fill an emulator, put the service before it, and ask it."""
    catalog = make_catalog(folder, products=24)
    async with Emulator() as emulator:
        async with Ximilar("any", base_url=emulator.url) as client:
            shop = client.collection("shop")
            print((await bulk.insert(shop, catalog.records_path)).summary())
        async with (
            TestServer(make_app("shop", "any", emulator.url)) as server,
            aiohttp.ClientSession(server.make_url("/")) as http,
        ):
            await show(http, "GET", "/health")
            await show(http, "GET", "/products/shoe-0001/similar")
            await show(http, "POST", "/search", catalog.query_path.read_bytes())
            await show(http, "GET", "/products/gone/similar")
            await show(http, "POST", "/search", b"no image")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        web.run_app(make_app(sys.argv[1]), host="127.0.0.1", port=8080)
    else:
        with tempfile.TemporaryDirectory() as name:
            asyncio.run(demonstrate(Path(name)))
