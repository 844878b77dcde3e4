"""A web service with aiohttp: one client for the app's life, search, errors as statuses, health.

    pip install 'ximilar-async[all]' && python examples/aiohttp_service.py

To be seen: what such a service, on an emulator, answers: its health, searches by a product's id and
by an uploaded photo, an unknown product (404), an upload that is no image (422) and a form (415).

To serve a collection of yours, until Ctrl-C or SIGTERM, which let requests under way finish:

    XIMILAR_TOKEN=... python examples/aiohttp_service.py COLLECTION-ID --service fashion
    curl --data-binary @boot.jpg http://127.0.0.1:8080/search
    curl http://127.0.0.1:8080/products/PRODUCT-ID/similar
"""

from __future__ import annotations

import asyncio
import io
import logging
import math
import os
import sys
import tempfile
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from ximilar_async import Collection, Retry, Ximilar, bulk, errors
from ximilar_async.demo import make_catalog
from ximilar_async.emulator import Emulator

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

log = logging.getLogger("shop")
SHOP = web.AppKey("shop", Collection)
PATIENCE = 5  # seconds: a caller waits
MOST_BYTES = 20 * 1024 * 1024  # of an upload; aiohttp's own limit of 1 MiB is less than a photo

STATUSES: dict[int, tuple[type[Exception], ...]] = {
    422: (errors.RecordError, errors.BadRequestError),  # what the caller sent cannot be used
    404: (errors.NotFoundError,),  # a query by an id that is not stored
    503: (errors.RateLimitError, errors.CapacityError, errors.ServerError),  # not just now
    504: (errors.TimedOutError, TimeoutError),
    500: (errors.AuthError, errors.ConfigError, errors.TLSError),  # ours to mend: token, address
}


@web.middleware
async def tell_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer what went wrong with the status that says whose turn it is; details go to the log."""
    try:
        return await handler(request)
    except (errors.XimilarError, TimeoutError) as error:
        status = next((code for code, kinds in STATUSES.items() if isinstance(error, kinds)), 502)
        level = logging.WARNING if status >= 500 else logging.INFO  # noqa: PLR2004 - ours, or theirs
        log.log(level, "%s: %d: %s: %s", request.path, status, type(error).__name__, error)
        words = str(error) if isinstance(error, errors.RecordError) else HTTPStatus(status).phrase
        pause = getattr(error, "retry_after", None)
        headers = {} if pause is None else {"Retry-After": str(math.ceil(pause))}
        return web.json_response({"error": words}, status=status, headers=headers)


async def nearest(request: web.Request, query: dict[str, Any]) -> web.Response:
    """Answer with the products most like a query, nearest first."""
    async with asyncio.timeout(PATIENCE):
        answer = await request.app[SHOP].visual_knn(query, k=3, fields_to_return=["_id"])
    found = [{"id": match.id, "distance": round(match.distance, 2)} for match in answer.matches]
    return web.json_response(found)


async def similar(request: web.Request) -> web.Response:
    """Find products like a stored one."""
    return await nearest(request, {"_id": request.match_info["id"]})


async def search(request: web.Request) -> web.Response:
    """Find products like an uploaded image, which is the request's body as it is."""
    if request.content_type.startswith("multipart/"):
        words = "send the image itself, not a form: curl --data-binary @boot.jpg"
        raise web.HTTPUnsupportedMediaType(text=words)
    return await nearest(request, {"_image": await request.read()})


async def live(_: web.Request) -> web.Response:
    """Answer while this process works; where it does not, restart it."""
    return web.json_response({"live": True})


async def ready(request: web.Request) -> web.Response:
    """Answer 200 while the search behind this service answers; else send callers elsewhere."""
    async with asyncio.timeout(PATIENCE):
        await request.app[SHOP].ping()
    return web.json_response({"ready": True})


def make_app(collection: str, service: str = "photos") -> web.Application:
    """Return the app; its client lives as long as it does, with the token of XIMILAR_TOKEN."""
    client = Ximilar(retry=Retry(attempts=2, deadline=PATIENCE))  # no minute of retries
    app = web.Application(middlewares=[tell_errors], client_max_size=MOST_BYTES)
    app[SHOP] = client.collection(collection, service)
    app.on_cleanup.append(lambda _: client.aclose())
    app.router.add_get("/health/live", live)
    app.router.add_get("/health/ready", ready)
    app.router.add_get("/products/{id}/similar", similar)
    app.router.add_post("/search", search)
    return app


async def demonstrate(folder: Path) -> None:
    """Fill an emulator, put the service before it, and ask it."""
    catalog = make_catalog(folder, products=24, spoilt=False)
    photo = catalog.query_path.read_bytes()
    async with Emulator() as emulator:
        os.environ |= {"XIMILAR_TOKEN": "any", "XIMILAR_URL": emulator.url}
        app = make_app("shop")
        print((await bulk.insert(app[SHOP], catalog.records_path)).summary())
        server = TestServer(app)
        async with server, aiohttp.ClientSession(server.make_url("/")) as http:
            for path in ("/health/ready", "/products/shoe-0001/similar", "/products/gone/similar"):
                async with http.get(path) as answer:
                    print(f"GET {path}: {answer.status} {await answer.text()}")
            for body in (photo, b"no image", aiohttp.FormData({"image": io.BytesIO(photo)})):
                async with http.post("/search", data=body) as answer:
                    print(f"POST /search: {answer.status} {await answer.text()}")


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("collection", nargs="?", help="id of the collection to serve")
    parser.add_argument("--service", default="photos", help="its service, such as fashion")
    parser.add_argument("--port", type=int, default=8080)
    given = parser.parse_args()
    try:
        if given.collection is None:
            with tempfile.TemporaryDirectory() as name:
                asyncio.run(demonstrate(Path(name)))
        else:
            logging.basicConfig(level=logging.INFO)
            served = make_app(given.collection, given.service)
            web.run_app(served, host="127.0.0.1", port=given.port, shutdown_timeout=10)
    except (errors.ConfigError, OSError) as problem:  # no token; the port is taken
        sys.exit(f"error: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)
