"""A web service with FastAPI: one client for the app's life, search, errors as statuses, health.

    pip install 'ximilar-async[all]' fastapi httpx uvicorn && python examples/fastapi_service.py

To be seen: what such a service, on an emulator, answers: its health, searches by a product's id and
by an uploaded photo, an unknown product (404), an upload that is no image (422) and a form (415).

To serve a collection of yours, until Ctrl-C or SIGTERM, which let requests under way finish:

    export XIMILAR_TOKEN=... COLLECTION=shoes-id SERVICE=fashion
    uvicorn --app-dir examples --timeout-graceful-shutdown 10 fastapi_service:app
    curl --data-binary @boot.jpg http://127.0.0.1:8000/search
    curl http://127.0.0.1:8000/products/PRODUCT-ID/similar
"""

# FastAPI reads the annotations at run time: no `from __future__ import annotations` here.

import asyncio
import logging
import math
import os
import tempfile
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

import httpx
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse

from ximilar_async import Collection, Retry, Ximilar, bulk, errors
from ximilar_async.demo import make_catalog
from ximilar_async.emulator import Emulator

log = logging.getLogger("uvicorn.error")  # which uvicorn shows
PATIENCE = 5  # seconds: a caller waits
MOST_BYTES = 20 * 1024 * 1024  # of an upload: the body is held in memory

STATUSES: dict[int, tuple[type[Exception], ...]] = {
    422: (errors.RecordError, errors.BadRequestError),  # what the caller sent cannot be used
    404: (errors.NotFoundError,),  # a query by an id that is not stored
    503: (errors.RateLimitError, errors.CapacityError, errors.ServerError),  # not just now
    504: (errors.TimedOutError, TimeoutError),
    500: (errors.AuthError, errors.ConfigError, errors.TLSError),  # ours to mend: token, address
}


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Hold one client open as long as the app runs: it has the connections and the quota."""
    async with Ximilar(retry=Retry(attempts=2, deadline=PATIENCE)) as client:
        get = os.environ.get
        app.state.shop = client.collection(get("COLLECTION", ""), get("SERVICE", "photos"))
        yield


app = FastAPI(lifespan=lifespan)


def the_shop(request: Request) -> Collection:
    """Return the collection that this service searches."""
    shop: Collection = request.app.state.shop
    return shop


Shop = Annotated[Collection, Depends(the_shop)]


async def upload(request: Request) -> bytes:
    """Return the request's body, which is an image as it is, and not too large."""
    if request.headers.get("Content-Type", "").startswith("multipart/"):
        raise HTTPException(415, "send the image itself, not a form: curl --data-binary @boot.jpg")
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise HTTPException(413, f"more than {MOST_BYTES} bytes")
    return bytes(body)


@app.exception_handler(TimeoutError)
@app.exception_handler(errors.XimilarError)
async def tell_error(request: Request, error: Exception) -> JSONResponse:
    """Answer what went wrong with the status that says whose turn it is; details go to the log."""
    status = next((code for code, kinds in STATUSES.items() if isinstance(error, kinds)), 502)
    level = logging.WARNING if status >= 500 else logging.INFO  # noqa: PLR2004 - ours, or theirs
    log.log(level, "%s: %d: %s: %s", request.url.path, status, type(error).__name__, error)
    words = str(error) if isinstance(error, errors.RecordError) else HTTPStatus(status).phrase
    pause = getattr(error, "retry_after", None)
    headers = {} if pause is None else {"Retry-After": str(math.ceil(pause))}
    return JSONResponse({"detail": words}, status, headers)


async def nearest(shop: Collection, query: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the products most like a query, nearest first."""
    async with asyncio.timeout(PATIENCE):
        answer = await shop.visual_knn(query, k=3, fields_to_return=["_id"])
    return [{"id": match.id, "distance": round(match.distance, 2)} for match in answer.matches]


@app.get("/health/live")
async def live() -> dict[str, bool]:
    """Answer while this process works; where it does not, restart it."""
    return {"live": True}


@app.get("/health/ready")
async def ready(shop: Shop) -> dict[str, bool]:
    """Answer 200 while the search behind this service answers; else send callers elsewhere."""
    async with asyncio.timeout(PATIENCE):
        await shop.ping()
    return {"ready": True}


@app.get("/products/{id_}/similar")
async def similar(id_: str, shop: Shop) -> list[dict[str, Any]]:
    """Find products like a stored one."""
    return await nearest(shop, {"_id": id_})


@app.post("/search")
async def search(image: Annotated[bytes, Depends(upload)], shop: Shop) -> list[dict[str, Any]]:
    """Find products like an uploaded image."""
    return await nearest(shop, {"_image": image})


async def demonstrate(folder: Path) -> None:
    """Fill an emulator, put the service before it, and ask it."""
    catalog = make_catalog(folder, products=24, spoilt=False)
    photo = catalog.query_path.read_bytes()
    async with Emulator() as emulator:
        os.environ |= {"XIMILAR_TOKEN": "any", "XIMILAR_URL": emulator.url, "COLLECTION": "shop"}
        asgi = httpx.ASGITransport(app)
        async with lifespan(app), httpx.AsyncClient(transport=asgi, base_url="http://it") as http:
            print((await bulk.insert(app.state.shop, catalog.records_path)).summary())
            for path in ("/health/ready", "/products/shoe-0001/similar", "/products/gone/similar"):
                answer = await http.get(path)
                print(f"GET {path}: {answer.status_code} {answer.text}")
            for body in ({"content": photo}, {"content": b"no image"}, {"files": {"image": photo}}):
                answer = await http.post("/search", **body)
                print(f"POST /search: {answer.status_code} {answer.text}")


if __name__ == "__main__":
    ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter).parse_args()
    with tempfile.TemporaryDirectory() as name, suppress(KeyboardInterrupt):
        asyncio.run(demonstrate(Path(name)))
