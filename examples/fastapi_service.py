"""A web service with FastAPI: one client for the app's life, search, errors as statuses, health.

    pip install 'ximilar-async[all]' fastapi httpx && python examples/fastapi_service.py

To be seen: what such a service, on an emulator, answers: its health, searches by a product's id and
by an uploaded image, an unknown product (404), and an upload that is no image (422).

To serve a collection of yours at http://127.0.0.1:8000, until Ctrl-C:

    pip install uvicorn
    XIMILAR_TOKEN=... COLLECTION=shoes-id uvicorn --app-dir examples fastapi_service:app
"""

# FastAPI reads the annotations at run time: no `from __future__ import annotations` here.

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse

from ximilar_async import Collection, Retry, SearchAnswer, Ximilar, bulk, errors
from ximilar_async.demo import make_catalog
from ximilar_async.emulator import Emulator

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


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Hold one client open as long as the app runs: it has the connections and the quota."""
    patience = Retry(attempts=2, deadline=5)  # a caller waits: no minute of retries
    async with Ximilar(retry=patience) as client:
        app.state.shop = client.collection(os.environ.get("COLLECTION", "shop"))
        yield


app = FastAPI(lifespan=lifespan)


def the_shop(request: Request) -> Collection:
    """Return the collection that this service searches."""
    shop: Collection = request.app.state.shop
    return shop


Shop = Annotated[Collection, Depends(the_shop)]


@app.exception_handler(errors.XimilarError)
async def tell_error(_: Request, error: errors.XimilarError) -> JSONResponse:
    """Answer what the service could not do with the status that says whose turn it is."""
    status = next(status for kind, status in STATUSES if isinstance(error, kind))
    headers = {} if error.retry_after is None else {"Retry-After": f"{error.retry_after:.0f}"}
    return JSONResponse({"error": str(error)}, status, headers)


def row(answer: SearchAnswer) -> list[dict[str, Any]]:
    """Return what was found, nearest first."""
    return [{"id": match.id, "distance": round(match.distance, 2)} for match in answer.matches]


@app.get("/health")
async def health(shop: Shop) -> dict[str, str]:
    """Tell whether the service behind this one answers."""
    return {"search": (await shop.ping()).status.text}


@app.get("/products/{id_}/similar")
async def similar(id_: str, shop: Shop) -> list[dict[str, Any]]:
    """Find products like a stored one."""
    return row(await shop.visual_knn({"_id": id_}, k=3, fields_to_return=["_id"]))


@app.post("/search")
async def search(request: Request, shop: Shop) -> list[dict[str, Any]]:
    """Find products like an uploaded image."""
    image = await request.body()
    return row(await shop.visual_knn({"_image": image}, k=3, fields_to_return=["_id"]))


async def show(http: httpx.AsyncClient, method: str, path: str, body: bytes | None = None) -> None:
    """Send one request, and print it with its answer."""
    response = await http.request(method, path, content=body)
    print(f"{method} {path}: {response.status_code} {response.text}")


async def demonstrate(folder: Path) -> None:
    """Fill an emulator, put the service before it, and ask it."""
    catalog = make_catalog(folder, products=24)
    async with Emulator() as emulator:
        os.environ |= {"XIMILAR_TOKEN": "any", "XIMILAR_URL": emulator.url, "COLLECTION": "shop"}
        async with Ximilar() as client:
            print((await bulk.insert(client.collection("shop"), catalog.records_path)).summary())
        transport = httpx.ASGITransport(app)
        async with (
            lifespan(app),  # a server does this by itself
            httpx.AsyncClient(transport=transport, base_url="http://service") as http,
        ):
            await show(http, "GET", "/health")
            await show(http, "GET", "/products/shoe-0001/similar")
            await show(http, "POST", "/search", catalog.query_path.read_bytes())
            await show(http, "GET", "/products/gone/similar")
            await show(http, "POST", "/search", b"no image")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(demonstrate(Path(name)))
